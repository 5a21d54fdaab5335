import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 40_000 });

/**
 * A stack that overflows at whatever point of an access leaves lock, turn and machine whole: the error comes before anything has been done, the
 * case catches it and goes on, and the other VCPUs too.
 */
const ACTS = ['inb', 'outb', 'wide', 'memory', 'bulk', 'step', 'wait', 'log', 'snapshot'];

describe.each([
  ['virtual', 'seeded'],
  ['virtual', 'free'],
  ['realtime', 'free'],
] as const)('at the edge of the stack, %s, %s', (clock, schedule) => {
  let run: PluginRun;
  beforeAll(async () => {
    run = await PluginRun.load('edge', { clock, schedule });
  });
  afterAll(() => run.dispose());

  test.each(['two', 'four'].flatMap((vcpus) => ACTS.map((act) => `${vcpus}/${act}`)))('%s', async (name) => {
    const before = await run.lane();
    for (const seed of [1, 2, 3]) {
      expect(await run.run(name, { seed, timeout: 30_000_000_000n })).toMatchObject({ status: 'pass', failures: [] });
    }
    expect(await run.lane()).toBe(before);
    expect(before.spent).toBe(false);
  });
});
