import { fileURLToPath } from 'node:url';

import { formatNanoseconds } from '@qtest/sdk';

import type { LoadedPlugin, PluginCase } from '../plugins/types.ts';
import { count } from '../report/format.ts';
import { jsonText } from '../report/json-text.ts';
import { onOneLine } from '@qtest/sdk/support';
import { print, styleFor, type Style } from '../report/style.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { preparePlugins } from './prepare.ts';
import { selectCases } from '../plugins/select.ts';

/** What `qtest list --json` writes. Version 1 gains keys and loses none. */
export interface CaseList {
  readonly version: 1;
  readonly plugins: readonly {
    readonly name: string;
    readonly description: string;
    readonly package: string | undefined;
    readonly packageVersion: string | undefined;
    /** Its module. */
    readonly file: string;
    readonly cases: readonly (Omit<PluginCase, 'timeout'> & {
      /** Nanoseconds, in decimal. */
      readonly timeout: string | undefined;
    })[];
  }[];
}

/** `qtest list`: the cases that `-t` selects, without running them. */
export async function list(options: CliOptions, io: Io): Promise<number> {
  const { plugins } = await preparePlugins(options, io);
  const all = await selectCases(plugins, { patterns: options.test, defaultClock: 'virtual' });
  const { cases } = options.shard === undefined ? all : (await import('./shard.ts')).shardOf(all, options, io);
  const selected = new Set(cases.map(({ plugin, name }) => `${plugin}/${name}`));
  const listed = plugins
    .map((plugin) => ({ plugin, cases: plugin.cases.filter(({ name }) => selected.has(`${plugin.name}/${name}`)) }))
    .filter((entry) => entry.cases.length > 0);
  if (options.json === true) io.stdout.write(`${jsonText(caseList(listed))}\n`);
  else print(io.stdout, text(listed, styleFor(io.stdout)));
  return 0;
}

interface Listed {
  readonly plugin: LoadedPlugin;
  readonly cases: readonly PluginCase[];
}

function caseList(listed: readonly Listed[]): CaseList {
  return {
    version: 1,
    plugins: listed.map(({ plugin, cases }) => ({
      name: plugin.name,
      description: plugin.description,
      package: plugin.packageName,
      packageVersion: plugin.version,
      file: fileURLToPath(plugin.url),
      cases: cases.map(({ timeout, ...found }) => ({ ...found, timeout: timeout?.toString() })),
    })),
  };
}

function text(listed: readonly Listed[], style: Style): string {
  const lines = listed.flatMap(({ plugin, cases }) => {
    const width = Math.max(...cases.map(({ name }) => name.length));
    return [
      `${style('bold', plugin.name)}  ${style('dim', onOneLine(plugin.description))}`.trimEnd(),
      ...cases.map((found) => `  ${found.name.padEnd(width)}  ${style('dim', onOneLine(remarks(found)))}`.trimEnd()),
      '',
    ];
  });
  const total = listed.reduce((sum, { cases }) => sum + cases.length, 0);
  return `${lines.join('\n')}\n${count(total, 'case')} in ${count(listed.length, 'plugin')}\n`;
}

/** What is special about a case, and what it is. */
function remarks({ description = '', requires, clock, timeout, vcpus }: PluginCase): string {
  const special = [
    ...(clock === undefined ? [] : [clock]),
    ...(vcpus === 1 ? [] : [count(vcpus, 'VCPU')]),
    ...(requires.length === 0 ? [] : [`needs ${requires.join(', ')}`]),
    ...(timeout === undefined ? [] : [`at most ${formatNanoseconds(timeout)}`]),
  ];
  return [description, special.length === 0 ? '' : `(${special.join('; ')})`].filter((part) => part !== '').join(' ');
}
