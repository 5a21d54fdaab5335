import type { CaseStatus } from '@qtest/sdk';

import { isRecord } from './blob-values.ts';
import type { BlobLine } from './blob.ts';
import { STATUSES } from './marks.ts';

type Check = (value: unknown) => boolean;

const isString: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isBoolean: Check = (value) => typeof value === 'boolean';
const isList =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
/** An object that has at least these fields. */
const has =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const CASE = { plugin: isString, name: isString, clock: isString, vcpus: isNumber };
const isPlace = has({ file: isString, line: isNumber, column: isNumber });
const isFailure = has({
  ...{ name: isString, message: isString, stack: optional(isString), location: optional(isPlace) },
  ...{ actual: optional(isString), expected: optional(isString), causes: optional(isList(isString)) },
});
const isEvent = has({
  ...{ seq: isNumber, type: isString, time: (value) => typeof value === 'bigint', source: optional(isPlace) },
});
/** Registers by bank, of a device as of a type of devices. */
export const isCoverage = isList(
  has({
    type: isString,
    banks: isList(has({ registers: isList(has({ name: isString, fields: isList(has({ name: isString })) })) })),
  }),
);

const isResult = has({
  ...CASE,
  status: (value) => STATUSES.some((status) => status === value),
  ...{ duration: isNumber, log: isList(isString), notes: isList(isString), accesses: isList(isString) },
  ...{ failures: isList(isFailure), earlier: optional(isList(isFailure)), reason: optional(isString) },
  trace: optional(has({ events: isList(isEvent), lost: isNumber })),
  coverage: optional(isCoverage),
});

const COUNTS = { pass: isNumber, fail: isNumber, skip: isNumber, timeout: isNumber, crash: isNumber, known: isNumber };

const LINES: Readonly<Record<BlobLine['type'], Check>> = {
  runStart: has({ cases: isList(has(CASE)) }),
  caseStart: has({ case: has(CASE) }),
  caseEnd: has({ result: isResult, rerun: optional(isString) }),
  warning: has({ message: isString }),
  done: has({
    summary: has({ ...(COUNTS satisfies Record<CaseStatus, Check>), duration: isNumber }),
    interrupted: isBoolean,
    coverage: optional(isCoverage),
  }),
};

/** Whether it is an event with all that a reporter counts on. */
export function isLine(value: unknown): value is BlobLine {
  return Object.entries(LINES).some(([type, check]) => isRecord(value) && value['type'] === type && check(value));
}
