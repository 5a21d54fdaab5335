import { beforeAll, describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, type Report } from './support/report.ts';
import type { Ended } from './support/run.ts';

/** What is wrong with the machine of a plugin of the fixture `machines`, as its cases' failures tell it, and the line that is shown. */
const CAUSES: Readonly<Record<string, readonly [message: string, shown?: string]>> = {
  throws: ['init(): no power', "throw new Error('no power');"],
  rejects: ['init(): no power any more', "Promise.reject(new Error('no power any more'));"],
  'throws-null': ['init(): null'],
  'port-overlap': [
    "device 'spare': region 'ports' at io 0x71-0x72 overlaps 'ports' of 'clock' at 0x70-0x71; move one",
    "machine.add('mc146818rtc', { id: 'spare', irq: 9, ioBase: 0x71 });",
  ],
  'memory-overlap': ['rom at 0xf000-0xffff overlaps ram at 0x0-0xffff', 'machine.rom(0xf000, new Uint8Array(0x1000));'],
  'irq-twice': [
    'IRQ line isa0.irq[8] is driven by clock.irq already; spare.irq needs another IRQ',
    "machine.add('mc146818rtc', { id: 'spare', ioBase: 0x170 });",
  ],
  'irq-beyond': ["device 'clock' (mc146818rtc): property 'irq' is 16; expected an integer from -1 to 15", 'irq: 16'],
  'unknown-device': ["unknown device type 'mc146818'. Did you mean 'mc146818rtc'?", "machine.add('mc146818');"],
  'unknown-property': [
    "device 'rtc0' (mc146818rtc): property 'iobase' is 368; expected one of the properties irq, ioBase,",
    'iobase: 0x170',
  ],
  'wrong-property': [
    "property 'calendar' is 'julian'; expected one of 'counter-chain', 'gregorian'",
    "calendar: 'julian'",
  ],
  'unlisted-device': ["device type 'lamp': its plugin does not list it in 'devices'", 'machine.add(lamp);'],
  'no-bus': ["device 'rtc0' (mc146818rtc) needs a bus of the kind 'isa': add one first", "machine.add('mc146818rtc');"],
  'slot-taken': [
    "device 'pcitest0': slot 2, function 0 of 'pci0' is taken by 'edu0'; give it another 'slot'",
    "machine.add('pci-testdev', { slot: 2 });",
  ],
  'slot-taken-behind': [
    "device 'pcitest0': slot 1, function 0 of 'bridge0' is taken by 'edu0'; give it another 'slot'",
    "machine.add('pci-testdev', { bus, slot: 1 });",
  ],
  'slot-beyond': [
    "device 'edu0' (edu): property 'slot' is 32; expected an integer from 0 to 31",
    "machine.add('edu', { slot: 32 });",
  ],
  'function-alone': ["device 'edu1' is function 1 of slot 6 of 'bridge0', which has no function 0"],
  'which-bus': [
    "device 'edu0' (edu): there are 2 buses of the kind 'pci'; say which with 'bus'",
    "machine.add('edu', { slot: 6 });",
  ],
  'line-beyond': ["device 'isa0' has no IRQ line 16; its lines are 0 to 15", 'machine.line(isa, 16)'],
  'load-beyond': [
    'load(0x1ff000, 8192 bytes): no single piece of RAM holds it; add it with ram() first',
    'machine.load(0x1f_f000, new Uint8Array(0x2000));',
  ],
  'power-on': ["device 'fuse0' threw at power-on: Error: blown", "throw new Error('blown');"],
};

const machines = project('machines');
let text: Ended;
let report: Report;

beforeAll(async () => {
  const [first, second] = await Promise.all([machines.qtest([]), machines.qtest(['--json', '--jobs', '3'])]);
  text = first;
  report = jsonReport(second);
});

describe("a machine that cannot be built: each of its plugin's cases fails, saying why and where", () => {
  test.each(Object.entries(CAUSES))('%s', (plugin, [message, shown]) => {
    for (const name of ['first', 'second']) {
      const failure = failureText(text, plugin, name).text;
      expect(failure).toContain(`plugin '${plugin}': `);
      expect(failure).toContain(message);
      if (shown !== undefined)
        expect(failure.split('\n').find((line) => /^ {4}> +\d+ \| /.test(line))).toContain(shown);
    }
    const results = report.cases.filter((result) => result.plugin === plugin);
    expect(results).toMatchObject([
      { name: 'first', status: 'fail', failures: [{ message: expect.stringContaining(message) }] },
      { name: 'second', status: 'fail', failures: [{ message: expect.stringContaining(message) }] },
    ]);
  });
});

test('the others run', () => {
  expect(report.cases.filter(({ plugin }) => plugin === 'sound')).toMatchObject([
    { status: 'pass' },
    { status: 'pass' },
  ]);
  const broken = Object.keys(CAUSES).length;
  expect(report.summary).toMatchObject({ pass: 2, fail: 2 * broken, skip: 0, timeout: 0, crash: 0 });
  expect(text.stdout).toContain(`\n2 passed, ${2 * broken} failed of ${2 * broken + 2} cases in `);
  expect(text.code).toBe(1);
});

test("'qtest machine' says it too", async () => {
  const { code, stdout, stderr } = await machines.qtest(['machine', '--plugin', './port-overlap.ts']);
  expect(stderr).toContain(`qtest: plugin 'port-overlap': init(): ${CAUSES['port-overlap']?.[0]}`);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test('a device that cannot be defined: its plugin is not loaded', async () => {
  const { code, stdout, stderr } = await machines.qtest(['--no-config', '--plugin', './bar-size.ts']);
  expect(stderr).toContain(
    "device type 'card': BAR 'mmio' has the size 3000; expected a power of two from 16 to 2147483648",
  );
  expect(stderr).toMatch(/bar-size\.ts:\d+/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

describe('what a guest does wrong with PCI: it has what hardware does, and a user is told', () => {
  const errors: Readonly<Record<string, string | undefined>> = {
    'dma-out-of-ram': 'read of 4 bytes at 0x800000: no device answers',
    'dma-through-a-bridge': "edu1: DMA of 4 bytes at 0x2000: 'bridge0' does not forward it",
    'irq-that-is-reserved': 'isa0: PIRQRCB: IRQ 13 is reserved',
    // Software may, and RAM comes first.
    'bar-on-ram': undefined,
  };

  test('the cases go on', async () => {
    const lenient = jsonReport(await machines.qtest(['--no-config', '--plugin', './at-run-time.ts', '--json']));
    expect(lenient.cases.map(({ name, status }) => [name, status])).toEqual(
      Object.keys(errors).map((name) => [name, 'pass']),
    );
  });

  test('and fail where the config says so', async () => {
    const strict = await machines.qtest(['--config', 'strict.config.ts']);
    for (const [name, message] of Object.entries(errors)) {
      if (message === undefined) expect(strict.stdout).toContain(`✓ ${name}`);
      else expect(failureText(strict, 'at-run-time', name).text).toContain(`guestError: ${message}`);
    }
    expect(strict.code).toBe(1);
  });
});
