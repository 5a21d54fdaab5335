import type { Blueprint } from '@qtest/machine';

const ISA_IRQS = 16;
/** What every emulator's PC has on its board, whether the machine of ours has it or not: timer, keyboard, cascade, clock, mouse, disks. */
const BOARD = [0, 1, 2, 8, 12, 14, 15];
/** The cascade: no line of the bus. */
const CASCADE = 2;

/**
 * IRQs of the ISA bus whose levels are the same on both sides, a bit each: on an emulator, those that none of its own devices drives alone.
 * @param missing the devices that it has not, by id; undefined when it is another machine of ours.
 */
export function irqsOf({ devices, lines }: Blueprint, missing: Readonly<Record<string, string>> | undefined): number {
  const isa = devices.find(({ busName }) => busName === 'isa');
  if (isa === undefined) return 0;
  if (missing === undefined) return 2 ** ISA_IRQS - 1;
  let irqs = 0;
  for (let irq = 0; irq < ISA_IRQS; irq++) {
    // The bus itself drives all of them, with PCI's interrupts, and so does the device by which a test drives them.
    const drivers = devices.filter(
      (device) =>
        device !== isa &&
        device.type !== 'pc-testdev' &&
        Object.values(device.outputs).some(({ line, count }) =>
          lines.slice(line, line + count).some(({ feeds }) => feeds.includes(isa.busLine + irq)),
        ),
    );
    if (irq === CASCADE || drivers.some(({ id }) => missing[id] !== undefined)) continue;
    if (drivers.length > 0 || !BOARD.includes(irq)) irqs |= 1 << irq;
  }
  return irqs;
}
