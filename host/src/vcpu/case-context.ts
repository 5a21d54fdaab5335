import type { CaseContext, Clock, Machine, Vcpu } from '@qtest/sdk';
import { makeAssert } from './assert.ts';
import { callerPrefix } from './log.ts';

/** Ends a case as skipped; thrown by `skip()`. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

const HOST_FILES = new URL('..', import.meta.url).href;
const isHostFile = (url: string): boolean => url.startsWith(HOST_FILES) || url.startsWith('node:');

const assert = makeAssert();

interface Given {
  readonly vcpu: Vcpu;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly options: unknown;
  readonly shared: SharedArrayBuffer;
  /** The plugin's folder. */
  readonly root: string;
}

/** What a case gets, and the lines that it logs. */
export function caseContext(given: Given): { context: CaseContext; lines: string[] } {
  const { root, ...rest } = given;
  const lines: string[] = [];
  const context: CaseContext = {
    ...rest,
    assert,
    log: (message) => {
      lines.push(`${callerPrefix(root, isHostFile)}${message}`);
    },
    skip: (reason) => {
      throw new Skipped(reason);
    },
  };
  return { context, lines };
}
