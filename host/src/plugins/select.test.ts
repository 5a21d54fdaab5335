import { definePlugin, type CaseSpec } from '@qtest/sdk';
import { expect, test } from 'vitest';

import { collectCases } from './cases.ts';
import type { LoadedPlugin } from './types.ts';
import { selectCases } from './select.ts';

const loaded = (name: string, cases: Readonly<Record<string, Omit<CaseSpec, 'run'>>>): LoadedPlugin => {
  const run = Object.fromEntries(Object.entries(cases).map(([key, spec]) => [key, { ...spec, run: () => undefined }]));
  const plugin = definePlugin<unknown>({ name, description: '', run });
  return {
    name,
    description: '',
    spec: name,
    url: `file:///${name}.js`,
    root: '/',
    plugin,
    options: {},
    cases: collectCases(plugin),
  };
};

const PLUGINS = [
  loaded('rtc', {
    any: {},
    real: { clock: 'realtime' },
    virtual: { clock: 'virtual' },
    stepped: { requires: ['virtual-clock'] },
  }),
  loaded('pci', { 'config/read': {}, timed: { requires: ['realtime-clock'] } }),
];

const select = (options: Partial<Parameters<typeof selectCases>[1]> = {}): ReturnType<typeof selectCases> =>
  selectCases(PLUGINS, { patterns: [], defaultClock: 'virtual', ...options });

const brief = (cases: readonly { plugin: string; name: string; clock: string }[]): readonly string[] =>
  cases.map(({ plugin, name, clock }) => `${plugin} ${name} ${clock}`);

test('a case runs on the clock it names, else on the default', async () => {
  const { cases, selected, skipped, unmatched } = await select();
  expect(brief(cases)).toEqual([
    'rtc any virtual',
    'rtc real realtime',
    'rtc virtual virtual',
    'rtc stepped virtual',
    'pci config/read virtual',
    'pci timed virtual',
  ]);
  expect(skipped).toEqual([{ case: cases[5], reason: 'needs the realtime clock (--clock realtime)' }]);
  expect(selected).toEqual(cases.slice(0, 5));
  expect(unmatched).toEqual([]);
});

test('the default of the config goes for those that name none', async () => {
  const { selected, skipped } = await select({ defaultClock: 'realtime' });
  expect(brief(selected)).toEqual([
    'rtc any realtime',
    'rtc real realtime',
    'rtc virtual virtual',
    'pci config/read realtime',
    'pci timed realtime',
  ]);
  expect(brief(skipped.map(({ case: found }) => found))).toEqual(['rtc stepped realtime']);
});

test('with --clock, those that need the other one are skipped', async () => {
  const virtual = await select({ clock: 'virtual', defaultClock: 'realtime' });
  expect(brief(virtual.skipped.map(({ case: found }) => found))).toEqual(['rtc real virtual', 'pci timed virtual']);
  const realtime = await select({ clock: 'realtime' });
  expect(realtime.skipped).toEqual([
    { case: expect.objectContaining({ name: 'virtual' }), reason: 'needs the virtual clock (--clock virtual)' },
    { case: expect.objectContaining({ name: 'stepped' }), reason: 'needs the virtual clock (--clock virtual)' },
  ]);
});

test('patterns go for every plugin', async () => {
  const { cases, unmatched } = await select({ patterns: ['any', 'config', 'nope'] });
  expect(brief(cases)).toEqual(['rtc any virtual', 'pci config/read virtual']);
  expect(unmatched).toEqual(['nope']);
});

test('when nothing matches, the nearest names are told', async () => {
  await expect(select({ patterns: ['reel'] })).rejects.toMatchObject({
    code: 'NO_CASES',
    message: "no cases matched -t 'reel' in rtc, pci. Nearest: real, config/read. 'qtest list' shows all 6",
  });
  await expect(select({ patterns: ['read'] })).rejects.toThrow('Nearest: config/read, real');
  await expect(select({ patterns: ['*zzzzz*', '!any'] })).rejects.toThrow(
    "no cases matched -t '*zzzzz*' -t '!any' in rtc, pci.",
  );
  await expect(selectCases([loaded('trace', {})], { patterns: [], defaultClock: 'virtual' })).rejects.toThrow(
    'no cases: the plugins that were loaded (trace) have none',
  );
});

test('on a backend, what it lacks is a reason, and the clock that it has goes for cases that name none', async () => {
  const plugins = [
    loaded('rtc', {
      any: {},
      virtual: { clock: 'virtual' },
      stepped: { requires: ['virtual-clock'] },
      vector: { requires: ['interrupt-acknowledge'] },
      pair: { vcpus: 2 },
    }),
  ];
  const backend = {
    clocks: ['realtime'] as const,
    lacks: (capability: string) => (capability === 'realtime-clock' ? undefined : `no ${capability}`),
  };
  const { selected, skipped } = await selectCases(plugins, { patterns: [], defaultClock: 'virtual', backend });
  expect(brief(selected)).toEqual(['rtc any realtime']);
  expect(skipped.map(({ case: { name }, reason }) => [name, reason])).toEqual([
    ['virtual', 'no virtual-clock'],
    ['stepped', 'no virtual-clock'],
    ['vector', 'no interrupt-acknowledge'],
    ['pair', 'no multi-vcpu'],
  ]);
});
