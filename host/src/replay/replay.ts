import { type Registry, OP, type TraceEntry } from '@qtest/machine';
import { Decoder, describeAccess } from '../trace/decode.ts';
import type { parseUnsigned, ServedMachine, Session } from '@qtest/serve';
import { isSameReply, type Request } from './script.ts';

/** Requests shown before a difference. */
const SHOWN = 8;

/** A reply that is another than the one that was recorded. */
export interface ReplayDifference {
  readonly line: number;
  readonly request: string;
  /** Each with what it says, decoded: `OK 0x0042   inb 0x71 → 0x42   rtc0.B {PIE, 24H}`. */
  readonly recorded: string;
  readonly here: string;
  /** The last requests before it, decoded, oldest first. */
  readonly before: readonly string[];
}

/** What came of a replay. */
export interface Replay {
  /** Requests that were made, and replies that were compared. */
  readonly requests: number;
  readonly compared: number;
  readonly difference?: ReplayDifference;
  /** A request that is none, at a word of its line. */
  readonly malformed?: { readonly request: Request; readonly word: number; readonly message: string };
}

/** Reads a number of the protocol's. */
type NumberOf = typeof parseUnsigned;

/** Makes the requests of a script on a machine, until one is answered otherwise than it was recorded. */
export function replay(
  requests: readonly Request[],
  {
    machine,
    session,
    registry,
    number,
  }: { machine: ServedMachine; session: Session; registry: Registry; number: NumberOf },
): Replay {
  const decoder = new Decoder(machine.bound, registry);
  const before: string[] = [];
  let compared = 0;
  for (const [made, request] of requests.entries()) {
    const { text, line, reply: recorded } = request;
    const entry = entryOf(text, number);
    let reply = session.execute(text);
    while (reply === undefined) reply = session.goOn();
    const here = reply.trimEnd();
    const { malformed } = session;
    // A recorded request that failed there fails here, and is told to be wrong only where it was not.
    if (malformed !== undefined && recorded?.startsWith('FAIL') !== true)
      return { requests: made, compared, malformed: { request, ...malformed } };
    const decoded = (answer: string): string => decode(entry, answer, { decoder, number }) ?? answer;
    const difference = { line, request: text, before };
    if (machine.fault !== undefined)
      return { requests: made + 1, compared, difference: { ...difference, recorded: recorded ?? '', here } };
    if (recorded !== undefined) compared++;
    const told = decoded(here);
    if (recorded !== undefined && !isSameReply(recorded, here))
      return {
        requests: made + 1,
        compared,
        difference: { ...difference, recorded: decoded(recorded), here: told },
      };
    before.push(entry === undefined ? `${text}   ${here}` : told);
    if (before.length > SHOWN) before.shift();
  }
  return { requests: requests.length, compared };
}

const OPS: Readonly<Record<string, number>> = { in: OP.IN, out: OP.OUT, read: OP.READ, write: OP.WRITE };
const SIZES: Readonly<Record<string, number>> = { b: 1, w: 2, l: 4 };

/** The access that a request is; undefined when it is none, or one in bulk. */
function entryOf(text: string, number: NumberOf): TraceEntry | undefined {
  const [, op = '', size = '', address = '', value = '0'] =
    /^(in|out|read|write)([bwl]) (\S+)(?: (\S+))?$/.exec(text) ?? [];
  const [at, given] = [number(address), number(value)];
  if (at === undefined || given === undefined) return undefined;
  return { op: OPS[op] ?? 0, size: SIZES[size] ?? 1, address: Number(at), value: Number(given) };
}

/** An access with its answer, by the register tables. */
function decode(
  entry: TraceEntry | undefined,
  answer: string,
  { decoder, number }: { decoder: Decoder; number: NumberOf },
): string | undefined {
  if (entry === undefined) return undefined;
  const reads = entry.op === OP.IN || entry.op === OP.READ;
  const [, digits] = /^OK (\S+)$/.exec(answer) ?? [];
  const read = number(digits ?? '');
  if (reads && read === undefined) return undefined;
  const made = reads ? { ...entry, value: Number(read) } : entry;
  const access = describeAccess(made);
  const reached = decoder.next(made);
  return reached === undefined ? access : `${access.padEnd(24)} ${reached.text()}`;
}
