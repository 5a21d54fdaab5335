import { PassThrough } from 'node:stream';

import { expect, test } from 'vitest';

import type { CliOptions } from './options.ts';
import { createProgram, type CommandName } from './program.ts';

/** What the command line asks for. */
async function parse(...args: readonly string[]): Promise<{ name?: CommandName; options?: CliOptions }> {
  let asked = {};
  const program = createProgram({ stdout: new PassThrough(), stderr: new PassThrough() }, async (name, options) => {
    asked = { name, options };
  });
  await program.parseAsync(args, { from: 'user' });
  return asked;
}

test('nothing given', async () => {
  expect(await parse()).toEqual({ name: 'run', options: { plugin: [], test: [] } });
});

test('every option, before and after the command, in each way of writing', async () => {
  const args =
    '-p rtc list --plugin=./x.ts -tperiodic/* --test=!a -t -b --clock virtual --timeout 1.5s --jobs 4 --config c.ts --json';
  expect(await parse(...args.split(' '))).toEqual({
    name: 'list',
    options: {
      plugin: ['rtc', './x.ts'],
      test: ['periodic/*', '!a', '-b'],
      clock: 'virtual',
      timeout: 1_500_000_000n,
      jobs: 4,
      config: 'c.ts',
      json: true,
    },
  });
});

test('a repeatable option does not swallow the command after it', async () => {
  expect(await parse('-t', 'a', 'machine')).toEqual({ name: 'machine', options: { plugin: [], test: ['a'] } });
});

test("one of the host's machines", async () => {
  expect(await parse('machine', '--machine', 'isapc')).toEqual({
    name: 'machine',
    options: { plugin: [], test: [], machine: 'isapc' },
  });
});

test('of --config and --no-config the last one counts', async () => {
  expect((await parse('--config', 'c.ts', '--no-config')).options?.config).toBe(false);
  expect((await parse('--no-config', '--config', 'c.ts')).options?.config).toBe('c.ts');
});

test('backends: one, or for compat several, each once', async () => {
  expect((await parse('--backend', 'v86')).options).toEqual({ plugin: [], test: [], backend: 'v86' });
  expect(await parse('compat', '--backend', 'native,v86, native', '--into', 'README.md', '--markdown')).toEqual({
    name: 'compat',
    options: { plugin: [], test: [], backends: ['native', 'v86'], into: 'README.md', markdown: true },
  });
  expect((await parse('compat')).options).toEqual({ plugin: [], test: [] });
  await expect(parse('--backend', 'native,v86')).rejects.toThrow("'run' runs on one; several are for 'qtest compat'");
  await expect(parse('--backend', 'native,')).rejects.toThrow("There is no backend ''.");
});
