import type {
  BankCoverage,
  CaseResult,
  CaseStatus,
  CaseTrace,
  DeviceCoverage,
  Failure,
  FieldCoverage,
  RegisterCoverage,
  ReportEvent,
  RunEnd,
  RunSummary,
  SelectedCase,
  SourceExcerpt,
  SourceLocation,
  TraceEvent,
  TypeCoverage,
} from '@qtest/sdk';

import type { BlobHeader, BlobLine } from './blob.ts';
import { STATUSES } from './marks.ts';
import {
  anything,
  byType,
  either,
  entries,
  is,
  isBoolean,
  isTrue,
  list,
  object,
  oneOf,
  optional,
  text,
  whole,
  type Check,
} from './shape.ts';

/** Most cases of a run, and most shards of it. */
const MAX_CASES = 100_000;
const MAX_SHARDS = 1000;
const MAX_VCPUS = 8;
/** Most events of a trace: twice what a machine keeps. */
const MAX_EVENTS = 2 ** 15;

const name = text(1000, 1);
const path = text(4096);
const line = text(2 ** 24);
const count = whole(0, Number.MAX_SAFE_INTEGER);
const word = whole(0, 2 ** 32 - 1);
const vcpu = whole(0, MAX_VCPUS - 1);
const lines = list(line, 2 ** 20);
const duration = is(
  'milliseconds, at least 0',
  (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
);
const isTime = is('nanoseconds of 64 bits', (value) => typeof value === 'bigint' && value === BigInt.asIntN(64, value));

const CASE = {
  plugin: name,
  name,
  clock: oneOf(['virtual', 'realtime']),
  vcpus: whole(1, MAX_VCPUS),
} satisfies Record<keyof SelectedCase, Check>;

const isPlace = object<SourceLocation>({ file: path, line: count, column: count });

const isFailure = object<Failure>({
  name: line,
  code: optional(line),
  message: line,
  stack: optional(line),
  location: optional(isPlace),
  excerpt: optional(object<SourceExcerpt>({ first: whole(1, 2 ** 31), lines: list(text(200), 10) })),
  actual: optional(line),
  expected: optional(line),
  vcpu: optional(vcpu),
  causes: optional(list(line, 100)),
});
const failures = list(isFailure, 1000);

const HEX = /^[\da-f]{0,8192}$/i;
type EventOf<Type extends TraceEvent['type']> = Extract<TraceEvent, { readonly type: Type }>;
const EVENT = { type: line, seq: count, time: isTime, vcpu: optional(vcpu), source: optional(isPlace) };
const isEvent = byType({
  access: object<EventOf<'access'>>({
    ...EVENT,
    op: oneOf(['in', 'out', 'read', 'write']),
    size: word,
    address: count,
    value: count,
    data: optional(is('at most 8192 hexadecimal digits', (value) => typeof value === 'string' && HEX.test(value))),
    by: optional(name),
    device: optional(name),
    register: optional(name),
    text: line,
  }),
  irq: object<EventOf<'irq'>>({ ...EVENT, line: name, level: oneOf([0, 1]) }),
  timer: object<EventOf<'timer'>>({ ...EVENT, device: name, timer: name }),
  reset: object<EventOf<'reset'>>({ ...EVENT, device: optional(name) }),
  snapshot: object<EventOf<'snapshot'>>({ ...EVENT, action: oneOf(['save', 'restore']) }),
  clock: object<EventOf<'clock'>>({ ...EVENT, by: isTime }),
  handler: object<EventOf<'handler'>>({ ...EVENT, line: optional(name), vector: optional(whole(0, 255)) }),
  log: object<EventOf<'log'>>({ ...EVENT, text: line }),
} satisfies Record<TraceEvent['type'], Check>);

const isTrace = object<CaseTrace>({ events: list(isEvent, MAX_EVENTS), lost: count, failed: optional(count) });

const isField = object<FieldCoverage>({
  name,
  access: name,
  mask: word,
  seenSet: word,
  seenClear: word,
  wroteSet: word,
  wroteClear: word,
  values: optional(list(word, 256)),
  effect: optional(isBoolean),
});
const isBank = object<BankCoverage>({
  name,
  registers: list(
    object<RegisterCoverage>({ name, offset: count, reads: count, writes: count, fields: list(isField, 64) }),
    2 ** 16,
  ),
});
const banks = list(isBank, 1000);
/** Of a run: what a coverage file has too. */
export const coverageProblem: Check = list(
  object<TypeCoverage>({ type: name, used: count, items: count, banks }),
  10_000,
);

const isResult = object<CaseResult>({
  ...CASE,
  status: oneOf(STATUSES),
  duration,
  log: lines,
  failures,
  schedule: optional(either(whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), oneOf(['free']))),
  attempts: optional(count),
  retries: optional(count),
  earlier: optional(failures),
  runs: optional(count),
  reason: optional(line),
  value: anything,
  accesses: lines,
  notes: lines,
  trace: optional(isTrace),
  coverage: optional(list(object<DeviceCoverage>({ device: name, type: name, banks }), 10_000)),
});

const COUNTS = { pass: count, fail: count, skip: count, timeout: count, crash: count, known: count };
const isSummary = object<RunSummary>({
  ...(COUNTS satisfies Record<CaseStatus, Check>),
  flaky: optional(count),
  duration,
});

/** A command as `rerun` gives it: a user may paste it into a shell, where it must be no other. */
const COMMAND = /^npx qtest(?: (?:[\w@%+=:,./-]+|'[^']*'(?:\\''[^']*')*))*$/;
const isCommand = is(
  "a command line of 'npx qtest', at most 65536 characters",
  (value) => typeof value === 'string' && value.length <= 2 ** 16 && COMMAND.test(value),
);

type LineOf<Type extends ReportEvent['type']> = Extract<BlobLine, { readonly type: Type }>;
const type = line;
/** What keeps something from being a line of a blob. */
export const lineProblem: Check = byType({
  runStart: object<Omit<LineOf<'runStart'>, 'rerun'>>({ type, cases: list(object<SelectedCase>(CASE), MAX_CASES) }),
  caseStart: object<Omit<LineOf<'caseStart'>, 'rerun'>>({ type, case: object<SelectedCase>(CASE) }),
  caseEnd: object<LineOf<'caseEnd'>>({ type, result: isResult, rerun: optional(isCommand) }),
  warning: object<Omit<LineOf<'warning'>, 'rerun'>>({ type, message: line }),
  done: object<Omit<LineOf<'done'>, 'rerun'>>({
    type,
    summary: isSummary,
    interrupted: isBoolean,
    failed: optional(isTrue),
    coverage: optional(coverageProblem),
    traces: optional(object<NonNullable<RunEnd['traces']>>({ folder: path, files: count })),
  }),
} satisfies Record<BlobLine['type'], Check>);

/** What keeps something from being the first line. */
export const headerProblem: Check = object<BlobHeader>({
  format: line,
  version: count,
  host: name,
  cwd: path,
  descriptions: entries(line, MAX_CASES),
  shard: optional(
    object<NonNullable<BlobHeader['shard']>>({ index: whole(1, MAX_SHARDS), count: whole(1, MAX_SHARDS) }),
  ),
  order: list(text(2010), MAX_CASES),
});

export function isHeader(value: unknown): value is BlobHeader {
  return headerProblem(value) === undefined;
}

export function isLine(value: unknown): value is BlobLine {
  return lineProblem(value) === undefined;
}

export function isCoverage(value: unknown): value is readonly TypeCoverage[] {
  return coverageProblem(value) === undefined;
}
