import { readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { codeOf } from '@qtest/sdk/support';
import {
  emulatorError,
  noAnswer,
  OPERATION,
  operationAt,
  requestOf,
  type Batch,
  type Pipeline,
} from '@qtest/sdk/backend';
import { readAvailable, shorten, type Channel } from './channel.ts';
import type { QemuHandle } from './handle.ts';
import { parseMessage } from './protocol.ts';

/**
 * Bytes of requests that may be without an answer. QEMU's pipe takes them all, even where a pipe holds one page, so that this thread never
 * waits for a QEMU that does not read. They are some 300 requests: QEMU, which takes 1024 bytes at a time, does not run out of them.
 */
const WINDOW = 4096;
/** Requests are sent when so many bytes of the window are free: a write for each answer would be most of the work. */
const LOT = 1024;
/** How long this thread sleeps when no answer has come, ms: a fraction of the time that QEMU takes for a window. */
const NAP = 0.2;
/** How long it keeps other work waiting, ms. */
const SLICE = 20;
/** Bytes that are read at once. */
const CHUNK = 65_536;
/** Characters of a line that is none of the protocol's. */
const LONGEST = 200;
/** No request is longer. */
const LONGEST_REQUEST = 40;
/** The last of the requests that an error shows. */
const SHOWN = 5;

const SLEEP = new Int32Array(new SharedArrayBuffer(4));
const [NEWLINE, RETURN, SPACE, ZERO, UPPER_K, UPPER_O, LOWER_A, LOWER_X] = [10, 13, 0x20, 0x30, 0x4b, 0x4f, 0x61, 0x78];
// Constants of this module are folded into its code; imported ones are loaded and checked at every access.
const { OUT, WRITE, STEP, RESET, IRQS } = OPERATION;

/** What is asked after a reset: the lines that fell by it are told of before the answer. */
const FLUSH = 'endianness';

/** By an access's kind, what its request begins with. */
const STARTS: Uint8Array[] = [];
for (const op of [OPERATION.IN, OUT, OPERATION.READ, WRITE]) {
  for (const size of [1, 2, 4]) {
    const text = requestOf({ op, size, address: 0, value: 0 });
    STARTS[op | (size << 4)] = Buffer.from(text.slice(0, text.indexOf('0x') + 2), 'latin1');
  }
}
const NO_START = new Uint8Array(0);

/** What stands for a request that is no operation. */
const ONE_RESET: Batch = {
  length: 1,
  kinds: Uint8Array.of(RESET),
  addresses: new Uint32Array(1),
  values: new Uint32Array(1),
};

/**
 * Requests over the qtest protocol, many at a time: they are written without waiting for the answers to those before. What QEMU tells of
 * its IRQs comes between the answers.
 */
export class Requests {
  readonly #channel: Pick<Channel, 'write' | 'poll'>;
  /** ms without an answer after which QEMU is taken to hang. */
  readonly #bound: number;
  /** Resets the machine, and comes back when it has been reset. */
  readonly #reset: () => Promise<void>;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  /** Bytes in it, of a line that has begun to come. */
  #begun = 0;
  readonly #out = Buffer.allocUnsafe(WINDOW);
  /** Bytes of each request. */
  #lengths = new Uint8Array(0);
  #unanswered = 0;
  /** Levels of the IRQs, a bit each. */
  #levels = 0;
  /** The last requests of the exchange before. */
  #answered: readonly string[] = [];

  constructor(channel: Pick<Channel, 'write' | 'poll'>, bound: number, reset: () => Promise<void> = async () => {}) {
    this.#channel = channel;
    this.#bound = bound;
    this.#reset = reset;
  }

  /** Makes a request that is no access. */
  async ask(request: string): Promise<void> {
    await this.#exchange(ONE_RESET, new Uint32Array(1), 0, 1, request);
  }

  /**
   * Makes the accesses; `answers` are theirs.
   * @throws Error when QEMU refuses one, answers what is none of the protocol's, or nothing.
   */
  async run(sequence: Batch, answers: Uint32Array): Promise<void> {
    const { kinds, length } = sequence;
    for (let from = 0; from < length;) {
      if (kinds[from] === RESET) await this.#reset();
      const next = kinds.subarray(0, length).indexOf(RESET, from + 1);
      const to = next < 0 ? length : next;
      await this.#exchange(sequence, answers, from, to, FLUSH);
      from = to;
    }
  }

  /** @param flush what is asked where the sequence has a reset. */
  async #exchange(sequence: Batch, answers: Uint32Array, from: number, to: number, flush: string): Promise<void> {
    if (this.#lengths.length < to) this.#lengths = new Uint8Array(to);
    const asked = (index: number): string => {
      const operation = operationAt(sequence, index);
      return operation.op === RESET ? flush : requestOf(operation);
    };
    const requestsBefore = (end: number): string[] =>
      Array.from({ length: Math.min(SHOWN, end - from) }, (_, n) => asked(end - n - 1))
        .toReversed()
        .filter((request) => request !== '');
    let sent = from;
    let got = this.#look(sequence, answers, from, to);
    let sliceEnd = performance.now() + SLICE;
    let deadline = performance.now() + this.#bound;
    while (got < to) {
      if (sent < to && this.#unanswered <= WINDOW - LOT) sent = this.#send(sequence, Math.max(sent, got), to, flush);
      const before = got;
      got = this.#receive(sequence, answers, got, to, asked);
      const now = performance.now();
      if (got > before) {
        deadline = now + this.#bound;
        continue;
      }
      if (now >= deadline) {
        const last = [...this.#answered, ...requestsBefore(got)].slice(-SHOWN);
        const after = last.length === 0 ? '' : `, after ${last.map((request) => `'${request}'`).join(', ')}`;
        throw noAnswer(`QEMU has not answered '${asked(got)}' within ${this.#bound / 1000} s${after}`);
      }
      if (now >= sliceEnd) {
        await setImmediate();
        sliceEnd = performance.now() + SLICE;
      }
      Atomics.wait(SLEEP, 0, 0, NAP);
    }
    this.#answered = requestsBefore(to);
  }

  /** Sends what the window takes, from a request on; gives the first that is left. */
  #send(sequence: Batch, from: number, to: number, flush: string): number {
    const { kinds, addresses, values } = sequence;
    const out = this.#out;
    const most = WINDOW - this.#unanswered - LONGEST_REQUEST;
    let end = 0;
    let i = from;
    for (; i < to && end <= most; i++) {
      const begin = end;
      const kind = kinds[i] ?? 0;
      if (kind === STEP || kind === RESET) {
        const request = kind === RESET ? flush : requestOf(operationAt(sequence, i));
        end += out.write(`${request}\n`, end, 'latin1');
      } else if (kind !== IRQS) {
        const start = STARTS[kind] ?? NO_START;
        for (let n = 0; n < start.length; n++) out[end++] = start[n] ?? 0;
        end = writeHex(out, end, addresses[i] ?? 0);
        if ((kind & 0xf) === OUT || (kind & 0xf) === WRITE) {
          out[end++] = SPACE;
          out[end++] = ZERO;
          out[end++] = LOWER_X;
          end = writeHex(out, end, values[i] ?? 0);
        }
        out[end++] = NEWLINE;
      }
      this.#lengths[i] = end - begin;
    }
    this.#unanswered += end;
    try {
      for (let sent = 0; sent < end;) sent += writeSync(this.#channel.write, out, sent, end - sent);
    } catch (error) {
      if (codeOf(error) !== 'EPIPE') throw error;
      throw emulatorError('QEMU has closed its qtest pipe', { cause: error });
    }
    return i;
  }

  /** Takes in the answers that have come, from one on; gives the first that has not. */
  #receive(sequence: Batch, answers: Uint32Array, from: number, to: number, asked: (index: number) => string): number {
    const chunk = this.#chunk;
    const length = this.#read(() => asked(from));
    const end = this.#begun + length;
    let got = from;
    let line = 0;
    for (let at = this.#begun; at < end; at++) {
      if (chunk[at] !== NEWLINE) continue;
      const stop = chunk[at - 1] === RETURN && at > line ? at - 1 : at;
      const value = valueOf(chunk, line, stop, sequence.kinds[got] ?? RESET);
      if (value >= 0 && got < to) {
        answers[got] = value;
        this.#unanswered -= this.#lengths[got] ?? 0;
        got = this.#look(sequence, answers, got + 1, to);
      } else if (value >= 0 || !this.#takesIrq(chunk.toString('latin1', line, stop))) {
        throw notProtocol(chunk.toString('latin1', line, stop), got < to ? asked(got) : 'nothing');
      }
      line = at + 1;
    }
    this.#begun = end - line;
    if (this.#begun > LONGEST) throw notProtocol(chunk.toString('latin1', line, end), asked(got));
    if (line > 0) chunk.copyWithin(0, line, end);
    return got;
  }

  /** Reads behind what has begun to come; gives how many bytes these are. */
  #read(asked: () => string): number {
    let length: number;
    try {
      length = readSync(this.#channel.poll, this.#chunk, this.#begun, CHUNK - this.#begun, null);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 0;
      throw error;
    }
    if (length === 0) throw emulatorError(`QEMU has closed its qtest pipe in its answer to '${asked()}'`);
    return length;
  }

  /** Answers the looks at the IRQs from one on: what has been told of them up to here. Gives the first access behind them. */
  #look({ kinds, values }: Batch, answers: Uint32Array, from: number, to: number): number {
    let at = from;
    for (; at < to && kinds[at] === IRQS; at++) answers[at] = this.#levels & (values[at] ?? 0);
    return at;
  }

  #takesIrq(line: string): boolean {
    const message = parseMessage(line);
    if (message?.kind !== 'irq') return false;
    if (message.level) this.#levels |= 1 << message.pin;
    else this.#levels &= ~(1 << message.pin);
    return true;
  }
}

function writeHex(out: Uint8Array, from: number, value: number): number {
  let at = from;
  for (let shift = (31 - Math.clz32(value | 1)) & ~3; shift >= 0; shift -= 4) {
    const digit = (value >>> shift) & 0xf;
    out[at++] = digit < 10 ? ZERO + digit : LOWER_A - 10 + digit;
  }
  return at;
}

/** The value of an answer to an access of a kind: `OK 0x0000000000000026`, or 0 for `OK` alone where there is none; −1 for what is no answer to it. */
function valueOf(chunk: Buffer, from: number, to: number, kind: number): number {
  if (chunk[from] !== UPPER_O || chunk[from + 1] !== UPPER_K) return -1;
  const op = kind & 0xf;
  if (op !== OPERATION.IN && op !== OPERATION.READ) {
    const rest = to === from + 2 ? '' : chunk.toString('latin1', from + 2, to);
    return isAnswer(kind, rest) ? 0 : -1;
  }
  const digits = from + 5;
  if (chunk[from + 2] !== SPACE || chunk[from + 3] !== ZERO || chunk[from + 4] !== LOWER_X) return -1;
  if (to <= digits || to > digits + 16) return -1;
  let value = 0;
  for (let at = digits; at < to; at++) {
    const byte = chunk[at] ?? 0;
    const digit = byte >= LOWER_A ? byte - (LOWER_A - 10) : byte - ZERO;
    if (digit < 0 || digit > 15) return -1;
    value = value * 16 + digit;
  }
  return value < 2 ** (8 * (kind >> 4)) ? value : -1;
}

/** Whether what follows `OK` is an answer: the time after a step, `little` to what is asked after a reset, else nothing. */
function isAnswer(kind: number, rest: string): boolean {
  if (kind === STEP) return /^ \d{1,19}$/.test(rest);
  return rest === '' || (kind === RESET && rest === ' little');
}

function notProtocol(line: string, request: string): Error {
  return line.startsWith('FAIL')
    ? emulatorError(`QEMU refuses '${request}': ${shorten(line)}`)
    : emulatorError(`QEMU answers '${request}' with '${shorten(line)}', which is not the qtest protocol`);
}

/** A QEMU's pipeline. */
export function pipelineOf({ qtest, qmp, chardevs }: QemuHandle, { bound }: { readonly bound: number }): Pipeline {
  const monitor = new Monitor(qmp, bound);
  const requests = new Requests(qtest, bound, async () => await monitor.reset());
  let watches = false;
  const watch = async (): Promise<void> => {
    if (watches) return;
    watches = true;
    await requests.ask('irq_intercept_in ioapic');
  };
  return {
    async run(batch, answers) {
      await watch();
      await requests.run(batch, answers);
      // A serial port whose pipe is full does not send.
      for (const { poll } of Object.values(chardevs)) readAvailable(poll);
    },
    async sync() {
      await watch();
      await requests.ask(FLUSH);
    },
  };
}

/** QEMU's monitor, by which it is reset: without blocking, for a QEMU that hangs. */
class Monitor {
  readonly #channel: Channel;
  readonly #bound: number;
  #text: string;

  constructor(channel: Channel, bound: number) {
    this.#channel = channel;
    this.#bound = bound;
    this.#text = channel.early;
  }

  /** Comes back when the machine has been reset, which is later than when the command is answered. */
  async reset(): Promise<void> {
    this.#text = '';
    writeSync(this.#channel.write, '{"execute": "qmp_capabilities"}\n{"execute": "system_reset"}\n');
    for (const deadline = performance.now() + this.#bound; !this.#text.includes('"RESET"');) {
      const more = readAvailable(this.#channel.poll);
      if (more === undefined) throw emulatorError('QEMU has closed its QMP pipe');
      this.#text += more;
      if (performance.now() >= deadline)
        throw noAnswer(`QEMU has not answered 'system_reset' within ${this.#bound / 1000} s`);
      if (more === '') await setImmediate();
    }
  }
}
