import type { Plot } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';
import { watchHost } from './host-load.ts';
import { part, states, type Cases, type Context } from './support.ts';

const SECONDS = 5;

/** How far the rate may be off: QTest's own line. */
const MAX_DRIFT = 0.0002;

/** Measurements in real time before a host's hiccup counts as the clock's. Drift shows in each of them. */
const ATTEMPTS = 3;

/** How many times as many periods may be lost as a thread without an emulator loses beside it, before it is the emulator's fault. */
const HOST_FACTOR = 4;

/** Points of a plot, at most: each is the latest interrupt of its stretch. */
const POINTS = 256;

/** How finely the host's load is looked at, at least, in Hz. */
const SAMPLE_HZ = 1024;

/**
 * Takes `hz` periodic interrupts a second for five seconds, in a handler that reads C, and compares how long they took with how
 * long they should have. `now` is the time to compare with, in ms.
 */
function testDrift(context: Context, hz: number, now: () => number) {
  const { assert, vcpu } = context;
  const { dev, irq, line } = part(context);
  const times: number[] = [];
  let others = 0;
  const off = vcpu.onIrq(irq, () => {
    const at = now();
    if (rtc.C.PF.test(dev.acknowledge())) times.push(at);
    else others++;
  });
  dev.modify(rtc.B, { PIE: 0, AIE: 0, UIE: 0 });
  dev.setRate(rtc.rateOf(hz));
  dev.acknowledge();
  const before = line.edges;
  dev.enable('PIE');
  // It begins with an interrupt: the first after those in which the host's code is compiled.
  const first = Math.ceil(hz / 16);
  const last = first + hz * SECONDS;
  while (times.length <= last) vcpu.idle({ timeout: '2s' });
  dev.disable('PIE');
  const edges = line.edges - before;
  off();
  dev.acknowledge();

  const begin = times[first] ?? 0;
  const duration = (times[last] ?? 0) - begin;
  const expected = SECONDS * 1000;
  const drift = Math.abs(duration - expected) / expected;
  context.log(
    `hz: ${hz}, duration_ms: ${Math.round(duration)}, exp_duration: ${expected}, drift ratio: ${drift.toFixed(6)}`,
  );

  assert.equal(others, 0, 'every interrupt is a periodic one');
  assert.equal(times.length, edges, 'every edge of the line was handled');
  const offsets = times.slice(first, last + 1).map((time, i) => time - begin - (i * 1000) / hz);
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
  const measured = testDrift(context, hz, () => Number(clock.now) / 1e6);
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
  const now = (): number => Number(process.hrtime.bigint()) / 1e6;
  for (let attempt = 1; ; attempt++) {
    // The first time undisturbed; after it has failed, beside a thread that shows what the host is like.
    const hostLoad = attempt === 1 ? undefined : watchHost(Math.max(hz, SAMPLE_HZ));
    const cpu = process.cpuUsage();
    const measured = testDrift(context, hz, now);
    const { user, system } = process.cpuUsage(cpu);
    const host = hostLoad?.();

    const off = measured.duration_ms - SECONDS * 1000;
    const lost = Math.max(0, Math.round((off * hz) / 1000));
    const good = lost === 0 && measured.drift <= MAX_DRIFT;
    if (!good && attempt < ATTEMPTS) continue;
    if (!good && host !== undefined && (lost > 0 ? lost <= HOST_FACTOR * host.missed : Math.abs(off) <= host.latest)) {
      return context.skip(
        `this host is too busy: meanwhile a thread without an emulator slept through ${host.missed} of its periods and was woken up to ` +
          `${host.latest.toFixed(1)} ms late; ${lost} interrupts were lost here, and it took ${off.toFixed(1)} ms too long`,
      );
    }
    const took = `${hz * SECONDS} interrupts at ${hz} Hz took ${measured.duration_ms.toFixed(3)} ms by the host's clock`;
    assert.equal(lost, 0, `no interrupt is lost: ${took}`);
    assert(measured.drift <= MAX_DRIFT, `the drift ratio is ${MAX_DRIFT} or less: ${took}`);
    return { ...measured, attempt, cpu_share: Number(((user + system) / 1000 / measured.duration_ms).toFixed(3)) };
  }
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
