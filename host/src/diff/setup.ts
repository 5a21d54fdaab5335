import { pci } from '@qtest/parts/pc';
import { OP, type BoundMachine } from '@qtest/machine';
import type { Access } from './access.ts';
import type { NativeSide } from './native-side.ts';

/** A BAR of a function. */
export interface Bar {
  /** Its register in configuration space. */
  readonly offset: number;
  /** What it is set to first, and then in turn: an address, with the bits below it. */
  readonly values: readonly number[];
  /** The bits of it that are address. */
  readonly mask: number;
}

/** A PCI function of the machine. */
export interface PlacedFunction {
  /** What is written to 0xCF8 for its first register. */
  readonly select: number;
  /** Where it is in configuration space, as a `config` region counts. */
  readonly config: number;
  /** Its BARs' registers, by their offset; those that are none, or above 4 GiB, stay as they are. */
  readonly bars: ReadonlyMap<number, Bar>;
}

/** What firmware does, as accesses: it numbers the buses, and gives every BAR its place. */
export interface Setup {
  readonly accesses: readonly Access[];
  readonly functions: readonly PlacedFunction[];
}

/** First and last BAR of a header of type 0; of type 1, there are two, and then the bridge's buses and windows. */
const BARS = { first: 0x10, last: 0x24, bridge: 0x14 } as const;
const BRIDGE_REGISTERS = [0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c];
const ENABLE = 0x8000_0000;

/** From where on each BAR has a second place, which no other has, and where that ends. */
const SECOND = { io: { start: 0xe000, end: 0x1_0000 }, memory: { start: 0xf000_0000, end: 0xfe00_0000 } } as const;

/** Sets a machine up for accesses to some of its devices, indices in the blueprint. It is left so. */
export function setupOf({ bound, vcpu }: NativeSide, devices: readonly number[]): Setup {
  if (!bound.blueprint.devices.some(({ busName }) => busName === 'pci')) return { accesses: [], functions: [] };
  const places = new Set(devices.flatMap((index) => configPlaces(bound, index)));
  const host = pci.host(vcpu);
  host.enumerate();
  host.assign();
  const accesses: Access[] = [];
  const next: { io: number; memory: number } = { io: SECOND.io.start, memory: SECOND.memory.start };
  const functions = host.scan().map((fn): PlacedFunction & { readonly isWanted: boolean } => {
    const { bus, slot, function: index } = fn;
    const select = (ENABLE | (bus << 16) | (slot << 11) | (index << 8)) >>> 0;
    const config = (bus << 20) | (slot << 15) | (index << 12);
    const isBridge = pci.isBridge(fn);
    const isWanted = places.has(config);
    const write = (offset: number, size: 2 | 4, value: number): void => {
      accesses.push(
        { op: OP.OUT, size: 4, address: pci.CONFIG_ADDRESS, value: (select | offset) >>> 0 },
        { op: OP.OUT, size, address: pci.CONFIG_DATA, value },
      );
    };
    const bars = new Map<number, Bar>();
    if (isWanted || isBridge) {
      if (isBridge) for (const offset of BRIDGE_REGISTERS) write(offset, 4, fn.readl(offset));
      for (let offset: number = BARS.first; offset <= (isBridge ? BARS.bridge : BARS.last); offset += 4) {
        const value = fn.readl(offset);
        bars.set(offset, { offset, values: [value], mask: 0 });
        if (value > 0xf) write(offset, 4, value);
      }
      for (const { bar, kind: type, size } of fn.bars()) {
        if (bar === 'rom') continue;
        const offset = pci.HEADER.BAR0 + 4 * bar;
        const value = fn.readl(offset);
        const kind = type === 'io' ? 'io' : 'memory';
        const below = kind === 'io' ? 0x3 : 0xf;
        const at = Math.ceil(next[kind] / size) * size;
        const values = value <= below || at + size > SECOND[kind].end ? [value] : [value, at + (value & below)];
        if (values.length > 1) next[kind] = at + size;
        bars.set(offset, { offset, values, mask: ~below >>> 0 });
      }
      fn.enable({ io: true, memory: true, master: true });
      write(pci.HEADER.COMMAND, 2, fn.readw(pci.HEADER.COMMAND));
    }
    return { select, config, bars, isWanted };
  });
  return { accesses, functions: functions.filter(({ isWanted }) => isWanted) };
}

/** Where a device is in PCI configuration space. */
function configPlaces({ bus }: BoundMachine, device: number): number[] {
  return bus.targetsOf(device).flatMap(({ space, target }) => {
    const base = space === 'config' ? target.locate()?.base : undefined;
    return base === undefined ? [] : [base];
  });
}
