import { isRecord, LIMITS } from '@qtest/sdk/support';
import type { Failure, SourceLocation } from '../report/events.ts';
import { returned } from './returned.ts';
import type { VcpuOutcome } from './task.ts';

/** Notes of a VCPU, and kinds of what it has left running. */
const MAX_NOTES = 20;
/** Slack that what has been cut may have, and words around it. */
const SLACK = 2;

/**
 * What a VCPU's thread has sent, checked: a case's code can make piscina resolve with anything (`throw null`), and can change what our code in
 * its thread calls. Only our own envelope counts, within the limits.
 * @throws an error when it is none.
 */
export function checkedOutcome(outcome: unknown): VcpuOutcome {
  if (!isRecord(outcome)) throw new Error("the VCPU's thread gave no result");
  const { status, failures, log, notes, leftRunning, reason, fault, value } = outcome;
  if (
    !(status === 'pass' || status === 'fail' || status === 'skip' || status === 'abandoned') ||
    // Those of the case, and as many that came late.
    !isList(failures, 2 * LIMITS.failures, isFailure) ||
    !isList(log, LIMITS.logLines + 1, isText(LIMITS.logLine)) ||
    log.reduce((length, line) => length + line.length, 0) > SLACK * LIMITS.logText ||
    !isList(notes, MAX_NOTES, isText(LIMITS.message)) ||
    !isList(leftRunning, MAX_NOTES, isText(LIMITS.errorName)) ||
    !isOptional(reason, isText(LIMITS.message)) ||
    !isOptional(fault, isFailure)
  )
    throw new Error("the VCPU's thread gave a result that is not the host's own");
  const more = value === undefined ? undefined : returned(value);
  return {
    status,
    failures,
    log,
    notes: more?.note === undefined ? notes : [...notes, more.note],
    leftRunning,
    ...(reason !== undefined && { reason }),
    ...(fault !== undefined && { fault }),
    ...(more !== undefined && { value: more.value }),
  };
}

type Check<T> = (value: unknown) => value is T;

function isList<T>(value: unknown, most: number, check: Check<T>): value is T[] {
  return Array.isArray(value) && value.length <= most && value.every(check);
}

function isOptional<T>(value: unknown, check: Check<T>): value is T | undefined {
  return value === undefined || check(value);
}

function isText(limit: number): Check<string> {
  return (value): value is string => typeof value === 'string' && value.length <= SLACK * limit;
}

function isFailure(value: unknown): value is Failure {
  if (!isRecord(value)) return false;
  const { name, code, message, stack, location, actual, expected, vcpu, causes } = value;
  return (
    isText(LIMITS.errorName)(name) &&
    isOptional(code, isText(LIMITS.errorName)) &&
    isText(LIMITS.message)(message) &&
    isOptional(stack, isText(LIMITS.stack)) &&
    isOptional(location, isLocation) &&
    isOptional(actual, isText(LIMITS.side)) &&
    isOptional(expected, isText(LIMITS.side)) &&
    vcpu === undefined &&
    isOptional(causes, (list): list is string[] => isList(list, LIMITS.causes + 1, isText(LIMITS.message)))
  );
}

function isLocation(value: unknown): value is SourceLocation {
  return (
    isRecord(value) &&
    isText(LIMITS.stack)(value['file']) &&
    Number.isSafeInteger(value['line']) &&
    Number.isSafeInteger(value['column'])
  );
}
