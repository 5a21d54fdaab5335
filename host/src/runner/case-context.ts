import type { CaseContext, Clock, Machine, Vcpu } from '@qtest/sdk';
import type { Tracer } from '@qtest/machine';
import { isOwnModule } from '@qtest/sdk/support';
import '../own-files.ts';
import { makeAssert } from './assert.ts';
import { CaseLog } from './case-log.ts';
import { Callers } from './log.ts';
import { Sources } from './sources.ts';

/** Ends a case as skipped; thrown by `skip()`. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

const assert = makeAssert();

interface Given {
  readonly vcpu: Vcpu;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly options: unknown;
  readonly shared: SharedArrayBuffer;
  /** The plugin's folder. */
  readonly root: string;
  /** Of a case that is traced. */
  readonly tracer: Tracer | undefined;
  /** Whether the trace tells places in the plugin's source. */
  readonly sources: boolean;
}

/** What a case gets, and what it logs. */
export function caseContext(given: Given): { context: CaseContext; log: CaseLog } {
  const { root, tracer, sources: tellsSources, ...rest } = given;
  const { vcpu, machine, clock } = given;
  const sources = tracer !== undefined && tellsSources ? new Sources(tracer, root, isOwnModule) : undefined;
  const callers = new Callers(root, isOwnModule);
  const log = new CaseLog();
  const context: CaseContext = {
    ...rest,
    ...(sources !== undefined && {
      vcpu: sources.follow(vcpu),
      machine: sources.follow(machine),
      clock: sources.follow(clock),
    }),
    assert,
    log: (message) => {
      const line = log.add(`${callers.prefix()}${message}`);
      tracer?.log(line, sources?.here());
    },
    skip: (reason) => {
      throw new Skipped(reason);
    },
  };
  return { context, log };
}
