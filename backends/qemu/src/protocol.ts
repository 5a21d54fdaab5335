import { emulatorError } from '@qtest/sdk/backend';
import { shorten, type Lines } from './channel.ts';

/** What the qtest protocol is answered with (QEMU, system/qtest.c), or told in between. */
export type Message =
  | { readonly kind: 'ok'; readonly words: readonly string[] }
  | { readonly kind: 'fail'; readonly reason: string }
  | { readonly kind: 'irq'; readonly pin: number; readonly level: boolean };

/** A line of QEMU's; undefined when it is none of the protocol's. */
export function parseMessage(line: string): Message | undefined {
  const [head, ...words] = line.split(' ');
  if (head === 'OK') return { kind: 'ok', words };
  if (head === 'FAIL' || head === 'ERR') return { kind: 'fail', reason: words.join(' ') };
  const [, change, pin] = /^IRQ (raise|lower) (\d+)$/.exec(line) ?? [];
  return change === undefined ? undefined : { kind: 'irq', pin: Number(pin), level: change === 'raise' };
}

/** Requests of the qtest protocol, one at a time; IRQs are told of as they come. */
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
   * Makes a request and gives the words after `OK`.
   * @throws QEMU when it is refused, when what comes is no answer, and when QEMU has gone.
   */
  ask(request: string): readonly string[] {
    const message = this.#exchange(request);
    if (message.kind === 'ok') return message.words;
    throw emulatorError(`QEMU refuses '${shorten(request)}': ${message.reason}`);
  }

  /** Makes a request that may be refused; gives its words, or undefined. */
  tryAsk(request: string): readonly string[] | undefined {
    const message = this.#exchange(request);
    return message.kind === 'ok' ? message.words : undefined;
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

  /** A number that is the answer. */
  number(request: string): number {
    const [word = ''] = this.ask(request);
    const value = Number(word);
    if (word !== '' && Number.isInteger(value)) return value;
    throw this.#lines.fail(`QEMU answers '${shorten(request)}' with '${shorten(`OK ${word}`)}', and not with a number`);
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
