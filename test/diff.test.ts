import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { HAS_QEMU, NEEDS_QEMU, processesWith } from './support/qemu.ts';
import { jsonReport, statuses } from './support/report.ts';
import type { Ended } from './support/run.ts';

interface DiffDifference {
  readonly accesses: readonly { readonly access: string; readonly reaches: string }[];
  readonly answers: readonly number[];
  readonly decoded: readonly string[];
  readonly requests: readonly string[];
  readonly script: string | null;
  readonly case: string;
}

interface DiffReport {
  readonly backends: readonly string[];
  readonly counts: { readonly accesses: number; readonly answers: number };
  readonly devices: readonly string[];
  readonly difference: DiffDifference | null;
}

/** A device in the place of QEMU's RTC: a reset clears its cell 0x40, and its cell 0x41 is the level of IRQ 8. */
const FORGETFUL = `
import { bytes, defineDevice, definePlugin, register } from '@qtest/sdk';

const registers = ['INDEX', 'DATA'].map((name, offset) => register(name, { offset }));
const cells = [register('KEPT', { offset: 0x40 }), register('LEVEL', { offset: 0x41 })];

const forgetful = defineDevice(
  {
    type: 'forgetful',
    description: 'the RAM of an RTC, with faults',
    bus: 'isa',
    state: { index: 'u8', cells: bytes(128) },
    outputs: { irq: {} },
    regions: () => ({ ports: { space: 'io', base: 0x70, size: 2 } }),
    registers: { ports: { registers, indexed: { index: 0, data: 1, mask: 0x7f, registers: cells } } },
  },
  {
    reset: ({ state }) => state.cells.set(0x40, 0),
    updateIrq: ({ state, out }) => out.irq.set(state.cells.get(0x41) !== 0),
    regions: {
      ports: {
        read: ({ state }, offset) => (offset === 0 ? 0xff : state.cells.get(state.index)),
        write({ state, out }, offset, value) {
          if (offset === 0) state.index = value & 0x7f;
          else if (state.index === 0x40 || state.index === 0x41) state.cells.set(state.index, value);
          out.irq.set(state.cells.get(0x41) !== 0);
        },
      },
    },
  },
);

export default definePlugin({
  name: 'forgetful',
  description: 'has faults',
  devices: [forgetful],
  init(machine) {
    const isa = machine.add('isa-bus');
    const device = machine.add(forgetful, { bus: isa });
    machine.connect(machine.output(device, 'irq'), machine.line(isa, 9));
    machine.qemu({ args: [], provides: [device] });
  },
  run: {
    nothing() {},
    // CASE
  },
});
`;

function diffReport({ stdout }: Ended): DiffReport {
  const report: DiffReport = JSON.parse(stdout);
  return report;
}

/** A device in the place of QEMU's RTC, whose cell 0x40 loses bit 3 once 0x41 holds bits 5 and 0. */
const BROKEN = `
import { bytes, defineDevice, definePlugin, register } from '@qtest/sdk';

const INDEX = register('INDEX', { offset: 0, access: 'wo' });
const DATA = register('DATA', { offset: 1 });
const CELL = register('CELL', { offset: 0x40 });
const TRIGGER = register('TRIGGER', { offset: 0x41 });

const cells = defineDevice(
  {
    type: 'cells',
    description: 'the RAM of an RTC, with a fault',
    state: { index: 'u8', cells: bytes(128) },
    regions: () => ({ ports: { space: 'io', base: 0x70, size: 2 } }),
    registers: {
      ports: { registers: [INDEX, DATA], indexed: { index: 0, data: 1, mask: 0x7f, registers: [CELL, TRIGGER] } },
    },
  },
  {
    regions: {
      ports: {
        read({ state }, offset) {
          if (offset === 0) return 0xff;
          const faulty = state.index === 0x40 && (state.cells.get(0x41) & 0x21) === 0x21;
          return state.cells.get(state.index) & (faulty ? 0xf7 : 0xff);
        },
        write({ state }, offset, value) {
          if (offset === 0) state.index = value & 0x7f;
          // The rest of the RTC is not there.
          else if (state.index === 0x40 || state.index === 0x41) state.cells.set(state.index, value);
        },
      },
    },
  },
);

export default definePlugin({
  name: 'broken',
  description: 'has a fault',
  devices: [cells],
  init(machine) {
    const rtc = machine.add(cells);
    machine.qemu({ args: [], provides: [rtc] });
  },
  run: {
    nothing() {},
    // CASE
  },
});
`;

describe('two machines of the host', () => {
  const { qtest } = project();

  test('that are the same', async () => {
    const ended = await qtest(['diff', '--backend', 'native', '--count', '20000', '--json']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const report = diffReport(ended);
    expect(report.difference).toBeNull();
    expect(report.counts.accesses).toBeGreaterThan(19_000);
    expect(report.devices).toContain('rtc0');
  });

  test('that differ in a property, down to the accesses that show it', async () => {
    const args = ['diff', '--device', 'mc146818rtc', '--set', 'rtc0.periodicFlag=always', '--seed', '3'];
    const report = diffReport(await qtest([...args, '--json']));
    const { accesses = [], script, decoded } = report.difference ?? {};
    expect(script).toBeNull();
    const shown = accesses.map(({ access, reaches }) => `${access}  ${reaches}`);
    expect(shown.length).toBeLessThanOrEqual(5);
    expect(shown.some((line) => line.startsWith('clock +'))).toBe(true);
    expect(shown.at(-1)).toBe('inb 0x71  rtc0.C');
    const [ours = '', theirs = ''] = decoded ?? [];
    expect(ours).toMatch(/\{PF/);
    expect(theirs).not.toContain('PF');
    const text = await qtest(args);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain(`    native      ${ours}\n    native (2)  ${theirs}\n`);
    expect(text.stdout).toContain('again: npx qtest diff --device mc146818rtc --set rtc0.periodicFlag=always --seed 3');
  });

  test('and that difference is known', async () => {
    const set = [
      '--set',
      'rtc0.periodicFlag=always',
      '--ignore',
      'rtc0/C/PF',
      '--ignore',
      'C/IRQF',
      '--ignore',
      'IRQ8',
    ];
    const ended = await qtest(['diff', '--device', 'rtc0', ...set, '--count', '50000']);
    expect(ended.stdout).toMatch(/No difference\.\n.* with a known difference/);
    expect(ended.code).toBe(0);
  });
});

describe.skipIf(!HAS_QEMU)(`QEMU (${NEEDS_QEMU})`, () => {
  const broken = project(undefined, { 'broken.ts': BROKEN });
  const args = [
    'diff',
    '--backend',
    'native,qemu',
    '--plugin',
    './broken.ts',
    '--ignore',
    'INDEX',
    '--ignore',
    'DATA',
    '--seed',
    '3',
  ];

  test('a faulty device is found, the sequence is minimal, and the script and the case show it', async () => {
    const ended = await broken.qtest([...args, '--json']);
    expect(ended.code).toBe(1);
    const { difference } = diffReport(ended);
    if (difference === null) throw new Error('nothing was found');
    expect(difference.requests).toEqual([
      'outb 0x70 0x41',
      'outb 0x71 0x21',
      'outb 0x70 0x40',
      'outb 0x71 0x8',
      'inb 0x71',
    ]);
    expect(difference.answers).toEqual([0x00, 0x08]);
    expect(difference.accesses.map(({ reaches }) => reaches)).toEqual([
      'cells0 index TRIGGER',
      'cells0.TRIGGER',
      'cells0 index CELL',
      'cells0.CELL',
      'cells0.CELL',
    ]);

    const replayed = spawnSync('/bin/sh', ['-c', difference.script ?? ''], { cwd: broken.path, encoding: 'utf8' });
    const lines = replayed.stdout.split('\n').filter((line) => line !== '');
    expect(lines).toEqual([...Array<string>(4).fill('OK'), 'OK 0x0008']);

    broken.write({ 'case.ts': BROKEN.replace('// CASE', difference.case).replace("name: 'broken'", "name: 'case'") });
    const run = async (backend: string): Promise<readonly string[]> =>
      statuses(
        jsonReport(await broken.qtest(['--plugin', './case.ts', '-t', 'diff/*', '--backend', backend, '--json'])),
      );
    expect(await run('native')).toEqual(['case diff/seed-3: pass']);
    expect(await run('qemu')).toEqual(['case diff/seed-3: fail']);
    expect(processesWith(broken.path)).toEqual([]);
  });

  describe('a device that is otherwise', () => {
    const forgetful = project(undefined, { 'forgetful.ts': FORGETFUL });
    const found = async (...ignore: string[]): Promise<DiffDifference> => {
      const ignored = ['INDEX', 'DATA', ...ignore].flatMap((name) => ['--ignore', name]);
      const ended = await forgetful.qtest([
        'diff',
        '--backend',
        'qemu',
        '--plugin',
        './forgetful.ts',
        ...ignored,
        '--json',
      ]);
      const { difference } = diffReport(ended);
      if (difference === null) throw new Error(`nothing was found: ${ended.stdout}`);
      return difference;
    };
    const outcome = async (text: string): Promise<readonly string[]> => {
      forgetful.write({
        'case.ts': FORGETFUL.replace('// CASE', text).replace("name: 'forgetful'", "name: 'case'"),
      });
      const run = async (backend: string): Promise<readonly string[]> =>
        statuses(
          jsonReport(await forgetful.qtest(['--plugin', './case.ts', '-t', 'diff/*', '--backend', backend, '--json'])),
        );
      return [...(await run('native')), ...(await run('qemu'))];
    };
    /** But for the timer's interrupts. */
    const answersOf = (script: string | null): readonly string[] =>
      spawnSync('/bin/sh', ['-c', script ?? ''], { cwd: forgetful.path, encoding: 'utf8' })
        .stdout.split('\n')
        .filter((line) => line !== '' && !/^IRQ \w+ 0$/.test(line));

    test('after a reset', async () => {
      const { accesses, answers, script, case: text } = await found('IRQ9', 'LEVEL');
      expect(accesses.map(({ access }) => access)).toEqual([
        'outb 0x70 ← 0x40',
        expect.stringMatching(/^outb 0x71 ← 0x/),
        'machine reset',
        'inb 0x71',
      ]);
      expect(answers[0]).toBe(0);
      expect(answersOf(script)).toEqual(['OK', 'OK', `OK 0x${answers[1]?.toString(16).padStart(4, '0')}`]);
      expect(await outcome(text)).toEqual(['case diff/seed-1: pass', 'case diff/seed-1: fail']);
    });

    test('by the level of its IRQ', async () => {
      const { accesses, answers, decoded, script, case: text } = await found('KEPT', 'LEVEL/0xfe');
      expect(accesses.map(({ access }) => access)).toEqual([
        'outb 0x70 ← 0x41',
        expect.stringMatching(/^outb 0x71 ← 0x/),
        'IRQ 9',
      ]);
      expect(answers).toEqual([0x0200, 0]);
      expect(decoded).toEqual(['high', 'low']);
      expect(answersOf(script)).toEqual(['OK', 'OK', 'OK']);
      expect(await outcome(text)).toEqual(['case diff/seed-1: pass', 'case diff/seed-1: fail']);
    });
  });

  test('a device in which there is none', async () => {
    const ended = await broken.qtest(['diff', '--backend', 'qemu', '--device', 'ib700', '--count', '3000', '--json']);
    expect(ended.code).toBe(0);
    const { counts, devices } = diffReport(ended);
    expect(devices).toEqual(['watchdog0']);
    expect(counts.answers).toBeGreaterThan(1000);
  });

  test('a QEMU that dies of the accesses', async () => {
    // hw/isa/isa-bus.c: isa_get_irq() asserts.
    const ended = await broken.qtest(['diff', '--backend', 'qemu', '--device', 'pc-testdev', '--count', '3000']);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/native +goes on\n +qemu +QEMU has closed its qtest pipe/);
    expect(ended.stdout).toContain('it died of SIGABRT');
    expect(ended.stdout).toMatch(/A difference, in 1 access of/);
  });
});

describe('v86', () => {
  const { qtest } = project();

  test('a difference is found, and the case shows it', async () => {
    const args = ['diff', '--backend', 'v86', '--device', 'i8259', '--count', '2000'];
    const ended = await qtest([...args, '--json']);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
    const { backends, difference } = diffReport(ended);
    expect(backends).toEqual(['native', 'v86']);
    // src/rust/cpu/pic.rs: its masks are not 0 at power-on.
    expect(difference?.accesses.at(-1)?.reaches).toMatch(/^pic\d\./);
    expect(difference?.accesses.length).toBeLessThanOrEqual(3);
    expect(difference?.script).toBeNull();
    expect(difference?.case).toContain('v86 answers');
  });

  test('what it does not have', async () => {
    const apic = await qtest(['diff', '--backend', 'v86', '--device', 'edu']);
    expect(apic).toMatchObject({ code: 2, stdout: '' });
    expect(apic.stderr).toContain("--device 'edu': v86 cannot offer 'edu0' (edu)");
    const clock = await qtest(['diff', '--backend', 'native,v86', '--clock', 'virtual']);
    expect(clock).toMatchObject({ code: 2, stdout: '' });
    expect(clock.stderr).toContain("--clock virtual: needs the virtual clock, and v86's devices read the wall clock");
  });
});

describe('what cannot be done', () => {
  const { qtest } = project(undefined, { 'broken.ts': BROKEN });

  test.each([
    {
      args: ['--backend', 'qemu,native'],
      says: /--backend qemu,native: 'diff' compares a machine of the host with another one/,
    },
    { args: ['--backend', 'native,bochs'], says: /there is no backend 'bochs'; there are native, qemu, v86/ },
    { args: ['--backend', 'native,qemu,v86'], says: /--backend native,qemu,v86: 'diff' compares/ },
    { args: ['--backend', 'qemu', '--qemu', './none'], says: /none: there is no such command/ },
    {
      args: ['--device', 'mc146818'],
      says: /--device 'mc146818': the machine has no such device\. Did you mean 'mc146818rtc'/,
    },
    { args: ['--device', 'isa-bus', '--machine', 'isapc'], says: /nothing to access: isa0 has no ports/ },
    { args: ['--ignore', 'D/0x100'], says: /--ignore 'D\/0x100': D has the bits 0xff alone/ },
    {
      args: ['--ignore', 'D/VRTX'],
      says: /--ignore 'D\/VRTX': no device of the machine has it.* Did you mean 'D\/VRT'/,
    },
    { args: ['--set', 'rtc0'], says: /--set 'rtc0': expected DEVICE\.PROPERTY=VALUE/ },
    { args: ['--set', 'rtc.irq=8'], says: /--set 'rtc\.irq=8': the machine has no device 'rtc'\. Did you mean 'rtc0'/ },
    {
      args: ['--set', 'rtc0.irc=8'],
      says: /--set 'rtc0\.irc=8': mc146818rtc has no property 'irc'\. Did you mean 'irq'/,
    },
    { args: ['--set', 'rtc0.irq=x'], says: /--set: device 'rtc0' \(mc146818rtc\): property 'irq' is NaN; expected/ },
    { args: ['--count', '0'], says: /--count <n>.*Expected an integer from 1/ },
    { args: ['--seed', 'x'], says: /--seed <n>.*Expected an integer from 0/ },
    { args: ['--clock', 'realtime'], says: /two machines of the host run on the virtual clock/ },
    { args: ['--plugin', './broken.ts', '--machine', 'pc'], says: /--machine and --plugin both name the machine/ },
    { args: ['rtc0'], says: /'diff' takes no arguments/ },
  ])('$args', async ({ args, says }) => {
    const ended = await qtest(['diff', ...args]);
    expect(ended.stderr).toMatch(says);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
  });

  test.skipIf(!HAS_QEMU)(`a device or a clock that QEMU has not (${NEEDS_QEMU})`, async () => {
    const apic = await qtest(['diff', '--backend', 'qemu', '--device', 'apic']);
    expect(apic).toMatchObject({ code: 2, stdout: '' });
    expect(apic.stderr).toContain("--device 'apic': QEMU cannot offer 'apic0' (apic)");
  });
});
