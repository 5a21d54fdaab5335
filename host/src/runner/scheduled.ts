import { coverageOfRuns } from '../coverage/merge.ts';
import type { CaseLane } from './backend.ts';
import type { Schedule } from '../config/schedule.ts';
import type { CaseResult, SelectedCase } from '../report/events.ts';
import { runCase, type CaseOptions } from './run-case.ts';

/**
 * Runs a case by the schedule: once, or with one seed after another, on the same machine in its pristine state, until one does not pass. Each
 * seed is a run of the case as it would be by itself, with the hooks and the time-out of one. Gives the last, with the time of all.
 */
export async function runScheduled(
  lane: CaseLane,
  selected: SelectedCase,
  options: Omit<CaseOptions, 'seed'>,
  schedule: Schedule,
): Promise<CaseResult> {
  // A lone VCPU takes no turns, and in real time nobody does.
  if (selected.vcpus === 1 || selected.clock === 'realtime') return runCase(lane, selected, options);
  if (schedule.kind === 'free') return { ...(await runCase(lane, selected, options)), schedule: 'free' };
  if (schedule.kind === 'seeded') {
    const { seed } = schedule;
    return { ...(await runCase(lane, selected, { ...options, seed })), schedule: seed };
  }
  let duration = 0;
  const runs: CaseResult[] = [];
  for (let seed = 1; ; seed++) {
    const result = await runCase(lane, selected, { ...options, seed });
    duration += result.duration;
    runs.push(result);
    if (result.status === 'pass' && seed < schedule.seeds) continue;
    const coverage = coverageOfRuns(runs);
    return { ...result, duration, schedule: seed, attempts: seed, ...(coverage && { coverage }) };
  }
}
