import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { COUNTER, STOP, WRONG, type LockJob } from '../../test/support/lock-job.ts';
import { CONTROL_BYTES, controlOf, WORD, type Control } from './control.ts';
import { lockCode } from './lock-wasm.ts';
import { Lock, poison } from './lock.ts';
import '@qtest/sdk/support';

// Threads start slowly on a loaded computer.
vi.setConfig({ testTimeout: 40_000, hookTimeout: 40_000 });

const HOST = 1;
const threads = new Set<Worker>();

function bench() {
  const pages = Math.ceil(CONTROL_BYTES / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const control = controlOf(memory);
  const lock = new Lock(control, lockCode(memory), HOST);
  const thread = (job: LockJob['job'], owner: number, times = 0): Thread => new Thread({ memory, owner, job, times });
  return { control, lock, thread, words: control.words, owner: () => control.words[WORD.LOCK] };
}

/** A thread that does a job; its messages come one by one. */
class Thread {
  readonly worker: Worker;
  readonly #messages: unknown[] = [];
  readonly #exit: Promise<unknown>;

  constructor(job: LockJob) {
    this.worker = new Worker(new URL('../../test/support/lock-thread.ts', import.meta.url), { workerData: job });
    threads.add(this.worker);
    this.#exit = once(this.worker, 'exit');
    this.worker.on('message', (message) => this.#messages.push(message));
  }

  async hears(message: string): Promise<void> {
    while (!this.#messages.includes(message)) await once(this.worker, 'message');
  }

  async result(): Promise<unknown> {
    await this.#exit;
    const last = this.#messages.at(-1);
    return typeof last === 'object' && last !== null && 'result' in last ? last.result : undefined;
  }
}

/** The condition of a test that another thread brings about. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 8000; !condition();) {
    if (performance.now() > end) throw new Error('it did not happen within 8 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

const stop = ({ words }: Control): void => {
  Atomics.store(words, STOP, 1);
  Atomics.notify(words, STOP);
};

afterEach(async () => {
  await Promise.all([...threads].map((worker) => worker.terminate()));
  threads.clear();
});

describe('one thread', () => {
  test('the word holds the owner while it is held, nested or not', () => {
    const { lock, owner } = bench();
    expect([lock.held, owner()]).toEqual([false, 0]);
    lock.acquire();
    expect([lock.held, owner()]).toEqual([true, HOST]);
    expect(lock.tryAcquire(0)).toBe(true);
    lock.acquire();
    lock.release();
    lock.release();
    expect([lock.held, owner()]).toEqual([true, HOST]);
    lock.release();
    expect([lock.held, owner()]).toEqual([false, 0]);
  });

  test('yield with nobody there gives it back as deep as it was', () => {
    const { lock, owner } = bench();
    lock.acquire();
    lock.acquire();
    lock.yield();
    expect([lock.held, owner()]).toEqual([true, HOST]);
    lock.release();
    expect(lock.held).toBe(true);
    lock.release();
    expect([lock.held, owner()]).toEqual([false, 0]);
  });

  test('releaseAll, however deep', () => {
    const { lock, owner } = bench();
    lock.releaseAll();
    for (let n = 0; n < 5; n++) lock.acquire();
    lock.releaseAll();
    expect([lock.held, owner()]).toEqual([false, 0]);
    lock.acquire();
    lock.release();
    expect(owner()).toBe(0);
  });
});

describe('several threads', () => {
  test('no two are inside at once', async () => {
    const { lock, thread, words, owner } = bench();
    const TIMES = 20_000;
    const workers = [16, 17, 18].map((id) => thread('count', id, TIMES));
    for (let n = 0; n < 2000; n++) {
      lock.acquire();
      words[COUNTER] = (words[COUNTER] ?? 0) + 1;
      if ((Atomics.load(words, WORD.LOCK) & 0x7fff_ffff) !== HOST) Atomics.store(words, WRONG, 1);
      lock.release();
    }
    expect(await Promise.all(workers.map((worker) => worker.result()))).toEqual([TIMES, TIMES, TIMES]);
    expect([words[COUNTER], words[WRONG], owner(), words[WORD.CLAIMS]]).toEqual([3 * TIMES + 2000, 0, 0, 0]);
  }, 30_000);

  test('who sleeps on it is woken by the release, and does not come to look by itself', async () => {
    const { lock, thread, words } = bench();
    const TIMES = 30;
    const sleeper = thread('wakes', 16, TIMES);
    const asleep: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      lock.acquire();
      Atomics.add(words, STOP, 1);
      Atomics.notify(words, STOP);
      await until(() => words[WORD.CLAIMS] === 1);
      for (const end = performance.now() + 1; performance.now() < end;);
      const released = performance.now();
      lock.release();
      expect(Atomics.wait(words, COUNTER, n, 5000)).not.toBe('timed-out');
      asleep.push(performance.now() - released);
    }
    expect(await sleeper.result()).toBe(TIMES);
    expect(median(asleep)).toBeLessThan(25);
  });

  test('a bounded wait ends in time, and leaves nothing behind', async () => {
    const { control, lock, thread, words, owner } = bench();
    const holder = thread('hold', 16);
    await holder.hears('held');
    expect((owner() ?? 0) & 0x7fff_ffff).toBe(16);
    for (const ms of [0, 20, 120]) {
      const started = performance.now();
      expect(lock.tryAcquire(ms)).toBe(false);
      expect(performance.now() - started).toBeGreaterThanOrEqual(ms - 1);
      expect(performance.now() - started).toBeLessThan(ms + 1000);
      expect([lock.held, words[WORD.CLAIMS]]).toEqual([false, 0]);
    }
    stop(control);
    expect(lock.tryAcquire(8000)).toBe(true);
    lock.release();
    expect(await holder.result()).toBe('released');
    expect(owner()).toBe(0);
  });

  test("a kept lock is had at its owner's next look, again and again", async () => {
    const { control, lock, thread, words } = bench();
    const keeper = thread('keep', 16);
    await keeper.hears('kept');
    const asleep: number[] = [];
    for (let n = 0; n < 50; n++) {
      const before = words[COUNTER];
      expect(lock.tryAcquire(2000)).toBe(true);
      // The owner waits meanwhile.
      const inside = words[COUNTER];
      for (const end = performance.now() + 0.2; performance.now() < end;);
      expect(words[COUNTER]).toBe(inside);
      lock.release();
      expect(inside).toBeGreaterThanOrEqual(before ?? 0);
      const [seen, released] = [inside, performance.now()];
      await until(() => words[COUNTER] !== seen);
      asleep.push(performance.now() - released);
    }
    // It is woken; it does not come to look by itself, as it does every 50 ms.
    expect(median(asleep)).toBeLessThan(25);
    stop(control);
    expect(await keeper.result()).toMatchObject({ held: true, after: false });
    expect(words[WRONG]).toBe(0);
  });

  test('several who claim a kept lock all get it', async () => {
    const { control, thread, words } = bench();
    const keeper = thread('keep', 16);
    await keeper.hears('kept');
    const claimers = [17, 18, 19].map((id) => thread('count', id, 300));
    expect(await Promise.all(claimers.map((claimer) => claimer.result()))).toEqual([300, 300, 300]);
    stop(control);
    expect(((await keeper.result()) as { yields: number }).yields).toBeGreaterThan(0);
    expect([words[WRONG], words[WORD.CLAIMS]]).toEqual([0, 0]);
  }, 30_000);

  test('poison: frees it by force; who waits leaves, who comes later can', async () => {
    const { control, lock, thread, words, owner } = bench();
    const holder = thread('hold', 16);
    await holder.hears('held');
    const waiter = thread('acquire', 17);
    await waiter.hears('waiting');
    await until(() => words[WORD.CLAIMS] === 1);
    poison(control);
    expect(await waiter.result()).toEqual({ code: 'POISONED', held: false });
    expect([owner(), words[WORD.CLAIMS]]).toEqual([0, 0]);
    lock.acquire();
    expect(owner()).toBe(HOST);
    lock.release();
    stop(control);
    await holder.result();
  });

  test('poison ends a wait with a bound, too', async () => {
    const { control, thread, words } = bench();
    const holder = thread('hold', 16);
    await holder.hears('held');
    const waiter = thread('try', 17, 60_000);
    await waiter.hears('waiting');
    await until(() => words[WORD.CLAIMS] === 1);
    poison(control);
    expect(await waiter.result()).toEqual({ code: 'POISONED', held: false });
    stop(control);
    await holder.result();
  });

  test('a thread that dies while it waits costs the others a look, no more', async () => {
    const { control, thread, words } = bench();
    const holder = thread('hold', 16);
    await holder.hears('held');
    const [dies, lives] = [thread('acquire', 17), thread('acquire', 18)];
    await Promise.all([dies.hears('waiting'), lives.hears('waiting')]);
    await until(() => words[WORD.CLAIMS] === 2);
    await dies.worker.terminate();
    stop(control);
    expect(await lives.result()).toBe('had it');
    expect(words[WORD.LOCK]).toBe(0);
  });
});
