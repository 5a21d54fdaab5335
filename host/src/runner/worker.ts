import { Console } from 'node:console';
import type { Plugin } from '@qtest/sdk';
// Not from piscina, which would be loaded whole in each thread.
import { threadId, workerData } from 'node:worker_threads';
import { covered } from '../coverage/covered-vcpu.ts';
import {
  BoundMachine,
  type Registry,
  type Fault,
  OWNER,
  WORD,
  loadDefinitions,
  NativeClock,
  NativeMachine,
  NativeVcpu,
  controlOf,
  VCPU_STATUS,
  setStatus,
} from '@qtest/machine';
import { findCase } from '../plugins/cases.ts';
import { loadAgain } from '../plugins/load-again.ts';
import type { Failure } from '../report/events.ts';
import { callCase } from './call-case.ts';
import { caseContext } from './case-context.ts';
import { describeFailure, locate } from './failure.ts';
import { Leftovers } from './leftovers.ts';
import { recorded } from '../trace/recording.ts';
import { type VcpuOutcome, type VcpuTask, type VcpuThreadData, failedOutcome } from './task.ts';

/**
 * A VCPU's thread: a piscina worker that serves the machine it was started for. What goes wrong in a case comes back as data;
 * only the death of the thread itself reaches piscina as an error.
 */

// Standard output is the report's.
globalThis.console = new Console(process.stderr);
process.setSourceMapsEnabled(true);

const data = workerData as VcpuThreadData;

interface Attached {
  readonly machine: BoundMachine;
  readonly registry: Registry;
  readonly plugin: Plugin;
  readonly leftovers: Leftovers;
}

async function attach(): Promise<Attached> {
  const registry = await loadDefinitions(data.handle.blueprint);
  const machine = new BoundMachine(data.handle, registry, OWNER.THREAD0 + threadId);
  const plugin = await loadAgain(data.plugin);
  // What the plugin's module itself keeps running is not a case's.
  return { machine, registry, plugin, leftovers: new Leftovers() };
}

let attached: Promise<Attached> | undefined;

/** Runs one VCPU's part in one case. */
export default async function runVcpu(task: VcpuTask): Promise<VcpuOutcome> {
  attached ??= attach();
  let ready: Attached;
  try {
    ready = await attached;
  } catch (error) {
    setStatus(controlOf(data.handle.memory), task.index, VCPU_STATUS.OFF);
    return failedOutcome(describeFailure(error, data.plugin.root));
  }
  return runCase(ready, task);
}

async function runCase({ machine, registry, plugin, leftovers }: Attached, task: VcpuTask): Promise<VcpuOutcome> {
  const run = findCase(plugin, task.case);
  const vcpu = new NativeVcpu(machine, {
    index: task.index,
    count: task.count,
    schedule: data.schedule,
    stallLimit: data.stallLimit,
    announceTick: () => void Atomics.notify(machine.control.words, WORD.TICKS),
  });
  const { context, log } = caseContext({
    vcpu: covered(recorded(vcpu, task.record), task.coverage, { machine, registry }),
    machine: new NativeMachine(machine, vcpu),
    clock: new NativeClock(machine.time.kind, vcpu),
    options: data.options,
    shared: task.shared,
    root: data.plugin.root,
    tracer: machine.tracer,
    sources: data.sources,
  });
  machine.bus.fault = undefined;
  const { inspect } = task;
  const end = await callCase({ run, name: task.case, context, log, plugin: data.plugin, vcpu, leftovers, inspect });
  const { fault } = machine.bus;
  return { ...end, ...(fault !== undefined && { fault: faultFailure(fault) }) };
}

function faultFailure({ device, did, message, stack }: Fault): Failure {
  // A device of the plugin's own is shown in its source; the stack of another's says more than the access in the case.
  const thrower = stack?.split('\n').find((line) => /^\s+at /.test(line));
  const location = thrower === undefined ? undefined : locate(thrower, data.plugin.root);
  return {
    name: 'DeviceFault',
    code: 'DEVICE',
    message: `device '${device}' ${did}: ${message}`,
    ...(stack !== undefined && { stack }),
    ...(location !== undefined && { location }),
  };
}
