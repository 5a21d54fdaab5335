import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';
import type { CaseResult } from '../report/events.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** Interrupts to several VCPUs, on threads of their own. */

const passed = (result: CaseResult): unknown => {
  expect(result).toMatchObject({ status: 'pass', failures: [], notes: [] });
  return result.value;
};

const ROUNDS = 20;

describe.each([2, 4])('%i VCPUs', (vcpus) => {
  describe.each(['seeded', 'free'] as const)('%s', (schedule) => {
    let run: PluginRun;
    beforeAll(async () => {
      run = await PluginRun.load(`apic-${vcpus}`, { schedule });
    });
    afterAll(() => run.dispose());

    test.each([
      ['ioapic/to-each', Array(vcpus).fill(ROUNDS)],
      ['ioapic/level', Array(vcpus).fill(ROUNDS / vcpus)],
      ['lapic/by-initiator', undefined],
      ['ipi/ring', Array(vcpus).fill(ROUNDS)],
      ['ipi/storm', Array(vcpus).fill(ROUNDS * (vcpus - 1))],
      ['nmi/wakes', [0, ...Array(vcpus - 1).fill(1)]],
    ])('%s', async (name, expected) => {
      expect(passed(await run.run(name))).toEqual(expected);
    });
  });

  test('seeded: the same seed takes interrupts in the same order, and others do not', async () => {
    await using run = await PluginRun.load(`apic-${vcpus}`);
    const order = async (seed: number): Promise<unknown> => passed(await run.run('ipi/order', { seed }));
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const orders: unknown[] = [];
    for (const seed of seeds) orders.push(await order(seed));
    for (const [n, seed] of seeds.entries()) expect(await order(seed)).toBe(orders[n]);
    // Seeds that switch seldom have few interrupts, as those that wait become one.
    expect(new Set(orders).size).toBeGreaterThan(4);
    expect(orders).toContainEqual(expect.stringMatching(/^[0-3]{10,}$/));
  });
});
