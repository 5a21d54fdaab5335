import { workerData } from 'node:worker_threads';
import { definePlugin, type CaseContext } from '@qtest/sdk';

/** Cases that write to the memory that the machine's threads share, and cases that push more than the host can take. */

/** The machine's control area: it is in this thread's data, wherever piscina keeps it. */
function control(): Int32Array {
  const seen = new Set<unknown>();
  const find = (value: unknown): Int32Array | undefined => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
    seen.add(value);
    if ('memory' in value && value.memory instanceof WebAssembly.Memory) return new Int32Array(value.memory.buffer);
    return Object.values(value)
      .map(find)
      .find((found) => found !== undefined);
  };
  const found = find(workerData);
  if (found === undefined) throw new Error('the memory is not found');
  return found;
}

/** Writes a word, and computes on until the host does something about it. */
const writes =
  (word: number, value: number, then: (context: CaseContext) => void = () => {}) =>
  (context: CaseContext): void => {
    const words = control();
    context.vcpu.inb(0x80);
    Atomics.store(words, word, value);
    then(context);
  };

const forEver = ({ vcpu }: CaseContext): void => {
  for (;;) vcpu.inb(0x80);
};

/** Words of the control area, by their names in `WORD`. */
const WORDS = {
  LOCK: 0,
  POISONED: 1,
  CLAIMS: 4,
  ABANDONED: 6,
  FAULT: 8,
  RING_HEAD: 9,
  RING_TAIL: 10,
  RING_LOST: 11,
  TICKS: 12,
  TICKS_SEEN: 13,
  IO_STOP: 15,
  VCPUS: 16,
  TURN: 17,
  BARRIER_COUNT: 19,
  WAITERS: 21,
  STARTED: 22,
  READY: 23,
  URGENT: 26,
  /** Its own status. */
  STATUS: 64,
} as const;

const BAD = 0x3fff_0000;

export default definePlugin({
  name: 'hostile',
  description: 'Cases against the host',
  init: (m) => {
    m.ram(0, 0x1000);
    m.add('isa-bus');
    m.add('mc146818rtc');
  },
  run: {
    ok: ({ vcpu }) => vcpu.outb(0x70, 0),
    ...Object.fromEntries(
      Object.entries(WORDS).flatMap(([name, word]) => [
        [`leaves/${name}`, writes(word, BAD)],
        [`leaves-negative/${name}`, writes(word, -5)],
        [`keeps/${name}`, writes(word, BAD, forEver)],
      ]),
    ),
    // A time-out cannot be put off by writing when the case began: two words.
    'began/later': (context) => {
      const words = control();
      const longs = new BigInt64Array(words.buffer, 0, 32);
      for (;;) {
        longs[19] = 2n ** 62n;
        context.vcpu.inb(0x80);
      }
    },
    'began/again': () => {
      const longs = new BigInt64Array(control().buffer, 0, 32);
      for (;;) longs[19] = process.hrtime.bigint();
    },
    'trace/garbage': ({ vcpu, assert }) => {
      const words = control();
      vcpu.inb(0x71);
      // The trace ring of VCPU 0, with its head.
      for (let n = 192; n < 192 + 264; n++) words[n] = Math.imul(n, 0x9e37_79b1);
      assert(false);
    },
    'ring/garbage': ({ vcpu }) => {
      const words = control();
      for (let n = 4096; n < 4096 + 4096 * 32; n++) words[n] = Math.imul(n, 0x9e37_79b1);
      Atomics.add(words, WORDS.RING_HEAD, 4000);
      vcpu.inb(0x80);
    },
    'push/events': forEver,
    'push/ticks': ({ clock, vcpu }) => {
      vcpu.inb(0x80);
      for (;;) Atomics.add(control(), WORDS.TICKS, clock.kind === 'virtual' ? 0 : 1);
    },
  },
});
