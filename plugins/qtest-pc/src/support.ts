import {
  findDevice as device,
  findDevices as devices,
  type CaseContext,
  type CaseSpec,
  type Chardev,
  type DeviceInfo,
  type IrqLine,
} from '@qtest/sdk';
import { i8254, i8259 } from '@qtest/parts/pc';

export { findDevice as device, findDevices as devices, hex, states, VIRTUAL } from '@qtest/sdk';

export type Context = CaseContext;

/** The cases of one file, by name. */
export type Cases = Readonly<Record<string, CaseSpec>>;

/** A property that is a number; `otherwise` when the machine does not tell it. */
export function number({ properties }: DeviceInfo, name: string, otherwise: number): number {
  return Number(properties[name] ?? otherwise);
}

/** Line `n` of the ISA bus. */
export function isaIrq(context: Context, n: number): IrqLine {
  const bus = devices(context, 'piix3')[0] ?? device(context, 'isa-bus');
  return context.machine.irq(bus.id, n);
}

/** The other end of a device's character backend. Skips the case when a test cannot hold it, as on an emulator. */
export function otherEnd({ machine, skip }: Context, { id }: DeviceInfo): Chardev {
  try {
    return machine.chardev(id);
  } catch (error) {
    return skip(`a test cannot hold the other end of ${id}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Initialises the 8259As and takes the interrupts of one IRQ. */
export function serveIrq({ vcpu }: Context, irq: number, serve: () => void): void {
  const pic = i8259.pic(vcpu);
  pic.init();
  const vector = irq < 8 ? i8259.MASTER_VECTOR + irq : i8259.SLAVE_VECTOR + irq - 8;
  vcpu.onInterrupt(vector, () => {
    serve();
    pic.eoi(irq);
  });
  pic.unmask(irq);
}

/** Bytes, for messages and comparisons. */
export function list(bytes: Uint8Array): number[] {
  return Array.from(bytes);
}

/** In virtual time: pulses of the PIT's CLK. */
export interface Pulses {
  /** Goes on to the end of the `n`th pulse after the one in which the count began. */
  to(n: number): void;
  /** Goes on to the last nanosecond of that pulse. */
  before(n: number): void;
}

/** Begins to count pulses of the PIT's CLK, at the end of one. */
export function pulses({ clock }: Context): Pulses {
  const start = i8254.ticksIn(clock.now) + 1n;
  const stepTo = (time: bigint): void => {
    if (time > clock.now) clock.step(time - clock.now);
  };
  stepTo(i8254.nsOf(start));
  return {
    to: (n) => stepTo(i8254.nsOf(start + BigInt(n))),
    before: (n) => stepTo(i8254.nsOf(start + BigInt(n)) - 1n),
  };
}
