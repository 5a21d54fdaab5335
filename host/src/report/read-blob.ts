import { existsSync } from 'node:fs';
import { join, relative, isAbsolute } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { hostError } from '../errors.ts';
import { codeOf } from '../thrown.ts';
import { BIGINT, BLOB_FORMAT, BLOB_VERSION, type BlobHeader, type BlobLine } from './blob.ts';

/** What `--reporter blob=FILE` has written. */
export interface Blob {
  /** As errors call it. */
  readonly file: string;
  readonly header: BlobHeader;
  readonly lines: readonly BlobLine[];
}

/** Whether a file is packed as a blob is. */
export function isPacked(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Takes a blob apart. Places in files of the run's folder are those of `cwd`, where they are there and not in the run's.
 * @throws USAGE when it is none, or not whole.
 */
export function readBlob(file: string, bytes: Uint8Array, cwd: string): Blob {
  const [first = '', ...rest] = linesOf(unpack(file, bytes));
  const header = headerOf(file, parse(file, first));
  const relocate = relocation(header.cwd, cwd);
  const lines = rest.map((line) => lineOf(file, parse(file, line, relocate)));
  if (lines.at(-1)?.type !== 'done') throw truncated(file);
  return { file, header, lines };
}

function unpack(file: string, bytes: Uint8Array): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    if (codeOf(error) === 'Z_BUF_ERROR') throw truncated(file);
    throw hostError('USAGE', `${file} is damaged: expected ${EXPECTED}`, { cause: error });
  }
}

/** All of them together may be more than one string holds. */
function linesOf(text: Buffer): string[] {
  const lines: string[] = [];
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    if (end > start) lines.push(text.toString('utf8', start, end));
    start = end + 1;
  }
  return lines;
}

const EXPECTED = 'what --reporter blob=FILE has written';

function truncated(file: string): Error {
  return hostError('USAGE', `${file} is not whole: expected ${EXPECTED}, to its end. Run or copy it again`);
}

function parse(file: string, line: string, revive?: (value: unknown) => unknown): unknown {
  try {
    return JSON.parse(line, (_key, value: unknown) => (revive === undefined ? value : revive(value)));
  } catch (error) {
    throw hostError('USAGE', `${file} is no blob of qtest: expected ${EXPECTED}`, { cause: error });
  }
}

function headerOf(file: string, value: unknown): BlobHeader {
  if (!isRecord(value) || value['format'] !== BLOB_FORMAT)
    throw hostError('USAGE', `${file} is no blob of qtest: expected ${EXPECTED}`);
  const { version, host } = value;
  if (version !== BLOB_VERSION) {
    const by = `by qtest ${String(host)}, is of version ${String(version)}`;
    throw hostError('USAGE', `${file}, written ${by}: expected version ${BLOB_VERSION}. Use one qtest for all`);
  }
  if (isHeader(value)) return value;
  throw hostError('USAGE', `${file} is damaged: expected ${EXPECTED}`);
}

function isHeader(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, unknown>> & BlobHeader {
  return typeof value['cwd'] === 'string' && isRecord(value['descriptions']) && Array.isArray(value['order']);
}

const TYPES: readonly unknown[] = ['runStart', 'caseStart', 'caseEnd', 'warning', 'done'] satisfies BlobLine['type'][];

function lineOf(file: string, value: unknown): BlobLine {
  if (isLine(value)) return value;
  throw hostError('USAGE', `${file} is damaged: expected ${EXPECTED}`);
}

/** The version says what else is in it. */
function isLine(value: unknown): value is BlobLine {
  return isRecord(value) && TYPES.includes(value['type']);
}

/** Makes bigints of what stands for them, and moves places in the run's files to where these are now. */
function relocation(from: string, to: string): (value: unknown) => unknown {
  const moved = new Map<string, string>();
  const move = (file: string): string => {
    const path = relative(from, file);
    if (from === to || path.startsWith('..') || isAbsolute(path) || existsSync(file)) return file;
    const here = join(to, path);
    return existsSync(here) ? here : file;
  };
  return (value) => {
    if (!isRecord(value)) return value;
    const { file, line, column, [BIGINT]: digits } = value;
    if (typeof digits === 'string' && /^-?\d+$/.test(digits)) return BigInt(digits);
    if (typeof file !== 'string' || typeof line !== 'number' || typeof column !== 'number') return value;
    const known = moved.get(file) ?? move(file);
    moved.set(file, known);
    return { ...value, file: known };
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
