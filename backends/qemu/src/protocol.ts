import { emulatorError } from '@qtest/sdk/backend';
import { shorten, type Lines } from './channel.ts';

/** Inputs of QEMU's I/O APIC, which are those that it tells of. */
const PINS = 24;

/** What the qtest protocol is answered with (QEMU, system/qtest.c), or told in between. */
export type Message =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'irq'; readonly pin: number; readonly level: boolean };

/** A line of QEMU's; undefined when it is none of the protocol's. */
export function parseMessage(line: string): Message | undefined {
  const [, head, text = ''] = /^(OK|FAIL|ERR)(?: (.*))?$/s.exec(line) ?? [];
  if (head === 'OK') return { kind: 'ok', text };
  if (head !== undefined) return { kind: 'fail', reason: text };
  const [, change, pin] = /^IRQ (raise|lower) (\d{1,3})$/.exec(line) ?? [];
  return change === undefined || Number(pin) >= PINS
    ? undefined
    : { kind: 'irq', pin: Number(pin), level: change === 'raise' };
}

/**
 * Requests of the qtest protocol, one at a time; IRQs are told of as they come. What another process answers is checked: what is no
 * answer to the request is an error, as is everything after it.
 */
export class Qtest {
  readonly #lines: Lines;
  readonly #onIrq: (pin: number, level: boolean) => void;
  readonly #asking: (request: string) => void;

  /** @param asking is told of each request before it is made, and of `''` when it has been answered. */
  constructor(lines: Lines, onIrq: (pin: number, level: boolean) => void, asking: (request: string) => void) {
    this.#lines = lines;
    this.#onIrq = onIrq;
    this.#asking = asking;
  }

  /**
   * Makes a request whose answer is `OK`, and what is expected behind it.
   * @throws EMULATOR when it is refused, when what comes is no answer to it, and when QEMU has gone.
   */
  ask(request: string, expected = ''): void {
    const answer = this.#answer(request);
    if (answer !== expected) throw this.#wrong(request, answer, expected === '' ? 'a bare OK' : `OK ${expected}`);
  }

  /** Makes an access; gives its value, which has `size` bytes. */
  value(request: string, size: number): number {
    const answer = this.#answer(request);
    const value = /^0x[\da-f]{1,16}$/.test(answer) ? Number(answer) : Number.NaN;
    if (value < 2 ** (8 * size)) return value;
    throw this.#wrong(request, answer, `a value of ${8 * size} bits, 0x…`);
  }

  /** Reads a block. */
  bytes(request: string, length: number): Uint8Array {
    const answer = this.#answer(request);
    // Buffer leaves out what is no base64.
    const isBase64 = answer.length === 4 * Math.ceil(length / 3) && /^[A-Za-z\d+/]*={0,2}$/.test(answer);
    const bytes = Buffer.from(isBase64 ? answer : '', 'base64');
    if (bytes.length === length) return bytes;
    throw this.#wrong(request, answer, `${length} bytes in base64`);
  }

  /** Moves the time to an instant from `from` to `to`; gives it, or undefined when that is refused. */
  time(request: string, from: bigint, to: bigint): bigint | undefined {
    const message = this.#exchange(request);
    if (message.kind === 'fail') return undefined;
    const now = /^\d{1,19}$/.test(message.text) ? BigInt(message.text) : -1n;
    if (now >= from && now <= to) return now;
    throw this.#wrong(request, message.text, `a time from ${from} to ${to} ns`);
  }

  #answer(request: string): string {
    const message = this.#exchange(request);
    if (message.kind === 'ok') return message.text;
    throw emulatorError(`QEMU refuses '${shorten(request)}': ${shorten(message.reason)}`);
  }

  #wrong(request: string, answer: string, expected: string): Error {
    const line = answer === '' ? 'OK' : `OK ${answer}`;
    return this.#lines.fail(`QEMU answers '${shorten(request)}' with '${shorten(line)}': expected ${expected}`);
  }

  #exchange(request: string): Exclude<Message, { kind: 'irq' }> {
    this.#asking(request);
    this.#lines.send(request);
    for (;;) {
      const message = this.#parse(this.#lines.receive(request), request);
      if (message.kind === 'irq') {
        this.#onIrq(message.pin, message.level);
        continue;
      }
      this.#asking('');
      return message;
    }
  }

  /** Takes in the IRQs that have come meanwhile. */
  poll(): void {
    for (;;) {
      const line = this.#lines.poll();
      if (line === undefined) return;
      const message = this.#parse(line, 'nothing');
      if (message.kind !== 'irq') throw this.#lines.fail(`QEMU answers '${shorten(line)}' without having been asked`);
      this.#onIrq(message.pin, message.level);
    }
  }

  #parse(line: string, request: string): Message {
    const message = parseMessage(line);
    if (message !== undefined) return message;
    throw this.#lines.fail(
      `QEMU answers '${shorten(request)}' with '${shorten(line)}', which is not the qtest protocol`,
    );
  }
}
