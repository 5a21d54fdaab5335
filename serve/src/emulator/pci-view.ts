import type { Initiator } from '@qtest/sdk';
import type { Emulator } from './emulator.ts';

/** A PCI function as its configuration space shows it. */
export interface PciFunction {
  /** Index in the blueprint. */
  readonly device: number;
  /** Index of its bus's device. */
  readonly parent: number;
  readonly slot: number;
  readonly fn: number;
  readonly vendor: number;
  readonly id: number;
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  readonly irq: number;
  readonly pin: number;
  readonly isBridge: boolean;
  readonly secondary: number;
  readonly subordinate: number;
  readonly regions: readonly PciRegion[];
}

export interface PciRegion {
  readonly bar: number;
  readonly isIo: boolean;
  /** −1 while it is not mapped. */
  readonly address: number;
  readonly size: number;
  readonly prefetch: boolean;
  readonly is64: boolean;
}

const VCPU: Initiator = { kind: 'vcpu', index: 0 };
const BARS = 6;
const NAMES: Readonly<Record<number, string>> = {
  0x0600: 'Host bridge',
  0x0601: 'ISA bridge',
  0x0604: 'PCI bridge',
  0x0880: 'System peripheral',
};

export function className(classCode: number): string | undefined {
  return NAMES[classCode];
}

/** Every function, read through the devices' own configuration spaces, which are left as they are. */
export function pciFunctions({ bound }: Emulator): PciFunction[] {
  const { blueprint, bus } = bound;
  return blueprint.devices.flatMap((device, index): PciFunction[] => {
    const target = bus.targetsOf(index).find(({ space }) => space === 'config')?.target;
    if (target === undefined) return [];
    const read = (at: number, size: 1 | 2 | 4): number => {
      let value = 0;
      for (let i = 0; i < size; i++) value += (target.read(target.bound, at + i, 1, VCPU) & 0xff) * 2 ** (8 * i);
      return value;
    };
    const write = (at: number, value: number): void => target.write(target.bound, at, value, 4, VCPU);
    const isBridge = (read(0x0e, 1) & 0x7f) === 1;
    return [
      {
        device: index,
        parent: device.bus,
        slot: Number(device.properties['slot'] ?? 0),
        fn: Number(device.properties['function'] ?? 0),
        vendor: read(0, 2),
        id: read(2, 2),
        classCode: read(0x0a, 2),
        subsystemVendor: isBridge ? 0 : read(0x2c, 2),
        subsystem: isBridge ? 0 : read(0x2e, 2),
        irq: read(0x3c, 1),
        pin: read(0x3d, 1),
        isBridge,
        secondary: isBridge ? read(0x19, 1) : 0,
        subordinate: isBridge ? read(0x1a, 1) : 0,
        regions: regionsOf(read, write, isBridge ? 2 : BARS),
      },
    ];
  });
}

/** BARs as software finds and sizes them: it writes ones, and sees which bits stay. */
function regionsOf(
  read: (at: number, size: 1 | 2 | 4) => number,
  write: (at: number, value: number) => void,
  count: number,
): PciRegion[] {
  const command = read(4, 2);
  const regions: PciRegion[] = [];
  for (let bar = 0; bar < count; bar++) {
    const at = 0x10 + 4 * bar;
    const low = read(at, 4);
    write(at, 0xffff_ffff);
    const mask = read(at, 4);
    write(at, low);
    if (mask === 0) continue;
    const isIo = (low & 1) === 1;
    const is64 = !isIo && (low & 6) === 4;
    const high = is64 ? read(at + 4, 4) : 0;
    const base = low - (low & (isIo ? 3 : 0xf)) + high * 2 ** 32;
    const size = (~(mask & ~(isIo ? 3 : 0xf)) >>> 0) + 1;
    const isMapped = (command & (isIo ? 1 : 2)) !== 0 && base !== 0;
    regions.push({ bar, isIo, address: isMapped ? base : -1, size, prefetch: !isIo && (low & 8) !== 0, is64 });
    if (is64) bar++;
  }
  return regions;
}
