import { readdirSync, mkdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test, vi } from 'vitest';

import { project } from './support/project.ts';
import { HAS_QEMU, NEEDS_QEMU, processesWith } from './support/qemu.ts';
import { failureText, jsonReport, resultOf, type Report } from './support/report.ts';
import { REPOSITORY, type Ended } from './support/run.ts';

/** Cases in which QEMU 7.2 differs from the data sheet, and how. */
const pc = project('emulators', {
  'qtest.config.ts': `export default { plugins: ['./qemu.ts'], backend: 'qemu' };\n`,
});
// QEMU's options are separated by commas.
const tmp = join(pc.path, 'tmp, with a comma');
mkdirSync(tmp);
const env = { TMPDIR: tmp };

/** What a QEMU of ours could leave behind: its folder, and itself, whose command line has named that folder. */
const leftBehind = (): string[] => [
  ...readdirSync(tmp).filter((name) => name.startsWith('qtest-qemu-')),
  ...processesWith(join(tmp, 'qtest-qemu-')),
];

const expectNothingLeft = (): void => expect(leftBehind()).toEqual([]);

describe.skipIf(!HAS_QEMU)(`on a real QEMU (${NEEDS_QEMU})`, () => {
  describe('a plugin of every kind of case', () => {
    let report: Report;
    let text: Ended;

    beforeAll(async () => {
      const select = ['-t', '!ends/*'];
      report = jsonReport(await pc.qtest(['--json', '--jobs', '2', ...select], { env, timeout: 120_000 }));
      text = await pc.qtest(['-t', 'fails/*', '-t', 'skips/*'], { env, timeout: 120_000 });
    }, 240_000);

    test('what QEMU can do passes', () => {
      const passed = report.cases.filter(({ name }) => !/^(?:skips|fails)\//.test(name));
      expect(passed.length).toBeGreaterThan(8);
      expect(passed.filter(({ status }) => status !== 'pass')).toEqual([]);
    });

    test.each([
      ['device', `QEMU cannot offer 'testdev0' (isa-testdev): it knows no such device`],
      ['port', `QEMU cannot offer 'testdev0' (isa-testdev): it knows no such device`],
      ['line', `QEMU tells of the ISA bus's IRQs, and not of the line pci0.irq[1]`],
      ['vector', `qtest has no interrupt acknowledge cycle: over it, QEMU gives no vector`],
      ['snapshot', 'QEMU saves its state to a disk image, which its machine has not'],
      ['vcpus', 'QEMU takes the requests of one VCPU over qtest'],
    ])('what it cannot is skipped with the reason: %s', (name, reason) => {
      const { status, reason: found } = resultOf(report, `skips/${name}`);
      expect(status).toBe('skip');
      expect(found).toContain(reason);
    });

    test('a clock that this build lacks is a reason as well', () => {
      // An upstream build has the accelerator.
      const { status, reason = '' } = resultOf(report, 'skips/virtual');
      expect([status, reason.replace(/QEMU \S+/, 'QEMU')]).toEqual([
        'skip',
        `needs the virtual clock, and this QEMU has no accelerator 'qtest'`,
      ]);
    });

    test('a failure shows what QEMU was asked, and what it answered', () => {
      expect(failureText(text, 'pc', 'fails/plainly').text).toMatch(/last accesses\n +inb 0x71 → 0x/);
      expect(failureText(text, 'pc', 'fails/plainly').rerun).toContain('-t fails/plainly');
    });

    test('a known difference is no failure', () => {
      const known = resultOf(report, 'fails/as-expected');
      expect(known).toMatchObject({ status: 'known', reason: expect.stringContaining('reads as 0') });
      expect(known.failures[0]?.message).toContain('expected 0xffffffff');
      expect(report.summary.known).toBe(1);
      expect(text.stdout).toMatch(/≠ as-expected {2}realtime, known to differ, memory where nothing is reads as 0/);
      expect(text.stdout).toMatch(/, 1 known to differ, \d+ skipped of \d+ cases/);
    });

    test('one that has gone is a failure', () => {
      const { status, failures } = resultOf(report, 'fails/no-more');
      expect(status).toBe('fail');
      expect(failures.map(({ code, message }) => [code, message])).toEqual([
        [
          'EXPECT',
          `it passes, although its 'expect' says that on qemu it fails: it used to differ. Take 'qemu' out of 'expect'`,
        ],
      ]);
    });

    test('a QEMU that aborts fails the case, with its last words; the next case has another QEMU', () => {
      expect(failureText(text, 'pc', 'fails/aborting-qemu').text).toMatch(
        /QEMU has closed its qtest pipe.*\n +command line: qemu-system-x86_64 .*-device edu.*\n +it died of SIGABRT\n +standard error: qemu: hardware error: EDU: DMA range/,
      );
      expect(resultOf(report, 'fails/aborting-qemu').status).toBe('fail');
    });

    test('nothing is left behind', expectNothingLeft);
  });

  describe('whatever ends the case, QEMU ends', () => {
    test.each([
      ['an endless loop', 'ends/loop', 'timeout'],
      ['a wait on QEMU', 'ends/wait', 'timeout'],
      ['the end of the thread', 'ends/exit', 'crash'],
    ])('%s', async (_what, name, status) => {
      const report = jsonReport(await pc.qtest(['--json', '--timeout', '1s', '-t', name], { env }));
      expect(resultOf(report, name).status).toBe(status);
      expectNothingLeft();
    });

    test('Ctrl-C', async () => {
      const mark = join(pc.path, 'interrupted');
      const running = pc.start(['-t', 'ends/wait'], { env: { ...env, MARK: mark } });
      await vi.waitUntil(() => existsSync(mark), { timeout: 20_000, interval: 10 });
      expect(processesWith('qemu-system-x86_64').filter((line) => line.includes(tmp))).not.toEqual([]);
      running.signal('SIGINT');
      const { code, stdout } = await running.ended;
      expect(stdout).toMatch(/↓ wait {2}realtime, interrupted\n/);
      expect(code).toBe(130);
      expectNothingLeft();
    });

    test('SIGKILL of the host', async () => {
      const { code } = await pc.qtest(['-t', 'ends/host'], { env });
      expect(code).toBeUndefined();
      // The guard hears of it from its pipe.
      await vi.waitUntil(() => leftBehind().length === 0, { timeout: 10_000, interval: 10 });
    });
  });

  // As `expect` of the cases will say, with the sources.
  describe('the packages pass, are skipped with a reason, or differ as they say', () => {
    test.each(['qtest-rtc', 'qtest-pci', 'qtest-pc'])('%s', { timeout: 400_000 }, async (name) => {
      const select = ['--plugin', join(REPOSITORY, 'plugins', name), '-t', '!drift/realtime/*'];
      const report = jsonReport(await pc.qtest(['--json', '--backend', 'qemu', ...select], { env, timeout: 300_000 }));
      const failed = report.cases.filter(({ status }) => !['pass', 'skip', 'known'].includes(status));
      expect(failed.map((result) => result.name)).toEqual([]);
      expect(report.summary.known).toBeGreaterThan(5);
      expect(report.summary.pass).toBeGreaterThan(40);
      expect(report.cases.filter(({ status, reason }) => status === 'skip' && (reason ?? '') === '')).toEqual([]);
      expectNothingLeft();
    });
  });
});
