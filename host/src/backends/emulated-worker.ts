import { Console } from 'node:console';
import type { ClockKind, Plugin } from '@qtest/sdk';
import {
  type Blueprint,
  controlOf,
  LONG,
  clearTraced,
  TRACED,
  Tracer,
  emulatedRing,
  OP,
  type TraceRing,
} from '@qtest/machine';
import { coveredEmulated } from '../coverage/covered-vcpu.ts';
import { findCase } from '../plugins/cases.ts';
import { loadAgain } from '../plugins/load-again.ts';
import { callCase } from '../runner/call-case.ts';
import { caseContext } from '../runner/case-context.ts';
import { describeFailure } from '../runner/failure.ts';
import { Leftovers } from '../runner/leftovers.ts';
import { recorded } from '../trace/recording.ts';
import { type VcpuOutcome, failedOutcome } from '../runner/task.ts';
import type { EmulatedTask, EmulatedThreadData } from './emulated-lane.ts';
import { EmulatedClock, type EmulatedMachine } from './emulated-machine.ts';
import type { EmulatedVcpu } from './emulated-vcpu.ts';
import { Irqs } from './irqs.ts';
import type { Mapping } from './offers.ts';

/** What an emulator's VCPU is made with. */
export interface Bench {
  readonly blueprint: Blueprint;
  readonly trace: TraceRing;
  /** The emulator's IRQs; each handler is traced before it runs. */
  readonly irqs: Irqs;
}

/** An emulator that runs a case. */
export interface Driven {
  readonly machine: EmulatedMachine;
  readonly vcpu: EmulatedVcpu;
  readonly clock: ClockKind;
  /** An interrupt acknowledge cycle, where it has one: the vector, or undefined for none. */
  acknowledge?(): number | undefined;
  /** The case begins. */
  begin?(): void;
}

/**
 * The thread of an emulator's VCPU: a piscina worker, which gets another emulator for each case.
 * @param drive attaches it to the emulator that the host has started for a case.
 */
export function emulatedWorker<T extends EmulatedTask, M extends Mapping>(
  data: EmulatedThreadData<M>,
  drive: (task: T, bench: Bench) => Driven,
): (task: T) => Promise<VcpuOutcome> {
  // Standard output is the report's.
  globalThis.console = new Console(process.stderr);
  process.setSourceMapsEnabled(true);
  let attached: Promise<Attached> | undefined;
  return async (task) => {
    attached ??= attach(data.plugin);
    try {
      return await runCase(data, await attached, task, (bench) => drive(task, bench));
    } catch (error) {
      return failedOutcome(describeFailure(error, data.plugin.root));
    }
  };
}

interface Attached {
  readonly plugin: Plugin;
  readonly leftovers: Leftovers;
}

async function attach(given: EmulatedThreadData<Mapping>['plugin']): Promise<Attached> {
  const plugin = await loadAgain(given);
  // What the plugin's module itself keeps running is not a case's.
  return { plugin, leftovers: new Leftovers() };
}

async function runCase(
  data: EmulatedThreadData<Mapping>,
  { plugin, leftovers }: Attached,
  task: EmulatedTask,
  drive: (bench: Bench) => Driven,
): Promise<VcpuOutcome> {
  const { blueprint, memory, trace: traced } = data.handle;
  const control = controlOf(memory);
  const tracer = traced === undefined ? undefined : new Tracer(traced, { now: () => vcpu.now() });
  const trace = emulatedRing(control, task.index, tracer);
  const isaBus = blueprint.devices.find(({ busName }) => busName === 'isa')?.busLine ?? -1;
  const irqs = new Irqs(
    (kind, number) =>
      void (kind === 'irq' ? trace.add(OP.IRQ, 0, isaBus + number, 0) : trace.add(OP.INTERRUPT, 0, number, 0)),
    () => acknowledge?.(),
  );
  const { machine, vcpu, clock, acknowledge, begin } = drive({ blueprint, trace, irqs });
  for (const { address, data: bytes } of task.contents) vcpu.write(address, bytes);
  const { context, log } = caseContext({
    vcpu: await coveredEmulated(recorded(vcpu, task.record), task.coverage, data.handle),
    machine,
    clock: new EmulatedClock(clock, vcpu),
    options: data.options,
    shared: task.shared,
    root: data.plugin.root,
    tracer,
    sources: data.sources,
  });
  irqs.onEdge = (pin, level) => tracer?.event(TRACED.EDGE, isaBus + pin, level ? 1 : 0);
  return callCase({
    inspect: task.inspect,
    run: findCase(plugin, task.case),
    name: task.case,
    context,
    log,
    plugin: data.plugin,
    vcpu: {
      begin: () => {
        trace.clear();
        // What has put RAM's contents there is not the case's.
        if (traced !== undefined) clearTraced(traced);
        begin?.();
        control.longs[LONG.BEGAN] = process.hrtime.bigint();
      },
      abandon: () => {},
      end: () => {},
    },
    leftovers,
  });
}
