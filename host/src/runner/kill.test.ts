import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';
import { createHooks } from '../hooks.ts';
import { WORD } from '@qtest/machine';
import type { CaseResult } from '../report/events.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** What ends VCPUs that do not end by themselves; and that the next case then passes, on another machine. */

const LIMIT = 300_000_000n;
/** What killing may take beside the time-out, ms: the bounds for the lock, the I/O thread and the threads' exits, and a loaded machine. */
const SLACK = 5000;

const timedOut = { status: 'timeout', failures: [{ code: 'TIMEOUT' }] };

async function killed(run: PluginRun, name: string, expected: object = timedOut, timeout = LIMIT): Promise<CaseResult> {
  // Its threads are there, and have loaded the plugin.
  expect(await run.run('ok')).toMatchObject({ status: 'pass' });
  const before = await run.lane();
  const started = performance.now();
  const result = await run.run(name, { timeout });
  expect(performance.now() - started).toBeLessThan(Number(timeout) / 1e6 + SLACK);
  expect(result).toMatchObject(expected);
  expect(before.spent).toBe(true);
  expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  expect(await run.lane()).not.toBe(before);
  return result;
}

describe.each(['virtual', 'realtime'] as const)('one VCPU, %s', (clock) => {
  let run: PluginRun;
  beforeAll(async () => {
    run = await PluginRun.load('kill', { clock });
  });
  afterAll(() => run.dispose());

  test.each(['in-a-device', 'computing', 'accessing', 'in-ram', 'waiting', 'never-settling', 'catching-everything'])(
    '%s',
    async (name) => {
      const { machine } = await run.lane();
      const { accesses } = await killed(run, name);
      // Given up where the lock could not be had; a VCPU between two accesses lets the host have it.
      if (name === 'in-a-device') expect(machine.control.words[WORD.POISONED]).toBe(1);
      if (name === 'accessing') expect(machine.control.words[WORD.POISONED]).toBe(0);
      if (name === 'in-a-device') return;
      expect(accesses.length > 0).toBe(!['computing', 'in-ram', 'never-settling'].includes(name));
    },
  );
});

test('one VCPU that steps for ever', async () => {
  await using run = await PluginRun.load('kill');
  await killed(run, 'stepping');
});

test('regression: a thread that cannot be ended is not waited for', async () => {
  await using run = await PluginRun.load('kill');
  await killed(run, 'in-a-child-process');
}, 20_000);

test('Ctrl-C: a case that runs ends as skipped', async () => {
  await using run = await PluginRun.load('kill');
  const abort = new AbortController();
  await run.run('ok');
  const ending = run.run('computing', { signal: abort.signal });
  abort.abort();
  expect(await ending).toMatchObject({ status: 'skip', reason: 'interrupted', failures: [] });
  expect(await run.run('ok')).toMatchObject({ status: 'pass' });
});

describe('a device that hangs in a timer', () => {
  test('regression: on the I/O thread: that is ended too', async () => {
    await using run = await PluginRun.load('kill-in-a-timer', { clock: 'realtime' });
    await killed(run, 'on-the-io-thread');
  });

  test.each(['virtual', 'realtime'] as const)('on the VCPU, %s', async (clock) => {
    await using run = await PluginRun.load('kill-in-a-timer', { clock });
    await killed(run, 'on-the-vcpu');
  });

  test('regression: real time stands still between cases: what one has left armed does not fire then', async () => {
    const hooks = createHooks();
    let starts = 0;
    // Longer than the timer of the case before.
    hooks.caseStart.tapPromise({ name: 'slow', plugin: 'test' }, async () => {
      if (starts++ > 0) await new Promise((resolve) => setTimeout(resolve, 500));
    });
    await using run = await PluginRun.load('kill-in-a-timer', { clock: 'realtime', hooks });
    const lane = await run.lane();
    for (const name of ['left-armed', 'ok', 'left-armed', 'left-armed', 'ok']) {
      expect(await run.run(name, { timeout: 2_000_000_000n })).toMatchObject({ status: 'pass', failures: [] });
    }
    expect(lane.spent).toBe(false);
  });
});

describe.each([
  [2, 'seeded'],
  [4, 'free'],
] as const)('%i VCPUs, %s', (vcpus, schedule) => {
  const others = vcpus - 1;
  let run: PluginRun;
  beforeAll(async () => {
    run = await PluginRun.load(`several-${vcpus}`, { schedule });
  });
  afterAll(() => run.dispose());

  test.each(['hang/in-a-device', 'hang/computing', 'hang/in-the-operating-system'])('%s', async (name) => {
    await killed(run, name);
  });

  test('a thread that dies', async () => {
    const { failures } = await killed(run, 'exit/one', { status: 'crash' }, 8_000_000_000n);
    expect(failures).toMatchObject([
      { code: 'CRASH', vcpu: others, message: expect.stringContaining('exited with code: 3') },
    ]);
  });

  // Under the seeded scheduler one that computes leaves no other a turn in which to fail: that is a time-out.
  // Under the seeded scheduler nobody else's turn comes while one computes: no test that is skipped there.
  // oxlint-disable-next-line vitest/no-conditional-tests
  if (schedule === 'free') {
    test('one that computes when another has failed', async () => {
      const { failures } = await killed(run, 'fail/others-compute', { status: 'fail' }, 8_000_000_000n);
      expect(failures).toMatchObject([{ vcpu: others, message: 'mine' }]);
    });
  }
});
