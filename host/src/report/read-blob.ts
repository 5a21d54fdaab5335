import { existsSync } from 'node:fs';
import { join, relative, isAbsolute } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { hostError, codeOf, isRecord } from '@qtest/sdk/support';
import { exactValue } from './blob-values.ts';
import { headerProblem, isHeader, isLine, lineProblem } from './blob-shape.ts';
import { BLOB_FORMAT, BLOB_VERSION, type BlobHeader, type BlobLine } from './blob.ts';
import { parseBounded, type Budget } from './bounded-json.ts';
import type { CaseResult, Failure, SourceLocation } from './events.ts';
import { titleOf } from './format.ts';
import { problemText } from './shape.ts';

/** What `--reporter blob=FILE` has written. */
export interface Blob {
  /** As errors call it. */
  readonly file: string;
  readonly header: BlobHeader;
  readonly lines: readonly BlobLine[];
}

/** Bytes of one line: a case with its trace. */
const MAX_LINE = 2 ** 26;

/** Two a case, and the warnings. */
const MAX_LINES = 2 ** 19;

/** Whether a file is packed as a blob is. */
export function isPacked(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Takes a blob apart. Places in files of the run's folder are those of `cwd`, where they are there and not in the run's.
 * @throws USAGE when it is none, is not whole, or has what no run writes.
 */
export function readBlob(file: string, bytes: Uint8Array, cwd: string, budget: Budget): Blob {
  const [first = Buffer.of(), ...rest] = linesOf(file, unpack(file, bytes, budget));
  const header = headerOf(file, first, budget);
  const lines = rest.map((text, n) => lineOf(`${file}, line ${n + 2}`, text, budget));
  checkOrder(file, lines);
  const move = relocation(header.cwd, cwd);
  return { file, header, lines: lines.map((line) => relocated(line, move)) };
}

function unpack(file: string, bytes: Uint8Array, budget: Budget): Buffer {
  try {
    const text = gunzipSync(bytes, { maxOutputLength: Math.max(budget.bytes, 1) });
    budget.bytes -= text.length;
    return text;
  } catch (error) {
    if (codeOf(error) === 'Z_BUF_ERROR') throw truncated(file);
    if (codeOf(error) !== 'ERR_BUFFER_TOO_LARGE')
      throw hostError('USAGE', `${file} is damaged: expected ${EXPECTED}`, { cause: error });
    const what = `${file}: unpacked it has more than the ${budget.bytes} bytes that are left for it`;
    throw hostError('USAGE', `${what}: merge less at once, or trace less`, { cause: error });
  }
}

function linesOf(file: string, text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const where = `${file}, line ${lines.length + 1}`;
    if (end - start > MAX_LINE)
      throw hostError('USAGE', `${where}: expected at most ${MAX_LINE} bytes, but found ${end - start}`);
    if (lines.length === MAX_LINES) throw hostError('USAGE', `${where}: expected at most ${MAX_LINES} lines`);
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

const EXPECTED = 'what --reporter blob=FILE has written';

function truncated(file: string): Error {
  return hostError('USAGE', `${file} is not whole: expected ${EXPECTED}, to its end. Run or copy it again`);
}

function damaged(where: string, what: string, problem: string): Error {
  const expected = `expected ${what} as JSON, ${EXPECTED}`;
  return hostError('USAGE', `${where}, is damaged: ${expected}. Run or copy that part again (${problem})`);
}

function headerOf(file: string, text: Buffer, budget: Budget): BlobHeader {
  const parsed = parseBounded(text, budget);
  const value = 'value' in parsed ? parsed.value : undefined;
  if (!isRecord(value) || value['format'] !== BLOB_FORMAT)
    throw hostError('USAGE', `${file} is no blob of qtest: expected ${EXPECTED}`);
  const { version, host } = value;
  if (version !== BLOB_VERSION && typeof version === 'number') {
    const by = `by qtest ${String(host)}, is of version ${version}`;
    throw hostError('USAGE', `${file}, written ${by}: expected version ${BLOB_VERSION}. Use one qtest for all`);
  }
  const where = `${file}, line 1`;
  if (!isHeader(value)) throw damaged(where, 'the head of a blob', problemText(headerProblem(value)));
  const { shard } = value;
  if (shard === undefined || shard.index <= shard.count) return value;
  throw damaged(
    where,
    'the head of a blob',
    `shard.index: expected at most shard.count, ${shard.count}, but found ${shard.index}`,
  );
}

function lineOf(where: string, text: Buffer, budget: Budget): BlobLine {
  const parsed = parseBounded(text, budget);
  if ('problem' in parsed) throw damaged(where, 'an event', parsed.problem);
  const value = exactValue(parsed.value);
  if (isLine(value)) return value;
  const what = isRecord(value) && typeof value['type'] === 'string' ? `the event '${value['type']}'` : 'an event';
  throw damaged(where, what, problemText(lineProblem(value)));
}

/** A run begins, each of its cases ends once, and it ends. What of its cases has no end is seen to when runs are joined. */
function checkOrder(file: string, lines: readonly BlobLine[]): void {
  if (lines.at(-1)?.type !== 'done') throw truncated(file);
  let selected: Set<string> | undefined;
  const ended = new Set<string>();
  for (const [n, line] of lines.entries()) {
    const { type } = line;
    const wrong = (problem: string): Error => damaged(`${file}, line ${n + 2}`, `the event '${type}'`, problem);
    if (type === 'warning') continue;
    if (type === 'done' && n < lines.length - 1) throw wrong(`expected nothing behind 'done', the end of a run`);
    if (type === 'runStart') {
      if (selected !== undefined) throw wrong(`expected one 'runStart', but found a second`);
      selected = new Set();
      for (const title of line.cases.map(titleOf))
        if (selected.size === selected.add(title).size) throw wrong(`cases: '${title}' is there twice`);
      continue;
    }
    if (selected === undefined) throw wrong(`expected 'runStart' before '${type}'`);
    if (type === 'done') continue;
    const title = titleOf(type === 'caseStart' ? line.case : line.result);
    if (!selected.has(title)) throw wrong(`expected a case of 'runStart', but found '${title}'`);
    if (type === 'caseEnd' && ended.size === ended.add(title).size) throw wrong(`'${title}' ends a second time`);
  }
}

type Move = (file: string) => string;

/** Moves files of the run's folder to where they are now. That they are there is all that is asked of them. */
function relocation(from: string, to: string): Move {
  const moved = new Map<string, string>();
  const move = (file: string): string => {
    const path = relative(from, file);
    if (from === to || path.startsWith('..') || isAbsolute(path) || existsSync(file)) return file;
    const here = join(to, path);
    return existsSync(here) ? here : file;
  };
  return (file) => {
    const known = moved.get(file) ?? move(file);
    moved.set(file, known);
    return known;
  };
}

/** What a case has returned is its own, also where it looks like a place. */
function relocated(line: BlobLine, move: Move): BlobLine {
  if (line.type === 'done' && line.traces !== undefined)
    return { ...line, traces: { ...line.traces, folder: move(line.traces.folder) } };
  if (line.type !== 'caseEnd') return line;
  const { failures, earlier, trace } = line.result;
  const there = (place: SourceLocation): SourceLocation => ({ ...place, file: move(place.file) });
  const moved = (failure: Failure): Failure => ({
    ...failure,
    ...(failure.location && { location: there(failure.location) }),
  });
  const result: CaseResult = {
    ...line.result,
    failures: failures.map(moved),
    ...(earlier && { earlier: earlier.map(moved) }),
    ...(trace && {
      trace: {
        ...trace,
        events: trace.events.map((event) => (event.source ? { ...event, source: there(event.source) } : event)),
      },
    }),
  };
  return { ...line, result };
}
