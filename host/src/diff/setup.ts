import { pci } from '@qtest/sdk/drivers';
import { OP } from '../vcpu/trace.ts';
import type { Access } from './access.ts';
import type { NativeSide } from './native-side.ts';

/** A PCI function of the machine. */
export interface PlacedFunction {
  /** What is written to 0xCF8 for its first register. */
  readonly select: number;
  /** Where it is in configuration space, as a `config` region counts. */
  readonly config: number;
  /** Its BARs, by their offset, once they are mapped. */
  readonly bars: ReadonlyMap<number, number>;
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

/** Sets a machine up, which is left so. `wanted` says whose BARs are mapped, by the function's place in configuration space. */
export function setupOf({ bound, vcpu }: NativeSide, wanted: (config: number) => boolean): Setup {
  if (!bound.blueprint.devices.some(({ busName }) => busName === 'pci')) return { accesses: [], functions: [] };
  const host = pci.host(vcpu);
  host.enumerate();
  host.assign();
  const accesses: Access[] = [];
  const functions = host.scan().map((fn): PlacedFunction & { readonly isWanted: boolean } => {
    const { bus, slot, function: index } = fn;
    const select = (ENABLE | (bus << 16) | (slot << 11) | (index << 8)) >>> 0;
    const config = (bus << 20) | (slot << 15) | (index << 12);
    const isBridge = pci.isBridge(fn);
    const isWanted = wanted(config);
    const write = (offset: number, size: 2 | 4, value: number): void => {
      accesses.push(
        { op: OP.OUT, size: 4, address: pci.CONFIG_ADDRESS, value: (select | offset) >>> 0 },
        { op: OP.OUT, size, address: pci.CONFIG_DATA, value },
      );
    };
    const bars = new Map<number, number>();
    if (isWanted || isBridge) {
      if (isBridge) for (const offset of BRIDGE_REGISTERS) write(offset, 4, fn.readl(offset));
      for (let offset: number = BARS.first; offset <= (isBridge ? BARS.bridge : BARS.last); offset += 4) {
        const value = fn.readl(offset);
        bars.set(offset, value);
        if (value > 0xf) write(offset, 4, value);
      }
      fn.enable({ io: true, memory: true, master: true });
      write(pci.HEADER.COMMAND, 2, fn.readw(pci.HEADER.COMMAND));
    }
    return { select, config, bars, isWanted };
  });
  return { accesses, functions: functions.filter(({ isWanted }) => isWanted) };
}
