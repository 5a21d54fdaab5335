import { type BackendName, type CaseStatus, type CaseTrace, formatNanoseconds } from '@qtest/sdk';
import { hostError, codeOf, messageOf, isDebugged } from '@qtest/sdk/support';
import { isInterruption } from '../foreign/bounded.ts';
import type { InspectRequest } from '../config/inspect.ts';
import type { CaseLane, EndKind, Observed } from './backend.ts';
import type { Counters } from '../coverage/counters.ts';
import type { HookSet } from '../hooks.ts';
import type { CaseResult, Failure, SelectedCase } from '../report/events.ts';
import { eventText } from '../report/trace-text.ts';
import { damageMessage } from '@qtest/machine';
import { caseTrace } from './case-trace.ts';
import { callDevices } from './device-code.ts';
import { describeFailure } from './failure.ts';
import { LOCK_BOUND } from './lane.ts';
import { checkedOutcome } from './outcome.ts';
import { failedOutcome, type VcpuOutcome } from './task.ts';

/** Accesses shown for a case that did not pass. */
const SHOWN_ACCESSES = 12;
/** How long the other VCPUs of a failed case may take to end by themselves, ms. */
const GRACE = 500;
/** How long the VCPUs' threads may take to start, ms. */
const START_BOUND = 60_000;
/** Under a debugger time-outs stand still; how often it is looked whether it is still there, ms. */
const LOOK_AGAIN = 500;
/** How often it is looked whether the first VCPU has begun, ms. */
const BEGIN_EVERY = 50;
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
  /** Where the VCPUs are to be debugged. */
  readonly inspect?: InspectRequest;
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
    const empty = { log: [], notes: [], accesses: [] };
    verdict = isInterruption(error)
      ? { status: 'skip', failures: [], ...empty, reason: 'interrupted' }
      : { status: 'fail', failures: [describeFailure(error, options.root)], ...empty };
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
    skipped ??= messageOf(reason);
  };
  await hooks.caseStart.promise({ ...lane.context, case: selected.name, seed: options.seed, skip });
  if (skipped !== undefined) return { status: 'skip', failures: [], log: [], notes: [], accesses: [], reason: skipped };
  for (let index = 0; index < selected.vcpus; index++) {
    const refuse = (reason: string): void => {
      throw hostError('HOOK', `VCPU ${index} was refused: ${messageOf(reason)}`);
    };
    await hooks.vcpuStart.promise({ ...lane.context, case: selected.name, index, refuse });
  }
  const damaged = new AbortController();
  const observation = lane.observe(hooks, () => damaged.abort());
  let run: Awaited<ReturnType<typeof runVcpus>>;
  let observed: Observed;
  try {
    run = await runVcpus(lane, selected, options, damaged.signal);
  } finally {
    observed = await observation.end();
  }
  const { outcomes } = run;
  // The time was up because of the tap, whose error says so.
  const ended: Ended =
    run.ended.kind === 'timeout' && observed.hung === true ? { ...run.ended, kind: 'done' } : run.ended;
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
  damaged: AbortSignal,
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
    const late = (): void => {
      if (isDebugged()) grace = setTimeout(late, GRACE);
      else end('done');
    };
    grace = setTimeout(late, GRACE);
  };
  const limit = Number(options.timeout) / 1e6;
  let timer: NodeJS.Timeout | undefined;
  let began = 0n;
  // What a thread's start and its imports take is not the case's.
  const look = (): void => {
    const now = process.hrtime.bigint();
    // Taken once: a case could write it again and again. Nor can it have begun before it was handed over, or in the future.
    if (began === 0n && lane.began !== 0n) began = lane.began >= handed && lane.began <= now ? lane.began : handed;
    const left = began === 0n ? START_BOUND - Number(now - handed) / 1e6 : limit - Number(now - began) / 1e6;
    if (isDebugged()) timer = setTimeout(look, LOOK_AGAIN);
    else if (left <= 0) end('timeout');
    else timer = setTimeout(look, Math.min(left, limit, began === 0n ? BEGIN_EVERY : 2 ** 31 - 1) + 1);
  };
  const handed = process.hrtime.bigint();
  look();
  const interrupt = (): void => end('interrupted');
  options.signal.addEventListener('abort', interrupt, { once: true });
  damaged.addEventListener('abort', () => end('done'));
  if (options.signal.aborted) interrupt();
  const parts = Array.from({ length: selected.vcpus }, async (_, index): Promise<VcpuOutcome> => {
    const task = lane.taskOf({
      ...{ case: selected.name, index, count: selected.vcpus, shared },
      ...(index === 0 && options.record !== undefined && { record: options.record }),
      ...(options.coverage !== undefined && { coverage: options.coverage.buffer }),
      ...(options.inspect !== undefined && { inspect: { ...options.inspect, port: options.inspect.port + index } }),
    });
    try {
      const outcome = checkedOutcome(await pool.run(task, { signal: abort.signal }));
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
  return { outcomes: abandonedOrFailed(outcomes, kill !== undefined), ended: { kind, silent } };
}

/** The error of a VCPU that is abandoned tells nothing; but a case may throw one like it where nobody has abandoned it, and has failed then. */
function abandonedOrFailed(outcomes: readonly VcpuOutcome[], killed: boolean): VcpuOutcome[] {
  const isEnded = killed || outcomes.some(({ status }) => status === 'fail' || status === 'skip');
  return outcomes.map((outcome) => {
    if (outcome.status !== 'abandoned') return outcome;
    return isEnded ? { ...outcome, failures: [] } : { ...outcome, status: 'fail' };
  });
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

function died(error: unknown, killed: boolean): VcpuOutcome {
  if (killed) return { status: 'abandoned', failures: [], log: [], notes: [], leftRunning: [] };
  const code = codeOf(error);
  const message =
    code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'the case ran out of memory: its thread reached the limit of its heap'
      : /exited with code/.test(messageOf(error))
        ? `the case ended its thread: ${messageOf(error)} (process.exit()?); a case ends by returning or throwing`
        : `the VCPU's thread died: ${messageOf(error)}`;
  return failedOutcome({ name: 'Crash', code: 'CRASH', message });
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
  if (observed.damage !== undefined) failures.push(damageFailure(observed.damage));
  else if (
    ended.kind === 'done' &&
    observed.hung !== true &&
    failures.length === 0 &&
    outcomes.every(({ status }) => status === 'abandoned')
  )
    failures.push(damageFailure('no VCPU has failed, and all were told that another one has'));
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
  const notes = notesOf(outcomes, observed, passed);
  let trace: CaseTrace | undefined;
  let accesses: readonly string[] = [];
  try {
    const traced = lane.trace();
    if (traced !== undefined)
      trace = callDevices(selected.plugin, lane.machine, () =>
        caseTrace(traced, passed ? undefined : (failures[0]?.vcpu ?? 0)),
      );
    if (!passed)
      accesses =
        tracedAccesses(trace, selected.vcpus) ??
        callDevices(selected.plugin, lane.machine, () => lastAccesses(lane, selected.vcpus));
  } catch (error) {
    if (isInterruption(error)) throw error;
    // What it has come to is known without.
    notes.push(`what it did last cannot be told: ${messageOf(error)}`);
  }
  return {
    status,
    failures,
    log: outcomes.flatMap((outcome, vcpu) => {
      const log = outcome.log.length > 0 ? outcome.log : tracedLog(trace, vcpu);
      return several ? log.map((line) => `VCPU ${vcpu}: ${line}`) : log;
    }),
    notes,
    accesses: [...accesses],
    ...(trace !== undefined && { trace }),
    ...(ended.kind === 'interrupted'
      ? { reason: 'interrupted' }
      : skip?.reason !== undefined && { reason: skip.reason }),
    ...(value !== undefined && { value }),
  };
}

function damageFailure(what: string): Failure {
  return { name: 'Damage', code: 'DAMAGE', message: damageMessage(what) };
}

function statusOf(ended: Ended, failures: readonly Failure[], skipped: boolean): CaseStatus {
  if (ended.kind === 'timeout') return 'timeout';
  if (failures.some(({ code }) => code === 'CRASH' || code === 'DAMAGE')) return 'crash';
  if (failures.length > 0) return 'fail';
  return skipped || ended.kind === 'interrupted' ? 'skip' : 'pass';
}

function notesOf(outcomes: readonly VcpuOutcome[], observed: Observed, passed: boolean): string[] {
  const notes: string[] = [];
  const left = outcomes.flatMap(({ leftRunning }) => leftRunning);
  if (left.length > 0)
    notes.push(`left running: ${left.join(', ')}; its thread has been ended. End what a case starts before it returns`);
  for (const [vcpu, outcome] of outcomes.entries())
    notes.push(...outcome.notes.map((note) => (outcomes.length === 1 ? note : `VCPU ${vcpu}: ${note}`)));
  if (observed.lost > 0)
    notes.push(`${observed.lost} events were lost: they came faster than the host, with its hooks, could take them`);
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
    gate ??= messageOf(reason);
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
    if (isInterruption(error)) return verdict;
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
