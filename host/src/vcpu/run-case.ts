import type { BackendName, CaseStatus, CaseTrace } from '@qtest/sdk';
import { formatNanoseconds } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import type { CaseLane, EndKind, Observed } from './backend.ts';
import type { Counters } from '../coverage/counters.ts';
import type { HookSet } from '../hooks.ts';
import type { CaseResult, Failure, SelectedCase } from '../report/events.ts';
import { eventText } from '../report/trace-text.ts';
import { codeOf, messageOf } from '../thrown.ts';
import { caseTrace } from './case-trace.ts';
import { describeFailure } from './failure.ts';
import { LOCK_BOUND } from './lane.ts';
import type { VcpuOutcome } from './task.ts';

/** Accesses shown for a case that did not pass. */
const SHOWN_ACCESSES = 12;
/** How long the other VCPUs of a failed case may take to end by themselves, ms. */
const GRACE = 500;
/** How long the VCPUs' threads may take to start, ms. */
const START_BOUND = 60_000;
/** Bytes that the VCPUs of a case share. */
const SHARED_BYTES = 65_536;

export interface CaseOptions {
  readonly hooks: HookSet;
  /** Wall time, ns. */
  readonly timeout: bigint;
  readonly failOn: readonly string[];
  /** Of the scheduler, which the VCPUs need when they are several in virtual time. */
  readonly seed?: number;
  /** Folder of the plugin. */
  readonly root: string;
  readonly signal: AbortSignal;
  /** The known difference on the lane's backend, if there is one. */
  readonly expect?: string | undefined;
  /** Of a `Recording`: where all accesses of VCPU 0 are kept. */
  readonly record?: SharedArrayBuffer;
  /** Where the use of registers is counted. */
  readonly coverage?: Counters;
}

type Verdict = Pick<CaseResult, 'status' | 'failures' | 'log' | 'notes' | 'accesses' | 'trace'> & {
  reason?: string;
  value?: unknown;
};

/** Runs one case on a lane's machine. Never rejects: whatever happens is the case's result. */
export async function runCase(lane: CaseLane, selected: SelectedCase, options: CaseOptions): Promise<CaseResult> {
  const started = performance.now();
  let verdict: Verdict;
  options.coverage?.clear();
  try {
    verdict = await attempt(lane, selected, options);
  } catch (error) {
    verdict = { status: 'fail', failures: [describeFailure(error, options.root)], log: [], notes: [], accesses: [] };
  }
  const duration = performance.now() - started;
  verdict = await announceEnd(lane, selected, options, verdict, duration);
  return { ...selected, duration, ...verdict, ...(options.coverage && { coverage: options.coverage.touched() }) };
}

async function attempt(lane: CaseLane, selected: SelectedCase, options: CaseOptions): Promise<Verdict> {
  const { hooks } = options;
  await lane.prepare(selected, options.seed ?? 0);
  let skipped: string | undefined;
  const skip = (reason: string): void => {
    skipped ??= reason;
  };
  await hooks.caseStart.promise({ ...lane.context, case: selected.name, seed: options.seed, skip });
  if (skipped !== undefined) return { status: 'skip', failures: [], log: [], notes: [], accesses: [], reason: skipped };
  for (let index = 0; index < selected.vcpus; index++) {
    const refuse = (reason: string): void => {
      throw hostError('HOOK', `VCPU ${index} was refused: ${reason}`);
    };
    await hooks.vcpuStart.promise({ ...lane.context, case: selected.name, index, refuse });
  }
  const observation = lane.observe(hooks);
  let run: Awaited<ReturnType<typeof runVcpus>>;
  let observed: Observed;
  try {
    run = await runVcpus(lane, selected, options);
  } finally {
    observed = observation.end();
  }
  const { outcomes, ended } = run;
  if (outcomes.some(({ leftRunning }) => leftRunning.length > 0) && !lane.spent) await lane.retireThreads();
  return withExpectation(
    await judge(lane, selected, options, outcomes, ended, observed),
    options.expect,
    lane.context.backend,
  );
}

/** A case that fails where it is known to fail has shown a known difference; one that passes there has lost it. */
function withExpectation(verdict: Verdict, expected: string | undefined, backend: BackendName): Verdict {
  if (expected === undefined) return verdict;
  if (verdict.status === 'fail') return { ...verdict, status: 'known', reason: expected };
  if (verdict.status !== 'pass') return verdict;
  const message = `it passes, although its 'expect' says that on ${backend} it fails: ${expected}. Take '${backend}' out of 'expect'`;
  return { ...verdict, status: 'fail', failures: [{ name: 'Unexpected', code: 'EXPECT', message }] };
}

interface Ended {
  readonly kind: EndKind;
  /** The VCPU that has kept the turn, and with it the lock, to its end. */
  readonly silent: number | undefined;
}

/** Hands the case to its VCPUs and waits for all of them; ends them when the time is up or one has failed. */
async function runVcpus(
  lane: CaseLane,
  selected: SelectedCase,
  options: CaseOptions,
): Promise<{ outcomes: VcpuOutcome[]; ended: Ended }> {
  const abort = new AbortController();
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const { pool } = lane;
  let kill: Promise<number | undefined> | undefined;
  let kind: EndKind = 'done';
  let grace: NodeJS.Timeout | undefined;
  const end = (why: EndKind): void => {
    if (kill !== undefined) return;
    kind = why;
    kill = lane.kill(() => abort.abort(), why);
  };
  const failed = (): void => {
    if (selected.vcpus === 1 || grace !== undefined) return;
    lane.abandon();
    grace = setTimeout(() => end('done'), GRACE);
  };
  const limit = Number(options.timeout) / 1e6;
  let timer: NodeJS.Timeout | undefined;
  // What a thread's start and its imports take is not the case's.
  const look = (): void => {
    const { began } = lane;
    const left =
      began === 0n ? START_BOUND - (performance.now() - handed) : limit - Number(process.hrtime.bigint() - began) / 1e6;
    if (left <= 0) end('timeout');
    else timer = setTimeout(look, Math.min(left, limit, 2 ** 31 - 1) + 1);
  };
  const handed = performance.now();
  look();
  const interrupt = (): void => end('interrupted');
  options.signal.addEventListener('abort', interrupt, { once: true });
  if (options.signal.aborted) interrupt();
  const parts = Array.from({ length: selected.vcpus }, async (_, index): Promise<VcpuOutcome> => {
    const task = lane.taskOf({
      ...{ case: selected.name, index, count: selected.vcpus, shared },
      ...(index === 0 && options.record !== undefined && { record: options.record }),
      ...(options.coverage !== undefined && { coverage: options.coverage.buffer }),
    });
    try {
      const outcome = checked(await pool.run(task, { signal: abort.signal }));
      if (outcome.status === 'fail') failed();
      return outcome;
    } catch (error) {
      // A thread that has died may own the lock, and its machine is not to be trusted.
      if (kill === undefined) end('done');
      return died(error, kill !== undefined && abort.signal.aborted && isAbort(error));
    }
  });
  const outcomes = await Promise.all(parts);
  clearTimeout(timer);
  clearTimeout(grace);
  options.signal.removeEventListener('abort', interrupt);
  const last = await kill;
  const silent = options.seed === undefined ? undefined : last;
  return { outcomes, ended: { kind, silent } };
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

/** A case's code can make piscina resolve with anything (`throw null`); only our own envelope counts. */
function checked(outcome: unknown): VcpuOutcome {
  if (typeof outcome === 'object' && outcome !== null && 'status' in outcome && 'leftRunning' in outcome)
    return outcome as VcpuOutcome;
  throw new Error("the VCPU's thread gave no result");
}

function died(error: unknown, killed: boolean): VcpuOutcome {
  if (killed) return { status: 'abandoned', failures: [], log: [], leftRunning: [] };
  const code = codeOf(error);
  const message =
    code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'the case ran out of memory: its thread reached the limit of its heap'
      : /exited with code/.test(messageOf(error))
        ? `the case ended its thread: ${messageOf(error)} (process.exit()?); a case ends by returning or throwing`
        : `the VCPU's thread died: ${messageOf(error)}`;
  return { status: 'fail', failures: [{ name: 'Crash', code: 'CRASH', message }], log: [], leftRunning: [] };
}

async function judge(
  lane: CaseLane,
  selected: SelectedCase,
  options: CaseOptions,
  outcomes: readonly VcpuOutcome[],
  ended: Ended,
  observed: Observed,
): Promise<Verdict> {
  const several = selected.vcpus > 1;
  const told = outcomes.flatMap((outcome, vcpu) =>
    outcome.failures.map((failure): Failure => (several ? { ...failure, vcpu } : failure)),
  );
  const failures = [...(await lane.failures(told, outcomes, options.root))];
  for (const error of observed.errors) failures.push(describeFailure(error, options.root));
  for (const name of ['guestError', 'unimplemented'] as const) {
    const count = observed.counts[name];
    if (count > 0 && options.failOn.includes(name)) {
      const first = [...observed.messages.keys()].find((message) => message.startsWith(name)) ?? name;
      failures.push({
        name: 'FailOn',
        code: 'FAIL_ON',
        message: `${count} × ${name}, and the config's failOn names it; the first: ${first}`,
      });
    }
  }
  if (ended.kind === 'timeout') {
    const limit = formatNanoseconds(options.timeout);
    const { silent } = ended;
    const why =
      silent === undefined
        ? ''
        : `It had the turn and made no access for ${LOCK_BOUND} ms, so that no other VCPU could go on: it was in a loop of its own, or in a device that hangs. ` +
          `A loop that waits for a word of 'shared' needs vcpu.pause(). `;
    failures.unshift({
      name: 'Timeout',
      code: 'TIMEOUT',
      message: `no end within ${limit} of wall time; the VCPU was killed. ${why}If the case needs longer, give it 'timeout', or the command --timeout`,
      ...(silent !== undefined && { vcpu: silent }),
    });
  }
  const skip = outcomes.find((outcome) => outcome.status === 'skip');
  const status = statusOf(ended, failures, skip !== undefined);
  const passed = status === 'pass' || status === 'skip';
  const value = outcomes.find((outcome) => outcome.value !== undefined)?.value;
  const traced = lane.trace();
  const trace = traced === undefined ? undefined : caseTrace(traced, passed ? undefined : (failures[0]?.vcpu ?? 0));
  return {
    status,
    failures,
    log: outcomes.flatMap((outcome, vcpu) => {
      const log = outcome.log.length > 0 ? outcome.log : tracedLog(trace, vcpu);
      return several ? log.map((line) => `VCPU ${vcpu}: ${line}`) : log;
    }),
    notes: notesOf(outcomes, observed, passed),
    accesses: passed ? [] : (tracedAccesses(trace, selected.vcpus) ?? lastAccesses(lane, selected.vcpus)),
    ...(trace !== undefined && { trace }),
    ...(ended.kind === 'interrupted'
      ? { reason: 'interrupted' }
      : skip?.reason !== undefined && { reason: skip.reason }),
    ...(value !== undefined && { value }),
  };
}

function statusOf(ended: Ended, failures: readonly Failure[], skipped: boolean): CaseStatus {
  if (ended.kind === 'timeout') return 'timeout';
  if (failures.some(({ code }) => code === 'CRASH')) return 'crash';
  if (failures.length > 0) return 'fail';
  return skipped || ended.kind === 'interrupted' ? 'skip' : 'pass';
}

function notesOf(outcomes: readonly VcpuOutcome[], observed: Observed, passed: boolean): string[] {
  const notes: string[] = [];
  const left = outcomes.flatMap(({ leftRunning }) => leftRunning);
  if (left.length > 0)
    notes.push(`left running: ${left.join(', ')}; its thread has been ended. End what a case starts before it returns`);
  if (observed.lost > 0)
    notes.push(`${observed.lost} events were lost: the ring was full before the host could read it`);
  if (!passed)
    for (const [message, count] of observed.messages) notes.push(count === 1 ? message : `${message} (${count} times)`);
  return notes;
}

/** What a VCPU logged, by the trace, which outlives one that was killed. */
function tracedLog(trace: CaseTrace | undefined, vcpu: number): string[] {
  return (trace?.events ?? []).flatMap((event) => (event.type === 'log' && event.vcpu === vcpu ? [event.text] : []));
}

/** What several VCPUs did last, in the order in which they did it. One that is alone has a ring for that. */
function tracedAccesses(trace: CaseTrace | undefined, vcpus: number): string[] | undefined {
  if (trace === undefined || vcpus === 1) return undefined;
  const shown = trace.events.filter(
    (event) =>
      event.vcpu !== undefined && (event.type === 'access' || event.type === 'handler' || event.type === 'clock'),
  );
  return shown.slice(-SHOWN_ACCESSES * vcpus).map((event) => `VCPU ${event.vcpu}: ${eventText(event)}`);
}

function lastAccesses(lane: CaseLane, vcpus: number): string[] {
  return Array.from({ length: vcpus }, (_, vcpu) => {
    // All that the ring holds is decoded, so that an index written earlier is known; the last ones are shown.
    const lines = lane.accesses(vcpu).slice(-SHOWN_ACCESSES);
    return vcpus === 1 ? lines : lines.map((line) => `VCPU ${vcpu}: ${line}`);
  }).flat();
}

async function announceEnd(
  lane: CaseLane,
  selected: SelectedCase,
  options: CaseOptions,
  verdict: Verdict,
  duration: number,
): Promise<Verdict> {
  let gate: string | undefined;
  const fail = (reason: string): void => {
    gate ??= reason;
  };
  const failures = [...verdict.failures];
  try {
    await options.hooks.caseEnd.promise({
      ...lane.context,
      case: selected.name,
      seed: options.seed,
      status: verdict.status,
      duration,
      message: verdict.failures[0]?.message,
      fail,
    });
  } catch (error) {
    failures.push(describeFailure(error, options.root));
  }
  if (gate !== undefined) failures.push({ name: 'Gate', code: 'HOOK', message: `failed by the hook caseEnd: ${gate}` });
  if (failures.length === verdict.failures.length) return verdict;
  return {
    ...verdict,
    failures,
    status: ['pass', 'skip', 'known'].includes(verdict.status) ? 'fail' : verdict.status,
  };
}
