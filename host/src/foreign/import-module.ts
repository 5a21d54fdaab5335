import { fileURLToPath } from 'node:url';
import { types } from 'node:util';

import { messageOf, stackOf, within, codeOf, withoutStack } from '@qtest/sdk/support';
import { foreignBound } from './bounded.ts';
import { beginForeign, type Foreign } from './foreign.ts';

/** Longest that a module is waited for, ms. */
const LOAD_BOUND = 10_000;

/**
 * Imports a module of a user's: TypeScript too, whose types Node strips itself.
 * @throws what the module throws, or an error when it has not settled after `bound` milliseconds.
 */
export async function importModule(
  url: string,
  foreign: Foreign,
  bound = foreignBound(LOAD_BOUND),
): Promise<Readonly<Record<string, unknown>>> {
  const end = beginForeign(foreign);
  const late = (): Error =>
    withoutStack(
      `it did not finish loading within ${bound / 1000} s: is there an await at its top level that never settles?`,
    );
  try {
    const loading: Promise<Readonly<Record<string, unknown>>> = import(url);
    return await within(loading, bound, late);
  } finally {
    end();
  }
}

/**
 * The error that an import gave, for a reader: its stack without Node's own frames. Node leaves the place of a syntax
 * error out of the stack of a JavaScript module, so it is asked for it once more.
 */
export async function importErrorText(error: unknown, url: string): Promise<string> {
  const text = stackOf(error);
  if (!isSyntaxError(error) || text.includes('\n')) return text;
  const { spawnSync } = await import('node:child_process');
  const checked = spawnSync(process.execPath, ['--check', fileURLToPath(url)], { encoding: 'utf8', timeout: 10_000 });
  const place = checked.stderr.split(/\n\s+at |\n\nNode\.js /, 1)[0]?.trim();
  return checked.status !== 0 && place
    ? place
    : `${text}\nin a module that it imports: node ${fileURLToPath(url)} tells which`;
}

/** What to do about errors of Node's that do not say it; empty for all others. */
export function importHint(error: unknown): string {
  switch (codeOf(error)) {
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return '\nNode does not strip types below node_modules: a published package has to ship JavaScript.';
    case undefined:
      return isSyntaxError(error) &&
        /import statement outside a module|Unexpected token 'export'/.test(messageOf(error))
        ? `\nIts package.json says "type": "commonjs", as 'npm init' writes it; qtest plugins are ES modules: npm pkg set type=module`
        : '';
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return '\nNode strips types and does nothing else: no enums, namespaces or parameter properties (tsconfig: erasableSyntaxOnly).';
    case 'ERR_MODULE_NOT_FOUND':
      return messageOf(error).startsWith("Cannot find package '@qtest/sdk'")
        ? '\nInstall it beside the plugin: npm install --save-dev @qtest/sdk'
        : '';
    default:
      return '';
  }
}

function isSyntaxError(error: unknown): boolean {
  // What a module throws may be a proxy, which is not asked.
  return types.isNativeError(error) && error instanceof SyntaxError;
}
