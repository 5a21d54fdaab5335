import { readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Channel } from '../backends/qemu/channel.ts';
import { shorten } from '../backends/qemu/channel.ts';
import { codeOf } from '../thrown.ts';
import { accessName } from '../vcpu/decode.ts';
import { OP } from '../vcpu/trace.ts';
import { isWrite, stepOf, type Access } from './access.ts';

/**
 * Bytes of requests that may be without an answer. QEMU's pipe takes them all, even where a pipe holds one page, so that this thread never
 * waits for a QEMU that does not read. They are some 300 requests: QEMU, which takes 1024 bytes at a time, does not run out of them.
 */
const WINDOW = 4096;
/** How long this thread sleeps when no answer has come, ms: a fraction of the time that QEMU takes for a window. */
const NAP = 0.2;
/** How long it keeps other work waiting, ms. */
const SLICE = 20;
/** Bytes that are read at once. */
const CHUNK = 65_536;
/** Characters of a line that is none of the protocol's. */
const LONGEST = 200;

const SLEEP = new Int32Array(new SharedArrayBuffer(4));
const [NEWLINE, RETURN, SPACE, UPPER_O] = [0x0a, 0x0d, 0x20, 0x4f];

/** What an error says of a QEMU that hangs. */
export const NO_ANSWER = 'QEMU has not answered';

/** A request of the qtest protocol, without its end of line. */
export function requestOf(access: Access): string {
  if (access.op === OP.STEP) return `clock_step ${stepOf(access)}`;
  const request = `${accessName(access)} 0x${access.address.toString(16)}`;
  return isWrite(access) ? `${request} 0x${access.value.toString(16)}` : request;
}

/** Requests over the qtest protocol, many at a time: they are written without waiting for the answers to those before. */
export class Pipeline {
  readonly #channel: Pick<Channel, 'write' | 'poll'>;
  /** ms without an answer after which QEMU is taken to hang. */
  readonly #bound: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  readonly #out = Buffer.allocUnsafe(WINDOW);
  /** The line that has begun to come. */
  #line: number[] = [];

  constructor(channel: Pick<Channel, 'write' | 'poll'>, bound: number) {
    this.#channel = channel;
    this.#bound = bound;
  }

  /**
   * Makes the accesses; `answers` are theirs.
   * @throws Error when QEMU refuses one, answers what is none of the protocol's, or nothing.
   */
  async run(accesses: readonly Access[], answers: Uint32Array): Promise<void> {
    const lengths = new Uint8Array(accesses.length);
    let [sent, got, unanswered] = [0, 0, 0];
    let sliceEnd = performance.now() + SLICE;
    let deadline = performance.now() + this.#bound;
    const answered = (value: number): void => {
      answers[got] = value;
      unanswered -= lengths[got++] ?? 0;
    };
    while (got < accesses.length) {
      let length = 0;
      for (; sent < accesses.length; sent++) {
        const access = accesses[sent];
        if (access === undefined) break;
        const request = `${requestOf(access)}\n`;
        if (unanswered + request.length > WINDOW) break;
        this.#out.write(request, length, 'latin1');
        lengths[sent] = request.length;
        length += request.length;
        unanswered += request.length;
      }
      if (length > 0) this.#send(length);
      const before = got;
      const came = this.#receive(answered, () => describe(accesses[got]));
      if (got > before) deadline = performance.now() + this.#bound;
      if (came) continue;
      const now = performance.now();
      if (now >= deadline) throw new Error(`${NO_ANSWER} '${describe(accesses[got])}' within ${this.#bound / 1000} s`);
      if (now >= sliceEnd) {
        await setImmediate();
        sliceEnd = performance.now() + SLICE;
      }
      Atomics.wait(SLEEP, 0, 0, NAP);
    }
  }

  #send(length: number): void {
    try {
      for (let sent = 0; sent < length;) sent += writeSync(this.#channel.write, this.#out, sent, length - sent);
    } catch (error) {
      if (codeOf(error) !== 'EPIPE') throw error;
      throw new Error('QEMU has closed its qtest pipe', { cause: error });
    }
  }

  /** Takes in the answers that have come; gives whether there was anything. */
  #receive(answered: (value: number) => void, request: () => string): boolean {
    const chunk = this.#chunk;
    let length: number;
    try {
      length = readSync(this.#channel.poll, chunk);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return false;
      throw error;
    }
    if (length === 0) throw new Error(`QEMU has closed its qtest pipe in its answer to '${request()}'`);
    const line = this.#line;
    for (let i = 0; i < length; i++) {
      const byte = chunk[i] ?? 0;
      if (byte !== NEWLINE) {
        if (byte !== RETURN) line.push(byte);
        if (line.length > LONGEST) throw notProtocol(line, request());
        continue;
      }
      const value = valueOf(line);
      if (value === undefined) throw notProtocol(line, request());
      answered(value);
      line.length = 0;
    }
    return true;
  }
}

/** `OK`, `OK 0x0000000000000026`: the low 32 bits of the value; undefined for anything else. */
function valueOf(line: readonly number[]): number | undefined {
  if (line[0] !== UPPER_O || line[1] !== 0x4b) return undefined;
  if (line.length === 2) return 0;
  // Of `0x`, the x is skipped; what comes of a step is decimal, and of no account.
  if (line[2] !== SPACE) return undefined;
  if (line[3] !== 0x30 || line[4] !== 0x78) return 0;
  let value = 0;
  for (let i = 5; i < line.length; i++) {
    const byte = line[i] ?? 0;
    const digit = byte >= 0x61 ? byte - 0x57 : byte - 0x30;
    if (digit < 0 || digit > 15) return undefined;
    value = ((value << 4) | digit) >>> 0;
  }
  return value;
}

function notProtocol(line: readonly number[], request: string): Error {
  const text = Buffer.from(line).toString('latin1');
  return text.startsWith('FAIL')
    ? new Error(`QEMU refuses '${request}': ${text}`)
    : new Error(`QEMU answers '${request}' with '${shorten(text)}', which is not the qtest protocol`);
}

function describe(access: Access | undefined): string {
  return access === undefined ? 'nothing' : requestOf(access);
}
