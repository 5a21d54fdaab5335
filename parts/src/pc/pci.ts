import {
  QtestError,
  type Vcpu,
  BRIDGE,
  BRIDGE_CONTROL,
  CAPABILITY,
  COMMAND,
  HEADER,
  STATUS,
  MSI,
  MSIX,
} from '@qtest/sdk';
import { check, functionAt, hex } from './pci-function.ts';
import { assignAll, IO_WINDOW, isBridge, MEMORY_WINDOW, numberBuses, type Free } from './pci-setup.ts';
import type { PciAddress, PciBar, PciFunction, PciHost, PciMatch } from './pci-types.ts';

/**
 * A small driver of PCI behind a PC's host bridge (PCI Local Bus Specification 3.0, 3.2.2.3.2, chapter 6): configuration space,
 * enumeration, bridges, base address registers, capabilities, MSI and MSI-X, interrupt routing. An access is a write of the address and then one of the data: VCPUs that
 * share a machine must not do so at the same time, and no interrupt handler in between.
 */

export type * from './pci-types.ts';
export { BRIDGE, BRIDGE_CONTROL, CAPABILITY, COMMAND, HEADER, MSI, MSIX, STATUS };
export { closeWindow, HIGH_WINDOW, IO_WINDOW, isBridge, MEMORY_WINDOW, setWindow } from './pci-setup.ts';

/** CONFIG_ADDRESS and CONFIG_DATA of configuration mechanism #1. */
export const CONFIG_ADDRESS = 0xcf8;
export const CONFIG_DATA = 0xcfc;

/** What a register reads as where no function answers. */
const NOBODY = 0xffff;

/** Header types: bit 7 tells of further functions in the slot. */
const MULTIFUNCTION = 0x80;

/** The PC's PCI-to-ISA bridges, and their PIRQ route control (82371SB, 2.2.7): an IRQ, or bit 7 for none. */
const ISA_BRIDGES = [
  { vendor: 0x8086, device: 0x7000 },
  { vendor: 0x8086, device: 0x7110 },
] as const;
const PIRQRC = 0x60;
const PIRQRC_OFF = 0x80;

/** A driver of the host bridge on a VCPU. It writes nothing but what it is told to. */
export function host(vcpu: Vcpu): PciHost {
  let next: Free = { io: IO_WINDOW.start, memory: MEMORY_WINDOW.start };

  const select = ({ bus = 0, slot, function: fn = 0 }: PciAddress, offset: number, size: number): number => {
    check('bus', bus, 255);
    check('slot', slot, 31);
    check('function', fn, 7);
    check('offset', offset, 256 - size);
    if (offset % size !== 0)
      throw new RangeError(`offset 0x${hex(offset)}: ${size} bytes must be aligned to their size`);
    vcpu.outl(CONFIG_ADDRESS, (0x8000_0000 | (bus << 16) | (slot << 11) | (fn << 8) | (offset & 0xfc)) >>> 0);
    return CONFIG_DATA + (offset & 3);
  };

  const read: PciHost['read'] = (at, offset, size) => {
    const port = select(at, offset, size);
    return size === 1 ? vcpu.inb(port) : size === 2 ? vcpu.inw(port) : vcpu.inl(port);
  };

  const write: PciHost['write'] = (at, offset, value, size) => {
    const port = select(at, offset, size);
    if (size === 1) vcpu.outb(port, value);
    else if (size === 2) vcpu.outw(port, value);
    else vcpu.outl(port, value);
  };

  const allocate = ({ kind, size }: PciBar, who: string): number => {
    const space = kind === 'io' ? 'io' : 'memory';
    const { end } = kind === 'io' ? IO_WINDOW : MEMORY_WINDOW;
    const address = Math.ceil(next[space] / size) * size;
    // The last address of 32 bits is never decoded: sizing leaves it.
    if (address + size >= end + (kind === 'io' ? 1 : 0)) {
      throw new QtestError('DRIVER', `${who}: no ${size} bytes are left below 0x${hex(end)}`);
    }
    next[space] = address + size;
    return address;
  };

  const at: PciHost['at'] = (address) => {
    const { bus = 0, slot, function: fn = 0 } = address;
    if (read(address, HEADER.VENDOR_ID, 2) === NOBODY) return undefined;
    return functionAt({ bus, slot, function: fn }, { vcpu, read, write, allocate });
  };

  const functionsOf = (bus: number): readonly PciFunction[] => {
    const found: PciFunction[] = [];
    for (let slot = 0; slot < 32; slot++) {
      for (let fn = 0; fn < 8; fn++) {
        const item = at({ bus, slot, function: fn });
        // Without a function 0 there is nothing in the slot (3.2.2.3.4).
        if (item === undefined && fn === 0) break;
        if (item === undefined) continue;
        found.push(item);
        if (fn === 0 && (item.readb(HEADER.HEADER_TYPE) & MULTIFUNCTION) === 0) break;
      }
    }
    return found;
  };

  const scanBus = (bus: number, found: PciFunction[], seen: Set<number>): void => {
    if (seen.has(bus)) return;
    seen.add(bus);
    for (const item of functionsOf(bus)) {
      found.push(item);
      const secondary = isBridge(item) ? item.readb(BRIDGE.SECONDARY_BUS) : 0;
      if (secondary > bus) scanBus(secondary, found, seen);
    }
  };

  const scan = (): readonly PciFunction[] => {
    const found: PciFunction[] = [];
    scanBus(0, found, new Set());
    return found;
  };

  const isaBridge = (): PciFunction | undefined => {
    const all = functionsOf(0);
    return all.find((item) => ISA_BRIDGES.some((match) => matches(item, match)));
  };

  return {
    read,
    write,
    at,
    scan,
    enumerate() {
      numberBuses(0, functionsOf);
      return scan();
    },
    assign({ above4g = false } = {}) {
      next = assignAll(functionsOf, above4g);
    },
    intx(fn) {
      if (fn.interruptPin === 0) return undefined;
      const all = scan();
      let [{ bus, slot }, pin]: [{ bus: number; slot: number }, number] = [fn, fn.interruptPin - 1];
      while (bus !== 0) {
        const bridge = all.find((item) => isBridge(item) && item.readb(BRIDGE.SECONDARY_BUS) === bus);
        if (bridge === undefined) return undefined;
        // PCI-to-PCI Bridge Architecture Specification 1.2, 9.1.
        pin = (pin + slot) & 3;
        ({ bus, slot } = bridge);
      }
      // INTA# of device 1 is PIRQA, and each further device turns by one (QEMU, hw/pci-host/i440fx.c).
      const pirq = (pin + slot - 1) & 3;
      const route = isaBridge()?.readb(PIRQRC + pirq) ?? PIRQRC_OFF;
      return { pirq, irq: (route & PIRQRC_OFF) === 0 ? route & 0x0f : undefined };
    },
    route(pirq, irq) {
      check('PIRQ', pirq, 3);
      if (irq !== undefined) check('IRQ', irq, 15);
      const isa = isaBridge();
      if (isa === undefined)
        throw new QtestError('DRIVER', 'there is no PIIX3 or PIIX4 on bus 0 that would route PCI interrupts');
      isa.writeb(PIRQRC + pirq, irq ?? PIRQRC_OFF);
    },
    find(match) {
      const all = scan();
      const found = all.find((item) => matches(item, match));
      if (found !== undefined) return found;
      const wanted = Object.entries(match).map(([key, value]) => `${key} 0x${hex(value)}`);
      const there = all.map(
        (item) => `${hex(item.vendor, 4)}:${hex(item.device, 4)} at ${hex(item.slot, 2)}.${item.function}`,
      );
      throw new QtestError(
        'DRIVER',
        `no PCI function with ${wanted.join(', ')}; there are ${there.join(', ') || 'none'}`,
      );
    },
  };
}

function matches(item: PciFunction, { vendor, device, classCode }: PciMatch): boolean {
  if (vendor !== undefined && vendor !== item.vendor) return false;
  if (device !== undefined && device !== item.device) return false;
  return classCode === undefined || classCode === item.classCode || classCode === item.classCode >>> 8;
}
