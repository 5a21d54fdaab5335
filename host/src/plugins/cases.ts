import { nanoseconds, type CaseFunction, type CaseSpec, type Plugin } from '@qtest/sdk';

import type { PluginCase } from './types.ts';

/** The name of the one case of a plugin whose `run` is a function. */
const SINGLE_CASE = 'run';

/** The cases of a plugin, in the order in which it gives them. The plugin has been checked. */
export function collectCases(plugin: Plugin): readonly PluginCase[] {
  return Object.entries(namedCases(plugin)).map(([name, given]) => {
    const {
      description,
      requires = [],
      clock,
      timeout,
      vcpus = plugin.vcpus ?? 1,
      expect,
    }: Omit<CaseSpec, 'run'> = typeof given === 'function' ? {} : given;
    return {
      name,
      ...(description !== undefined && { description }),
      requires,
      ...(clock !== undefined && { clock }),
      ...(timeout !== undefined && { timeout: nanoseconds(timeout) }),
      vcpus,
      ...(expect !== undefined && { expect }),
    };
  });
}

/** The function of a case; undefined when the plugin has none of this name. */
export function findCase(plugin: Plugin, name: string): CaseFunction | undefined {
  const cases = namedCases(plugin);
  const given = Object.hasOwn(cases, name) ? cases[name] : undefined;
  return typeof given === 'function' ? given : given?.run;
}

function namedCases({ run = {} }: Plugin): Readonly<Record<string, CaseFunction | CaseSpec>> {
  return typeof run === 'function' ? { [SINGLE_CASE]: run } : run;
}
