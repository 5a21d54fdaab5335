import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';
import { applyPlugin, createHooks } from '../hooks.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** Cases that write to the memory that the machine's threads share: a crash of that case, with a message; the host and the next case go on. */

const LIMIT = 20_000_000_000n;
/** Far below the time-out: the host sees what is wrong by itself. ms. */
const SOON = 12_000;

const damaged = (what: RegExp | string): object => ({
  status: 'crash',
  failures: [{ code: 'DAMAGE', message: expect.stringMatching(what) }],
});

const WORDS = [
  ...['POISONED', 'CLAIMS', 'FAULT', 'RING_HEAD', 'RING_TAIL', 'TICKS', 'TICKS_SEEN', 'IO_STOP', 'VCPUS', 'TURN'],
  ...['BARRIER_COUNT', 'WAITERS', 'READY', 'URGENT'],
];
const CASES: Readonly<Record<'virtual' | 'realtime', readonly string[]>> = {
  virtual: [
    ...WORDS.map((word) => `leaves-negative/${word}`),
    ...['RING_HEAD', 'RING_TAIL', 'TICKS', 'VCPUS', 'TURN'].map((word) => `keeps/${word}`),
  ],
  realtime: ['leaves/CLAIMS', 'keeps/RING_HEAD', 'keeps/IO_STOP', 'keeps/TICKS'],
};

describe.each(['virtual', 'realtime'] as const)('a case that writes the control area, %s', (clock) => {
  let run: PluginRun;
  beforeAll(async () => {
    run = await PluginRun.load('hostile', { clock });
  });
  afterAll(() => run.dispose());

  test.each(CASES[clock])('%s', async (name) => {
    const started = performance.now();
    const result = await run.run(name, { timeout: LIMIT });
    expect(performance.now() - started).toBeLessThan(SOON);
    expect(result).toMatchObject(damaged(/^the memory that the machine's threads share has been damaged/));
    expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  });

  test('the lock: whose it is', async () => {
    await run.run('leaves/LOCK', { timeout: 3_000_000_000n });
    expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  });

  test('that another VCPU has failed', async () => {
    expect(await run.run('keeps/ABANDONED', { timeout: LIMIT })).toMatchObject(damaged(''));
    expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  });

  test.each(['later', 'again'])('when it began: its time-out holds, %s', async (how) => {
    const started = performance.now();
    expect(await run.run(`began/${how}`, { timeout: 500_000_000n })).toMatchObject({ status: 'timeout' });
    expect(performance.now() - started).toBeLessThan(SOON);
    expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  });

  test('what the rings hold: it is shown as it is', async () => {
    expect(await run.run('trace/garbage')).toMatchObject({ status: 'fail' });
    expect((await run.run('ring/garbage')).status).toBe('pass');
    expect(await run.run('ok')).toMatchObject({ status: 'pass', failures: [] });
  });
});

describe.each(['virtual', 'realtime'] as const)('a case that pushes more than the host can take, %s', (clock) => {
  /** As long as a tap that does something, ms. */
  const busy = (ms: number): void => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  const slow = (ms: number): ReturnType<typeof createHooks> => {
    const hooks = createHooks();
    applyPlugin(hooks, {
      name: 'slow',
      options: {},
      plugin: { apply: (host) => host.hooks.guestError.tap('slow', () => busy(ms)) },
    });
    return hooks;
  };

  test.each([0, 0.03, 3])('events, a tap that takes %d ms: time-out and Ctrl-C are heard', async (ms) => {
    await using run = await PluginRun.load('hostile', { clock, hooks: slow(ms), stallLimit: Number.MAX_SAFE_INTEGER });
    expect(await run.run('ok')).toMatchObject({ status: 'pass' });
    const started = performance.now();
    const result = await run.run('push/events', { timeout: 500_000_000n });
    expect(performance.now() - started).toBeLessThan(6000);
    expect(result).toMatchObject({ status: 'timeout' });
    if (ms > 1) expect(result.notes.join()).toMatch(/\d+ events were lost/);
    const abort = new AbortController();
    expect(await run.run('ok')).toMatchObject({ status: 'pass' });
    const ending = run.run('push/events', { timeout: LIMIT, signal: abort.signal });
    setTimeout(() => abort.abort(), 200);
    expect(await ending).toMatchObject({ status: 'skip', reason: 'interrupted' });
    expect(performance.now() - started).toBeLessThan(SOON);
  });
});
