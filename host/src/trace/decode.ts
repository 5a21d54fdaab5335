import {
  hex,
  decodeRegister,
  formatNanoseconds,
  type AnyDeviceDefinition,
  type Register,
  type RegisterBank,
} from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { type BoundMachine, type Registry, type Target, OP, type TraceEntry } from '@qtest/machine';

const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };
const NAMES: Readonly<Record<number, string>> = {
  [OP.IN]: 'in',
  [OP.OUT]: 'out',
  [OP.READ]: 'read',
  [OP.WRITE]: 'write',
};

/** Where the address of configuration space is kept among the indices. */
const CONFIG = 'config';
/** Bit 31 of it: it goes to configuration space. */
const ENABLE = 0x8000_0000;

/** What an access reaches. */
export interface Reached {
  /** The device's index in the blueprint. */
  readonly device: number;
  /** The register of its table that it is; undefined when the table has none there. */
  readonly register: Register | undefined;
  /** All registers of which it has bits: more than one where it is wider than they are. */
  registers(): readonly RegisterPart[];
  /** `rtc0.B {PIE, 24H}`. */
  text(): string;
}

/** A register of which an access has bits. */
export interface RegisterPart {
  readonly register: Register;
  /** Where its bit 0 is among the access's bits; negative when the access begins inside of it. */
  readonly shift: number;
}

/**
 * Turns a VCPU's last accesses into lines for a reader, by the register tables: `outb 0x71 ← 0x42   rtc0.B {PIE, 24H}`. What lies behind
 * an index/data pair is told from the index written before; until one has been seen, only the data port is named.
 * @param nobody what to say where no device of the machine is known to answer.
 */
export function decodeTrace(
  machine: BoundMachine,
  registry: Registry,
  entries: readonly TraceEntry[],
  nobody = '   no device',
): string[] {
  const decoder = new Decoder(machine, registry);
  return entries.map((entry) => {
    switch (entry.op) {
      case OP.STEP:
        return `clock +${formatNanoseconds((BigInt(entry.address) << 32n) | BigInt(entry.value))}`;
      case OP.IRQ:
        return `IRQ handler of ${machine.blueprint.lines[entry.address]?.name ?? entry.address}`;
      case OP.INTERRUPT:
        return `interrupt ${hex(entry.address, 2)}`;
      case OP.READ_BLOCK:
      case OP.WRITE_BLOCK:
        return describeBlock(entry);
    }
    const reached = decoder.next(entry);
    return reached === undefined
      ? describeAccess(entry) + nobody
      : `${describeAccess(entry).padEnd(24)} ${reached.text()}`;
  });
}

/** A bulk access: `read 0x00001000, 64 bytes → checksum 0x3610a686`. */
export function describeBlock({ op, size, address, value }: TraceEntry): string {
  const reads = op === OP.READ || op === OP.READ_BLOCK;
  return `${reads ? 'read' : 'write'} ${hex(address, 8)}, ${size} bytes ${reads ? '→' : '←'} checksum ${hex(value, 8)}`;
}

/** An access in itself: `outb 0x71 ← 0x42`. */
export function describeAccess(entry: TraceEntry): string {
  const arrow = entry.op === OP.OUT || entry.op === OP.WRITE ? '←' : '→';
  return `${describeTarget(entry)} ${arrow} ${hex(entry.value, entry.size * 2)}`;
}

/** What an access does, and where: `outb 0x71`. */
export function describeTarget({ op, size, address }: TraceEntry): string {
  const io = op === OP.IN || op === OP.OUT;
  return `${accessName({ op, size })} ${hex(address, io ? 2 : 8)}`;
}

/** The call of a VCPU, and the word of the qtest protocol, that an access is: `outb`. */
export function accessName({ op, size }: Pick<TraceEntry, 'op' | 'size'>): string {
  return `${NAMES[op] ?? '?'}${SUFFIX[size] ?? ''}`;
}

/** Tells what accesses reach, one after another: an access to an index/data pair depends on those before. */
export class Decoder {
  readonly #machine: BoundMachine;
  readonly #registry: Registry;
  /** What was written last to the index of a region, by the region. */
  readonly #indices = new Map<string, number>();

  constructor(machine: BoundMachine, registry: Registry) {
    this.#machine = machine;
    this.#registry = registry;
  }

  /** What the next access reaches; undefined where no device of the machine answers. */
  next({ op, size, address, value }: TraceEntry): Reached | undefined {
    const { bus } = this.#machine;
    const io = op === OP.IN || op === OP.OUT;
    const target = io ? bus.portTarget(address, size) : bus.memory.find(address).target;
    if (target === undefined || target.device < 0) return undefined;
    if (op === OP.OUT && size === 4 && address === pci.CONFIG_ADDRESS) this.#indices.set(CONFIG, value);
    const configured = io && (address & ~3) === pci.CONFIG_DATA ? this.#configured(address, size, value) : undefined;
    return configured ?? this.at(target, address - target.base, value, op === OP.OUT || op === OP.WRITE, size);
  }

  /** What an access reaches that came to a region, at an offset of it. */
  at(target: Target, offset: number, value: number, writes: boolean, size = 1): Reached {
    const { id = '?' } = this.#machine.blueprint.devices[target.device] ?? {};
    const bank = this.#bankOf(target);
    const { indexed } = bank ?? {};
    if (indexed !== undefined && offset === indexed.index && writes) {
      const index = value & indexed.mask;
      this.#indices.set(target.region, index);
      const selected = indexed.registers.find((register) => register.offset === index);
      const registers = partsOf(bank, undefined, offset, size);
      return {
        device: target.device,
        register: bank?.registers.find((register) => register.offset === offset),
        registers,
        text: () => `${id} index ${selected?.name ?? hex(index, 2)}`,
      };
    }
    const index = this.#indices.get(target.region);
    const registers = partsOf(bank, index, offset, size);
    if (indexed !== undefined && offset === indexed.data && index !== undefined) {
      const register = indexed.registers.find((candidate) => candidate.offset === index);
      const where = `${id}${register === undefined ? `[${hex(index, 2)}]` : ''}`;
      return { ...named(target.device, register, value, where), registers };
    }
    const register = bank?.registers.find((candidate) => candidate.offset === offset);
    const where = register === undefined ? `${target.region}+${hex(offset, 1)}` : id;
    return { ...named(target.device, register, value, where), registers };
  }

  /** A register of a PCI function, behind the address that was written last. */
  #configured(port: number, size: number, value: number): Reached | undefined {
    const selected = this.#indices.get(CONFIG) ?? 0;
    if (selected < ENABLE) return undefined;
    const at = (((selected & 0xff_ff00) << 4) | (selected & 0xff) | (port & 3)) >>> 0;
    const { target } = this.#machine.bus.configAt(at);
    const device = target === undefined ? undefined : this.#machine.blueprint.devices[target.device];
    if (target === undefined || device === undefined) return undefined;
    const offset = at - target.base;
    const bank = this.#bankOf(target);
    const register = bank?.registers.find((candidate) => candidate.offset === offset);
    const where = register === undefined ? `${target.region}+${hex(offset, 1)}` : device.id;
    return { ...named(target.device, register, value, where), registers: partsOf(bank, undefined, offset, size) };
  }

  #bankOf(target: Target): RegisterBank | undefined {
    const { id = '', type = '' } = this.#machine.blueprint.devices[target.device] ?? {};
    const definition: AnyDeviceDefinition | undefined = this.#registry.get(type);
    return definition?.schema.registers?.[target.region.slice(id.length + 1)];
  }
}

/** The registers of which an access has bits. `index` is what the index of a pair holds. */
function partsOf(
  bank: RegisterBank | undefined,
  index: number | undefined,
  offset: number,
  size: number,
): Reached['registers'] {
  return () => {
    const { registers = [], indexed } = bank ?? {};
    const selected = indexed?.registers.find((register) => register.offset === index);
    const placed = [
      ...registers
        .filter((register) => selected === undefined || register.offset !== indexed?.data)
        .map((register) => ({ register, at: register.offset })),
      ...(indexed === undefined || selected === undefined ? [] : [{ register: selected, at: indexed.data }]),
    ];
    return placed
      .map(({ register, at }) => ({ register, shift: 8 * (at - offset) }))
      .filter(({ register, shift }) => shift > -register.width && shift < 8 * size);
  };
}

function named(
  device: number,
  register: Register | undefined,
  value: number,
  where: string,
): Omit<Reached, 'registers'> {
  return {
    device,
    register,
    text: () =>
      register === undefined ? where : `${where}.${register.name} ${decodeRegister(register, value)}`.trimEnd(),
  };
}
