import { expect, test } from 'vitest';

import { checkConfig } from './check.ts';

const messageFor = (config: unknown): string => {
  try {
    checkConfig(config, 'qtest.config.ts');
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG' });
    return error instanceof Error ? error.message : '';
  }
  return 'valid';
};

test('a config with every key is valid', () => {
  const config = {
    plugins: ['rtc', ['@org/pci', { slots: 4 }], './local.ts'],
    clock: 'realtime',
    timeout: '10s',
    jobs: 4,
    schedule: 'explore=100',
    stallLimit: 1000,
    coverage: 'coverage.json',
    coverageMin: { mc146818rtc: 80.5 },
    failOn: ['guestError', 'unimplemented'],
  };
  expect(checkConfig(config, 'x')).toBe(config);
  expect(messageFor({})).toBe('valid');
  expect(messageFor({ timeout: 5_000n, clock: undefined })).toBe('valid');
});

test.each([
  [[], `qtest.config.ts: expected an object, such as { plugins: ['rtc'] }, but found []`],
  ['rtc', `qtest.config.ts: expected an object, such as { plugins: ['rtc'] }, but found 'rtc'`],
  [{ plugin: [] }, `unknown key 'plugin'. Did you mean 'plugins'?`],
  [{ constructor: 1 }, `unknown key 'constructor'`],
  [{ plugins: 'rtc' }, `plugins: expected a list of plugins, each a name, a path or [name, options], but found 'rtc'`],
  [{ plugins: ['rtc', 5] }, 'plugins[1]: expected a name, a path or [name, options], but found 5'],
  [{ plugins: [' '] }, `plugins[0]: expected the name or path of a plugin, but found ' '`],
  [{ plugins: [['rtc']] }, 'plugins[0]: expected [name, options], but found a list of 1'],
  [{ plugins: [[5, {}]] }, 'plugins[0][0]: expected the name or path of a plugin, but found 5'],
  [{ plugins: [['rtc', 'x']] }, `plugins[0][1]: expected an object of options for 'rtc', but found 'x'`],
  [{ plugins: [{ name: 'rtc' }] }, 'a plugin is named and not imported'],
  [{ clock: 'wall' }, `clock: expected 'virtual' or 'realtime', but found 'wall'`],
  [{ timeout: 10 }, `timeout: expected a duration above zero and up to 24d, such as '10s'`],
  [{ timeout: '0s' }, 'timeout: expected a duration above zero'],
  [{ timeout: '25d' }, 'timeout: expected a duration above zero and up to 24d'],
  [{ jobs: 0 }, 'jobs: expected an integer from 1 to 64, but found 0'],
  [{ jobs: 1.5 }, 'jobs: expected an integer from 1 to 64, but found 1.5'],
  [{ jobs: '2' }, `jobs: expected an integer from 1 to 64, but found '2'`],
  [{ schedule: '17' }, `schedule: expected a seed from 0 to 4294967295, 'free', or 'explore=N'`],
  [{ schedule: 1.5 }, `but found 1.5`],
  [{ trace: true }, `trace: expected 'on', 'fail' or 'off', but found true`],
  [{ stallLimit: NaN }, 'stallLimit: expected an integer from 1, but found NaN'],
  [{ coverage: 'out.xml' }, `coverage: expected true, false or a file, whose name ends in .json, but found 'out.xml'`],
  [{ coverageMin: 101 }, 'coverageMin: expected a percentage from 0 to 100, or an object of them'],
  [{ coverageMin: { mc146818rtc: '80' } }, 'coverageMin: expected a percentage from 0 to 100'],
  [{ failOn: ['irq'] }, `failOn: expected a list of 'guestError' and 'unimplemented', but found [ 'irq' ]`],
])('%o', (config, message) => {
  expect(messageFor(config)).toContain(message);
});

test('every problem is told at once', () => {
  expect(messageFor({ clok: 1, jobs: 0 })).toBe(
    `qtest.config.ts:\n  unknown key 'clok'. Did you mean 'clock'? The keys are plugins, devices, backend, qemu, clock, timeout, jobs, schedule, reporters, trace, stallLimit, coverage, coverageMin, failOn` +
      `\n  jobs: expected an integer from 1 to 64, but found 0`,
  );
});
