import { defineDevice, definePlugin, deviceSchema, type CaseContext, type IrqLine } from '@qtest/sdk';
import { ON_FIRE, TICKER, ticker } from '../../../test/support/devices.ts';

const TICKER_BASE = 0x200;
const HOG = 0x300;
const MS = 1_000_000;
/** Of the ticker's timers, ms. */
const PERIOD = 1;

/** Keeps the machine's lock: a write of `n` comes back when `n` ms of machine time have passed. */
const hog = defineDevice(
  deviceSchema({
    type: 'hog',
    description: 'Keeps the lock',
    state: {},
    regions: () => ({ reg: { space: 'io', base: HOG, size: 1, access: { min: 1, max: 1 } } }),
  }),
  {
    regions: {
      reg: {
        read: () => 0,
        write(device, _offset, ms) {
          const end = device.now() + BigInt(ms * MS);
          while (device.now() < end);
        },
      },
    },
  },
);

const lineOf = ({ machine }: CaseContext, n: number): IrqLine => machine.irq('ticker0', 'irq', n);

/** Timer `n` comes every period from now on; its IRQ is a pulse. */
function startTimer({ vcpu }: CaseContext, n: number): void {
  vcpu.outl(TICKER_BASE + TICKER.ON_FIRE + 4 * n, ON_FIRE.AGAIN + PERIOD * MS * 256);
  vcpu.outl(TICKER_BASE + TICKER.ARM + 4 * n, PERIOD * MS);
}

function stopTimer({ vcpu }: CaseContext, n: number): void {
  vcpu.outl(TICKER_BASE + TICKER.CANCEL + 4 * n, 0);
}

/**
 * Takes interrupts of timer `n` for so many of its periods, waiting. Pulses that come while none is taken are one interrupt: `edges` tells how
 * many came from the first that was taken to the last.
 */
function takeWaiting(context: CaseContext, n: number, periods: number): { taken: number; edges: number } {
  const { clock, vcpu } = context;
  const line = lineOf(context, n);
  let taken = 0;
  let [first, last] = [0, 0];
  const off = vcpu.onIrq(line, () => {
    last = line.edges;
    if (taken++ === 0) first = last;
  });
  startTimer(context, n);
  clock.step(BigInt(periods * PERIOD * MS));
  stopTimer(context, n);
  off();
  return { taken, edges: last - first + 1 };
}

/** Keeps the thread busy without an access. */
function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const words = ({ shared }: CaseContext): Int32Array => new Int32Array(shared);

/** Two VCPUs on a machine in real time whose host is late. */
export default definePlugin({
  name: 'late',
  description: 'A host that is late',
  vcpus: 2,
  devices: [ticker, hog],
  init(m) {
    m.ram(0, 0x1000);
    m.add(ticker, { base: TICKER_BASE });
    m.add(hog);
  },
  run: {
    ok: ({ vcpu }) => vcpu.barrier(),
    /** VCPU 1 keeps the lock for 40 instants at a time, so that they are late when VCPU 0, which waits, comes to run. */
    waiting(context) {
      const { vcpu } = context;
      const done = words(context);
      if (vcpu.index === 0) {
        const result = takeWaiting(context, 0, 500);
        Atomics.store(done, 0, 1);
        return result;
      }
      while (Atomics.load(done, 0) === 0) {
        vcpu.outb(HOG, 40);
        compute(20);
      }
      return undefined;
    },
    /** Both wait, each for a timer of its own that comes at the same instants. */
    'both-waiting'(context) {
      const { vcpu } = context;
      vcpu.barrier();
      const { taken, edges } = takeWaiting(context, vcpu.index, 300);
      words(context)[4 + vcpu.index] = edges - taken;
      vcpu.barrier();
      return vcpu.index === 0 ? [words(context)[4], words(context)[5]] : undefined;
    },
    /** A VCPU that has a handler and never comes to it: time goes on. */
    computing(context) {
      const { vcpu } = context;
      if (vcpu.index === 1) return undefined;
      let taken = 0;
      vcpu.onIrq(lineOf(context, 0), () => taken++);
      const before = lineOf(context, 0).edges;
      startTimer(context, 0);
      compute(400);
      const fired = lineOf(context, 0).edges - before;
      stopTimer(context, 0);
      return { fired, taken };
    },
    /** VCPU 0 does not come out of its handler for a long time; VCPU 1, which waits, takes all of its own meanwhile. */
    'stuck-in-a-handler'(context) {
      const { vcpu, machine } = context;
      const done = words(context);
      if (vcpu.index === 1) {
        const result = takeWaiting(context, 1, 300);
        Atomics.store(done, 0, 1);
        done[1] = result.edges - result.taken;
        vcpu.barrier();
        return undefined;
      }
      let taken = 0;
      vcpu.onIrq(machine.irq('ticker0', 'irq', 0), () => {
        while (Atomics.load(done, 0) === 0) compute(1);
        taken++;
      });
      vcpu.outl(TICKER_BASE + TICKER.ARM, MS);
      while (taken === 0) vcpu.idle();
      vcpu.barrier();
      return done[1];
    },
    /** Handlers that take ten times as long as their interrupts take to come: time goes on, and some are one. */
    'slow-handlers'(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 1) return undefined;
      const line = lineOf(context, 0);
      vcpu.onIrq(line, () => compute(10 * PERIOD));
      const [before, started] = [line.edges, clock.now];
      startTimer(context, 0);
      clock.step('3s');
      stopTimer(context, 0);
      return { fired: line.edges - before, periods: Number(clock.now - started) / (PERIOD * MS) };
    },
    /** A handler that ends its thread, with instants due. */
    'dies-in-a-handler'(context) {
      const { vcpu } = context;
      if (vcpu.index === 0) {
        vcpu.onIrq(lineOf(context, 0), () => {
          compute(10);
          process.exit(3);
        });
        startTimer(context, 0);
      }
      vcpu.onIrq(lineOf(context, 1), () => {});
      for (;;) vcpu.idle();
    },
  },
});
