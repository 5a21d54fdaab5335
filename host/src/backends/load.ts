import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { isBackend, isConnector, type AnyBackend, type Connector } from '@qtest/sdk/backend';

import { hostError } from '@qtest/sdk/support';
import { importErrorText, importHint, importModule } from '../foreign/import-module.ts';
import { functionsProblem, show } from '../emulated/check.ts';
import { NATIVE } from './find.ts';

/** Both halves of a backend, loaded and checked. */
export interface LoadedBackend {
  readonly spec: AnyBackend;
  readonly connector: Connector;
  readonly connectorUrl: string;
  /** The file of its module. */
  readonly file: string;
}

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/**
 * Loads both halves of a backend.
 * @param given as the user wrote it.
 * @throws BACKEND when one cannot be loaded, or is none.
 */
export async function loadBackend(url: string, given: string): Promise<LoadedBackend> {
  const file = fileURLToPath(url);
  const place = `backend '${given}' (${file})`;
  const spec = await defaultExport(url, place);
  if (!isBackend(spec.value)) throw notMade(place, 'defineBackend', spec);
  const { name, title, connector } = spec.value;
  const problem =
    (typeof name === 'string' && NAME.test(name) && name !== NATIVE
      ? undefined
      : `name: expected lower case letters, digits and single hyphens, and not '${NATIVE}', but found ${show(name)}`) ??
    (typeof title === 'string' && title.trim() !== ''
      ? undefined
      : `title: expected what messages call the emulator, but found ${show(title)}`) ??
    functionsProblem(spec.value, ['detect']) ??
    connectorProblem(connector);
  if (problem !== undefined) throw hostError('BACKEND', `${place}: ${problem}`);
  const half = `${place}: its connector, ${fileURLToPath(connector)},`;
  const loaded = await defaultExport(connector.href, half);
  if (!isConnector(loaded.value)) throw notMade(half, 'defineConnector', loaded);
  const lacking = functionsProblem(loaded.value, ['connect'], ['pipeline']);
  if (lacking !== undefined) throw hostError('BACKEND', `${half} ${lacking}`);
  return { spec: spec.value, connector: loaded.value, connectorUrl: connector.href, file };
}

/** The half for the VCPU's thread is a file of its own. */
function connectorProblem(connector: unknown): string | undefined {
  if (!(connector instanceof URL) || connector.protocol !== 'file:')
    return `connector: expected the URL of a module, new URL('./connector.js', import.meta.url), but found ${show(connector)}`;
  const file = fileURLToPath(connector);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return undefined;
  return `connector: there is no file ${file}`;
}

interface Export {
  readonly value: unknown;
  readonly names: readonly string[];
}

async function defaultExport(url: string, place: string): Promise<Export> {
  const loaded = await importModule(url, { what: place, exit: 2 }).catch(async (error: unknown) => {
    const text = await importErrorText(error, url);
    throw hostError('BACKEND', `${place} failed to load:\n${text}${importHint(error)}`, { cause: error });
  });
  return { value: loaded['default'], names: Object.keys(loaded) };
}

function notMade(place: string, by: string, { names }: Export): Error {
  const found = names.includes('default')
    ? 'its default export is something else'
    : `it exports ${names.join(', ') || 'nothing'}`;
  return hostError('BACKEND', `${place}: expected export default ${by}({ … }), but ${found}`);
}
