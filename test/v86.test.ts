import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf, type Report } from './support/report.ts';
import { REPOSITORY, type Ended } from './support/run.ts';

const pc = project('emulators', {
  'qtest.config.ts': `export default { plugins: ['./v86.ts'], backend: 'v86' };\n`,
});

describe('a plugin of every kind of case', () => {
  let report: Report;
  let text: Ended;

  beforeAll(async () => {
    report = jsonReport(await pc.qtest(['--json', '--jobs', '2', '-t', '!ends/*'], { timeout: 120_000 }));
    text = await pc.qtest(['-t', 'fails/*'], { timeout: 60_000 });
  }, 180_000);

  test('what v86 can do passes', () => {
    const passed = report.cases.filter(({ name }) => !/^(?:skips|fails)\//.test(name));
    expect(passed.length).toBeGreaterThan(9);
    expect(passed.filter(({ status }) => status !== 'pass')).toEqual([]);
  });

  test.each([
    ['device', `v86 cannot offer 'testdev0' (isa-testdev): it has no such device`],
    ['port', `v86 cannot offer 'testdev0' (isa-testdev): it has no such device`],
    ['function', `v86 cannot offer 'edu0' (edu): it has no such device`],
    ['line', `v86 tells of the ISA bus's IRQs, and not of the line pci0.irq[1]`],
    ['address', 'v86 has 32 bits of address'],
    ['keyboard', `v86's keyboard is given codes of set 1`],
    ['snapshot', `v86's snapshots keep the wall clock's time`],
    ['cold', 'v86 has no power-on reset but a new emulator'],
    ['virtual', `needs the virtual clock, and v86's devices read the wall clock`],
    ['vcpus', `v86 has one CPU, and takes one VCPU's requests`],
  ])('what it cannot is skipped with the reason: %s', (name, reason) => {
    const { status, reason: found } = resultOf(report, `skips/${name}`);
    expect([status, found]).toEqual(['skip', expect.stringContaining(reason)]);
  });

  test('a failure shows what v86 was asked, and what it answered', () => {
    const { text: shown, rerun } = failureText(text, 'pc', 'fails/plainly');
    expect(shown).toMatch(/last accesses\n +inb 0x71 → 0x/);
    expect(rerun).toContain('-t fails/plainly');
  });

  test('a time to the next deadline is not known', () => {
    expect(failureText(text, 'pc', 'fails/step').text).toContain('which v86 does not tell in real time');
  });

  test('a v86 that throws fails the case, with its words; the next case has another one', () => {
    const { text: shown } = failureText(text, 'pc', 'fails/throwing-v86');
    expect(shown).toMatch(/v86 threw: TypeError: /);
    expect(shown).toMatch(/outb 0xcfc ← 0x55/);
  });

  test('a known difference is no failure, and one that has gone is', () => {
    expect(resultOf(report, 'fails/as-expected')).toMatchObject({
      status: 'known',
      reason: 'CMOS RAM cannot be written; src/rtc.js, cmos_port_write',
    });
    expect(resultOf(report, 'fails/no-more').failures[0]?.code).toBe('EXPECT');
  });
});

describe('whatever ends the case, the next one has a v86', () => {
  test.each([
    ['an endless loop', 'ends/loop', 'timeout'],
    ['a wait for an IRQ', 'ends/wait', 'timeout'],
    ['the end of the thread', 'ends/exit', 'crash'],
  ])('%s', async (_what, name, status) => {
    const report = jsonReport(await pc.qtest(['--json', '--timeout', '1s', '-t', name, '-t', 'later/*']));
    expect(resultOf(report, name).status).toBe(status);
    expect(resultOf(report, 'later/again').status).toBe('pass');
  });

  test('Ctrl-C', async () => {
    const mark = join(pc.path, 'interrupted');
    const running = pc.start(['-t', 'ends/wait'], { env: { MARK: mark } });
    await vi.waitUntil(() => existsSync(mark), { timeout: 20_000, interval: 10 });
    running.signal('SIGINT');
    const { code, stdout } = await running.ended;
    expect(stdout).toMatch(/↓ wait {2}realtime, interrupted\n/);
    expect(code).toBe(130);
  });
});

test('an unknown backend is refused, on the command line and in a config', async () => {
  const { code, stderr } = await pc.qtest(['--backend', 'v68']);
  expect(stderr).toContain(`there is no backend 'v68'; there are native, qemu, v86. Did you mean 'v86'?`);
  expect(code).toBe(2);
  pc.write({ 'bad.config.ts': `export default { plugins: ['./v86.ts'], backend: 'bochs' };\n` });
  const inConfig = await pc.qtest(['--config', 'bad.config.ts']);
  expect(inConfig.stderr).toContain(`there is no backend 'bochs'; there are native, qemu, v86. Tried these packages`);
  expect(inConfig.code).toBe(2);
});

describe('the packages pass, are skipped with a reason, or differ as they say', () => {
  test.each([
    ['qtest-rtc', 10, 30],
    ['qtest-pci', 20, 25],
    ['qtest-pc', 15, 15],
  ])('%s', { timeout: 400_000 }, async (name, passing, differing) => {
    const select = ['--plugin', join(REPOSITORY, 'plugins', name), '-t', '!drift/realtime/*'];
    const report = jsonReport(await pc.qtest(['--json', '--jobs', '2', ...select], { timeout: 300_000 }));
    const failed = report.cases.filter(({ status }) => !['pass', 'skip', 'known'].includes(status));
    expect(failed.map((result) => result.name)).toEqual([]);
    expect(report.summary.known).toBeGreaterThan(differing);
    expect(report.summary.pass).toBeGreaterThan(passing);
    expect(report.cases.filter(({ status, reason }) => status === 'skip' && (reason ?? '') === '')).toEqual([]);
  });
});
