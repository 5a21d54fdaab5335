import { isDeepStrictEqual } from 'node:util';

import type { Plugin, StandardSchema } from '@qtest/sdk';

import { hostError, messageOf } from '@qtest/sdk/support';
import { awaitForeign, foreignBound, isInterruption, callForeign } from '../foreign/bounded.ts';

/** Longest that a schema is waited for, ms. */
const VALIDATION_BOUND = 10_000;

/** Of what a schema finds wrong. */
const SHOWN_ISSUES = 20;

/**
 * The options of a plugin: validated by its schema when it has one. What comes out is data, for the VCPUs get a copy of
 * it in threads of their own.
 * @throws PLUGIN_OPTIONS, naming plugin, key and what the schema said.
 */
export async function checkOptions(plugin: Plugin, given: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  if (plugin.options === undefined && Object.keys(given).length === 0) return given;
  const where = `options of plugin '${plugin.name}'`;
  const options = plugin.options === undefined ? given : await validate(plugin.options, given, where);
  try {
    // A clone of an object of a class is a plain object, and not the same any more.
    const isData = (): boolean => isDeepStrictEqual(structuredClone(options), options);
    if (callForeign({ what: where, exit: 2 }, isData, foreignBound(VALIDATION_BOUND))) return options;
  } catch (error) {
    if (isInterruption(error)) throw error;
    throw hostError(
      'PLUGIN_OPTIONS',
      `${where}: expected data, which can be copied to the VCPUs' threads: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  throw hostError('PLUGIN_OPTIONS', `${where}: expected data, but found an instance of a class`);
}

type Validated = Awaited<ReturnType<StandardSchema['~standard']['validate']>>;

async function validate(schema: StandardSchema, given: unknown, where: string): Promise<unknown> {
  const result = await run(schema, given, where);
  return callForeign({ what: where, exit: 2 }, () => valueOf(result, where), foreignBound(VALIDATION_BOUND));
}

function valueOf(result: Validated, where: string): unknown {
  if (result.issues === undefined) return result.value;
  const list = result.issues.slice(0, SHOWN_ISSUES).map(({ message, path = [] }) => {
    const keys = path.map((part) => messageOf(String(typeof part === 'object' ? part.key : part)));
    return `\n  ${keys.length === 0 ? '' : `${keys.join('.')}: `}${messageOf(message)}`;
  });
  const more = result.issues.length - list.length;
  throw hostError('PLUGIN_OPTIONS', `${where}:${list.join('')}${more > 0 ? `\n  and ${more} more` : ''}`);
}

async function run(schema: StandardSchema, given: unknown, where: string): Promise<Validated> {
  try {
    const foreign = { what: `${where}: the schema`, exit: 2 } as const;
    return await awaitForeign(foreign, () => schema['~standard'].validate(given), foreignBound(VALIDATION_BOUND));
  } catch (error) {
    if (isInterruption(error)) throw error;
    throw hostError('PLUGIN_OPTIONS', `${where}: ${messageOf(error)}`, { cause: error });
  }
}
