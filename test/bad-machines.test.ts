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
