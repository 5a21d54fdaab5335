import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';
import { createHooks } from '../hooks.ts';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** Cases of several VCPUs under `--schedule`. */

const hooks = createHooks();
const started: (number | undefined)[] = [];
const ended: unknown[] = [];
let onEnd = (): void => {};
hooks.caseStart.tap('test', ({ seed }) => void started.push(seed));
hooks.caseEnd.tap('test', ({ seed, status }) => {
  ended.push([seed, status]);
  onEnd();
});

let run: PluginRun;
beforeAll(async () => {
  run = await PluginRun.load('racing', { hooks });
});
afterAll(() => run.dispose());

const explore = (seeds: number): { kind: 'explore'; seeds: number } => ({ kind: 'explore', seeds });

test.each(['lost-update', 'window/1', 'window/100'])('explore finds a seed that always fails: %s', async (name) => {
  const found = await run.scheduled(name, explore(300));
  expect(found).toMatchObject({ status: 'fail', schedule: expect.any(Number), attempts: found.schedule });
  const seed = Number(found.schedule);
  for (let n = 1; n < seed; n++) expect(await run.run(name, { seed: n })).toMatchObject({ status: 'pass' });
  for (let again = 0; again < 5; again++) {
    const result = await run.scheduled(name, { kind: 'seeded', seed });
    expect(result).toMatchObject({ status: 'fail', schedule: seed });
    expect(result).not.toHaveProperty('attempts');
    expect(result.failures[0]?.message).toBe(found.failures[0]?.message);
    expect(result.accesses).toEqual(found.accesses);
  }
});

test('a case that passes is run with each seed, on one machine, the hooks called for each', async () => {
  const { machine } = (await run.lane()).context;
  started.length = ended.length = 0;
  expect(await run.scheduled('passes', explore(20))).toMatchObject({ status: 'pass', schedule: 20, attempts: 20 });
  const seeds = Array.from({ length: 20 }, (_, n) => n + 1);
  expect(started).toEqual(seeds);
  expect(ended).toEqual(seeds.map((seed) => [seed, 'pass']));
  expect((await run.lane()).context.machine).toBe(machine);
});

test('a tap of caseEnd that fails one ends it there', async () => {
  const gated = createHooks();
  gated.caseEnd.tap('gate', ({ seed, fail }) => {
    if (seed === 3) fail('three is too many');
  });
  await using other = await PluginRun.load('racing', { hooks: gated });
  expect(await other.scheduled('passes', explore(20))).toMatchObject({ status: 'fail', schedule: 3, attempts: 3 });
});

test('a case that skips itself does so once', async () => {
  const result = await run.scheduled('skips', explore(20));
  expect(result).toMatchObject({ status: 'skip', reason: 'not here', attempts: 1 });
});

test('the time-out is that of one run: all together may take longer', async () => {
  const result = await run.scheduled('slow', explore(20), { timeout: 1_500_000_000n });
  expect(result).toMatchObject({ status: 'pass', attempts: 20 });
  expect(result.duration).toBeGreaterThan(1500);
});

test('a seed with which a case does not end is told, and its machine is given up', async () => {
  const found = await run.scheduled('hangs-by-seed', explore(100), { timeout: 500_000_000n });
  expect(found).toMatchObject({ status: 'timeout', attempts: found.schedule });
  const seed = Number(found.schedule);
  expect(seed).toBeGreaterThan(1);
  const again = await run.scheduled('hangs-by-seed', { kind: 'seeded', seed }, { timeout: 500_000_000n });
  expect(again).toMatchObject({ status: 'timeout', schedule: seed });
  expect(await run.scheduled('passes', explore(3))).toMatchObject({ status: 'pass' });
});

test('a VCPU that loops without an access keeps the turn, and the failure says which one and what to do', async () => {
  const result = await run.scheduled('word/spin', { kind: 'seeded', seed: 1 }, { timeout: 500_000_000n });
  expect(result).toMatchObject({
    status: 'timeout',
    failures: [{ vcpu: expect.any(Number), message: expect.stringMatching(/^no end within 500ms .*vcpu\.pause\(\)/) }],
  });
  // Where all run at once it does no harm.
  await using free = await PluginRun.load('racing', { schedule: 'free' });
  expect(await free.scheduled('word/spin', { kind: 'free' })).toMatchObject({ status: 'pass' });
});

test.each(['word/pause', 'guarded'])('it may wait so, and the others go on: %s', async (name) => {
  expect(await run.scheduled(name, explore(40))).toMatchObject({ status: 'pass', failures: [] });
  await using free = await PluginRun.load('racing', { schedule: 'free' });
  expect(await free.scheduled(name, { kind: 'free' })).toMatchObject({ status: 'pass', failures: [] });
});

test('pause() gives the turn away, also with a seed that hardly ever switches', async () => {
  const { status, value } = await run.run('pause/gives-the-turn', { seed: 7 });
  expect(status).toBe('pass');
  expect(value).toBeGreaterThan(0);
  expect(value).toBeLessThan(40);
});

test('pause() ends when another VCPU has failed', async () => {
  const result = await run.scheduled('word/pause-for-ever', explore(4));
  expect(result).toMatchObject({ status: 'fail', failures: [{ vcpu: 1, message: 'mine' }] });
  expect((await run.lane()).spent).toBe(false);
});

test('Ctrl-C ends it between two seeds', async () => {
  const controller = new AbortController();
  ended.length = 0;
  onEnd = () => {
    if (ended.length === 3) controller.abort();
  };
  const result = await run.scheduled('passes', explore(1000), { signal: controller.signal });
  onEnd = () => {};
  expect(result).toMatchObject({ status: 'skip', reason: 'interrupted', attempts: 4 });
});

test('one VCPU, and real time: once, and no seed is told', async () => {
  started.length = 0;
  expect(await run.scheduled('alone', explore(20))).not.toHaveProperty('schedule');
  await using realtime = await PluginRun.load('racing', { hooks, clock: 'realtime' });
  expect(await realtime.scheduled('realtime', explore(20))).not.toHaveProperty('schedule');
  expect(started).toEqual([undefined, undefined]);
});

test('free', async () => {
  await using free = await PluginRun.load('racing', { schedule: 'free' });
  expect(await free.scheduled('passes', { kind: 'free' })).toMatchObject({ status: 'pass', schedule: 'free' });
});
