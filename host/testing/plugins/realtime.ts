import { definePlugin, type CaseContext } from '@qtest/sdk';
import { driver, ON_FIRE, TICKER, ticker } from '../../../test/support/devices.ts';

const TICKER_BASE = 0x200;
const DRIVER = 0x400;
const MS = 1_000_000;
/** Timers that one VCPU arms for another. */
const TIMES = 32;

const arm = ({ vcpu }: CaseContext, n: number, ns: number): void => vcpu.outl(TICKER_BASE + TICKER.ARM + 4 * n, ns);
const fired = ({ vcpu }: CaseContext): number => vcpu.inl(TICKER_BASE + TICKER.FIRED);
const words = ({ shared }: CaseContext): Int32Array => new Int32Array(shared);

/** Keeps the thread busy without an access. */
function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Waits for a word of the shared buffer, which is not the machine's. */
function until(context: CaseContext, word: number, value: number): void {
  const all = words(context);
  for (let now; (now = Atomics.load(all, word)) < value;) Atomics.wait(all, word, now, 100);
}

function tell(context: CaseContext, word: number, value: number): void {
  Atomics.store(words(context), word, value);
  Atomics.notify(words(context), word);
}

/** Two VCPUs on a machine in real time. */
export default definePlugin({
  name: 'realtime',
  description: 'Two VCPUs in real time',
  vcpus: 2,
  devices: [ticker, driver],
  init(m) {
    m.ram(0, 0x1000);
    const isa = m.add('isa-bus');
    m.add(ticker, { base: TICKER_BASE });
    const out = m.add(driver, { base: DRIVER });
    m.connect(m.output(out, 'out', 0), m.line(isa, 10));
    m.connect(m.output(out, 'out', 1), m.line(isa, 11));
  },
  run: {
    ok: ({ vcpu }) => vcpu.barrier(),
    /** Nobody makes an access, so that only the I/O thread can fire it. */
    'io-thread'(context) {
      const { vcpu } = context;
      if (vcpu.index === 1) return undefined;
      arm(context, 0, 10 * MS);
      compute(400);
      return fired(context);
    },
    /** A periodic one, with nobody there but the I/O thread. */
    'io-thread/periodic'(context) {
      const { vcpu } = context;
      if (vcpu.index === 1) return undefined;
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN + 5 * MS * 256);
      arm(context, 0, 5 * MS);
      compute(300);
      return fired(context);
    },
    'first-instant': ({ vcpu, clock }) => (vcpu.index === 0 ? Number(clock.now) : undefined),
    /** One drives a line, the other one answers on another: a lost wake-up would cost 50 ms each time. */
    'ping-pong'({ vcpu }) {
      const [mine, theirs] = vcpu.index === 0 ? [0, 1] : [1, 0];
      const pulse = (): void => {
        vcpu.outb(DRIVER + mine, 1);
        vcpu.outb(DRIVER + mine, 0);
      };
      let heard = 0;
      vcpu.onIrq(10 + theirs, () => heard++);
      vcpu.barrier();
      const started = performance.now();
      for (let n = 1; n <= 40; n++) {
        if (vcpu.index === 0) pulse();
        while (heard < n) vcpu.idle();
        if (vcpu.index === 1) pulse();
      }
      vcpu.barrier();
      return vcpu.index === 0 ? performance.now() - started : undefined;
    },
    /** A VCPU that only reads RAM takes the interrupts that another one raises. */
    'in-ram'({ vcpu }) {
      let heard = 0;
      vcpu.readl(0);
      vcpu.onIrq(10, () => heard++);
      vcpu.barrier();
      if (vcpu.index === 1) {
        compute(50);
        vcpu.outb(DRIVER, 1);
        return undefined;
      }
      for (const end = performance.now() + 5000; heard === 0 && performance.now() < end;) vcpu.readl(0);
      return heard;
    },
    /** A sleeper hears of a timer that another VCPU arms for earlier than it sleeps. */
    'armed-by-another'(context) {
      const { vcpu, clock, machine } = context;
      const line = machine.irq('ticker0', 'irq', 0);
      if (vcpu.index === 0) {
        until(context, 0, 1);
        const late: number[] = [];
        for (let n = 0; n < TIMES; n++) {
          const before = clock.now;
          arm(context, 0, 2 * MS);
          until(context, 1, n + 1);
          late.push(Number(new BigInt64Array(context.shared)[64 + n] ?? 0n) - Number(before) - 2 * MS);
        }
        return late;
      }
      for (let n = 0; n < TIMES; n++) {
        if (n === 0) tell(context, 0, 1);
        // On a busy host it may have risen before this VCPU comes to wait.
        if (line.edges <= n) vcpu.waitIrq(line, { timeout: '5s' });
        new BigInt64Array(context.shared)[64 + n] = clock.now;
        tell(context, 1, n + 1);
      }
      return undefined;
    },
    /** A restore brings a deadline that lies before the end of another's sleep, and a level. */
    restore(context) {
      const { vcpu, clock, machine } = context;
      const line = machine.irq('ticker0', 'irq', 0);
      if (vcpu.index === 1) {
        tell(context, 0, 1);
        vcpu.waitIrq(line, { timeout: '5s' });
        vcpu.waitIrq(10, { timeout: '5s' });
        return undefined;
      }
      arm(context, 0, 30 * MS);
      const { deadline = 0n } = clock;
      const armed = machine.snapshot();
      const at = clock.now;
      vcpu.outl(TICKER_BASE + TICKER.CANCEL, 0);
      vcpu.outb(DRIVER, 1);
      const high = machine.snapshot();
      vcpu.outb(DRIVER, 0);
      until(context, 0, 1);
      compute(60);
      machine.restore(armed);
      const back = clock.now;
      vcpu.waitIrq(line, { timeout: '5s' });
      const highAt = clock.now;
      machine.restore(high);
      return { back: Number(back - at), late: Number(highAt - deadline), forth: Number(clock.now - highAt) };
    },
    /** Periodic for a while; each VCPU sees time go forwards. */
    monotonic(context) {
      const { vcpu, clock, assert } = context;
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE + 4 * vcpu.index, ON_FIRE.AGAIN + MS * 256);
      arm(context, vcpu.index, MS);
      let last = -1n;
      const shared = new BigInt64Array(context.shared);
      for (const end = performance.now() + 150; performance.now() < end;) {
        // What the other one has seen is never later than what this one sees afterwards.
        const theirs = Atomics.load(shared, 16 + (1 - vcpu.index));
        const now = clock.now;
        assert(now >= last, `${now} after ${last}`);
        assert(now >= theirs, `${now}, and the other VCPU has seen ${theirs} before`);
        last = now;
        Atomics.store(shared, 16 + vcpu.index, now);
      }
      vcpu.barrier();
    },
    /** A timer that comes again faster than anybody can fire it: the VCPUs come to the lock all the same. */
    storm(context) {
      const { vcpu } = context;
      if (vcpu.index === 1) return undefined;
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1 << 8));
      arm(context, 0, 1);
      compute(50);
      for (let n = 0; n < 200; n++) vcpu.inb(0x80);
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.NOTHING);
      vcpu.outl(TICKER_BASE + TICKER.CANCEL, 0);
      return fired(context);
    },
    /** 150 instants in 300 ms. */
    ticks(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 1) return undefined;
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN + 2 * MS * 256);
      arm(context, 0, 2 * MS);
      clock.step('300ms');
      vcpu.outl(TICKER_BASE + TICKER.CANCEL, 0);
      return fired(context);
    },
  },
});
