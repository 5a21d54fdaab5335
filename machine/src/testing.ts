import type { AnyDeviceDefinition, Clock, ClockKind, Machine, MachineBuilder, Vcpu } from '@qtest/sdk';
import { NativeClock, NativeMachine } from './vcpu/native-machine.ts';
import { NativeVcpu } from './vcpu/native-vcpu.ts';
import { BoundMachine } from './bound-machine.ts';
import { Builder } from './builder.ts';
import { Catalog, registryOf, type DevicePackage } from './catalog.ts';
import { OWNER, VCPU_STATUS, WORD } from './control.ts';
import { createMachine } from './create.ts';
import { EVENT } from './events.ts';
import { setStatus } from './waiters.ts';

/** A machine and its VCPU on one thread: for the unit tests of devices and of the machine. */
export interface TestMachine {
  readonly vcpu: Vcpu;
  /** As many as were asked for, all on this thread: each takes its interrupts in an access of its own. */
  readonly vcpus: readonly Vcpu[];
  readonly clock: Clock;
  readonly machine: Machine;
  readonly bound: BoundMachine;
  /** What devices and the bus have reported since the last call. */
  readonly events: () => { kind: 'guestError' | 'unimplemented'; device: string | undefined; message: string }[];
  /** Drives line `n` of a bus by hand. */
  readonly setLine: (bus: string, n: number, level: boolean) => void;
}

export function testMachine(
  init: (machine: MachineBuilder) => void,
  options: {
    readonly clock?: ClockKind;
    readonly devices?: readonly AnyDeviceDefinition[];
    /** Packages whose devices and boards it may have. */
    readonly packages?: readonly DevicePackage[];
    readonly stallLimit?: number;
    /** VCPUs. Default 1. */
    readonly vcpus?: number;
    /** Of a `Tracer`, where what happens is traced. */
    readonly trace?: SharedArrayBuffer;
  } = {},
): TestMachine {
  const plugin = { name: 'test', url: import.meta.url, devices: options.devices ?? [] };
  const known = new Catalog(options.packages ?? [], [plugin]);
  const builder = new Builder(options.clock ?? 'virtual', known);
  init(builder);
  const registry = registryOf(known);
  const host = createMachine(builder, registry);
  // Bound a second time, as a VCPU's thread does: what a device kept outside the shared state would be missing here.
  const { trace } = options;
  const bound = new BoundMachine({ ...host.handle, ...(trace !== undefined && { trace }) }, registry, OWNER.THREAD0);
  bound.control.words[WORD.VCPUS] = 1;
  setStatus(bound.control, 0, VCPU_STATUS.READY);
  const vcpuOf = (index: number): NativeVcpu =>
    new NativeVcpu(bound, {
      index,
      // Each is alone on the thread that it shares, and none waits for another.
      count: 1,
      schedule: 'seeded',
      stallLimit: options.stallLimit ?? 5_000_000,
      announceTick: () => {},
    });
  const vcpu = vcpuOf(0);
  const others = Array.from({ length: (options.vcpus ?? 1) - 1 }, (_, n) => vcpuOf(n + 1));
  for (const each of [vcpu, ...others]) each.begin();
  return {
    vcpu,
    vcpus: [vcpu, ...others],
    clock: new NativeClock(bound.time.kind, vcpu),
    machine: new NativeMachine(bound, vcpu),
    bound,
    events: () => {
      const found: ReturnType<TestMachine['events']> = [];
      bound.events.drain(({ kind, source, message }) => {
        if (kind === EVENT.IRQ) return;
        found.push({
          kind: kind === EVENT.GUEST_ERROR ? 'guestError' : 'unimplemented',
          device: bound.devices[source]?.id,
          message,
        });
      });
      return found;
    },
    setLine: (bus, n, level) => {
      const first = bound.blueprint.devices.find(({ id }) => id === bus)?.busLine;
      if (first === undefined || first < 0) throw new Error(`'${bus}' is no bus of this machine`);
      vcpu.locked(() => bound.lines.set(first + n, level));
    },
  };
}
