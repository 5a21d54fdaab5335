import type { CaseStatus, RunSummary } from '@qtest/sdk';
import type { CaseLane } from '../backends/backend.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { CaseResult, SelectedCase } from '../report/events.ts';
import { count } from '../report/format.ts';
import { isBad, isFlaky } from '../report/marks.ts';
import { runAgain } from './again.ts';
import { devicesOf } from './build.ts';
import { describeFailure } from './failure.ts';
import type { RunOptions } from './run-options.ts';
import { runScheduled } from './scheduled.ts';

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
}

/** Runs cases, each on a machine in its pristine state; several machines at once with `jobs`. */
export async function runCases(options: RunOptions): Promise<RunSummary> {
  const { reporter, signal, retries, repeat, bail = Infinity } = options;
  const started = performance.now();
  const counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  let flaky = 0;
  let bad = 0;
  const report = (result: CaseResult): void => {
    counts[result.status]++;
    if (isBad(result)) bad++;
    if (isFlaky(result)) flaky++;
    reporter.caseEnd(result);
  };
  for (const { case: skipped, reason } of options.skipped) report(unrun(skipped, 'skip', { reason }));
  const groups = groupCases(options);
  const known = devicesOf(options.plugins);
  const work = async (): Promise<void> => {
    const seat: Seat = { lane: undefined, group: undefined };
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
        report(await runAgain(() => runOnce(seat, group, selected, { options, known }), { retries, repeat, mayRun }));
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
  { options, known }: { readonly options: RunOptions; readonly known: ReturnType<typeof devicesOf> },
): Promise<CaseResult> {
  const { plugin } = group;
  if (seat.lane !== undefined && (group !== seat.group || seat.lane.spent)) {
    await seat.lane.dispose();
    seat.lane = undefined;
  }
  seat.group = group;
  try {
    if (group.broken !== undefined) throw group.broken;
    seat.lane ??= await options.backend.createLane({
      plugin,
      clock: selected.clock,
      hooks: options.hooks,
      known,
      stallLimit: options.stallLimit,
      schedule: options.schedule.kind === 'free' ? 'free' : 'seeded',
    });
  } catch (error) {
    group.broken = error;
    return { ...unrun(selected, 'fail'), failures: [describeFailure(error, plugin.root)] };
  }
  const found = plugin.cases.find(({ name }) => name === selected.name);
  const { hooks, failOn, signal } = options;
  const timeout = found?.timeout ?? options.timeout;
  const expect = found?.expect?.[options.backend.name];
  const given = { hooks, timeout, failOn, root: plugin.root, signal, expect };
  return await runScheduled(seat.lane, selected, given, options.schedule);
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
