import { definePlugin, type StandardResult } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { messageOf } from '@qtest/sdk/support';
import { checkOptions } from './options.ts';

const withSchema = (validate: (value: unknown) => StandardResult<unknown> | Promise<StandardResult<unknown>>) =>
  definePlugin<unknown>({
    name: 'rtc',
    description: '',
    options: { '~standard': { version: 1, vendor: 'test', validate } },
  });
const without = definePlugin<unknown>({ name: 'rtc', description: '' });

test('without a schema data passes through', async () => {
  const options = { a: [1, 'x', null, { b: true }] };
  expect(await checkOptions(without, options)).toBe(options);
  expect(await checkOptions(without)).toEqual({});
});

test('with a schema its output is used, also when it is asynchronous', async () => {
  expect(
    await checkOptions(
      withSchema((value) => ({ value: { given: value, n: 5n } })),
      { a: 1 },
    ),
  ).toEqual({ given: { a: 1 }, n: 5n });
  expect(await checkOptions(withSchema(async () => ({ value: 'later' })))).toBe('later');
});

test('what the schema says is told, with the path of its keys', async () => {
  const plugin = withSchema(() => ({ issues: [{ message: 'too long', path: ['a', { key: 0 }] }, { message: 'odd' }] }));
  await expect(checkOptions(plugin, {})).rejects.toMatchObject({
    code: 'PLUGIN_OPTIONS',
    message: "options of plugin 'rtc':\n  a.0: too long\n  odd",
  });
});

test('of much that the schema says the first is told', async () => {
  const issues = Array.from({ length: 100_000 }, () => ({ message: 'x'.repeat(100), path: ['y'.repeat(100)] }));
  const error = await checkOptions(
    withSchema(() => ({ issues })),
    {},
  ).catch((thrown: unknown) => thrown);
  expect(messageOf(error)).toMatch(/^options of plugin 'rtc':\n {2}y+: x+\n[^]*\n {2}and 99980 more$/);
});

test('a schema that throws or rejects is named', async () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  await expect(checkOptions(withSchema(boom))).rejects.toMatchObject({
    code: 'PLUGIN_OPTIONS',
    message: "options of plugin 'rtc': boom",
  });
  await expect(checkOptions(withSchema(async () => boom()))).rejects.toThrow("options of plugin 'rtc': boom");
});

test('what can not be copied to another thread is refused', async () => {
  await expect(checkOptions(without, { a: () => 1 })).rejects.toThrow(
    "options of plugin 'rtc': expected data, which can be copied",
  );
  class Point {
    x = 1;
  }
  await expect(checkOptions(without, { a: new Point() })).rejects.toThrow('found an instance of a class');
});
