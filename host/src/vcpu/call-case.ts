import type { CaseContext, CaseFunction } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import type { Failure } from '../report/events.ts';
import { codeOf } from '../thrown.ts';
import { Skipped } from './case-context.ts';
import { describeFailure } from './failure.ts';
import type { Leftovers } from './leftovers.ts';
import type { VcpuOutcome } from './task.ts';

/** A case's function, and what surrounds its call. */
export interface Call {
  /** Undefined when the plugin has no such case any more. */
  readonly run: CaseFunction | undefined;
  readonly name: string;
  readonly context: CaseContext;
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
}

type End = Pick<VcpuOutcome, 'status' | 'failures' | 'reason' | 'value'>;

/** Calls a case in a VCPU's thread, and waits for what it leaves running. Whatever goes wrong comes back as data. */
export async function callCase(call: Call): Promise<Omit<VcpuOutcome, 'log' | 'fault'>> {
  const end = await guarded(call);
  const { errors, leftRunning } = await call.leftovers.drain();
  const late = errors.map((error) => lateFailure(error, call.plugin.root));
  return { ...end, status: late.length > 0 ? 'fail' : end.status, failures: [...end.failures, ...late], leftRunning };
}

async function guarded({ run, name, context, plugin, vcpu }: Call): Promise<End> {
  try {
    let value: unknown;
    try {
      if (run === undefined)
        throw hostError(
          'PLUGIN_INVALID',
          `plugin '${plugin.name}': loaded a second time, it has no case '${name}' any more`,
        );
      vcpu.begin();
      value = await run(context);
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
    return { status: 'fail', failures: [describeFailure(error, plugin.root)] };
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

function lateFailure(error: unknown, root: string): Failure {
  const failure = describeFailure(error, root);
  return { ...failure, message: `after the case had returned, or outside its call: ${failure.message}` };
}
