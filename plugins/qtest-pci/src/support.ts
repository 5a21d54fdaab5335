import { first, hex, type CaseContext, type CaseSpec, type DeviceInfo, type IrqLine } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import type { PciOptions } from './options.ts';
import { TESTFN } from './testfn.ts';

export { hex, random, states } from '@qtest/sdk';

export type Context = CaseContext<PciOptions>;
export type PciFunction = pci.PciFunction;

/** The cases of one file, by name. */
export type Cases = Readonly<Record<string, CaseSpec<PciOptions>>>;

/** Parts that the cases know, by their identity. */
export const PARTS = {
  i440fx: { vendor: 0x8086, device: 0x1237, classCode: 0x06_0000 },
  piix3: { vendor: 0x8086, device: 0x7000, classCode: 0x06_0100 },
  edu: { vendor: 0x1234, device: 0x11e8, classCode: 0x00_ff00 },
  'pci-testdev': { vendor: 0x1b36, device: 0x0005, classCode: 0x00_ff00 },
  'pvpanic-pci': { vendor: 0x1b36, device: 0x0011, classCode: 0x08_8000 },
} as const;

export type PartName = keyof typeof PARTS;

/** Which part a function is; undefined for another. */
export function partOf(fn: PciFunction): PartName | undefined {
  return (Object.keys(PARTS) as PartName[]).find(
    (part) => PARTS[part].vendor === fn.vendor && PARTS[part].device === fn.device,
  );
}

/** Further ones, which have cases of their own. */
const MORE_PARTS = {
  'pci-bridge': { vendor: 0x1b36, device: 0x0001 },
  'pci-testfn': TESTFN,
} as const;

type AnyPartName = PartName | keyof typeof MORE_PARTS;

/** The machine's PCI bus as one case uses it: a case makes one, as what it has given to BARs is kept here. */
export interface Bus {
  readonly host: pci.PciHost;
  /** All functions of one kind; the case is skipped when there are fewer than `least`. */
  all(part: AnyPartName, least?: number): PciFunction[];
  /** The first. */
  one(part: AnyPartName): PciFunction;
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
    const { vendor, device } = { ...PARTS, ...MORE_PARTS }[part];
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

/** `00:04.0`, for messages. */
export function name({ bus: n, slot, function: fn }: PciFunction): string {
  return `${hex(n, 2).slice(2)}:${hex(slot, 2).slice(2)}.${fn}`;
}

/** Writes CONFIG_ADDRESS for a function of bus 0. */
export function configAddress({ slot, function: fn }: { slot: number; function: number }, offset: number): number {
  return (0x8000_0000 | (slot << 11) | (fn << 8) | offset) >>> 0;
}
