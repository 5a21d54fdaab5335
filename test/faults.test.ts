import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

/** What a case of the fixture `faults` gets: how it ends, the failure's code, and what a reader is told. */
const CAUSES: Readonly<Record<string, readonly [status: string, code: string | undefined, message: RegExp]>> = {
  throws: ['fail', undefined, /^ {4}the lamp is dark\n\n {4}faults\.ts:\d+:11\n[^]*> +\d+ \| +throw new Error/m],
  'throws-null': ['fail', undefined, /thrown value: null/],
  rejects: ['fail', undefined, /the promise is broken\n\n {4}faults\.ts:\d+:11\n/],
  loops: ['timeout', 'TIMEOUT', /no end within 300ms of wall time; the VCPU was killed.*--timeout/],
  'never-settles': ['timeout', 'TIMEOUT', /no end within 300ms of wall time/],
  exits: ['crash', 'CRASH', /the case ended its thread: .*code: 0 \(process\.exit\(\)\?\)/],
  'eats-memory': ['crash', 'CRASH', /the case ran out of memory/],
  'throws-late': ['fail', undefined, /after the case had returned, .*: nobody waits for me\n\n {4}faults\.ts:\d+:13\n/],
  'rejects-late': [
    'fail',
    undefined,
    /after the case had returned, .*: nobody listens to me\n\n {4}faults\.ts:\d+:42\n/,
  ],
  'returns-a-function': [
    'fail',
    undefined,
    /TypeError: the case returned what cannot be cloned.*a case returns nothing, or plain data/,
  ],
  'polls-a-register': [
    'fail',
    'STALLED',
    /\d+ device accesses while the virtual clock stood still at 0ns: .*use vcpu\.poll\(/,
  ],
  'waits-for-nothing': [
    'fail',
    'DEADLOCK',
    /waitIrq\(\): the line isa0\.irq\[5\].*: every VCPU waits and no timer is armed.*vcpu\.poll\(/,
  ],
  'idles-for-nothing': ['fail', 'DEADLOCK', /idle\(\).*: every VCPU waits and no timer is armed.*vcpu\.poll\(/],
  'passes-a-bad-port': [
    'fail',
    undefined,
    /RangeError: inb\(0x10000\): a port is an integer from 0 to 0xffff\n\n {4}faults\.ts:/,
  ],
  'device/throws-on-write': [
    'fail',
    'DEVICE',
    /device 'testdev0' threw.*FAULT: THROW\n[^]*guestError: testdev0: the device threw/,
  ],
  'device/throws-on-read': ['fail', 'DEVICE', /device 'testdev0' threw.*FAULT: THROW_ON_READ\n[^]*inb 0x301 → 0xff/],
  'device/throws-null': [
    'fail',
    'DEVICE',
    /device 'testdev0' threw.*: null\n[^]*guestError: testdev0: the device threw: null/,
  ],
  'device/throws-in-a-timer': ['fail', 'DEVICE', /device 'testdev0' threw.*FAULT: THROW_ON_TIMER/],
  'device/recurses': ['fail', 'DEVICE', /device 'testdev0' threw.*Maximum call stack size exceeded/],
  'device/storms': ['fail', 'DEVICE', /device 'testdev0'.*timer 'storm' is armed again and again for the same instant/],
  'device/enters-itself': ['fail', 'DEVICE', /device 'testdev0'[^]*guestError: testdev0: .*from inside its own access/],
  'device/hangs': ['timeout', 'TIMEOUT', /no end within 300ms of wall time/],
};

const faults = project('faults');
/** One machine after another, as a reader sees it. */
let text: Ended;
/** Two machines side by side. */
let parallel: Report;
let parallelCode: number | undefined;

/** The machine that each case had, in the first run. */
let machines: ReadonlyMap<string, number>;

beforeAll(async () => {
  const file = join(faults.path, 'machines.txt');
  text = await faults.qtest([], { env: { MACHINES: file }, timeout: 60_000 });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  machines = new Map(lines.map((line) => line.split(' ')).map(([name = '', machine]) => [name, Number(machine)]));
  const ended = await faults.qtest(['--json', '--jobs', '2'], { timeout: 60_000 });
  parallel = jsonReport(ended);
  parallelCode = ended.code;
}, 120_000);

describe('one failed case, with its cause; the next one passes', () => {
  test.each(Object.entries(CAUSES))('%s', (name, [status, code, message]) => {
    expect(failureText(text, 'faults', `${name}/fault`).text).toMatch(message);
    expect(() => failureText(text, 'faults', `${name}/next`)).toThrow('no failure');

    const { status: found, failures } = resultOf(parallel, `${name}/fault`);
    expect(found).toBe(status);
    expect(failures.map((failure) => failure.code)).toEqual([code]);
    expect(resultOf(parallel, `${name}/next`)).toMatchObject({ status: 'pass', failures: [] });
  });

  test('no fault is left out', async () => {
    const listed = JSON.parse((await faults.qtest(['list', '--json'])).stdout);
    const names: readonly string[] = listed.plugins[0].cases.map(({ name }: { name: string }) => name);
    expect(names).toEqual(Object.keys(CAUSES).flatMap((name) => [`${name}/fault`, `${name}/next`]));
  });
});

test('a machine is used again, unless a device has failed or a VCPU has died', () => {
  const kept = Object.entries(CAUSES)
    .filter(([, [status, code]]) => status === 'fail' && code !== 'DEVICE')
    .map(([name]) => name);
  expect(kept.length).toBeGreaterThan(5);
  const again = Object.keys(CAUSES).filter((name) => machines.get(`${name}/next`) === machines.get(`${name}/fault`));
  expect(again).toEqual(kept);
});

test('the host lives, and the totals add up', () => {
  const count = (status: string): number => Object.values(CAUSES).filter(([wanted]) => wanted === status).length;
  const pass = Object.keys(CAUSES).length;
  const total = 2 * pass;
  expect(parallel.summary).toMatchObject({
    pass,
    fail: count('fail'),
    timeout: count('timeout'),
    crash: count('crash'),
    skip: 0,
  });
  expect(parallel.cases).toHaveLength(total);
  expect(parallel.warnings).toEqual([]);
  expect(parallelCode).toBe(1);

  expect(text.stdout).toContain(
    `\n${pass} passed, ${count('fail')} failed, ${count('timeout')} timed out, ${count('crash')} crashed of ${total} cases in `,
  );
  expect(text.stderr).toBe('');
  expect(text.code).toBe(1);
});
