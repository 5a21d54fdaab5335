import { resolve } from 'node:path';

import { hostError, codeOf, messageOf, readBounded } from '@qtest/sdk/support';
import { count } from '../report/format.ts';
import { print, styleFor } from '../report/style.ts';
import { replay as replayScript, type Replay } from '../replay/replay.ts';
import { readScript, type Request } from '../replay/script.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { readConfig } from './prepare.ts';
import { loadServe } from './serve-package.ts';
import { servedMachine } from './serve.ts';

/** What `qtest replay --json` writes. Version 1 gains keys and loses none. */
export interface ReplayReport extends Omit<Replay, 'malformed'> {
  readonly version: 1;
  readonly file: string;
  readonly machine: string;
}

/** `qtest replay`: makes the requests of a recorded script on our machine, and shows the first that is answered otherwise. */
export async function replay(options: CliOptions, io: Io): Promise<number> {
  const { file = '' } = options;
  const requests = read(file, io);
  const config = await readConfig(options, io);
  const served = await loadServe(config.dir);
  const { machine, paths, registry, name } = await servedMachine(served, config, options, io);
  const session = new served.Session(machine, paths, () => {});
  const { malformed, ...result } = replayScript(requests, { machine, session, registry, number: served.parseUnsigned });
  if (malformed !== undefined) {
    const { request, word, message } = malformed;
    throw badInput(file, { ...request, column: request.column + columnOf(request, word), message });
  }
  const report: ReplayReport = { version: 1, file, machine: name, ...result };
  if (options.json === true) {
    const { jsonText } = await import('../report/json-text.ts');
    io.stdout.write(`${jsonText(report)}\n`);
  } else {
    print(io.stdout, textOf(report, styleFor(io.stdout)));
  }
  return report.difference === undefined ? 0 : 1;
}

/** Bytes of a script: some millions of requests. */
const MAX_SCRIPT = 2 ** 28;

function read(file: string, { cwd }: Pick<Io, 'cwd'>): readonly Request[] {
  let text: string;
  try {
    text = readBounded(resolve(cwd, file), MAX_SCRIPT).toString('utf8');
  } catch (error) {
    const why = WHY_NOT_READ[codeOf(error) ?? ''] ?? messageOf(error);
    throw hostError('USAGE', `${file} cannot be read: ${why}; expected ${SCRIPT}`, { cause: error });
  }
  if (text.includes('\0')) throw hostError('USAGE', `${file} is no text; expected ${SCRIPT}`);
  const requests = readScript(text);
  if ('message' in requests) throw badInput(file, requests);
  if (requests.length > 0) return requests;
  throw hostError('USAGE', `${file}: there is no request in it; expected lines such as 'inb 0x71', or a log of QEMU's`);
}

const SCRIPT = "a script, as --trace-export qtest writes it, or a log of QEMU's (-qtest-log) or of 'qtest serve'";

const WHY_NOT_READ: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
};

function badInput(
  file: string,
  at: { readonly line: number; readonly column: number; readonly message: string },
): Error {
  return hostError('USAGE', `${file}:${at.line}:${at.column}: ${at.message}`);
}

/** Where a word of a request begins, from 0; one that is missing would be at its end. */
function columnOf({ text }: Request, word: number): number {
  const words = text.split(' ');
  return words.slice(0, word).join(' ').length + (word > 0 && word < words.length ? 1 : 0);
}

function textOf(
  { file, machine, requests, compared, difference }: ReplayReport,
  style: ReturnType<typeof styleFor>,
): string {
  const made = `${file}: ${count(requests, 'request')} on the machine ${machine}`;
  if (difference === undefined)
    return `${made}, ${compared === 0 ? 'and no reply was recorded to compare' : `${compared} of ${compared} replies as recorded`}\n`;
  const { line, request, recorded, here, before } = difference;
  return [
    `${made}; the last is answered otherwise than it was recorded`,
    '',
    `line ${line}: ${style('bold', request)}`,
    `  recorded  ${recorded}`,
    `  here      ${here}`,
    ...(before.length === 0 ? [] : ['', 'before it', ...before.map((text) => `  ${text}`)]),
    '',
  ].join('\n');
}
