import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { median } from './timed.ts';

/**
 * `npm run bench`: the project's figures, as ratios within one run, and `results.json` beside this file. Processes take turns, so that a
 * machine whose speed drifts slows all of them; every figure is a median.
 */

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const QTEST = `${ROOT}host/bin/qtest.js`;
const PROCESSES = 5;

interface Row {
  readonly what: string;
  readonly figure: string;
  readonly target: string;
  readonly met: boolean;
}

function run(args: readonly string[]): { stdout: string; ms: number } {
  const start = performance.now();
  const { stdout, stderr, status, error } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: 300_000,
  });
  const ms = performance.now() - start;
  if (status !== 0)
    throw new Error(`node ${args.join(' ')}: exit ${status}\n${error?.message ?? ''}${stdout.slice(-4000)}${stderr}`);
  return { stdout, ms };
}

interface JsonCase {
  readonly name: string;
  readonly status: string;
  /** ms, with the start of the QEMU that it has for itself. */
  readonly duration: number;
  readonly value?: unknown;
}

interface DiffReport {
  readonly counts: { readonly accesses: number };
  readonly seconds: number;
}

interface JsonReport {
  readonly cases: readonly JsonCase[];
  readonly summary: { readonly duration: number };
}

function qtest(...args: string[]): JsonReport {
  return JSON.parse(run([QTEST, '--json', ...args]).stdout) as JsonReport;
}

function valueOf(report: JsonReport, name: string): number {
  const found = report.cases.find((item) => item.name === name)?.value;
  if (typeof found !== 'number') throw new Error(`the case ${name} gave no figure`);
  return found;
}

/** One figure of several that a case gives. */
function figureOf(report: JsonReport, name: string, key: string): number {
  const found = report.cases.find((item) => item.name === name)?.value;
  const figure: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  if (typeof figure !== 'number') throw new Error(`the case ${name} gave no figure '${key}'`);
  return figure;
}

/** Takes turns: one sample of each, PROCESSES times. */
function samples<K extends string>(takers: Readonly<Record<K, () => number>>): Record<K, number> {
  const taken = new Map<string, number[]>();
  for (let round = 0; round < PROCESSES; round++) {
    for (const [name, take] of Object.entries<() => number>(takers))
      taken.set(name, [...(taken.get(name) ?? []), take()]);
  }
  return Object.fromEntries([...taken].map(([name, values]) => [name, median(values)])) as Record<K, number>;
}

const bench = (name: string) => () => valueOf(qtest('--plugin', `${HERE}cases.ts`, '-t', name), name);
const other = (name: string) => () => Number(run([`${HERE}others.ts`, name]).stdout);

const access = samples({
  v86: other('v86'),
  plain: other('plain'),
  alone: bench('inb'),
  afterAll: bench('inb-after-all'),
  two: bench('inb-two'),
  realtime: bench('inb-realtime'),
  traced: () => valueOf(qtest('--plugin', `${HERE}cases.ts`, '-t', 'inb', '--trace'), 'inb'),
});
const onPc = (name: string) => () => valueOf(qtest('--plugin', `${HERE}pc-cases.ts`, '-t', name), name);
const full = samples({
  rtcMachine: bench('inb-after-all'),
  inb: onPc('inb'),
  pio: onPc('pio'),
  mmio: onPc('mmio'),
  readl: onPc('readl'),
  writel: onPc('writel'),
});
/** Of 64 KiB, as parts of the speed of `Buffer.copy` in the same process. */
const bulks = Array.from({ length: PROCESSES }, () => qtest('--plugin', `${HERE}pc-cases.ts`, '-t', 'bulk'));
const speed = (key: string): number =>
  median(bulks.map((report) => figureOf(report, 'bulk', 'copy') / figureOf(report, 'bulk', key)));
interface Throughput {
  /** In milliseconds, of a clock that all share: when each batch of accesses was done. */
  readonly stamps: readonly number[];
  /** Milliseconds that its thread has run. */
  readonly cpu: number;
}

/**
 * How many batches of accesses `machines` machines make in a millisecond, together: by the clock, while all of them ran, and by the time that
 * their threads ran, in which a busy computer does not show. With `--jobs` each case is on a machine of its own.
 */
function throughput(machines: number): { clock: number; cpu: number } {
  const names = Array.from({ length: machines }, (_, n) => `throughput/${n}`);
  const plugin = ['--plugin', `${HERE}several.ts`, '--jobs', String(machines)];
  const { cases } = qtest(...plugin, ...names.flatMap((name) => ['-t', name]));
  const found = cases.map(({ value }) => value as Throughput);
  const from = Math.max(...found.map(({ stamps }) => stamps.at(0) ?? Number.NaN));
  const to = Math.min(...found.map(({ stamps }) => stamps.at(-1) ?? Number.NaN));
  const together = found.flatMap(({ stamps }) => stamps).filter((at) => at > from && at <= to);
  return {
    clock: together.length / (to - from),
    cpu: found.reduce((sum, { stamps, cpu }) => sum + stamps.length / cpu, 0),
  };
}

const machines = Array.from({ length: PROCESSES }, () => {
  const [one, two] = [throughput(1), throughput(2)];
  return { clock: two.clock / one.clock, cpu: two.cpu / one.cpu };
});
const several = {
  clock: median(machines.map(({ clock }) => clock)),
  cpu: median(machines.map(({ cpu }) => cpu)),
  ...samples({
    barMove: () => valueOf(qtest('--plugin', `${HERE}several.ts`, '-t', 'bar-move', '--schedule', 'free'), 'bar-move'),
  }),
};
const single = samples({ interrupts: bench('interrupts'), restore: bench('restore') });
const pc = samples({
  start: () => Number(run([`${HERE}pc.ts`, 'start']).stdout),
  restore: () => Number(run([`${HERE}pc.ts`, 'restore']).stdout),
});
/** Accesses a second of a `qtest diff` that finds nothing. */
const diff =
  (...args: string[]) =>
  (): number => {
    const { counts, seconds } = JSON.parse(run([QTEST, 'diff', '--json', '--no-config', ...args]).stdout) as DiffReport;
    return counts.accesses / seconds;
  };
const hasQemu = spawnSync('qemu-system-x86_64', ['--version']).status === 0;
const served =
  (what: string, who = 'own') =>
  (): number =>
    who === 'qemu' && !hasQemu
      ? Number.NaN
      : Number(run(['--expose-gc', '--conditions=@qtest/source', `${HERE}served.ts`, what, who]).stdout);
const protocol = samples({
  roundTrip: served('roundtrip'),
  qemuRoundTrip: served('roundtrip', 'qemu'),
  pipelined: served('pipelined'),
  qemuPipelined: served('pipelined', 'qemu'),
  start: served('start'),
  qemuStart: served('start', 'qemu'),
  access: served('access'),
  node: () => run(['-e', '0']).ms,
});
const againstQemu = (device: string) => (): number =>
  hasQemu ? diff('--backend', 'qemu', '--device', device, '--clock', 'realtime', '--count', '200000')() : Number.NaN;
const compared = samples({
  native: diff('--backend', 'native', '--device', 'mc146818rtc', '--count', '3000000'),
  ib700: againstQemu('ib700'),
  i8259: againstQemu('i8259'),
});
/**
 * The RTC cases that pass on both backends, in milliseconds on each: what a user waits for them, from the preparation of the first to the
 * end of the last, with a QEMU's start for each case there, and without the start of the command. The native ones run in virtual time; Debian's QEMU has real
 * time alone, so that most of a case on it is the time that it waits for. Each side runs what both can, once before it is counted: a
 * case's first run compiles it.
 */
function caseSet(): { native: number; qemu: number; cases: number } {
  const rtc = (...args: string[]): JsonReport => qtest('--no-config', '--plugin', '@qtest/qtest-rtc', ...args);
  const onQemu = rtc('--backend', 'qemu');
  const passed = onQemu.cases.filter(({ status }) => status === 'pass').map(({ name }) => name);
  const both = rtc('--clock', 'virtual').cases.filter(({ name, status }) => status === 'pass' && passed.includes(name));
  const names = both.map(({ name }) => name);
  const native = samples({
    all: () => sum(rtc('--clock', 'virtual', ...names.flatMap((name) => ['-t', name])).cases),
  });
  return {
    native: native.all,
    qemu: sum(onQemu.cases.filter(({ name }) => names.includes(name))),
    cases: names.length,
  };
}

function sum(cases: readonly JsonCase[]): number {
  return cases.reduce((all, { duration }) => all + duration, 0);
}

const roundTrip = (backend: string) => (): number =>
  valueOf(qtest('--backend', backend, '--plugin', `${HERE}cases.ts`, '-t', 'round-trip'), 'round-trip');
const emulated = hasQemu
  ? {
      ...samples({ roundTrip: roundTrip('qemu'), v86RoundTrip: roundTrip('v86') }),
      set: caseSet(),
    }
  : undefined;
const fuzzGrowth = served('fuzz')();
const start = samples({
  node: () => run(['-e', '0']).ms,
  list: () => run([QTEST, 'list', '--plugin', '@qtest/qtest-rtc']).ms,
  package: () => run([QTEST, '--plugin', '@qtest/qtest-rtc', '--clock', 'virtual']).ms,
});
const trivial = qtest('--plugin', `${HERE}cases.ts`, '-t', 'trivial/*').summary.duration / 1000;
const drift = qtest('--plugin', '@qtest/qtest-rtc', '-t', 'drift/realtime/*');

const ratio = (value: number): string => `${value.toFixed(2)} ×`;
const ns = (value: number): string => `${value.toFixed(1)} ns`;
const rows: Row[] = [
  atMost(
    'inb, lone VCPU, virtual time, over v86',
    access.alone / access.v86,
    1.5,
    `${ns(access.alone)} / ${ns(access.v86)}`,
  ),
  atMost(
    '  the same, over a plain unshared object',
    access.alone / access.plain,
    undefined,
    `${ns(access.alone)} / ${ns(access.plain)}`,
  ),
  atMost('  after accesses to six devices, over v86', access.afterAll / access.v86, undefined, ns(access.afterAll)),
  atMost('inb, two VCPUs, one accessing, over v86', access.two / access.v86, 4, ns(access.two)),
  {
    what: 'accesses of two VCPUs on different machines (--jobs 2), over one',
    figure: `${ratio(several.clock)}  (${ratio(several.cpu)} by the time that their threads ran)`,
    target: '≥ 1.8 ×',
    met: several.clock >= 1.8,
  },
  {
    what: 'a BAR that one VCPU moves, until another one reads it at its new place',
    figure: ns(several.barMove),
    target: '',
    met: true,
  },
  atMost('inb, real time, a timer armed, over v86', access.realtime / access.v86, 10, ns(access.realtime)),
  atMost(
    'inb, lone VCPU, virtual time, traced in full without source lines, over one that is not',
    access.traced / access.alone,
    3,
    `${ns(access.traced)} / ${ns(access.alone)}`,
  ),
  {
    what: 'periodic interrupts a second, virtual time, through PIC and acknowledge',
    figure: `${(single.interrupts / 1e6).toFixed(2)} M (${Math.round(single.interrupts / 1024)} × real time at 1024 Hz)`,
    target: '≥ 1 M, ≥ 1000 ×',
    met: single.interrupts >= 1e6,
  },
  {
    what: 'restore, eight dirty pages',
    figure: `${(single.restore / 1000).toFixed(1)} µs`,
    target: '≤ 50 µs',
    met: single.restore <= 50_000,
  },
  {
    what: 'a pc with all its parts: sealed, reset, attached',
    figure: `${(pc.start / 1e6).toFixed(2)} ms`,
    target: '≤ 10 ms',
    met: pc.start <= 10e6,
  },
  {
    what: '  its restore between cases, eight dirty pages',
    figure: `${(pc.restore / 1000).toFixed(1)} µs`,
    target: '≤ 200 µs',
    met: pc.restore <= 200_000,
  },
  atMost(
    'inb on a full pc, over the RTC machine',
    full.inb / full.rtcMachine,
    2,
    `${ns(full.inb)} / ${ns(full.rtcMachine)}`,
  ),
  atMost('MMIO to a BAR, over PIO', full.mmio / full.pio, 1.5, `${ns(full.mmio)} / ${ns(full.pio)}`),
  { what: 'readl of RAM', figure: ns(full.readl), target: '≤ 40 ns', met: full.readl <= 40 },
  { what: 'writel of RAM', figure: ns(full.writel), target: '≤ 40 ns', met: full.writel <= 40 },
  atLeast('64 KiB read into an array, of the speed of Buffer.copy', speed('read'), 0.5),
  atLeast('64 KiB written, of the speed of Buffer.copy', speed('write'), 0.5),
  atLeast('  64 KiB read into a fresh array', speed('fresh'), undefined),
  { what: 'one of 1000 trivial cases', figure: `${trivial.toFixed(2)} ms`, target: '≤ 1 ms', met: trivial <= 1 },
  atMost(
    'qtest list, cold, over node -e 0',
    start.list / start.node,
    3,
    `${start.list.toFixed(0)} / ${start.node.toFixed(0)} ms`,
  ),
  {
    what: 'the whole RTC package in virtual time',
    figure: `${(start.package / 1000).toFixed(2)} s`,
    target: '≤ 2 s',
    met: start.package <= 2000,
  },
  perSecond('accesses a second of qtest diff, two native machines, RTC', compared.native, 1_000_000),
  ...(hasQemu
    ? [
        perSecond('accesses a second of qtest diff, against QEMU in real time, ib700', compared.ib700, 50_000),
        perSecond('  the same, i8259', compared.i8259, 50_000),
        {
          what: '  QEMU itself, inb a thousand together',
          figure: Math.round(protocol.qemuPipelined).toLocaleString('en'),
          target: '',
          met: true,
        },
        atMost(
          "inb over qtest-system-x86_64's socket, over QEMU's",
          protocol.roundTrip / protocol.qemuRoundTrip,
          1,
          `${protocol.roundTrip.toFixed(0)} / ${protocol.qemuRoundTrip.toFixed(0)} µs`,
        ),
        {
          what: '  inb, a thousand together, requests a second',
          figure: `${ratio(protocol.pipelined / protocol.qemuPipelined)}  (${Math.round(protocol.pipelined)} / ${Math.round(protocol.qemuPipelined)})`,
          target: '≥ 5 ×',
          met: protocol.pipelined >= 5 * protocol.qemuPipelined,
        },
      ]
    : []),
  ...(emulated === undefined
    ? []
    : [
        times(
          'inb on QEMU, a round trip, over a native one',
          emulated.roundTrip / access.alone,
          1000,
          `${(emulated.roundTrip / 1000).toFixed(0)} µs / ${ns(access.alone)}`,
        ),
        atMost(
          'inb on v86, a round trip, over one on QEMU',
          emulated.v86RoundTrip / emulated.roundTrip,
          0.5,
          `${(emulated.v86RoundTrip / 1000).toFixed(0)} / ${(emulated.roundTrip / 1000).toFixed(0)} µs`,
        ),
        times(
          'the RTC cases that both run, on a QEMU each, over native',
          emulated.set.qemu / emulated.set.native,
          100,
          `${emulated.set.cases} cases; ${(emulated.set.qemu / 1000).toFixed(1)} s / ${emulated.set.native.toFixed(0)} ms`,
        ),
      ]),
  atMost(
    'qtest-system-x86_64, exec to the answer of endianness, over node -e 0',
    protocol.start / protocol.node,
    1.5,
    `${protocol.start.toFixed(0)} / ${protocol.node.toFixed(0)} ms; QEMU ${protocol.qemuStart.toFixed(0)} ms`,
  ),
  atMost('  exec to its first access', protocol.access / protocol.node, undefined, `${protocol.access.toFixed(0)} ms`),
  {
    what: 'heap after 1 000 000 mutated requests and as many messages, over that after half of them',
    figure: `${(fuzzGrowth / 2 ** 20).toFixed(2)} MiB`,
    target: '≤ 8 MiB',
    met: fuzzGrowth <= 2 ** 23,
  },
  ...drift.cases.filter(({ value, status }) => value !== undefined || status !== 'skip').map(driftRow),
];

function atMost(what: string, value: number, limit: number | undefined, detail: string): Row {
  return {
    what,
    figure: `${ratio(value)}  (${detail})`,
    target: limit === undefined ? '' : `≤ ${limit} ×`,
    met: limit === undefined || value <= limit,
  };
}

function times(what: string, value: number, least: number, detail: string): Row {
  return { what, figure: `${Math.round(value)} ×  (${detail})`, target: `≥ ${least} ×`, met: value >= least };
}

function atLeast(what: string, value: number, limit: number | undefined): Row {
  return {
    what,
    figure: `${(100 * value).toFixed(0)} %`,
    target: limit === undefined ? '' : `≥ ${100 * limit} %`,
    met: limit === undefined || value >= limit,
  };
}

function perSecond(what: string, value: number, least: number): Row {
  return {
    what,
    figure: Math.round(value).toLocaleString('en'),
    target: `≥ ${least.toLocaleString('en')}`,
    met: value >= least,
  };
}

function driftRow({ name, status, value }: JsonCase): Row {
  const {
    drift: found = Number.NaN,
    lateness_ms: late = {},
    cpu_share: share,
  } = (value ?? {}) as {
    drift?: number;
    lateness_ms?: { p99?: number };
    cpu_share?: number;
  };
  return {
    what: name,
    figure: `drift ratio ${found.toFixed(6)}, p99 lateness ${late.p99} ms, CPU share ${share}`,
    target: '≤ 0.0002',
    met: status === 'pass' && found <= 0.0002,
  };
}

const width = Math.max(...rows.map(({ what }) => what.length));
console.log(
  `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} CPUs; medians of ${PROCESSES} processes in turns\n`,
);
for (const { what, figure, target, met } of rows) {
  console.log(`${met ? ' ' : '!'} ${what.padEnd(width)}  ${figure}${target === '' ? '' : `   (aim: ${target})`}`);
}
writeFileSync(
  `${HERE}results.json`,
  `${JSON.stringify({ node: process.version, access, full, several, single, pc, compared, protocol, emulated, start, trivial, rows }, undefined, 2)}\n`,
);
process.exitCode = rows.every(({ met }) => met) ? 0 : 1;
