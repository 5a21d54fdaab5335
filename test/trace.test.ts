import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { buildModel } from '@tracerbench/trace-model';
import type { TraceEvent } from '@qtest/sdk';
import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { HAS_QEMU, NEEDS_QEMU } from './support/qemu.ts';
import { jsonReport, resultOf, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

/** GTKWave's own reader of VCD, and what writes that again from what it has read. */
const HAS_GTKWAVE = spawnSync('vcd2fst', ['--help']).error === undefined;

const traced = project('trace');
const plugin = ['--plugin', './trace.ts'];
const qtest = (...args: string[]): Promise<Ended> => traced.qtest([...plugin, ...args]);
const read = (name: string): string => readFileSync(join(traced.path, 'traces', name), 'utf8');

/** Events as JSON has them: times are strings. */
const eventsOf = (report: Report, name: string): readonly TraceEvent[] => resultOf(report, name).trace?.events ?? [];
const lineOf = ({ source }: TraceEvent): string | undefined => {
  const text = readFileSync(join(traced.path, 'trace.ts'), 'utf8').split('\n');
  return source === undefined ? undefined : text[source.line - 1]?.trim();
};

describe('--trace=fail', () => {
  let report: Report;
  let text: string;
  beforeAll(async () => {
    rmSync(join(traced.path, 'second-run'), { force: true });
    report = jsonReport(await qtest('--trace=fail', '--json'));
    text = (await qtest('--trace=fail', '-t', 'fail/register')).stdout;
  });

  test('what passes has no trace, what fails has one', () => {
    for (const result of report.cases)
      expect([result.name, result.trace !== undefined]).toEqual([result.name, result.name.startsWith('fail/')]);
  });

  test('accesses are decoded, with the line that made them, and the failing one is marked', () => {
    const { trace } = resultOf(report, 'fail/register');
    expect(trace).toMatchObject({
      lost: 0,
      failed: 1,
      events: [
        { seq: 0, time: '0', vcpu: 0, type: 'access', op: 'out', address: 0x70, device: 'rtc0' },
        {
          seq: 1,
          type: 'access',
          op: 'in',
          value: 2,
          device: 'rtc0',
          register: 'B',
          text: 'inb 0x71 → 0x02          rtc0.B {24H}',
        },
      ],
    });
    expect(eventsOf(report, 'fail/register').map(lineOf)).toEqual([
      'vcpu.outb(0x70, rtc.B.offset);',
      'assert.equal(vcpu.inb(0x71), 1);',
    ]);
  });

  test('what a driver does is told with the line that calls the driver', () => {
    const events = eventsOf(report, 'fail/driver');
    expect(new Set(events.filter(({ type }) => type === 'access').map(lineOf))).toEqual(
      new Set(['dev.setRate(rtc.rateOf(1024));', "dev.enable('PIE');", 'dev.read(rtc.C);']),
    );
    expect(events.filter(({ type }) => type === 'timer').map(lineOf)).toEqual(["clock.step('1ms');"]);
    expect(events.filter(({ type }) => type === 'log')).toMatchObject([{ text: 'trace.ts:periodic():L11: waiting' }]);
  });

  test('what a killed VCPU has logged and done is there', () => {
    const { status, log } = resultOf(report, 'fail/hangs');
    expect(status).toBe('timeout');
    expect(log).toEqual([expect.stringMatching(/: before the loop$/)]);
    expect(eventsOf(report, 'fail/hangs')).toMatchObject([{ type: 'log' }, { type: 'access', address: 0x80 }]);
  });

  test('a case that does not fail again is said not to', () => {
    const { status, notes, trace } = resultOf(report, 'fail/once');
    expect(status).toBe('fail');
    expect(notes).toEqual([expect.stringMatching(/^its second run, for the trace, passed: /)]);
    expect(trace).not.toHaveProperty('failed');
  });

  test('what several VCPUs did is in one order, which is the same each time', async () => {
    const { trace, accesses } = resultOf(report, 'fail/two');
    const seqs = trace?.events.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs?.map((_, n) => n));
    const order = (found: Report): string =>
      eventsOf(found, 'fail/two')
        .map(({ vcpu }) => vcpu)
        .join('');
    expect(order(report)).toMatch(/01+0+1/);
    expect(accesses.at(-1)).toMatch(/^VCPU 1: inb 0x80 → /);
    expect(new Set(accesses.slice(-12).map((line) => line.slice(0, 6)))).toEqual(new Set(['VCPU 0', 'VCPU 1']));
    const again = jsonReport(await qtest('--trace', '--json', '-t', 'fail/two'));
    expect(order(again)).toBe(order(report));
  });

  test('a reader sees the end of it', () => {
    expect(text).toMatch(
      /last of its trace\n +0ns +outb 0x70 ← 0x0b +rtc0 index B +trace\.ts:42\n +> +0ns +inb 0x71 → 0x02 +rtc0\.B \{24H\} +trace\.ts:43\n/,
    );
  });
});

describe('--trace', () => {
  let report: Report;
  let ended: Ended;
  beforeAll(async () => {
    const out = ['--trace-export', 'vcd,perfetto,qtest,jsonl', '--trace-dir', 'traces'];
    ended = await qtest('--trace', '--json', ...out, '-t', 'pass/*', '-t', 'fail/a*');
    report = jsonReport(ended);
  });

  test('every case has one: accesses, edges, timers, the log, each with its time', () => {
    const events = eventsOf(report, 'pass/periodic');
    expect(events.every(({ source }) => source === undefined)).toBe(true);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'timer', time: '976563', device: 'rtc0', timer: 'periodic' }),
    );
    const edges = events.filter((event) => event.type === 'irq' && event.line === 'rtc0.irq');
    expect(edges).toMatchObject([
      { level: 1, time: '976563' },
      { level: 0, time: '1000000' },
    ]);
    expect(resultOf(report, 'pass/periodic').trace).not.toHaveProperty('failed');
  });

  test('a file each, with a name that is no other case', () => {
    const extensions = ['jsonl', 'qtest', 'trace.json', 'vcd'];
    const names = ['trace.fail-a-b-c-', 'trace.fail-a-b-c--2', 'trace.pass-periodic', 'trace.pass-portable'];
    expect(readdirSync(join(traced.path, 'traces')).toSorted()).toEqual(
      names.flatMap((name) => extensions.map((extension) => `${name}.${extension}`)).toSorted(),
    );
  });

  test('jsonl: the case, and the events as --json has them', () => {
    const [head, ...events] = read('trace.pass-periodic.jsonl')
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(head).toEqual({
      version: 1,
      type: 'case',
      plugin: 'trace',
      name: 'pass/periodic',
      clock: 'virtual',
      vcpus: 1,
      status: 'pass',
      lost: 0,
    });
    expect(events).toEqual(eventsOf(report, 'pass/periodic'));
  });

  test('perfetto: read as a trace of Chrome', () => {
    const file: { traceEvents: Parameters<typeof buildModel>[0] } = JSON.parse(read('trace.pass-periodic.trace.json'));
    const { processes } = buildModel(file.traceEvents);
    const tracks = processes.map(({ name, threads }) => [name, threads.map((thread) => thread.name)]);
    expect(tracks).toEqual(
      expect.arrayContaining([
        ['VCPUs', ['VCPU 0']],
        ['IRQ lines', ['rtc0.irq', 'isa0.irq[8]', 'pic0.int', 'apic0.intr[0]']],
        ['Devices', ['rtc0']],
      ]),
    );
    const lines = processes.find(({ name }) => name === 'IRQ lines')?.threads ?? [];
    const slices = lines.flatMap(({ events }) => events).filter(({ ph }) => ph === 'X');
    expect(slices.map(({ name, start, duration }) => [name, start, Number(duration.toFixed(3))])).toContainEqual([
      'rtc0.irq',
      976.563,
      23.437,
    ]);
  });

  test.skipIf(!HAS_GTKWAVE)('vcd: read by GTKWave, if it is there', () => {
    const file = join(traced.path, 'traces/trace.pass-periodic.vcd');
    const fst = join(traced.path, 'periodic.fst');
    expect(spawnSync('vcd2fst', [file, fst], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const { stdout } = spawnSync('fst2vcd', [fst], { encoding: 'utf8' });
    const codeOf = (name: string): string =>
      new RegExp(String.raw`\$var \w+ \d+ (\S+) ${name} \$end`).exec(stdout)?.[1] ?? '?';
    expect(stdout).toMatch(/\$scope module rtc0 \$end[^]*\$scope module isa0 \$end/);
    expect(changesOf(stdout, codeOf('irq'))).toEqual([
      ['0', '0'],
      ['976563001', '1'],
      ['1000000003', '0'],
    ]);
    const addresses = changesOf(stdout, codeOf('address')).map(([, value = '']) => Number.parseInt(value, 2));
    expect(new Set(addresses)).toEqual(new Set([0x70, 0x71]));
  });

  test('the end of the report says where they are', async () => {
    const given = ['--trace-export', 'vcd,jsonl', '--trace-dir', 'new/folder', '-t', 'pass/portable'];
    const { code, stdout } = await qtest(...given, '--add-reporter', 'jsonl=traced.jsonl');
    expect(stdout.match(/^traces: .*$/gm)).toEqual(['traces: 2 files in new/folder']);
    expect(code).toBe(0);
    const last = readFileSync(join(traced.path, 'traced.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ traces: { folder: join(traced.path, 'new/folder'), files: 2 } });
    expect(readdirSync(join(traced.path, 'new/folder'))).toEqual([
      'trace.pass-portable.jsonl',
      'trace.pass-portable.vcd',
    ]);
  });

  test.each([
    [
      'package.json/x',
      "the traces can't be written to package.json/x: there is a file where the folder should be: name another --trace-dir",
    ],
    ['/proc/x/y', "the traces can't be written to /proc/x/y: no file can be made there: name another --trace-dir"],
    ['/proc', "the traces can't be written to /proc: no file can be made there: name another --trace-dir"],
  ])('a folder that cannot be, %s, ends it before any case', async (folder, message) => {
    const { code, stdout, stderr } = await qtest('--trace-export', 'vcd', '--trace-dir', folder, '-t', 'pass/portable');
    expect(stderr).toContain(`qtest: ${message}\n`);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  test('options that would write nothing', async () => {
    const alone = await qtest('--trace-dir', 'traces');
    expect(alone.stderr).toContain('--trace-dir traces: it is for the files of --trace-export, which is not given');
    expect(alone.code).toBe(2);
    const off = await qtest('--trace=off', '--trace-export', 'vcd');
    expect(off.stderr).toContain('--trace-export vcd: with --trace=off there are no traces to write');
    expect(off.code).toBe(2);
  });

  test('a format that there is not', async () => {
    const { code, stderr } = await qtest('--trace-export', 'vdc');
    expect(stderr).toContain("There is no format 'vdc'; there are vcd, perfetto, qtest, jsonl. Did you mean 'vcd'?");
    expect(code).toBe(2);
  });
});

test('of cases that fail by the dozen, the first have a second run, and the others say that they have none', async () => {
  const { qtest: there } = project(undefined, {
    'many.ts': `import { definePlugin } from '@qtest/sdk';
const bad = ({ vcpu, assert }) => assert.equal(vcpu.readb(0), 1);
export default definePlugin({
  name: 'many',
  description: 'fails',
  init: (machine) => void machine.ram(0, 4096),
  run: Object.fromEntries(Array.from({ length: 22 }, (_, n) => ['n' + n, bad])),
});
`,
  });
  const { cases } = jsonReport(await there(['--plugin', './many.ts', '--trace=fail', '--json']));
  expect(cases.map(({ trace }) => trace !== undefined)).toEqual(cases.map((_, n) => n < 20));
  expect(cases.flatMap(({ notes }) => notes)).toEqual(
    Array.from(
      { length: 2 },
      () => 'it had no second run for the trace, as 20 other cases of this run had one: select it with -t',
    ),
  );
});

test('without it there is none; the config can ask for it', async () => {
  expect(jsonReport(await qtest('--json', '-t', 'fail/register')).cases[0]).not.toHaveProperty('trace');
  traced.write({ 'qtest.config.json': '{ "plugins": ["./trace.ts"], "trace": "on" }' });
  expect(jsonReport(await traced.qtest(['--json', '-t', 'pass/portable'])).cases[0]).toHaveProperty('trace');
  expect(jsonReport(await traced.qtest(['--json', '--trace=off', '-t', 'pass/portable'])).cases[0]).not.toHaveProperty(
    'trace',
  );
});

test.skipIf(!HAS_QEMU)(`on QEMU: accesses, the log and IRQs (${NEEDS_QEMU})`, async () => {
  const report = jsonReport(await qtest('--trace', '--json', '--backend', 'qemu', '-t', 'pass/*'));
  expect(report.summary.pass).toBe(2);
  const types = new Set(eventsOf(report, 'pass/periodic').map(({ type }) => type));
  expect(types).toEqual(new Set(['access', 'log', 'irq', 'clock']));
  // The PIT's interrupts may be anywhere between.
  const accesses = eventsOf(report, 'pass/portable').filter(({ type }) => type === 'access');
  expect(accesses[2]).toMatchObject({ op: 'in', value: 2, device: 'rtc0', register: 'B' });
});

/** When a variable of a VCD changes, and to what; from its first known value on. */
function changesOf(vcd: string, code: string): string[][] {
  let time = '';
  const changes: string[][] = [];
  for (const line of vcd.split('\n')) {
    if (line.startsWith('#')) time = line.slice(1);
    const [value, name] = line.startsWith('b') ? line.slice(1).split(' ') : [line.slice(0, 1), line.slice(1)];
    if (name === code && value !== undefined && /^[01]+$/.test(value)) changes.push([time, value]);
  }
  return changes;
}
