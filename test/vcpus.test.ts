import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

const vcpus = project('vcpus');
let text: Ended;
let report: Report;

beforeAll(async () => {
  const [first, second] = await Promise.all([vcpus.qtest([]), vcpus.qtest(['--json', '--jobs', '2'])]);
  text = first;
  report = jsonReport(second);
}, 60_000);

describe('two VCPUs of a case', () => {
  test('meet at barriers, and share a buffer and the machine', () => {
    expect(
      report.cases
        .filter(({ name }) => name.startsWith('meets/'))
        .map(({ name, status }) => `${name}: ${status}`)
        .toSorted(),
    ).toEqual(['meets/again-and-again: pass', 'meets/on-the-machine: pass', 'meets/shared-memory: pass']);
    expect(resultOf(report, 'meets/shared-memory')).toMatchObject({
      vcpus: 2,
      log: [/^VCPU 0: .*: sum 201$/, /^VCPU 1: .*: sum 201$/].map((line) => expect.stringMatching(line)),
    });
  });

  test.each(['wakes/virtual', 'wakes/realtime'])('%s', (name) => {
    expect(resultOf(report, name)).toMatchObject({
      status: 'pass',
      log: [expect.stringMatching(/^VCPU 0: .*: woken$/)],
    });
  });
});

test('their accesses are interleaved, and in virtual time always in the same way', async () => {
  const { value } = resultOf(report, 'race/first');
  expect(value).toMatch(/^[12]+$/);
  const changes = String(value).match(/12|21/g) ?? [];
  expect(changes.length).toBeGreaterThan(10);
  expect(resultOf(report, 'race/second').value).toBe(value);
  const again = jsonReport(await vcpus.qtest(['--json', '-t', 'race/first']));
  expect(resultOf(again, 'race/first').value).toBe(value);
});

describe("the first that fails ends the other, and the failure is that VCPU's", () => {
  test.each([
    ['fails/while-other-waits', 1, /^ {4}VCPU 1: this lamp is dark\n\n {4}pair\.ts:\d+:9\n/m],
    ['fails/while-other-polls', 1, /VCPU 1: this lamp is dark/],
    ['fails/while-other-accesses', 1, /VCPU 1: this lamp is dark/],
    ['fails/while-other-computes', 1, /VCPU 1: this lamp is dark/],
    ['fails/before-other-starts', 0, /VCPU 0: this lamp is dark/],
    ['fails/in-real-time', 1, /VCPU 1: this lamp is dark/],
    ['fails/both', expect.any(Number), /VCPU [01]: AssertionError: expected 2, got [01]/],
    ['exits/one', 1, /VCPU 1: Crash: the case ended its thread: .*code: 7/],
    ['waits/both', expect.any(Number), /VCPU [01]: .*every VCPU waits and no timer is armed.*vcpu\.poll\(/],
    ['waits/for-one-that-has-ended', 0, /VCPU 0: .*barrier\(\): VCPU 1 has ended, so that it will never come/],
  ])('%s', (name, vcpu, message) => {
    expect(resultOf(report, name)).toMatchObject({
      status: name === 'exits/one' ? 'crash' : 'fail',
      failures: [{ vcpu }],
    });
    expect(failureText(text, 'pair', name).text).toMatch(message);
  });

  test('hangs/one', () => {
    expect(resultOf(report, 'hangs/one')).toMatchObject({ status: 'timeout', failures: [{ code: 'TIMEOUT' }] });
    expect(failureText(text, 'pair', 'hangs/one').text).toContain('no end within 300ms of wall time');
  });

  test('the case after each passes', () => {
    const after = report.cases.filter(({ name }) => name.endsWith('/next'));
    expect(after).toHaveLength(11);
    expect(after.filter(({ status }) => status !== 'pass')).toEqual([]);
    expect(report.summary).toMatchObject({ pass: 18, fail: 9, timeout: 1, crash: 1, skip: 0 });
    expect(text.stdout).toMatch(/\n18 passed, 9 failed, 1 timed out, 1 crashed of 29 cases in /);
    expect(text.code).toBe(1);
  });
});

describe('interrupts to each VCPU', () => {
  test('the normal machine has a local APIC for as many as a case has', async () => {
    const found = jsonReport(await vcpus.qtest(['--no-config', '--plugin', './apic.ts', '--json']));
    expect(found.cases.map(({ name, vcpus: count, status }) => [name, count, status])).toEqual([
      ['each-has-a-local-apic', 4, 'pass'],
      ['firmware-tells-of-them', 1, 'pass'],
    ]);
  });

  test('the machine says where each INTR comes from', async () => {
    const { stdout } = await vcpus.qtest(['machine', '--no-config', '--plugin', './apic.ts']);
    expect(stdout).toContain('\n  pic0.int → apic0.lint0[0]\n');
    expect(stdout).toContain('\n  apic0.intr[0-3] → INTR[0-3]\n');
    expect(stdout).toContain('\n  rtc0.irq → isa0.irq[8] → pic0.ir[8] and ioapic0.intin[8]\n');
  });
});
