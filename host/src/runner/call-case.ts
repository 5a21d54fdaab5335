import { types } from 'node:util';
import type { CaseContext, CaseFunction } from '@qtest/sdk';
import { hostError, codeOf, clipped, fieldOf, isError, messageOf } from '@qtest/sdk/support';
import type { InspectRequest } from '../config/inspect.ts';
import type { Failure } from '../report/events.ts';
import { Skipped } from './case-context.ts';
import type { CaseLog } from './case-log.ts';
import { describeFailure } from './failure.ts';
import type { Leftovers } from './leftovers.ts';
import { returned } from './returned.ts';
import type { VcpuOutcome } from './task.ts';

/** A case's function, and what surrounds its call. */
export interface Call {
  /** Undefined when the plugin has no such case any more. */
  readonly run: CaseFunction | undefined;
  readonly name: string;
  readonly context: CaseContext;
  readonly log: CaseLog;
  readonly plugin: { readonly name: string; readonly root: string };
  readonly vcpu: {
    /** Before the first access. */
    begin(): void;
    /** When the case has thrown. */
    abandon(): void;
    /** After the last access. */
    end(): void;
  };
  readonly leftovers: Leftovers;
  /** Where it is to be debugged. */
  readonly inspect?: InspectRequest | undefined;
}

type End = Pick<VcpuOutcome, 'status' | 'failures' | 'notes' | 'reason' | 'value'>;

/** Calls a case in a VCPU's thread, and waits for what it leaves running. Whatever goes wrong comes back as data, within `LIMITS`. */
export async function callCase(call: Call): Promise<Omit<VcpuOutcome, 'fault'>> {
  const { log, leftovers, plugin } = call;
  const end = await guarded(call);
  const { errors, more, leftRunning } = await leftovers.drain();
  const late = errors.map((error) => lateFailure(error, plugin.root));
  const notes = [
    ...end.notes,
    ...log.notes,
    ...(more === 0 ? [] : [`${more} more errors after the case had returned, or outside its call, are left out`]),
  ];
  const status = late.length > 0 ? 'fail' : end.status;
  return { ...end, status, failures: [...end.failures, ...late], log: log.lines, notes, leftRunning };
}

async function guarded({ run, name, context, plugin, vcpu, inspect }: Call): Promise<End> {
  try {
    let stopped: (() => void) | undefined;
    let value: unknown;
    try {
      if (run === undefined)
        throw hostError(
          'PLUGIN_INVALID',
          `plugin '${plugin.name}': loaded a second time, it has no case '${name}' any more`,
        );
      if (inspect !== undefined) stopped = (await import('./inspect.ts')).waitForDebugger(inspect, run);
      vcpu.begin();
      value = await run(context);
    } catch (error) {
      vcpu.abandon();
      throw error;
    } finally {
      stopped?.();
      vcpu.end();
    }
    if (value === undefined) return { status: 'pass', failures: [], notes: [] };
    const { value: kept, note } = returned(value);
    return { status: 'pass', failures: [], notes: note === undefined ? [] : [note], value: kept };
  } catch (error) {
    if (isSkipped(error)) return { status: 'skip', failures: [], notes: [], reason: reasonOf(error) };
    const isEnded = codeOf(error) === 'ABANDONED' || codeOf(error) === 'POISONED';
    return {
      status: isEnded ? 'abandoned' : 'fail',
      failures: [describeFailure(error, plugin.root)],
      notes: [],
    };
  }
}

function isSkipped(error: unknown): boolean {
  return isError(error) && !types.isProxy(error) && error instanceof Skipped;
}

function reasonOf(skipped: unknown): string {
  const reason = fieldOf(skipped, 'message');
  return typeof reason === 'string' ? clipped(reason) : messageOf(skipped);
}

function lateFailure(error: unknown, root: string): Failure {
  const failure = describeFailure(error, root);
  return { ...failure, message: `after the case had returned, or outside its call: ${failure.message}` };
}
