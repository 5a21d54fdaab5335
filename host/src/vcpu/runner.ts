import type { CaseStatus, RunSummary } from '@qtest/sdk';
import type { CaseLane } from '../backends/backend.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { CaseResult, SelectedCase } from '../report/events.ts';
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

/** Runs cases, each on a machine in its pristine state; several machines at once with `jobs`. */
export async function runCases(options: RunOptions): Promise<RunSummary> {
  const started = performance.now();
  const counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  const report = (result: CaseResult): void => {
    counts[result.status]++;
    options.reporter.caseEnd(result);
  };
  for (const { case: skipped, reason } of options.skipped) report(unrun(skipped, 'skip', { reason }));
  const groups = groupCases(options);
  const known = devicesOf(options.plugins);
  const work = async (): Promise<void> => {
    let lane: CaseLane | undefined;
    let current: Group | undefined;
    try {
      for (;;) {
        // Stay with the machine at hand while there is work for it.
        const group: Group | undefined =
          current !== undefined && current.cases.length > 0 ? current : groups.find(({ cases }) => cases.length > 0);
        const selected = group?.cases.shift();
        if (group === undefined || selected === undefined) return;
        if (options.signal.aborted) {
          report(unrun(selected, 'skip', { reason: 'interrupted' }));
          continue;
        }
        if (lane !== undefined && (group !== current || lane.spent)) {
          await lane.dispose();
          lane = undefined;
        }
        current = group;
        options.reporter.caseStart?.(selected);
        const { plugin } = group;
        try {
          if (group.broken !== undefined) throw group.broken;
          lane ??= await options.backend.createLane({
            plugin,
            clock: selected.clock,
            hooks: options.hooks,
            known,
            stallLimit: options.stallLimit,
            schedule: options.schedule.kind === 'free' ? 'free' : 'seeded',
          });
        } catch (error) {
          group.broken = error;
          report({ ...unrun(selected, 'fail'), failures: [describeFailure(error, plugin.root)] });
          continue;
        }
        const found = plugin.cases.find(({ name }) => name === selected.name);
        const { hooks, failOn, signal } = options;
        const timeout = found?.timeout ?? options.timeout;
        const expect = found?.expect?.[options.backend.name];
        const given = { hooks, timeout, failOn, root: plugin.root, signal, expect };
        report(await runScheduled(lane, selected, given, options.schedule));
      }
    } finally {
      await lane?.dispose();
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return { ...counts, duration: performance.now() - started };
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
