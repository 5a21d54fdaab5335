import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import pcPackage from '../plugins/qtest-pc/src/index.ts';
import pciPackage from '../plugins/qtest-pci/src/index.ts';
import rtcPackage from '../plugins/qtest-rtc/src/index.ts';
import { project } from './support/project.ts';
import { REPOSITORY, type Ended } from './support/run.ts';

const app = project('compat', { 'README.md': '# clock\n\n<!-- qtest compat -->\n<!-- /qtest compat -->\n\nEnd.\n' });
const compat = (...args: string[]): Promise<Ended> => app.qtest(['compat', '--plugin', './clock.ts', ...args]);
const both = ['--backend', 'native,v86'];

/** What `qtest compat --json` promises. */
interface Report {
  readonly version: number;
  readonly interrupted: boolean;
  readonly backends: readonly { readonly name: string; readonly version?: string }[];
  readonly cases: readonly {
    readonly plugin: string;
    readonly name: string;
    readonly cells: Readonly<
      Record<string, { readonly status: string; readonly reason?: string; readonly attempts: number }>
    >;
    readonly differences: readonly {
      readonly reference: string;
      readonly other: string;
      readonly same: number;
      readonly before: readonly string[];
      readonly onReference?: string;
      readonly onOther?: string;
    }[];
  }[];
  readonly warnings: readonly string[];
}

describe('a plugin on two backends', () => {
  let text: Ended;
  let report: Report;

  beforeAll(async () => {
    text = await compat(...both);
    report = JSON.parse((await compat(...both, '--json')).stdout);
  }, 60_000);

  test('is a matrix', () => {
    const [head = '', ...rows] = text.stdout.trim().split('\n\n')[0]?.split('\n') ?? [];
    expect(head).toMatch(/^clock +native {2}v86 0\.5\.\d+$/);
    expect(rows.map((row) => row.trim().split(/ +/))).toEqual([
      ['alike/registers', '✓', '✓'],
      ['alike/virtual', '✓', '–'],
      ['differs/ram', '✓', '≠'],
      ['differs/flag', '✓', '≠'],
      ['differs/unexpectedly', '✓', '✗'],
    ]);
  });

  test('each difference is shown by the first access that was answered differently, decoded', () => {
    expect(text.stdout).toContain(`
  clock › differs/ram
    ≠ v86: CMOS RAM cannot be written; src/rtc.js, cmos_port_write
        RAM keeps its value: expected 0x5a (90), got 0
        outb 0x70 ← 0x40         rtc0 index RAM_40
        outb 0x71 ← 0x5a         rtc0.RAM_40
        outb 0x70 ← 0x40         rtc0 index RAM_40
        native  inb 0x71 → 0x5a          rtc0.RAM_40
        v86     inb 0x71 → 0x00          rtc0.RAM_40
`);
    expect(text.stdout).toMatch(
      / {4}✗ v86: the month keeps its value: expected 5, got 1\n(?: {8}.+\n)* {8}native {2}inb 0x71 → 0x05 +rtc0\.MONTH\n/,
    );
  });

  test('how often a poll looks is no difference', () => {
    const [flag] = report.cases.filter(({ name }) => name === 'differs/flag');
    expect(flag?.differences).toMatchObject([
      {
        reference: 'native',
        other: 'v86',
        onReference: expect.stringContaining('rtc0.C'),
        onOther: expect.stringMatching(/→ 0x[04]0 +rtc0\.C/),
      },
    ]);
    // The first acknowledge, and a look.
    expect(flag?.differences[0]?.same).toBeLessThan(6);
  });

  test('what is skipped is counted by its reason', () => {
    expect(text.stdout).toMatch(
      /skipped on v86 0\.5\.\d+\n +1 {2}needs the virtual clock, and v86's devices read the wall clock\n/,
    );
  });

  test('a case that fails in real time is tried again, and a difference that nobody knew of makes the command fail', () => {
    const [unexpected] = report.cases.filter(({ name }) => name === 'differs/unexpectedly');
    expect(unexpected?.cells['v86']).toMatchObject({ status: 'fail', attempts: 3 });
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(
      /\nnative: 5 passed, 0 known to differ, 0 skipped\nv86 \S+: 1 passed, 1 failed, 2 known to differ, 1 skipped\n$/,
    );
  });

  test('--json has it all', () => {
    expect(report).toMatchObject({ version: 1, interrupted: false, warnings: [] });
    expect(report.backends).toEqual([{ name: 'native' }, { name: 'v86', version: expect.stringMatching(/^0\.5\./) }]);
    expect(report.cases.map(({ plugin, name, cells }) => [plugin, name, cells['v86']?.status])).toContainEqual([
      'clock',
      'differs/ram',
      'known',
    ]);
  });
});

test('nothing unexpected: exit code 0; the matrix goes into a README, and is there once', async () => {
  const select = ['-t', '!differs/unexpectedly', ...both];
  const written = await compat(...select, '--into', 'README.md', '--markdown');
  expect(written).toMatchObject({ code: 0, stderr: '' });
  const readme = readFileSync(join(app.path, 'README.md'), 'utf8');
  expect(readme).toContain('| differs/ram | ✓ | ≠ |\n');
  expect(readme).toContain('- differs/ram, v86: CMOS RAM cannot be written; src/rtc.js, cmos\\_port\\_write\n');
  expect(readme).toContain(written.stdout.trim());
  expect((await compat(...select, '--into', 'README.md')).code).toBe(0);
  expect(readFileSync(join(app.path, 'README.md'), 'utf8')).toBe(readme);
});

test('without names, a backend that cannot be used is left out, and said to be', async () => {
  const { stdout, stderr, code } = await compat('--qemu', './no-such-qemu', '-t', 'alike/registers');
  expect(stdout).toMatch(/^\nclock +native {2}v86 \S+\n/);
  expect(stderr).toMatch(/^qtest: warning: the backend qemu is left out: .*no-such-qemu/);
  expect(code).toBe(0);
});

test.each([
  [['--backend', 'native,qemu', '--qemu', './no-such-qemu'], /no-such-qemu: there is no such command/],
  [
    ['--backend', 'native,bochs'],
    /there is no backend 'bochs'; there are native, qemu, v86\..*npm install --save-dev @qtest\/backend-bochs/s,
  ],
  [['--backend', ''], /There is no backend ''/],
  [['--into', 'no-such-file'], /--into .*no-such-file: ENOENT/],
  [['--into', 'clock.ts'], /--into .*clock\.ts: it has no lines '<!-- qtest compat -->'/],
  [['--into', 'README.md', '--plugin', './other.ts'], /a README has the matrix of one plugin, and there are 2/],
])('%j is refused', async (args, message) => {
  app.write({
    'other.ts': `import plugin from './clock.ts';\n\nexport default { ...plugin, name: 'other', [Symbol.for('@qtest/plugin')]: true };\n`,
  });
  const { code, stderr } = await compat(...args);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});

test('several backends are for compat alone', async () => {
  const { code, stderr } = await app.qtest(['--plugin', './clock.ts', ...both]);
  expect(stderr).toContain(`--backend native,v86: 'run' runs on one; several are for 'qtest compat'`);
  expect(code).toBe(2);
});

/** What a README says of a package's cases on other emulators. */
function matrixIn(readme: string): {
  readonly backends: readonly string[];
  readonly marks: ReadonlyMap<string, readonly string[]>;
  readonly differences: readonly string[];
} {
  const [, matrix = ''] = /<!-- qtest compat -->([^]*)<!-- \/qtest compat -->/.exec(readme) ?? [];
  const rows = [...matrix.matchAll(/^\| (\S+) \|(.*)\|$/gm)].map(
    ([, name = '', cells = '']) => [name, cells.split('|').map((cell) => cell.trim())] as const,
  );
  const [[, backends] = ['', []], ...cases] = rows;
  return {
    backends,
    marks: new Map(cases),
    differences: [...matrix.matchAll(/^- (\S+), (qemu|v86): (.*)$/gm)].map(
      ([, name = '', backend = '', reason = '']) => `${name} on ${backend}: ${reason.replace(/\\(.)/g, '$1')}`,
    ),
  };
}

// Not by running it again, in which a busy host would have a say: by what the package says of its cases.
test.each([
  ['qtest-rtc', rtcPackage],
  ['qtest-pci', pciPackage],
  ['qtest-pc', pcPackage],
])('the README of %s has a matrix of all its cases, and the differences that these know of', (name, { run = {} }) => {
  const { backends, marks, differences } = matrixIn(
    readFileSync(join(REPOSITORY, 'plugins', name, 'README.md'), 'utf8'),
  );
  const cases = Object.entries(run);
  expect(backends).toEqual(['native', 'qemu', 'v86']);
  expect([...marks.keys()]).toEqual(cases.map(([item]) => item));
  const known = cases.flatMap(([item, spec]) => {
    const expected: Readonly<Record<string, string>> = 'expect' in spec ? (spec.expect ?? {}) : {};
    return Object.entries(expected).map(([backend, reason]) => ({ item, backend, reason }));
  });
  expect(known.length).toBeGreaterThan(10);
  const markOf = (item: string, backend: string): string =>
    `${item} on ${backend}: ${marks.get(item)?.[backends.indexOf(backend)]}`;
  // On a host that is too busy to tell, a case may skip itself.
  expect(known.map(({ item, backend }) => markOf(item, backend)).filter((mark) => !/: [≠–]$/.test(mark))).toEqual([]);
  const shown = known.filter(({ item, backend }) => markOf(item, backend).endsWith('≠'));
  expect(differences.toSorted()).toEqual(
    shown.map(({ item, backend, reason }) => `${item} on ${backend}: ${reason}`).toSorted(),
  );
  const all = cases.flatMap(([item]) => backends.map((backend) => markOf(item, backend)));
  expect(all.filter((mark) => !/: [✓≠–]$/.test(mark))).toEqual([]);
  expect(all.filter((mark) => mark.endsWith(' on native: ≠'))).toEqual([]);
});
