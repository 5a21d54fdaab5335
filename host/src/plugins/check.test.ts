import { defineDevice, definePlugin } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { pluginProblems } from './check.ts';

const nothing = (): void => undefined;
const base = { name: 'rtc', description: 'x', api: '^0.1.0' };
const device = defineDevice({ type: 'lamp', description: 'a lamp' }, {});
const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } };

test('a plugin with everything has no problem', () => {
  const plugin = {
    ...base,
    init: nothing,
    run: {
      'periodic/drift 2 Hz': nothing,
      b: {
        run: nothing,
        requires: ['virtual-clock'],
        clock: 'virtual',
        timeout: 5n,
        description: '',
        expect: { qemu: 'x' },
      },
    },
    vcpus: 8,
    devices: [device],
    apply: nothing,
    options: schema,
  };
  expect(pluginProblems(plugin)).toEqual([]);
  expect(pluginProblems(definePlugin({ name: 'a', description: '', run: nothing }))).toEqual([]);
  expect(pluginProblems({ ...base, options: Object.assign(nothing, schema) })).toEqual([]);
});

test.each([
  [{ name: 'RTC' }, "name: expected lower case letters, digits and single hyphens, but found 'RTC'"],
  [{ name: 'a--b' }, "name: expected lower case letters, digits and single hyphens, but found 'a--b'"],
  [{ name: undefined }, 'name: expected lower case letters, digits and single hyphens, but found undefined'],
  [{ description: 5 }, 'description: expected a string, but found 5'],
  [{ description: 'x'.repeat(5000) }, 'description: expected at most 4096 characters, but found 5000'],
  [{ run: { ['x'.repeat(600)]: nothing } }, 'expected at most 500 characters, but found 600'],
  [
    { run: { a: { run: nothing, description: 'x'.repeat(5000) } } },
    "run['a'].description: expected at most 4096 characters, but found 5000",
  ],
  [
    { run: { a: { run: nothing, expect: { qemu: 'x'.repeat(5000) } } } },
    "run['a'].expect.qemu: expected at most 4096 characters, but found 5000",
  ],
  [{ api: undefined }, 'api: expected a version range, but found undefined'],
  [{ init: {} }, 'init: expected a function, but found {}'],
  [{ apply: true }, 'apply: expected a function, but found true'],
  [{ runs: {} }, "runs: unknown key. Did you mean 'run'?"],
  [{ run: 'x' }, "run: expected a function, or an object of cases by name, but found 'x'"],
  [{ run: {} }, 'run: expected at least one case, but it is empty'],
  [{ run: { '': nothing } }, "as 'alarm/hour', but found ''"],
  [{ run: { 'a//b': nothing } }, "as 'alarm/hour', but found 'a//b'"],
  [{ run: { '/a': nothing } }, "as 'alarm/hour', but found '/a'"],
  [{ run: { ' a': nothing } }, "as 'alarm/hour', but found ' a'"],
  [{ run: { 'a\nb': nothing } }, "as 'alarm/hour', but found 'a\\nb'"],
  [{ run: { '!a': nothing } }, "as 'alarm/hour', but found '!a'"],
  [{ run: { a: 5 } }, "run['a']: expected a function, or an object with run, but found 5"],
  [{ run: { a: {} } }, "run['a'].run: expected a function, but found undefined"],
  [{ run: { a: { run: nothing, require: [] } } }, "run['a'].require: unknown key. Did you mean 'requires'?"],
  [
    { run: { a: { run: nothing, requires: ['clock'] } } },
    "run['a'].requires: expected a list of virtual-clock, realtime-clock",
  ],
  [
    { run: { a: { run: nothing, clock: 'wall' } } },
    "run['a'].clock: expected 'virtual' or 'realtime', but found 'wall'",
  ],
  [{ run: { a: { run: nothing, timeout: '10' } } }, "run['a'].timeout: expected a duration above zero"],
  [
    { run: { a: { run: nothing, expect: 'qemu' } } },
    "run['a'].expect: expected an object of known differences by backend",
  ],
  [
    { run: { a: { run: nothing, expect: { './qemu': 'x' } } } },
    "run['a'].expect: expected names of backends, such as qemu, but found './qemu'",
  ],
  [
    { run: { a: { run: nothing, expect: { qemu: true } } } },
    "run['a'].expect.qemu: expected a sentence that says what is different there, but found true",
  ],
  [{ vcpus: 0 }, 'vcpus: expected an integer from 1 to 8, but found 0'],
  [{ vcpus: 9 }, 'vcpus: expected an integer from 1 to 8, but found 9'],
  [{ run: { a: { run: nothing, vcpus: 9 } } }, "run['a'].vcpus: expected an integer from 1 to 8, but found 9"],
  [{ vcpus: 1.5 }, 'vcpus: expected an integer from 1 to 8, but found 1.5'],
  [{ devices: device }, 'devices: expected a list of devices, but found'],
  [{ devices: [{ schema: { type: 'x' } }] }, 'devices[0]: expected what defineDevice() gives'],
  [{ options: { parse: nothing } }, 'options: expected a Standard Schema'],
])('%o', (wrong, message) => {
  const problems = pluginProblems({ ...base, ...wrong });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
});
