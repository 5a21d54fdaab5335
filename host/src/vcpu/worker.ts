import { Console } from 'node:console';
import { isPlugin, type CaseFunction, type Plugin } from '@qtest/sdk';
import { threadId } from 'node:worker_threads';
import { workerData } from 'piscina';
import { hostError } from '../errors.ts';
import { importModule } from '../import-module.ts';
import { BoundMachine } from '../machine/bound-machine.ts';
import type { Fault } from '../machine/bus.ts';
import { OWNER, WORD } from '../machine/control.ts';
import { loadDefinitions } from '../machine/definitions.ts';
import { findCase } from '../plugins/cases.ts';
import type { Failure } from '../report/events.ts';
import { codeOf } from '../thrown.ts';
import { caseContext, Skipped } from './case-context.ts';
import { describeFailure, locate } from './failure.ts';
import { Leftovers } from './leftovers.ts';
import { NativeClock, NativeMachine } from './native-machine.ts';
import { NativeVcpu } from './native-vcpu.ts';
import type { VcpuOutcome, VcpuTask, VcpuThreadData } from './task.ts';

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
  readonly plugin: Plugin;
  readonly leftovers: Leftovers;
}

async function attach(): Promise<Attached> {
  const definitions = await loadDefinitions(data.handle.blueprint);
  const machine = new BoundMachine(data.handle, definitions, OWNER.THREAD0 + threadId);
  const { default: plugin } = await importModule(data.plugin.url);
  if (!isPlugin(plugin))
    throw hostError('PLUGIN_INVALID', `plugin '${data.plugin.name}': loaded a second time, it is no plugin any more`);
  // What the plugin's module itself keeps running is not a case's.
  return { machine, plugin, leftovers: new Leftovers() };
}

let attached: Promise<Attached> | undefined;

/** Runs one VCPU's part in one case. */
export default async function runVcpu(task: VcpuTask): Promise<VcpuOutcome> {
  attached ??= attach();
  let ready: Attached;
  try {
    ready = await attached;
  } catch (error) {
    return { status: 'fail', failures: [describeFailure(error, data.plugin.root)], log: [], leftRunning: [] };
  }
  return runCase(ready, task);
}

async function runCase({ machine, plugin, leftovers }: Attached, task: VcpuTask): Promise<VcpuOutcome> {
  const run = findCase(plugin, task.case);
  const vcpu = new NativeVcpu(machine, {
    index: task.index,
    count: task.count,
    schedule: data.schedule,
    stallLimit: data.stallLimit,
    announceTick: () => void Atomics.notify(machine.control.words, WORD.TICKS),
  });
  const { context, lines } = caseContext({
    vcpu,
    machine: new NativeMachine(machine, vcpu),
    clock: new NativeClock(machine.time.kind, vcpu),
    options: data.options,
    shared: task.shared,
    root: data.plugin.root,
  });
  machine.bus.fault = undefined;
  const end = await callCase(run, task, vcpu, () => run?.(context));
  const { errors, leftRunning } = await leftovers.drain();
  const late = errors.map((error) => lateFailure(error));
  const { fault } = machine.bus;
  const failures = [...end.failures, ...late];
  return {
    ...end,
    status: late.length > 0 ? 'fail' : end.status,
    failures,
    log: lines,
    leftRunning,
    ...(fault !== undefined && { fault: faultFailure(fault) }),
  };
}

type End = Pick<VcpuOutcome, 'status' | 'failures' | 'reason' | 'value'>;

async function callCase(
  run: CaseFunction | undefined,
  task: VcpuTask,
  vcpu: NativeVcpu,
  call: () => unknown,
): Promise<End> {
  try {
    if (run === undefined)
      throw hostError(
        'PLUGIN_INVALID',
        `plugin '${data.plugin.name}': loaded a second time, it has no case '${task.case}' any more`,
      );
    let value: unknown;
    try {
      vcpu.begin();
      value = await call();
    } catch (error) {
      vcpu.abandon();
      throw error;
    } finally {
      vcpu.end();
    }
    return { status: 'pass', failures: [], ...(value !== undefined && { value: cloned(value) }) };
  } catch (error) {
    if (error instanceof Skipped) return { status: 'skip', failures: [], reason: error.message };
    if (codeOf(error) === 'ABANDONED' || codeOf(error) === 'POISONED') return { status: 'abandoned', failures: [] };
    return { status: 'fail', failures: [describeFailure(error, data.plugin.root)] };
  }
}

function cloned(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch (error) {
    throw new TypeError(
      `the case returned what cannot be cloned (${error instanceof Error ? error.message : String(error)}); a case returns nothing, or plain data`,
      { cause: error },
    );
  }
}

function lateFailure(error: unknown): Failure {
  const failure = describeFailure(error, data.plugin.root);
  return { ...failure, message: `after the case had returned, or outside its call: ${failure.message}` };
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
