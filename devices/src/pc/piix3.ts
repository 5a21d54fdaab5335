/**
 * Intel PIIX3, function 0: the PCI-to-ISA bridge (Intel 82371FB/82371SB data sheet, order number 290550: "PCI Configuration Registers
 * (Function 0)", "Interrupt Routing", "Reset Control Register"). It provides the ISA bus.
 *
 * PIRQRCA to PIRQRCD route the four lines of the PCI bus to lines of the ISA bus, where several may meet. The line is high while one of
 * them asks: the interrupt controller's input is to be level-triggered then (ELCR, which is in the model of the i8259).
 * The reset control register at port 0xCF9 resets the machine when RCPU goes from 0 to 1.
 *
 * Not modelled: DMA controllers, X-bus chip selects, the decoding of ISA memory, MBIRQ and MBDMA, system management (SMI, APM), USB and
 * IDE, which are functions of their own; their registers in the configuration space hold what is written. A hard and a soft reset
 * (SRST) are the same: there is no processor that could be reset alone.
 *
 * Other than QEMU's: only a rise of RCPU resets, and the register reads as written; a route to an IRQ that the data sheet reserves is
 * reported, and made, as there; PCICMD has its bits from power-on, and not from the first reset; registers that the part does not have read as 0 and cannot be written.
 */
import {
  COMMAND,
  definePciFunction,
  readConfig,
  register,
  reserved,
  ro,
  rw,
  STATUS,
  type Device,
  type PciDevice,
} from '@qtest/sdk';

/** PIRQ route control. */
const PIRQRC = ['A', 'B', 'C', 'D'].map((letter, n) =>
  register(`PIRQRC${letter}`, {
    offset: 0x60 + n,
    reset: 0x80,
    fields: { OFF: rw(7), ZERO: reserved(6, 4), IRQ: rw(3, 0) },
    effect: 'routes a line of the PCI bus to one of the ISA bus',
  }),
);

/** IRQs to which nothing can be routed: timer, keyboard, cascade, RTC, coprocessor. */
const RESERVED_IRQS = new Set([0, 1, 2, 8, 13]);

const OFF = 0x80;
const ISA_IRQS = 16;

/** Reset control. */
const RC = register('RC', {
  offset: 0,
  reset: 0,
  fields: { ZERO: reserved(7, 3), RCPU: rw(2), SRST: rw(1), ZERO_0: reserved(0) },
  effect: 'resets the machine when RCPU rises',
  volatile: ['RCPU', 'SRST'],
});

/** Registers that do nothing: name, offset, width and value at reset. */
const HELD = (
  [
    ['IORT', 0x4c, 8, 0x4d],
    ['XBCS', 0x4e, 16, 0x0003],
    ['TOM', 0x69, 8, 0x02],
    ['MBIRQ0', 0x70, 8, 0x80],
    ['MBDMA0', 0x76, 8, 0x0c],
    ['MBDMA1', 0x77, 8, 0x0c],
    ['PCSC', 0x78, 16, 0x0002],
    ['APICBASE', 0x80, 8, 0x00],
    ['DLC', 0x82, 8, 0x00],
    ['SMICNTL', 0xa0, 8, 0x08],
    ['SMIEN', 0xa2, 16, 0x0000],
    ['SEE', 0xa4, 32, 0x0000_0000],
    ['FTMR', 0xa8, 8, 0x0f],
    ['SMIREQ', 0xaa, 16, 0x0000],
    ['CTLTMR', 0xac, 8, 0x00],
    ['CTHTMR', 0xae, 8, 0x00],
  ] as const
).map(([name, offset, width, reset]) => register(name, { offset, width, reset }));

/** At reset it answers everywhere, and is slow: the data sheet's PCICMD and PCISTS. */
const PCICMD = register('PCICMD', {
  offset: COMMAND.offset,
  width: 16,
  reset: COMMAND.IO.mask | COMMAND.MEMORY.mask | COMMAND.MASTER.mask,
  fields: { IO: rw(0), MEMORY: rw(1), MASTER: rw(2), PARITY: rw(6), SERR: rw(8) },
});
const PCISTS = register('PCISTS', {
  offset: STATUS.offset,
  width: 16,
  reset: STATUS.DEVSEL.set(0, 1),
  fields: { DEVSEL: ro(10, 9) },
});

const state = {
  /** Level of the PCI bus's lines, a bit each. */
  pirq: 'u8',
  resetControl: 'u8',
} as const;

type Piix3 = PciDevice & Device<{}, typeof state, string, 'route' | 'reset'>;

export const piix3 = definePciFunction(
  {
    type: 'piix3',
    idPrefix: 'isa',
    description: 'PIIX3 PCI-to-ISA bridge: ISA bus, routing of PCI interrupts, reset control',
    pci: {
      vendor: 0x8086,
      device: 0x7000,
      classCode: 0x06_0100,
      slot: 1,
      multifunction: true,
      registers: [PCICMD, PCISTS, ...PIRQRC, ...HELD],
    },
    provides: { name: 'isa', irqs: ISA_IRQS },
    state,
    regions: () => ({ reset: { space: 'io', base: 0xcf9, size: 1 } }),
    registers: { reset: { registers: [RC] } },
    outputs: { route: { ownIrq: true, count: ISA_IRQS }, reset: { reset: true } },
    inputs: { pirq: { bus: true, count: 4 } },
  },
  {
    // The lines of the PCI bus are as the devices on it leave them.
    reset({ state: own }) {
      own.resetControl = RC.reset ?? 0;
    },
    updateIrq,
    inputs: {
      pirq(device, pin, level) {
        const bit = 1 << pin;
        device.state.pirq = level ? device.state.pirq | bit : device.state.pirq & ~bit;
        updateIrq(device);
      },
    },
    configWritten(device, offset, size) {
      for (const [pin, { name, offset: at }] of PIRQRC.entries()) {
        if (at < offset || at >= offset + size) continue;
        const irq = routeOf(device, pin);
        if (irq !== undefined && RESERVED_IRQS.has(irq)) device.guestError(`${name}: IRQ ${irq} is reserved`);
      }
      updateIrq(device);
    },
    regions: {
      reset: {
        read: ({ state: own }) => own.resetControl,
        write(device, _offset, value) {
          device.state.resetControl = RC.write(device.state.resetControl, value);
          updateIrq(device);
        },
      },
    },
  },
);

/** The IRQ to which a line of the PCI bus goes; undefined while it goes nowhere. */
function routeOf({ state: { config } }: Piix3, pin: number): number | undefined {
  const route = readConfig(config, 0x60 + pin, 1);
  return (route & OFF) === 0 ? route & 0x0f : undefined;
}

function updateIrq(device: Piix3): void {
  const { state: own, out } = device;
  let high = 0;
  for (let pin = 0; pin < 4; pin++) {
    const irq = routeOf(device, pin);
    if (irq !== undefined && ((own.pirq >> pin) & 1) === 1) high |= 1 << irq;
  }
  for (let irq = 0; irq < ISA_IRQS; irq++) out.route.set(((high >> irq) & 1) === 1, irq);
  out.reset.set(RC.RCPU.test(own.resetControl));
}
