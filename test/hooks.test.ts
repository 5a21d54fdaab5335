import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf, statuses, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

const hooks = project('hooks');

/** What a hook was called with, bigints as numbers. */
type Note = Readonly<Record<string, unknown>> & { readonly hook: string; readonly case?: string };

describe('what the hooks are called with', () => {
  let ended: Ended;
  let report: Report;
  let notes: readonly Note[];

  beforeAll(async () => {
    const file = join(hooks.path, 'watch.jsonl');
    ended = await hooks.qtest(['--json'], { env: { WATCH: file } });
    report = jsonReport(ended);
    notes = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line): Note => JSON.parse(line));
  });

  /** The notes between the start and the end of a case. */
  function during(name: string): readonly Note[] {
    const first = notes.findIndex((note) => note.hook === 'vcpuStart' && note.case === name);
    const last = notes.findIndex((note) => note.hook === 'caseEnd' && note.case === name);
    expect(first).toBeGreaterThan(0);
    expect(last).toBeGreaterThan(first);
    return notes.slice(first + 1, last);
  }

  /** How often the timer fired, as the case itself has read it. */
  function fired(name: string): number {
    const [, count] = /fired: (\d+)$/.exec(resultOf(report, name).log.join('\n')) ?? [];
    return Number(count);
  }

  const VIRTUAL = { backend: 'native', plugin: 'timer', machine: 1, clock: 'virtual', vcpus: 1 };
  const REALTIME = { backend: 'native', plugin: 'timer', machine: 2, clock: 'realtime', vcpus: 1 };

  test('the order: the machine, each case and its VCPUs, the end', () => {
    const around = ['virtual/ticks', 'virtual/irq', 'virtual/errors', 'virtual/card', 'virtual/fails'].flatMap(
      (name) => [`caseStart ${name}`, `vcpuStart ${name}`, `caseEnd ${name}`],
    );
    const observing = new Set(['tick', 'irq', 'guestError', 'unimplemented']);
    const names = notes
      .filter(({ hook }) => !observing.has(hook))
      .map((note) => `${note.hook} ${note.case ?? ''}`.trimEnd());
    const machine = ['machineInit', 'machineReady'];
    const realtime = ['caseStart', 'vcpuStart', 'caseEnd'].map((hook) => `${hook} realtime/ticks`);
    expect(names).toEqual(['configResolved', ...machine, ...around, ...machine, ...realtime, 'done']);
  });

  test('configResolved', () => {
    expect(notes[0]).toEqual({
      hook: 'configResolved',
      file: join(hooks.path, 'qtest.config.ts'),
      plugins: ['watch', 'card', 'timer'],
      clock: 'virtual',
      jobs: 1,
      timeout: 30_000_000_000,
    });
  });

  test('machineInit, with what init() has built; machineReady, with what the taps have added', () => {
    expect(notes.filter(({ hook }) => hook === 'machineInit')).toEqual([
      { hook: 'machineInit', ...VIRTUAL, devices: ['isa0', 'testdev0'] },
      { hook: 'machineInit', ...REALTIME, devices: ['isa0', 'testdev0'] },
    ]);
    expect(notes.filter(({ hook }) => hook === 'machineReady')).toEqual([
      { hook: 'machineReady', ...VIRTUAL, devices: ['isa0', 'testdev0', 'post0'] },
      { hook: 'machineReady', ...REALTIME, devices: ['isa0', 'testdev0', 'post0'] },
    ]);
    expect(resultOf(report, 'virtual/card').status).toBe('pass');
  });

  test('caseStart, vcpuStart, caseEnd', () => {
    const of = (hook: string, name: string): Note | undefined =>
      notes.find((note) => note.hook === hook && note.case === name);
    expect(of('caseStart', 'virtual/irq')).toEqual({ hook: 'caseStart', ...VIRTUAL, case: 'virtual/irq' });
    expect(of('vcpuStart', 'realtime/ticks')).toEqual({
      hook: 'vcpuStart',
      ...REALTIME,
      case: 'realtime/ticks',
      index: 0,
    });
    expect(of('caseEnd', 'virtual/irq')).toEqual({
      hook: 'caseEnd',
      ...VIRTUAL,
      case: 'virtual/irq',
      status: 'pass',
      duration: expect.any(Number),
    });
    expect(of('caseEnd', 'virtual/fails')).toMatchObject({ status: 'fail', message: 'on purpose' });
  });

  test('tick in virtual time: each instant, exactly', () => {
    const ticks = Array.from({ length: 50 }, (_, i) => ({
      hook: 'tick',
      ...VIRTUAL,
      now: (i + 1) * 1_000_000,
      instants: 1,
    }));
    expect(during('virtual/ticks')).toEqual(ticks);
    expect(fired('virtual/ticks')).toBe(50);
  });

  test('tick in real time: instants put together, none lost', () => {
    const ticks = during('realtime/ticks');
    expect(new Set(ticks.map(({ hook }) => hook))).toEqual(new Set(['tick']));
    const instants = ticks.map((tick) => Number(tick['instants']));
    expect(instants.every((n) => n >= 1)).toBe(true);
    expect(instants.reduce((sum, n) => sum + n, 0)).toBe(fired('realtime/ticks'));
    // One every 2 ms for 300 ms, and for as long as the host was late to stop.
    expect(fired('realtime/ticks')).toBeGreaterThanOrEqual(149);
    expect(fired('realtime/ticks')).toBeLessThan(250);
    const times = ticks.map((tick) => Number(tick['now']));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('irq: each edge of each line, with its time', () => {
    const edge = (line: string, level: boolean, now: number): Note => ({ hook: 'irq', ...VIRTUAL, line, level, now });
    expect(during('virtual/irq')).toEqual([
      edge('testdev0.irq', true, 3000),
      edge('isa0.irq[5]', true, 3000),
      edge('testdev0.irq', false, 7000),
      edge('isa0.irq[5]', false, 7000),
    ]);
  });

  test('guestError and unimplemented', () => {
    expect(during('virtual/errors')).toEqual([
      { hook: 'guestError', ...VIRTUAL, device: 'testdev0', message: 'FAULT: GUEST_ERROR', now: 0 },
      { hook: 'unimplemented', ...VIRTUAL, device: 'testdev0', message: 'FAULT: UNIMPLEMENTED', now: 1000 },
      { hook: 'guestError', ...VIRTUAL, message: expect.stringContaining('at 0x400: no device answers'), now: 1000 },
    ]);
    expect(resultOf(report, 'virtual/errors')).toMatchObject({ status: 'pass', notes: [] });
  });

  test('done', () => {
    expect(notes.at(-1)).toEqual({ hook: 'done', ...report.summary });
    expect(report.summary).toMatchObject({ pass: 5, fail: 1 });
    expect(ended.code).toBe(1);
  });
});

describe('an error in a tap names the plugin and the hook', () => {
  const broken = (hook: string, how: string, ...args: readonly string[]): Promise<Ended> =>
    hooks.qtest(['--plugin', './broken-tap.ts', '--plugin', './all.ts', ...args], {
      env: { HOOK: hook, HOW: how },
      timeout: 40_000,
    });
  // It takes its ten seconds while the others run.
  let never: Promise<Ended>;
  beforeAll(() => {
    never = broken('vcpuStart', 'never settles', '-t', 'quiet');
  });
  const told = (hook: string): string => `plugin 'broken-tap', hook '${hook}': the tap is broken`;

  test('configResolved: the command ends', async () => {
    expect(await broken('configResolved', 'throws')).toEqual({
      code: 1,
      stdout: '',
      stderr: `qtest: ${told('configResolved')}\n`,
    });
  });

  test.each([
    ['machineInit', 'throws', ['fail', 'fail']],
    ['machineReady', 'rejects', ['fail', 'fail']],
    ['caseStart', 'rejects', ['fail', 'fail']],
    ['vcpuStart', 'throws', ['fail', 'fail']],
    ['tick', 'throws', ['fail', 'pass']],
    ['irq', 'throws', ['fail', 'pass']],
    ['guestError', 'throws', ['fail', 'pass']],
    ['unimplemented', 'throws', ['fail', 'pass']],
    ['caseEnd', 'throws', ['fail', 'fail']],
  ])('%s that %s', async (hook, how, [busy, quiet]) => {
    const ended = await broken(hook, how);
    const { text } = failureText(ended, 'all', 'busy');
    expect(text).toContain(told(hook));
    expect(text).toMatch(/\n {4}broken-tap\.ts:\d+:\d+\n[^]*\n {4}> +\d+ \| +throw new Error\('the tap is broken'\);/);
    expect(ended.stdout).toMatch(
      new RegExp(`\\n  ${busy === 'pass' ? '✓' : '✗'} busy .*\\n  ${quiet === 'pass' ? '✓' : '✗'} quiet `),
    );
    expect(ended.code).toBe(1);
  });

  test('done: a warning, and exit 1', async () => {
    const { code, stdout } = await broken('done', 'rejects');
    expect(stdout).toContain(`warning: ${told('done')}\n`);
    expect(stdout).toMatch(/\n2 passed of 2 cases in /);
    expect(code).toBe(1);
  });

  test('an error that a tap leaves behind: a warning, and exit 1', async () => {
    const { code, stdout } = await broken('caseStart', 'throws later');
    expect(stdout).toMatch(
      /\nwarning: an error in the host that nobody caught, as of a hook's timer or promise:\nError: the tap is broken\n +at .*broken-tap\.ts/,
    );
    expect(stdout).toMatch(/\n2 passed of 2 cases in /);
    expect(code).toBe(1);
  });

  test('a tap that ends the process', async () => {
    const { code, stderr } = await broken('caseEnd', 'exits');
    expect(stderr).toContain('qtest: ended before it was done: a plugin or the config called process.exit()');
    expect(code).toBe(2);
  });

  test('an asynchronous tap of a synchronous hook', async () => {
    const ended = await broken('irq', 'rejects', '-t', 'busy');
    expect(failureText(ended, 'all', 'busy').text).toContain(
      "plugin 'broken-tap', hook 'irq': it is synchronous, but was tapped with an asynchronous function",
    );
  });

  test('a tap that never settles is cut off', async () => {
    const ended = await never;
    expect(failureText(ended, 'all', 'quiet').text).toContain(
      "plugin 'broken-tap', hook 'vcpuStart': it did not settle within 10 s",
    );
    expect(ended.code).toBe(1);
  });
});

test('a tap refuses a VCPU, skips a case, gates a case', async () => {
  const ended = await hooks.qtest(['--plugin', './gate.ts', '--plugin', './gated.ts']);
  expect(ended.stdout).toContain('\n  ↓ skipped  not on a Monday\n');
  expect(failureText(ended, 'gated', 'refused').text).toMatch(/VCPU 1.* refused.*: one core is enough/);
  expect(failureText(ended, 'gated', 'gated').text).toContain('failed by the hook caseEnd: too good to be true');
  expect(ended.stdout).toMatch(/\n {2}✓ free {2}.*\n {4}VCPU 0: .*VCPU 0 ran\n {4}VCPU 1: .*VCPU 1 ran\n/);
  expect(ended.stdout).not.toMatch(/✗ refused .*\n {4}VCPU/);
  expect(ended.stdout).toMatch(/\n1 passed, 2 failed, 1 skipped of 4 cases in /);
  expect(ended.code).toBe(1);
});

test('failOn: an event of the guest fails its case', async () => {
  hooks.write({
    'strict.config.ts': `export default { plugins: ['./timer.ts'], failOn: ['guestError', 'unimplemented'] };`,
  });
  const ended = await hooks.qtest(['--config', 'strict.config.ts', '-t', 'virtual/{irq,errors}']);
  const { text } = failureText(ended, 'timer', 'virtual/errors');
  expect(text).toMatch(
    /\d × guestError, and the config's failOn names it; the first: guestError: testdev0: FAULT: GUEST_ERROR\n/,
  );
  expect(text).toMatch(
    /1 × unimplemented, and the config's failOn names it; the first: unimplemented: testdev0: FAULT: UNIMPLEMENTED\n/,
  );
  expect(text).toMatch(/\n {4}note: guestError: .* at 0x400: no device answers\n/);
  expect(ended.stdout).toMatch(/\n1 passed, 1 failed of 2 cases in /);
  expect(ended.code).toBe(1);
});

test.each([
  ['call', /apply\(\): hooks\.tick\.call is not a function/],
  ['promise', /apply\(\): hooks\.done\.promise is not a function/],
  ['replace', /apply\(\): Cannot assign to read only property 'tick'/],
])('a plugin cannot %s a hook', async (how, message) => {
  const { code, stdout, stderr } = await hooks.qtest(['--plugin', './calls.ts', '--plugin', './all.ts'], {
    env: { HOW: how },
  });
  expect(stderr).toMatch(message);
  expect(stderr).toContain("plugin 'calls'");
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test('with several machines each event says which one it is of', async () => {
  const file = join(hooks.path, 'parallel.jsonl');
  const ended = await hooks.qtest(
    [
      '--json',
      '--jobs',
      '2',
      '-t',
      'virtual/*',
      '-t',
      '!virtual/fails',
      '--plugin',
      './watch.ts',
      '--plugin',
      './card.ts',
      '--plugin',
      './timer.ts',
    ],
    {
      env: { WATCH: file },
    },
  );
  expect(statuses(jsonReport(ended)).toSorted()).toEqual(
    ['card', 'errors', 'irq', 'ticks'].map((name) => `timer virtual/${name}: pass`),
  );
  const notes = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): Note => JSON.parse(line));
  const machines = new Set(notes.filter(({ hook }) => hook === 'machineReady').map((note) => note['machine']));
  expect(machines).toEqual(new Set([1, 2]));
  const [ticking] = notes.filter((note) => note.hook === 'caseStart' && note.case === 'virtual/ticks');
  expect(notes.filter(({ hook }) => hook === 'tick').map((note) => note['machine'])).toEqual(
    Array.from({ length: 50 }, () => ticking?.['machine']),
  );
});
