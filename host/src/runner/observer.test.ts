import { describe, expect, test, vi } from 'vitest';
import { PluginRun } from '../../testing/run-plugin.ts';
import { applyPlugin, createHooks, type HookSet } from '../hooks.ts';
import type { Host } from '@qtest/sdk';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

/** What the host sees of a machine while a case runs on it. */

function hooked(apply: (host: Host) => void): HookSet {
  const hooks = createHooks();
  applyPlugin(hooks, { name: 'watcher', options: {}, plugin: { apply } });
  return hooks;
}

describe('tick, virtual', () => {
  test.each([2, 4])('each instant at which something fired, once, in order; %i VCPUs', async (vcpus) => {
    const ticks: [bigint, number][] = [];
    await using run = await PluginRun.load(`several-${vcpus}`, {
      hooks: hooked(({ hooks }) => hooks.tick.tap('ticks', ({ now, instants }) => void ticks.push([now, instants]))),
    });
    expect(await run.run('ticks')).toMatchObject({ status: 'pass' });
    expect(ticks).toEqual([1000n, 2000n, 3000n, 3500n, 4000n, 5000n].map((now) => [now, 1]));
  });

  test('the machine waits meanwhile, and its lock is free', async () => {
    let lane: Awaited<ReturnType<PluginRun['lane']>> | undefined;
    const had: boolean[] = [];
    const nows: bigint[] = [];
    const hooks = hooked(({ hooks: { tick } }) =>
      tick.tap('slow', ({ now }) => {
        const machine = lane?.machine;
        if (machine === undefined) return;
        // Long enough for sleepers to look by themselves, and for time to run away.
        for (const end = performance.now() + 80; performance.now() < end;);
        had.push(machine.lock.tryAcquire(1000));
        nows.push(machine.time.now() - now);
        machine.lock.release();
      }),
    );
    for (const schedule of ['seeded', 'free'] as const) {
      await using run = await PluginRun.load('several-2', { hooks, schedule });
      lane = await run.lane();
      expect(await run.run('ticks')).toMatchObject({ status: 'pass' });
      expect(await run.run('timer/silent')).toMatchObject({ status: 'pass' });
    }
    expect(had).toHaveLength(2 * (6 + 2));
    expect(had.every(Boolean)).toBe(true);
    expect(nows.every((late) => late === 0n)).toBe(true);
  });

  test('a tap that throws fails the case, naming plugin and hook; the machine goes on', async () => {
    const hooks = hooked(({ hooks: { tick } }) =>
      tick.tap('bad', () => {
        throw new Error('no ticks, please');
      }),
    );
    await using run = await PluginRun.load('several-2', { hooks });
    const result = await run.run('ticks');
    expect(result.status).toBe('fail');
    expect(result.failures).toMatchObject([
      { code: 'HOOK', message: "plugin 'watcher', hook 'tick': no ticks, please" },
    ]);
  });
});

describe('irq, guestError', () => {
  test('all of them are delivered before the case ends', async () => {
    const irqs: string[] = [];
    const errors: string[] = [];
    const ends: number[] = [];
    const hooks = hooked(({ hooks: on }) => {
      on.irq.tap('irqs', ({ line, level, now }) => void irqs.push(`${line} ${level} ${now}`));
      on.guestError.tap('errors', ({ device, message }) => void errors.push(`${device}: ${message}`));
      on.caseEnd.tap('ends', () => void ends.push(irqs.length + errors.length));
    });
    await using run = await PluginRun.load('several-2', { hooks });
    expect(await run.run('wake')).toMatchObject({ status: 'pass' });
    expect(irqs).toEqual(['driver0.out[0] true 1000', 'isa0.irq[10] true 1000']);
    expect(await run.run('interleave/mmio-and-waits')).toMatchObject({ status: 'pass' });
    expect(errors).toHaveLength(40);
    expect(ends).toEqual([2, 42]);
  });

  test('what the ring could not hold is counted, and told of', async () => {
    let seen = 0;
    const hooks = hooked(({ hooks: { guestError } }) => guestError.tap('errors', () => void seen++));
    await using run = await PluginRun.load('flood', { hooks });
    const result = await run.run('flood');
    expect(result.status).toBe('pass');
    const lost = Number(/^(\d+) events were lost/.exec(result.notes[0] ?? '')?.[1]);
    expect(lost).toBeGreaterThan(0);
    expect(seen + lost).toBe(200_000);
    // They are the case's in which they came.
    seen = 0;
    expect((await run.run('quiet')).notes).toEqual([]);
    expect(seen).toBe(0);
  });
});
