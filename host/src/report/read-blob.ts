import { existsSync } from 'node:fs';
import { join, relative, isAbsolute } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { hostError, codeOf } from '@qtest/sdk/support';
import { isLine } from './blob-lines.ts';
import { exactValue, isRecord } from './blob-values.ts';
import { BLOB_FORMAT, BLOB_VERSION, type BlobHeader, type BlobLine } from './blob.ts';
import type { CaseResult, Failure, SourceLocation } from './events.ts';

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
  const header = headerOf(file, first);
  const move = relocation(header.cwd, cwd);
  const lines = rest.map((text, n) => relocated(lineOf(`${file}, line ${n + 2},`, text), move));
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

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headerOf(file: string, text: string): BlobHeader {
  const value = parsed(text);
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

function lineOf(where: string, text: string): BlobLine {
  const value = exactValue(parsed(text));
  if (isLine(value)) return value;
  const what = isRecord(value) ? `the event '${String(value['type'])}'` : 'an event';
  throw hostError('USAGE', `${where} is damaged: expected ${what} as JSON, ${EXPECTED}. Run or copy that part again`);
}

type Move = (place: SourceLocation) => SourceLocation;

/** Moves places in the run's files to where these are now. */
function relocation(from: string, to: string): Move {
  const moved = new Map<string, string>();
  const move = (file: string): string => {
    const path = relative(from, file);
    if (from === to || path.startsWith('..') || isAbsolute(path) || existsSync(file)) return file;
    const here = join(to, path);
    return existsSync(here) ? here : file;
  };
  return (place) => {
    const file = moved.get(place.file) ?? move(place.file);
    moved.set(place.file, file);
    return { ...place, file };
  };
}

/** What a case has returned is its own, also where it looks like a place. */
function relocated(line: BlobLine, move: Move): BlobLine {
  if (line.type !== 'caseEnd') return line;
  const { failures, earlier, trace } = line.result;
  const moved = (failure: Failure): Failure => ({
    ...failure,
    ...(failure.location && { location: move(failure.location) }),
  });
  const result: CaseResult = {
    ...line.result,
    failures: failures.map(moved),
    ...(earlier && { earlier: earlier.map(moved) }),
    ...(trace && {
      trace: {
        ...trace,
        events: trace.events.map((event) => (event.source ? { ...event, source: move(event.source) } : event)),
      },
    }),
  };
  return { ...line, result };
}
