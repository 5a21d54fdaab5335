import type { Catalog } from '@qtest/machine';
import type { CaseStatus, RunSummary } from '@qtest/sdk';
import type { CaseLane, LaneOptions } from './backend.ts';
import type { Schedule } from '../config/schedule.ts';
import { Counters } from '../coverage/counters.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { CaseResult, SelectedCase } from '../report/events.ts';
import { count } from '../report/format.ts';
import { isBad, isFlaky } from '../report/marks.ts';
import { runAgain } from './again.ts';
import { describeFailure } from './failure.ts';
import type { RunOptions } from './run-options.ts';
import { runScheduled } from './scheduled.ts';
import { MAX_SECOND_RUNS, withoutSecondRun, withSecondRun } from './second-run.ts';

/** Cases of one plugin on one clock: those that can share a machine. */
interface Group {
  readonly plugin: LoadedPlugin;
  readonly cases: SelectedCase[];
  /** Why its machine cannot be built. */
  broken?: unknown;
}

/** A lane, which serves one group after another. */
interface Seat {
  lane: CaseLane | undefined;
  group: Group | undefined;
  /** Of the lane's machine. */
  counters: Counters | undefined;
}

/** Runs cases, each on a machine in its pristine state; several machines at once with `jobs`. */
export async function runCases(options: RunOptions): Promise<RunSummary> {
  const { reporter, signal, retries, repeat, bail = Infinity } = options;
  const started = performance.now();
  const counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  let flaky = 0;
  let bad = 0;
  let secondRuns = 0;
  const report = (result: CaseResult): void => {
    counts[result.status]++;
    if (isBad(result)) bad++;
    if (isFlaky(result)) flaky++;
    options.coverage?.add(result.coverage ?? []);
    reporter.caseEnd(result);
  };
  for (const { case: skipped, reason } of options.skipped) report(unrun(skipped, 'skip', { reason }));
  const groups = groupCases(options);
  const { catalog: known } = options;
  const work = async (): Promise<void> => {
    const seat: Seat = { lane: undefined, group: undefined, counters: undefined };
    try {
      for (;;) {
        // Stay with the machine at hand while there is work for it.
        const group: Group | undefined =
          seat.group !== undefined && seat.group.cases.length > 0
            ? seat.group
            : groups.find(({ cases }) => cases.length > 0);
        const selected = group?.cases.shift();
        if (group === undefined || selected === undefined) return;
        if (signal.aborted || bad >= bail) {
          const reason = signal.aborted ? 'interrupted' : `not run, as ${count(bad, 'case')} did not pass (--bail)`;
          report(unrun(selected, 'skip', { reason }));
          continue;
        }
        reporter.caseStart?.(selected);
        const mayRun = (): boolean => !signal.aborted && group.broken === undefined;
        const result = await runAgain(() => runOnce(seat, group, selected, { options, known }), {
          retries,
          repeat,
          mayRun,
        });
        const traces = options.trace === 'on' || options.trace === 'fail';
        if (!traces || !isBad(result) || !mayRun()) report(result);
        else if (++secondRuns > MAX_SECOND_RUNS) report(withoutSecondRun(result));
        else report(await withSecondRun(result, () => runTraced(group, result, { options, known })));
      }
    } finally {
      await seat.lane?.dispose();
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return { ...counts, ...(flaky > 0 && { flaky }), duration: performance.now() - started };
}

/** Runs a case on the seat's lane; on a new one when that is another group's, or has been given up. */
async function runOnce(
  seat: Seat,
  group: Group,
  selected: SelectedCase,
  { options, known }: Given,
): Promise<CaseResult> {
  const { plugin } = group;
  if (seat.lane !== undefined && (group !== seat.group || seat.lane.spent)) {
    await seat.lane.dispose();
    seat.lane = undefined;
  }
  seat.group = group;
  try {
    if (group.broken !== undefined) throw group.broken;
    if (seat.lane === undefined) {
      seat.lane = await createLane(group, selected, { options, known }, options.trace === 'on' ? 'plain' : undefined);
      const { machine, registry } = seat.lane;
      seat.counters = options.coverage && new Counters(machine.blueprint, registry);
      options.coverage?.add(seat.counters?.all() ?? []);
    }
  } catch (error) {
    if (options.signal.aborted) return unrun(selected, 'skip', { reason: 'interrupted' });
    group.broken = error;
    return { ...unrun(selected, 'fail'), failures: [describeFailure(error, plugin.root)] };
  }
  return await runOn(seat.lane, group, selected, { options, schedule: options.schedule, coverage: seat.counters });
}

/** Runs a case that did not pass once more, by the schedule with which it failed, on a machine of its own that is traced in full. */
async function runTraced(group: Group, failed: CaseResult, given: Given): Promise<CaseResult> {
  const { plugin, name, clock, vcpus, schedule = 1 } = failed;
  const selected: SelectedCase = { plugin, name, clock, vcpus };
  let lane: CaseLane;
  try {
    lane = await createLane(group, selected, given, 'sources');
  } catch (error) {
    return { ...unrun(selected, 'fail'), failures: [describeFailure(error, group.plugin.root)] };
  }
  try {
    const how: Schedule = schedule === 'free' ? { kind: 'free' } : { kind: 'seeded', seed: schedule };
    return await runOn(lane, group, selected, { options: given.options, schedule: how });
  } finally {
    await lane.dispose();
  }
}

interface Given {
  readonly options: RunOptions;
  readonly known: Catalog;
}

function createLane(
  { plugin }: Group,
  { clock }: SelectedCase,
  { options, known }: Given,
  trace: LaneOptions['trace'],
): Promise<CaseLane> {
  const { backend, hooks, stallLimit } = options;
  const schedule = options.schedule.kind === 'free' ? 'free' : 'seeded';
  return backend.createLane({ plugin, clock, hooks, known, stallLimit, schedule, trace });
}

/** Runs a case on a lane, with the time-out and the known difference that are its own. */
async function runOn(
  lane: CaseLane,
  { plugin }: Group,
  selected: SelectedCase,
  {
    options,
    schedule,
    coverage,
  }: { readonly options: RunOptions; readonly schedule: Schedule; readonly coverage?: Counters | undefined },
): Promise<CaseResult> {
  const found = plugin.cases.find(({ name }) => name === selected.name);
  const { hooks, failOn, signal, inspect } = options;
  const timeout = found?.timeout ?? options.timeout;
  const expect = found?.expect?.[options.backend.name];
  const given = {
    hooks,
    timeout,
    failOn,
    root: plugin.root,
    signal,
    expect,
    ...(coverage && { coverage }),
    ...(inspect && { inspect }),
  };
  return await runScheduled(lane, selected, given, schedule);
}

function groupCases({ plugins, selected }: RunOptions): Group[] {
  const groups = new Map<string, Group>();
  for (const item of selected) {
    const plugin = plugins.find(({ name }) => name === item.plugin);
    if (plugin === undefined) continue;
    const key = `${item.plugin} ${item.clock}`;
    const group = groups.get(key) ?? { plugin, cases: [] };
    groups.set(key, group);
    group.cases.push(item);
  }
  return [...groups.values()];
}

function unrun(selected: SelectedCase, status: CaseStatus, more: { reason?: string } = {}): CaseResult {
  return { ...selected, status, duration: 0, log: [], failures: [], accesses: [], notes: [], ...more };
}
