import { describe, expect, test } from 'vitest';
import { Recording } from '../trace/recording.ts';
import { controlOf, RING_ENTRIES, WORD, EventRing, EVENT, tracedEvents, Tracer } from '@qtest/machine';

/** Shared memory that something else than its owner has written to: whoever reads it comes to an end, and reads nothing from elsewhere. */

/** Words without any order, the same in each run. */
function scramble(words: Int32Array, seed: number): void {
  for (let n = 0, x = seed; n < words.length; n++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[n] = x;
  }
}

describe('garbage in', () => {
  test.each([1, 2, 3])('a full trace, %d', (seed) => {
    const buffer = Tracer.buffer();
    scramble(new Int32Array(buffer), seed);
    const { events } = tracedEvents(buffer);
    expect(events.length).toBeLessThanOrEqual(16_384);
    for (const { bytes, source } of events) {
      expect(bytes?.length ?? 0).toBeLessThanOrEqual(4096);
      expect(source?.length ?? 0).toBeLessThanOrEqual(4096);
    }
  });

  test.each([-1, 2 ** 30, -(2 ** 31)])('the length of a recording, %d', (length) => {
    const buffer = Recording.buffer();
    new Int32Array(buffer)[0] = length;
    const recording = new Recording(buffer);
    expect(recording.entries().length).toBeLessThanOrEqual(2 ** 18);
    recording.add({ op: 1, size: 1, address: 2, value: 3 });
  });

  test.each([
    [5000, 0],
    [-1, 0],
    [0, 77],
  ])('the event ring: head %d, tail %d', (head, tail) => {
    const control = controlOf(new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true }));
    const ring = new EventRing(control);
    ring.push(EVENT.IRQ, 1, 1, 5n);
    Atomics.store(control.words, WORD.RING_HEAD, head);
    Atomics.store(control.words, WORD.RING_TAIL, tail);
    let taken = 0;
    ring.drain(() => taken++);
    expect(taken).toBe(0);
    expect(ring.discard()).toBe(0);
  });
});

test('a drain takes what there is when it begins, however much comes meanwhile', () => {
  const control = controlOf(new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true }));
  const ring = new EventRing(control);
  const push = (): void => ring.push(EVENT.IRQ, 1, 1, 5n);
  for (let n = 0; n < 10; n++) push();
  let taken = 0;
  const take = (): void => {
    taken++;
    push();
  };
  expect(ring.drain(take)).toBe(true);
  expect(taken).toBe(10);
  let looks = 0;
  expect(ring.drain(take, () => ++looks > 3)).toBe(true);
  expect(taken).toBe(13);
  expect(ring.discard()).toBe(10);
  for (let n = 0; n < RING_ENTRIES + 5; n++) push();
  expect(ring.takeLost()).toBe(5);
});
