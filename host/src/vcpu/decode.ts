import { decodeRegister, type AnyDeviceDefinition, type Register, type RegisterBank } from '@qtest/sdk';
import { OP, type TraceEntry } from './trace.ts';
import { formatNanoseconds } from '@qtest/sdk';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import type { Target } from '../machine/map.ts';

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };

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
  const indices = new Map<string, number>();
  return entries.map((entry) => decodeEntry(machine, registry, indices, entry) ?? describeAccess(entry) + nobody);
}

/** An access in itself. */
function describeAccess({ op, size, address, value }: TraceEntry): string {
  const io = op === OP.IN || op === OP.OUT;
  const writes = op === OP.OUT || op === OP.WRITE;
  const name = `${io ? (writes ? 'out' : 'in') : writes ? 'write' : 'read'}${SUFFIX[size] ?? ''}`;
  return `${name} ${hex(address, io ? 2 : 8)} ${writes ? '←' : '→'} ${hex(value, size * 2)}`;
}

function decodeEntry(
  machine: BoundMachine,
  registry: Registry,
  indices: Map<string, number>,
  entry: TraceEntry,
): string | undefined {
  const { op, size, address, value } = entry;
  switch (op) {
    case OP.STEP:
      return `clock +${formatNanoseconds((BigInt(address) << 32n) | BigInt(value))}`;
    case OP.IRQ:
      return `IRQ handler of ${machine.blueprint.lines[address]?.name ?? address}`;
    case OP.INTERRUPT:
      return `interrupt ${hex(address, 2)}`;
    case OP.READ_BLOCK:
      return `read ${hex(address, 8)}, ${size} bytes → checksum ${hex(value, 8)}`;
    case OP.WRITE_BLOCK:
      return `write ${hex(address, 8)}, ${size} bytes ← checksum ${hex(value, 8)}`;
  }
  const io = op === OP.IN || op === OP.OUT;
  const writes = op === OP.OUT || op === OP.WRITE;
  const target = io ? portTarget(machine, address, size) : machine.bus.memory.find(address).target;
  if (target === undefined || target.device < 0) return undefined;
  const what = describe(machine, registry, indices, target, { offset: address - target.base, value, writes });
  return `${describeAccess(entry).padEnd(24)} ${what}`;
}

/** Who answers at a port: not a region that lets the access through. */
function portTarget({ bus: { io } }: BoundMachine, port: number, size: number): Target {
  const target = io.find(port);
  return target.transparent && size < target.min ? io.below(target, port) : target;
}

interface Access {
  readonly offset: number;
  readonly value: number;
  readonly writes: boolean;
}

function describe(
  machine: BoundMachine,
  registry: Registry,
  indices: Map<string, number>,
  target: Target,
  { offset, value, writes }: Access,
): string {
  const device = machine.blueprint.devices[target.device];
  const definition: AnyDeviceDefinition | undefined = registry.get(device?.type ?? '');
  const id = device?.id ?? '?';
  const bank: RegisterBank | undefined = definition?.schema.registers?.[target.region.slice(id.length + 1)];
  const { indexed } = bank ?? {};
  if (indexed !== undefined && offset === indexed.index && writes) {
    indices.set(target.region, value & indexed.mask);
    const selected = indexed.registers.find((register) => register.offset === (value & indexed.mask));
    return `${id} index ${selected?.name ?? hex(value & indexed.mask, 2)}`;
  }
  const index = indices.get(target.region);
  if (indexed !== undefined && offset === indexed.data && index !== undefined) {
    const selected = indexed.registers.find((register) => register.offset === index);
    return selected === undefined ? `${id}[${hex(index, 2)}]` : named(id, selected, value);
  }
  const direct = bank?.registers.find((register) => register.offset === offset);
  return direct === undefined ? `${target.region}+${hex(offset, 1)}` : named(id, direct, value);
}

function named(id: string, register: Register, value: number): string {
  return `${id}.${register.name} ${decodeRegister(register, value)}`.trimEnd();
}
