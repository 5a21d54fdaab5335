import { expect, test } from 'vitest';

import { rerunCommand } from './rerun.ts';

const selected = { plugin: 'rtc', name: 'periodic/drift', clock: 'virtual', vcpus: 1 } as const;
const specs = new Map([
  ['rtc', '@qtest/qtest-rtc'],
  ['trace', './my trace.ts'],
]);

test('as the user named the plugin', () => {
  const options = { plugin: [], test: [] };
  expect(rerunCommand(selected, { options, specs, extensions: [] })).toBe(
    'npx qtest --plugin @qtest/qtest-rtc -t periodic/drift',
  );
});

test('with what changes how the case runs', () => {
  const options = { plugin: [], test: [], clock: 'realtime', timeout: 5n, jobs: 4, config: 'ci.ts' } as const;
  expect(rerunCommand({ ...selected, name: "it's" }, { options, specs, extensions: ['trace'] })).toBe(
    `npx qtest --plugin './my trace.ts' --plugin @qtest/qtest-rtc -t 'it'\\''s' --config ci.ts --clock realtime --timeout 5ns`,
  );
  const onQemu = { plugin: [], test: [], backend: 'qemu', qemu: './my qemu' } as const;
  expect(rerunCommand(selected, { options: onQemu, specs, extensions: [] })).toMatch(
    / -t periodic\/drift --backend qemu --qemu '\.\/my qemu'$/,
  );
  expect(rerunCommand({ ...selected, schedule: 17 }, { options, specs, extensions: [] })).toMatch(/ --schedule 17$/);
  expect(rerunCommand({ ...selected, schedule: 'free' }, { options, specs, extensions: [] })).toMatch(
    / --schedule free$/,
  );
  expect(rerunCommand(selected, { options: { plugin: [], test: [], config: false }, specs, extensions: [] })).toContain(
    ' --no-config',
  );
});
