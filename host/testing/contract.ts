import type { AnyDeviceDefinition, MachineBuilder } from '@qtest/sdk';
import { resolveProperties } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BoundMachine, type Registry } from '../src/machine/bound-machine.ts';
import { Builder } from '../src/machine/builder.ts';
import { knownDevices } from '../src/machine/builtin.ts';
import { OWNER, VCPU_STATUS, WORD } from '../src/machine/control.ts';
import { createMachine } from '../src/machine/create.ts';
import { restorePristine } from '../src/machine/snapshot.ts';
import { setStatus } from '../src/machine/waiters.ts';
import { NativeClock, NativeMachine } from '../src/vcpu/native-machine.ts';
import { NativeVcpu } from '../src/vcpu/native-vcpu.ts';

/** One thing that software, or a neighbour on a line, does to a device. */
export type Op =
  | { readonly kind: 'in' | 'read'; readonly at: number; readonly size: 1 | 2 | 4 }
  | { readonly kind: 'out' | 'write'; readonly at: number; readonly size: 1 | 2 | 4; readonly value: number }
  | { readonly kind: 'step'; readonly ns: bigint }
  | { readonly kind: 'line'; readonly line: number; readonly level: boolean }
  | { readonly kind: 'acknowledge' }
  | { readonly kind: 'reset'; readonly cold: boolean };

export interface ContractOptions {
  readonly init: (machine: MachineBuilder) => void;
  readonly devices?: readonly AnyDeviceDefinition[];
  /** Ranges of memory, first and last byte, that are accessed beside the devices' fixed regions. */
  readonly memory?: readonly (readonly [number, number])[];
  /** What is not to be done to it: a test device's faults. */
  readonly avoid?: (op: Op) => boolean;
  /** Longest step, ns. */
  readonly longest?: bigint;
  readonly runs?: number;
}

/** One thread's binding, as a VCPU among others has it: lock, attention and map looked at with each access. */
interface Binding {
  readonly bound: BoundMachine;
  readonly vcpu: NativeVcpu;
  readonly clock: NativeClock;
  readonly machine: NativeMachine;
}

class Rig {
  readonly bindings: readonly Binding[];
  #next = 0;

  constructor(options: ContractOptions, count: number) {
    const known = knownDevices([{ name: 'test', url: import.meta.url, devices: options.devices ?? [] }]);
    const builder = new Builder('virtual', known);
    options.init(builder);
    const registry: Registry = new Map([...known].map(([type, { definition }]) => [type, definition]));
    const { handle, control } = createMachine(builder, registry);
    control.words[WORD.VCPUS] = 1;
    setStatus(control, 0, VCPU_STATUS.READY);
    this.bindings = Array.from({ length: count }, (_, n): Binding => {
      const bound = new BoundMachine(handle, registry, OWNER.THREAD0 + n);
      const vcpu = new NativeVcpu(bound, {
        index: 0,
        count: 2,
        schedule: 'free',
        stallLimit: 1e9,
        announceTick: () => {},
      });
      return { bound, vcpu, clock: new NativeClock('virtual', vcpu), machine: new NativeMachine(bound, vcpu) };
    });
  }

  /** As it was sealed. */
  renew(): void {
    const [first] = this.bindings;
    if (first === undefined) throw new Error('no binding');
    first.vcpu.locked(() => restorePristine(first.bound));
    first.bound.events.drain(() => {});
    this.#next = 0;
  }

  /** Each operation on the next binding; gives what software can see of it. */
  run(ops: readonly Op[]): unknown[] {
    return ops.map((op) => {
      const binding = this.bindings[this.#next++ % this.bindings.length];
      if (binding === undefined) throw new Error('no binding');
      const answer = apply(binding, op);
      const events: string[] = [];
      binding.bound.events.drain(({ source, value, now, message }) =>
        events.push(`${source} ${value} ${now} ${message}`),
      );
      return [op.kind, answer, binding.clock.now, binding.clock.deadline, events];
    });
  }

  /** The whole state, devices', lines' and clock's, and RAM. */
  state(): Uint8Array {
    const [first] = this.bindings;
    if (first === undefined) throw new Error('no binding');
    const { layout } = first.bound.blueprint;
    const { buffer } = first.bound.handle.memory;
    const bytes = new Uint8Array(layout.stateBytes + layout.ramBytes);
    bytes.set(new Uint8Array(buffer, layout.state, layout.stateBytes));
    bytes.set(new Uint8Array(buffer, layout.ram, layout.ramBytes), layout.stateBytes);
    return bytes;
  }
}

function apply({ bound, vcpu, clock, machine }: Binding, op: Op): unknown {
  switch (op.kind) {
    case 'in':
      return op.size === 1 ? vcpu.inb(op.at) : op.size === 2 ? vcpu.inw(op.at) : vcpu.inl(op.at);
    case 'read':
      return op.size === 1 ? vcpu.readb(op.at) : op.size === 2 ? vcpu.readw(op.at) : vcpu.readl(op.at);
    case 'out':
      return op.size === 1
        ? vcpu.outb(op.at, op.value)
        : op.size === 2
          ? vcpu.outw(op.at, op.value)
          : vcpu.outl(op.at, op.value);
    case 'write':
      return op.size === 1
        ? vcpu.writeb(op.at, op.value)
        : op.size === 2
          ? vcpu.writew(op.at, op.value)
          : vcpu.writel(op.at, op.value);
    case 'step':
      return clock.step(op.ns);
    case 'line':
      return vcpu.locked(() => bound.lines.set(op.line, op.level));
    case 'acknowledge':
      return vcpu.locked(() => bound.acknowledge());
    case 'reset':
      return machine.reset(op.cold ? 'cold' : 'warm');
  }
}

/** Operations on everything that the machine has. */
function operations(
  { bound }: Binding,
  registry: ReadonlyMap<string, AnyDeviceDefinition>,
  options: ContractOptions,
): fc.Arbitrary<Op> {
  const { blueprint } = bound;
  const ports: [number, number][] = [];
  const memory: (readonly [number, number])[] = [...(options.memory ?? [])];
  for (const { type, properties } of blueprint.devices) {
    const { schema } = registry.get(type) ?? {};
    const regions = schema?.regions?.(resolveProperties(schema.properties ?? {}, properties)) ?? {};
    for (const { space, base, size } of Object.values(regions)) {
      if (base === undefined) continue;
      // With its neighbours, so that accesses straddle its borders.
      const range: [number, number] = [Math.max(0, base - 1), base + size];
      if (space === 'io') ports.push([range[0], Math.min(range[1], 0xffff)]);
      else memory.push(range);
    }
  }
  const size = fc.constantFrom(1 as const, 1 as const, 1 as const, 2 as const, 4 as const);
  const within = (ranges: readonly (readonly [number, number])[]): fc.Arbitrary<number> =>
    fc.oneof(...ranges.map(([min, max]) => fc.integer({ min, max })));
  const value = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0xffff_ffff }));
  const cut = <T extends { size: 1 | 2 | 4; value: number }>(op: T): T => ({
    ...op,
    value: op.size === 4 ? op.value : op.value % 2 ** (8 * op.size),
  });
  const longest = options.longest ?? 2_000_000_000n;
  const weighted: fc.WeightedArbitrary<Op>[] = [
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('step' as const),
        ns: fc.oneof(fc.bigInt(0n, 100n), fc.bigInt(0n, 1_000_000n), fc.bigInt(0n, longest)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), cold: fc.boolean() }) },
  ];
  if (ports.length > 0) {
    const at = within(ports);
    weighted.push({ weight: 8, arbitrary: fc.record({ kind: fc.constant('in' as const), at, size }) });
    weighted.push({
      weight: 10,
      arbitrary: fc.record({ kind: fc.constant('out' as const), at, size, value }).map(cut),
    });
  }
  if (memory.length > 0) {
    const at = within(memory);
    weighted.push({ weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), at, size }) });
    weighted.push({
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('write' as const), at, size, value }).map(cut),
    });
  }
  // Lines that no output drives are driven from outside.
  const driven = new Set([
    ...blueprint.lines.flatMap(({ feeds }) => feeds),
    ...blueprint.devices.flatMap(({ outputs }) =>
      Object.values(outputs).flatMap(({ line, count }) => Array.from({ length: count }, (_, n) => line + n)),
    ),
  ]);
  const free = blueprint.lines.map((_, line) => line).filter((line) => !driven.has(line));
  if (free.length > 0) {
    weighted.push({
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('line' as const), line: fc.constantFrom(...free), level: fc.boolean() }),
    });
  }
  if (blueprint.intr >= 0) weighted.push({ weight: 4, arbitrary: fc.constant({ kind: 'acknowledge' as const }) });
  return fc.oneof(...weighted).filter((op) => !(options.avoid?.(op) ?? false));
}

/** The checks of a machine's devices; each throws when it finds what breaks the contract. */
export interface Contract {
  /** Two threads in turn have the answers that one has. */
  threads(): void;
  /** A restored snapshot answers as the machine did. */
  snapshots(): void;
  /** A cold reset gives the machine of its first instant. */
  resets(): void;
}

/** What every device promises: all that it remembers lies in the shared state. So it answers alike whichever thread asks, and a restored snapshot is the machine of then. */
export function contractOf(options: ContractOptions): Contract {
  const registry = new Map(
    [...knownDevices([{ name: 'test', url: import.meta.url, devices: options.devices ?? [] }])].map(
      ([type, { definition }]) => [type, definition],
    ),
  );
  const [one, two] = [new Rig(options, 1), new Rig(options, 2)];
  const [taker] = two.bindings;
  if (taker === undefined) throw new Error('no binding');
  const op = operations(taker, registry, options);
  const runs = { numRuns: options.runs ?? 150, seed: 20_111 };
  const renew = (): void => {
    one.renew();
    two.renew();
  };
  return {
    threads: () =>
      fc.assert(
        fc.property(fc.array(op, { minLength: 1, maxLength: 60 }), (ops) => {
          renew();
          expect(two.run(ops)).toEqual(one.run(ops));
          expect(two.state()).toEqual(one.state());
        }),
        runs,
      ),
    snapshots: () => {
      const ops = fc.array(op, { maxLength: 30 });
      fc.assert(
        fc.property(ops, ops, ops, (before, after, between) => {
          renew();
          two.run(before);
          // By one thread, for it alone has the snapshot; the other one must come to see it.
          const snapshot = taker.machine.snapshot();
          const saved = two.state();
          const answers = two.run(after);
          const end = two.state();
          taker.machine.restore(snapshot);
          expect(two.state()).toEqual(saved);
          two.run(between);
          taker.machine.restore(snapshot);
          expect(two.run(after)).toEqual(answers);
          expect(two.state()).toEqual(end);
        }),
        runs,
      );
    },
    resets: () =>
      fc.assert(
        fc.property(fc.array(op, { maxLength: 30 }), fc.array(op, { maxLength: 30 }), (before, after) => {
          renew();
          // Time and RAM go on over a reset, so neither is moved.
          const still = (list: readonly Op[]): Op[] => list.filter(({ kind }) => kind !== 'step' && kind !== 'write');
          two.run(still(before));
          for (const rig of [one, two]) rig.run([{ kind: 'reset', cold: true }]);
          expect(two.run(still(after))).toEqual(one.run(still(after)));
        }),
        runs,
      ),
  };
}

/** The contract as tests. */
export function testContract(name: string, options: ContractOptions): void {
  // oxlint-disable-next-line vitest/valid-title -- The caller's, a string by its type.
  describe(name, () => {
    const contract = contractOf(options);
    test('two threads in turn have the answers that one has', () => contract.threads());
    test('a restored snapshot answers as the machine did', () => contract.snapshots());
    test('a cold reset gives the machine of its first instant, whatever went before', () => contract.resets());
  });
}
