import type { CaseResult, DeviceCoverage, Failure, TraceEvent } from '@qtest/sdk';

/** What every event has that is still to get its number. */
type Unnumbered = TraceEvent extends infer Event ? (Event extends TraceEvent ? Omit<Event, 'seq'> : never) : never;

const PERIOD = 976_563n;

/** A trace of a periodic interrupt: for each the timer, the line, the handler and the accesses that acknowledge it. */
export function periodicTrace(length: number): TraceEvent[] {
  const events: TraceEvent[] = [];
  const source = (line: number) => ({ file: '/project/src/periodic.ts', line, column: 7 });
  const add = (event: Unnumbered): void => void events.push({ ...event, seq: events.length });
  const out = (time: bigint, port: number, value: number, rest: string, register?: string, line = 31): void =>
    add({
      type: 'access',
      op: 'out',
      size: 1,
      address: port,
      value,
      time,
      vcpu: 0,
      device: port < 0x70 ? 'pic0' : 'rtc0',
      text: `outb 0x${port.toString(16)} ← 0x${value.toString(16).padStart(2, '0')}         ${rest}`,
      source: source(line),
      ...(register !== undefined && { register }),
    });
  const read = (time: bigint, value: number, rest: string, register: string, line = 33): void =>
    add({
      type: 'access',
      op: 'in',
      size: 1,
      address: 0x71,
      value,
      time,
      vcpu: 0,
      device: 'rtc0',
      register,
      text: `inb 0x71 → 0x${value.toString(16).padStart(2, '0')}          ${rest}`,
      source: source(line),
    });
  add({ type: 'reset', time: 0n, vcpu: 0 });
  add({ type: 'log', time: 0n, vcpu: 0, text: 'src/periodic.ts:testPeriodic():L28: rate 1024 Hz' });
  out(0n, 0x70, 0x0b, 'rtc0 index B', 'B', 29);
  out(0n, 0x71, 0x42, 'rtc0.B {PIE, 24H}', 'B', 29);
  out(0n, 0x70, 0x0a, 'rtc0 index A', 'A', 30);
  out(0n, 0x71, 0x26, 'rtc0.A {DV: 2, RS: 6}', 'A', 30);
  for (let n = 1n; events.length < length - 9; n++) {
    const time = n * PERIOD;
    add({ type: 'clock', time, vcpu: 0, by: PERIOD });
    add({ type: 'timer', time, vcpu: 0, device: 'rtc0', timer: 'periodic' });
    add({ type: 'irq', time, vcpu: 0, line: 'rtc0.irq', level: 1 });
    add({ type: 'irq', time, vcpu: 0, line: 'isa0.irq[8]', level: 1 });
    add({ type: 'handler', time, vcpu: 0, line: 'isa0.irq[8]' });
    out(time, 0x70, 0x0c, 'rtc0 index C', 'C');
    read(time, 0xc0, 'rtc0.C {IRQF, PF}', 'C');
    add({ type: 'irq', time, vcpu: 0, line: 'rtc0.irq', level: 0 });
    add({ type: 'irq', time, vcpu: 0, line: 'isa0.irq[8]', level: 0 });
    if (n % 4n === 0n) out(time, 0x20, 0x20, 'pic0.OCW2 {EOI}', 'OCW2', 36);
    if (n % 16n === 0n)
      add({
        type: 'access',
        op: 'write',
        size: 4,
        address: 0xfee00000,
        value: 0x41,
        time,
        by: 'hpet0',
        device: 'apic0',
        text: 'hpet0 DMA writel 0xfee00000 ← 0x00000041',
      });
  }
  const last = events.at(-1)?.time ?? 0n;
  out(last, 0x70, 0x0c, 'rtc0 index C', 'C', 41);
  read(last, 0x40, 'rtc0.C {PF}', 'C', 42);
  return events;
}

const failure: Failure = {
  name: 'AssertionError',
  code: 'ERR_ASSERTION',
  message: 'PF is set and IRQF with it: expected 192, got 64',
  actual: 'C {\n  IRQF: 0\n  PF: 1\n  AF: 0\n}',
  expected: 'C {\n  IRQF: 1\n  PF: 1\n  AF: 0\n}',
  location: { file: new URL(import.meta.url).pathname, line: 12, column: 3 },
  stack:
    'AssertionError: PF is set\n    at testPeriodic (src/periodic.ts:42:10)\n    at periodic/rate (src/periodic.ts:60:3)',
};

const base = { plugin: 'rtc', clock: 'virtual', vcpus: 1, log: [], failures: [], accesses: [], notes: [] } as const;

const field = (
  name: string,
  access: string,
  mask: number,
  seenSet: number,
  seenClear: number,
  wroteSet = 0,
  wroteClear = 0,
) => ({ name, access, mask, seenSet, seenClear, wroteSet, wroteClear });

/** How a case used some registers. */
export const COVERAGE: DeviceCoverage = {
  device: 'rtc0',
  type: 'mc146818rtc',
  banks: [
    {
      name: 'ports[INDEX]',
      registers: [
        {
          name: 'A',
          offset: 10,
          reads: 12,
          writes: 4,
          fields: [
            field('UIP', 'ro', 0x80, 0x80, 0x80),
            field('DV', 'rw', 0x70, 0x20, 0x70, 0x20, 0x50),
            field('RS', 'rw', 0x0f, 6, 9, 0x0f, 0x0f),
          ],
        },
        {
          name: 'B',
          offset: 11,
          reads: 3,
          writes: 9,
          fields: ['SET', 'PIE', 'AIE', 'UIE', 'SQWE', 'DM', '24H', 'DSE'].map((name, i) =>
            field(
              name,
              'rw',
              0x80 >> i,
              i < 3 ? 0x80 >> i : 0,
              0x80 >> i,
              i === 1 ? 0x40 : 0,
              i % 2 === 0 ? 0x80 >> i : 0,
            ),
          ),
        },
        {
          name: 'C',
          offset: 12,
          reads: 5120,
          writes: 0,
          fields: [
            field('IRQF', 'rc', 0x80, 0x80, 0x80),
            { ...field('PF', 'rc', 0x40, 0x40, 0x40), effect: true },
            { ...field('AF', 'rc', 0x20, 0, 0x20), effect: false },
            field('UF', 'rc', 0x10, 0, 0x10),
          ],
        },
        { name: 'D', offset: 13, reads: 0, writes: 0, fields: [field('VRT', 'ro', 0x80, 0, 0)] },
      ],
    },
  ],
};

/** Results of every kind, of two plugins; the first that failed has a trace of `length` events. */
export function results(length: number): CaseResult[] {
  const events = periodicTrace(length);
  const texts = events.flatMap((event) => (event.type === 'access' ? [event.text] : []));
  return [
    ...Array.from({ length: 40 }, (_, i): CaseResult => ({
      ...base,
      name: `registers/ram/${i + 64}`,
      status: 'pass',
      duration: 1 + (i % 7),
    })),
    {
      ...base,
      name: 'periodic/flag <b>bold</b>',
      status: 'fail',
      duration: 143.2,
      failures: [failure],
      log: ['src/periodic.ts:testPeriodic():L28: rate 1024 Hz'],
      accesses: texts.slice(-8),
      trace: { events, lost: 0, failed: events.length - 1 },
      coverage: [COVERAGE],
    },
    {
      ...base,
      name: 'drift/1024hz',
      status: 'pass',
      duration: 812,
      log: ['src/drift.ts:testDrift():L47: hz: 1024, duration_ms: 5000, exp_duration: 5000, drift ratio: 0.000000'],
      value: {
        hz: 1024,
        drift: 0,
        plot: {
          title: 'Lateness of the periodic interrupt',
          x: 's',
          y: 'ms late',
          points: Array.from({ length: 500 }, (_, i) => [
            i / 100,
            Math.abs(Math.sin(i * i) * 0.06) + (i % 97 === 0 ? 0.3 : 0),
          ]),
          limits: [-0.977, 0.977],
        },
      },
    },
    {
      ...base,
      name: 'alarm/wildcard/hour',
      status: 'timeout',
      duration: 30_004,
      failures: [{ name: 'Timeout', code: 'TIMEOUT', message: 'no end within 30s of wall time; the VCPU was killed.' }],
      accesses: texts.slice(0, 6),
    },
    {
      ...base,
      name: 'update/uip',
      status: 'pass',
      duration: 21,
      retries: 1,
      earlier: [{ name: 'Error', message: 'UIP was not seen' }],
    },
    { ...base, name: 'calendar/century', status: 'skip', duration: 0, reason: 'needs a century register' },
    {
      ...base,
      plugin: 'pci',
      name: 'config/header-type',
      status: 'known',
      duration: 3,
      reason: 'QEMU keeps the multifunction bit',
      failures: [{ name: 'AssertionError', message: 'bit 7' }],
    },
    ...Array.from({ length: 25 }, (_, i): CaseResult => ({
      ...base,
      plugin: 'pci',
      name: `bars/${i}/sizing`,
      status: 'pass',
      duration: 0.4 * i,
    })),
  ];
}
