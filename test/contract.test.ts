import { describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { failureText, jsonReport, resultOf, statuses } from './support/report.ts';

/** A plugin with a device whose CONTROL has a reserved bit that can be written, and which hangs on request. */
const WRONG = `
import { defineDevice, definePlugin, register, reserved, rw } from '@qtest/sdk';

const CONTROL = register('CONTROL', { offset: 0, reset: 0, fields: { ZERO: reserved(7, 4), BITS: rw(3, 0) } });

const wrong = defineDevice(
  {
    type: 'wrong',
    description: 'breaks the contract',
    state: { control: 'u8', on: 'bool' },
    regions: () => ({ ports: { space: 'io', base: 0x300, size: 2 } }),
    registers: { ports: { registers: [CONTROL] } },
  },
  {
    regions: {
      ports: {
        read: ({ state }, offset) => (offset === 0 ? state.control : 0),
        write({ state }, offset, value) {
          if (offset === 0) state.control = value & 0x8f;
          else state.on = value === 0x5a;
          while (state.on && state.control === 0x0f);
        },
      },
    },
  },
);

export default definePlugin({ name: 'wrong', description: 'a device that is', devices: [wrong] });
`;

const NO_DEVICES = `
import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'bare', description: 'no devices', run() {} });
`;

const NO_BUS = `
import { defineDevice, definePlugin } from '@qtest/sdk';
const lost = defineDevice({ type: 'lost', description: '', bus: 'vme' }, {});
export default definePlugin({ name: 'lost', description: 'a bus that nobody has', devices: [lost] });
`;

describe('a plugin whose device breaks it', () => {
  const { qtest } = project(undefined, { 'wrong.ts': WRONG });

  test('names device, register and field, and how to run it again', async () => {
    const ended = await qtest(['contract', '--plugin', './wrong.ts', '--timeout', '1s', '--seed', '7']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toBe('');
    const bits = failureText(ended, 'wrong', 'wrong/bits/CONTROL');
    expect(bits.text).toContain('CONTROL held 0x00, was written 0xff: expected 0x0f, found 0x8f (ZERO reserved(7, 4))');
    expect(bits.rerun).toBe(
      'npx qtest contract --plugin ./wrong.ts --device wrong -t wrong/bits/CONTROL --seed 7 --timeout 1s',
    );
    const hang = failureText(ended, 'wrong', 'wrong/accesses/with-parts');
    expect(hang.text).toMatch(/'wrong0' did not come back within 1 s.*\n +access \d+ of seed 7: out. 0x30/);
  });

  test('what it says to run runs that check alone', async () => {
    const ended = await qtest([
      'contract',
      '-p',
      './wrong.ts',
      '--device',
      'wrong',
      '-t',
      'wrong/bits/CONTROL',
      '--json',
    ]);
    expect(ended.code).toBe(1);
    const report = jsonReport(ended);
    expect(statuses(report)).toEqual(['wrong wrong/bits/CONTROL: fail']);
    expect(resultOf(report, 'wrong/bits/CONTROL').failures[0]?.name).toBe('ContractError');
    expect(report.summary).toMatchObject({ pass: 0, fail: 1 });
  });
});

test("the host's own devices, without a config", async () => {
  const ended = await project().qtest(['contract', '--device', 'pvpanic', '--device', 'isa-bus', '--json']);
  expect(ended.code).toBe(0);
  const report = jsonReport(ended);
  expect(statuses(report)).toEqual([
    'qtest pvpanic/reset-values: pass',
    'qtest pvpanic/bits/EVENTS: pass',
    'qtest pvpanic/sizes/port: pass',
    'qtest pvpanic/reset: pass',
    'qtest pvpanic/snapshot: pass',
    'qtest pvpanic/accesses/with-parts: pass',
    'qtest pvpanic/accesses/without-parts: pass',
    'qtest isa-bus/reset: pass',
    'qtest isa-bus/snapshot: pass',
    'qtest isa-bus/accesses/with-parts: pass',
    'qtest isa-bus/accesses/without-parts: pass',
  ]);
});

test('the plugins of the config, and of them what -t selects', async () => {
  const { qtest } = project(undefined, {
    'wrong.ts': WRONG,
    'qtest.config.ts': `export default { plugins: ['./wrong.ts'] };`,
  });
  const ended = await qtest(['contract', '-t', 'wrong/reset*', '--json']);
  expect(ended.code).toBe(0);
  expect(statuses(jsonReport(ended))).toEqual(['wrong wrong/reset-values: pass', 'wrong wrong/reset: pass']);
});

describe('what cannot be done', () => {
  const { qtest } = project(undefined, { 'bare.ts': NO_DEVICES, 'lost.ts': NO_BUS });

  test.each([
    { args: [], code: 2, says: /no plugin to run.*\n.*\n.*\n.*contract --device i8254/ },
    {
      args: ['--device', 'ns16550'],
      code: 2,
      says: /--device 'ns16550': there is no such type\. Did you mean 'ns16550a'\?/,
    },
    { args: ['--plugin', './none.ts'], code: 2, says: /\.\/none\.ts/ },
    { args: ['--plugin', './bare.ts'], code: 1, says: /no devices: the plugins that were loaded \(bare\) bring none/ },
    { args: ['--device', 'i8254', '-t', 'i8254/x'], code: 1, says: /no checks matched -t 'i8254\/x'/ },
    { args: ['--device', 'i8254', '--seed', '-1'], code: 2, says: /--seed <n>.*Expected an integer from 0/ },
    { args: ['--device', 'i8254', '--clock', 'realtime'], code: 2, says: /runs on the virtual clock/ },
    { args: ['i8254'], code: 2, says: /'contract' takes no arguments/ },
  ])('$args', async ({ args, code, says }) => {
    const ended = await qtest(['contract', ...args]);
    expect(ended.stderr).toMatch(says);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe('');
  });

  test('a bus that no device provides', async () => {
    const ended = await qtest(['contract', '--plugin', './lost.ts']);
    expect(ended.code).toBe(1);
    expect(failureText(ended, 'lost', 'lost/snapshot').text).toContain(
      "it goes on a bus of the kind 'vme', which no known device provides",
    );
  });

  test('another command does not take its options', async () => {
    const ended = await qtest(['list', '--device', 'i8254']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain("unknown option '--device'");
  });
});
