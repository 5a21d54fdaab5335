import { cpus } from 'node:os';
import type { Plot } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';
import { part, states, type Cases, type Context } from './support.ts';

const SECONDS = 5;

/** How far the rate may be off: QTest's own line. */
const MAX_DRIFT = 0.0002;

/** The share of the host's CPU time that other programs may have before what is late is their fault. */
const MAX_BUSY = 0.25;

/** Points of a plot, at most: each is the latest interrupt of its stretch. */
const POINTS = 256;

/** Interrupts after which the code on their way is compiled and optimised, and their rate. */
const WARM = { interrupts: 4000, hz: 8192 };

/** One time-out for every wait: what is made anew each time is garbage, and its collection makes an interrupt late. */
const TIMEOUT = { timeout: '2s' } as const;

/** How a case tells the time. */
interface Watch {
  /** ms. */
  readonly now: () => number;
  /** Interrupts at either end of the five seconds, of which the least late tells where the end is. */
  readonly ends: number;
  /** Interrupts taken before. */
  readonly warm: number;
}

/**
 * Takes `hz` periodic interrupts a second for five seconds, in a handler that reads C, and compares how long they took with how
 * long they should have.
 */
function testDrift(context: Context, hz: number, { now, ends, warm }: Watch) {
  const { assert, vcpu } = context;
  const { dev, irq, line } = part(context);
  const first = Math.ceil(hz / 16);
  const last = first + hz * SECONDS;
  const times = new Float64Array(Math.max(last + ends, warm));
  let taken = 0;
  let others = 0;
  const off = vcpu.onIrq(irq, () => {
    const at = now();
    if (rtc.C.PF.test(dev.acknowledge())) times[taken++] = at;
    else others++;
  });
  const take = (rate: number, count: number): void => {
    dev.modify(rtc.B, { PIE: 0, AIE: 0, UIE: 0 });
    dev.setRate(rtc.rateOf(rate));
    dev.acknowledge();
    taken = 0;
    dev.enable('PIE');
    while (taken < count) vcpu.idle(TIMEOUT);
    dev.disable('PIE');
  };
  if (warm > 0) take(WARM.hz, warm);
  dev.disable('PIE');
  dev.acknowledge();
  others = 0;
  const before = line.edges;
  take(hz, last + ends);
  const edges = line.edges - before;
  off();
  dev.acknowledge();

  const begin = leastLate(times, first, ends, hz);
  const duration = leastLate(times, last, ends, hz) - begin;
  const expected = SECONDS * 1000;
  const drift = Math.abs(duration - expected) / expected;
  context.log(
    `hz: ${hz}, duration_ms: ${Math.round(duration)}, exp_duration: ${expected}, drift ratio: ${drift.toFixed(6)}`,
  );

  assert.equal(others, 0, 'every interrupt is a periodic one');
  assert.equal(taken, edges, 'every edge of the line was handled');
  const offsets = Array.from(times.subarray(first, last + 1), (time, i) => time - begin - (i * 1000) / hz);
  const earliest = Math.min(...offsets);
  const late = offsets.map((offset) => Number((offset - earliest).toFixed(4)));
  const sorted = late.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
  return {
    hz,
    interrupts: last - first,
    duration_ms: duration,
    drift,
    lateness_ms: { median: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
    plot: plotOf(late, hz),
  };
}

/** When interrupt `index` came, by the least late of it and those after it: the host makes them late and never early. */
function leastLate(times: Float64Array, index: number, count: number, hz: number): number {
  return Math.min(...times.subarray(index, index + count).map((time, i) => time - (i * 1000) / hz));
}

/** How late each interrupt was; by a period or more is an interrupt that was lost. */
function plotOf(late: readonly number[], hz: number): Plot {
  const stretch = Math.ceil(late.length / POINTS);
  return {
    title: `Lateness of ${hz} interrupts a second`,
    x: 's',
    y: 'ms late',
    points: Array.from({ length: Math.ceil(late.length / stretch) }, (_, i) => [
      Number(((i * stretch) / hz).toFixed(4)),
      Math.max(...late.slice(i * stretch, (i + 1) * stretch)),
    ]),
    limits: [0, 1000 / hz],
  };
}

/** In virtual time nothing is late: to the nanosecond. */
function virtualDrift(context: Context, hz: number): unknown {
  const { assert, clock, vcpu } = context;
  const measured = testDrift(context, hz, { now: () => Number(clock.now) / 1e6, ends: 1, warm: 0 });
  assert.equal(
    measured.duration_ms,
    SECONDS * 1000,
    `${hz * SECONDS} interrupts at ${hz} Hz take exactly five seconds`,
  );

  const { dev, irq } = part(context);
  let interrupts = 0;
  vcpu.onIrq(irq, () => {
    dev.acknowledge();
    interrupts++;
  });
  dev.enable('PIE');
  clock.step(`${SECONDS}s`);
  assert.equal(interrupts, hz * SECONDS, `five seconds have exactly ${hz * SECONDS} interrupts at ${hz} Hz`);
  return measured;
}

/** In real time, against the host's monotonic clock. */
function realtimeDrift(context: Context, hz: number): unknown {
  const { assert } = context;
  const load = hostLoad();
  const cpu = process.cpuUsage();
  const measured = testDrift(context, hz, {
    now: () => performance.now(),
    ends: Math.ceil(hz / 16),
    warm: WARM.interrupts,
  });
  const { user, system } = process.cpuUsage(cpu);
  const own = (user + system) / 1000;
  const busy = load(own);

  const off = measured.duration_ms - SECONDS * 1000;
  const lost = Math.max(0, Math.round((off * hz) / 1000));
  if ((lost > 0 || measured.drift > MAX_DRIFT) && busy > MAX_BUSY) {
    return context.skip(
      `this host is too busy: other programs had ${Math.round(busy * 100)} % of its CPU time meanwhile; ` +
        `${lost} interrupts were lost here, and it took ${measured.duration_ms.toFixed(1)} ms`,
    );
  }
  const took = `${hz * SECONDS} interrupts at ${hz} Hz took ${measured.duration_ms.toFixed(3)} ms by the host's clock`;
  assert.equal(lost, 0, `no interrupt is lost: ${took}`);
  assert(measured.drift <= MAX_DRIFT, `the drift ratio is ${MAX_DRIFT} or less: ${took}`);
  return { ...measured, cpu_share: Number((own / measured.duration_ms).toFixed(3)) };
}

/** Watches, until the function that it gives is called, the share of the host's CPU time that others have than this process, which had `own` ms. */
function hostLoad(): (own: number) => number {
  const look = (): { busy: number; all: number } => {
    let [busy, all] = [0, 0];
    for (const { times } of cpus()) {
      const used = times.user + times.nice + times.sys + times.irq;
      busy += used;
      all += used + times.idle;
    }
    return { busy, all };
  };
  const before = look();
  return (own) => {
    const { busy, all } = look();
    return all > before.all ? (busy - before.busy - own) / (all - before.all) : 0;
  };
}

const VIRTUAL_ONLY = { requires: ['virtual-clock'], clock: 'virtual' } as const;
const REALTIME_ONLY = { requires: ['realtime-clock'], clock: 'realtime', timeout: '40s' } as const;

export const drift: Cases = {
  ...Object.fromEntries(
    [2, 1024].map((hz) => [
      `drift/${hz}hz`,
      states(
        `Five seconds at ${hz} Hz have exactly ${hz * SECONDS} periodic interrupts.`,
        (context) => virtualDrift(context, hz),
        VIRTUAL_ONLY,
      ),
    ]),
  ),
  ...Object.fromEntries(
    [2, 1024].map((hz) => [
      `drift/realtime/${hz}hz`,
      states(
        `In real time ${hz * SECONDS} periodic interrupts at ${hz} Hz take five seconds of the host's clock, and none is lost.`,
        (context) => realtimeDrift(context, hz),
        REALTIME_ONLY,
      ),
    ]),
  ),
};
