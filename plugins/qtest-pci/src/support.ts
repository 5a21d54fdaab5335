import type { CaseContext, CaseFunction, CaseSpec, DeviceInfo, IrqLine } from '@qtest/sdk';
import { pci } from '@qtest/sdk/drivers';
import type { PciOptions } from './options.ts';

export type Context = CaseContext<PciOptions>;
export type PciFunction = pci.PciFunction;

/** The cases of one file, by name. */
export type Cases = Readonly<Record<string, CaseSpec<PciOptions>>>;

/** A case and the statement of the specification that it checks. */
export function states(
  statement: string,
  run: CaseFunction<PciOptions>,
  more: Omit<CaseSpec, 'run' | 'description'> = {},
): CaseSpec<PciOptions> {
  return { description: statement, run, ...more };
}

/** Parts that the cases know, by their identity. */
export const PARTS = {
  i440fx: { vendor: 0x8086, device: 0x1237, classCode: 0x06_0000 },
  piix3: { vendor: 0x8086, device: 0x7000, classCode: 0x06_0100 },
  edu: { vendor: 0x1234, device: 0x11e8, classCode: 0x00_ff00 },
  'pci-testdev': { vendor: 0x1b36, device: 0x0005, classCode: 0x00_ff00 },
  'pvpanic-pci': { vendor: 0x1b36, device: 0x0011, classCode: 0x08_8000 },
} as const;

export type PartName = keyof typeof PARTS;

/** The machine's PCI bus as one case uses it: a case makes one, as what it has given to BARs is kept here. */
export interface Bus {
  readonly host: pci.PciHost;
  /** All functions of one kind; the case is skipped when there are fewer than `least`. */
  all(part: PartName, least?: number): PciFunction[];
  /** The first. */
  one(part: PartName): PciFunction;
  /** What the machine says of a function's device. */
  device(fn: PciFunction): DeviceInfo;
  /** Line 0 to 3 of the bus: PIRQA to PIRQD. */
  pirq(n: number): IrqLine;
  /** Line 0 to 15 of the ISA bus. */
  irq(n: number): IrqLine;
}

export function bus({ vcpu, machine, skip }: Context): Bus {
  const host = pci.host(vcpu);
  const found = host.scan();
  const ofType = (...types: string[]): DeviceInfo =>
    machine.devices.find(({ type }) => types.includes(type)) ?? skip(`this machine has no ${types.join(' or ')}`);
  const all: Bus['all'] = (part, least = 1) => {
    const { vendor, device } = PARTS[part];
    const some = found.filter((fn) => fn.vendor === vendor && fn.device === device);
    return some.length < least ? skip(`this machine has ${some.length} ${part}, not ${least}`) : some;
  };
  return {
    host,
    all,
    one: (part) => first(all(part)),
    device: (fn) =>
      machine.devices.find(
        ({ type, properties }) =>
          type in PARTS && properties['slot'] === fn.slot && (properties['function'] ?? 0) === fn.function,
      ) ?? skip(`this machine does not name its device in slot ${fn.slot}`),
    pirq: (n) => machine.irq(ofType('i440fx-pcihost').id, n),
    irq: (n) => machine.irq(ofType('piix3', 'isa-bus').id, n),
  };
}

/** The first of a list that is known to have one. */
export function first<T>(list: readonly T[]): T {
  const [item] = list;
  if (item === undefined) throw new Error('the list is empty');
  return item;
}

/** `00:04.0`, for messages. */
export function name({ bus: n, slot, function: fn }: PciFunction): string {
  return `${hex(n, 2).slice(2)}:${hex(slot, 2).slice(2)}.${fn}`;
}

export function hex(value: number, digits = 2): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** Writes CONFIG_ADDRESS for a function of bus 0. */
export function configAddress({ slot, function: fn }: { slot: number; function: number }, offset: number): number {
  return (0x8000_0000 | (slot << 11) | (fn << 8) | offset) >>> 0;
}

/** A deterministic stream of 32-bit numbers (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
