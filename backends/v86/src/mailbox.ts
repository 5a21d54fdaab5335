import { emulatorError, noAnswer } from '@qtest/sdk/backend';

/** What a VCPU's thread asks of the emulator's. */
export const REQUEST = {
  /** The case begins. */
  BEGIN: 1,
  IN: 2,
  OUT: 3,
  READ: 4,
  WRITE: 5,
  /** Of as many bytes as `size` says, which are in the mailbox. */
  READ_BLOCK: 6,
  WRITE_BLOCK: 7,
  /** An interrupt acknowledge cycle: the vector, or −1 for none. */
  ACKNOWLEDGE: 8,
  RESET: 9,
  /** Bytes for a serial port, whose number is the address. */
  SEND: 10,
  /** Gives how many bytes the port has sent, and the bytes. */
  RECEIVE: 11,
} as const;

export interface Request {
  readonly kind: number;
  readonly size?: number;
  readonly address?: number;
  readonly value?: number;
}

/** ISA IRQs. */
export const IRQS = 16;

/** 32-bit words of the mailbox. */
const WORD = {
  /** Requests made, and answered. */
  ASKED: 0,
  ANSWERED: 1,
  /** The emulator is gone. */
  ENDED: 2,
  /** Whether the answer is a value, or the text of what was thrown. */
  THREW: 3,
  KIND: 4,
  SIZE: 5,
  ADDRESS: 6,
  VALUE: 7,
  LEVELS: 16,
  RISES: 32,
} as const;

const BYTES_OFFSET = 256;
/** Bytes of a block that go with one request. */
export const BLOCK = 2 ** 18;

/** Longest sleep between two looks at whether the emulator is still there, ms. */
const RECHECK = 50;

/**
 * Memory that a VCPU's thread and the emulator's share: one request at a time, its answer, and the levels of the IRQs. The VCPU sleeps until it is
 * answered; the emulator's thread has an event loop of its own to turn.
 */
export class Mailbox {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, BYTES_OFFSET >> 2);
    this.bytes = new Uint8Array(buffer, BYTES_OFFSET);
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(BYTES_OFFSET + BLOCK);
  }

  /**
   * The VCPU's side: makes a request, waits for the answer, and gives its value.
   * @param bound how long it waits, ms, where nobody else would end the wait.
   * @throws an `emulatorError` when the emulator threw or is gone, a `noAnswer` when it has not answered within the bound.
   */
  ask({ kind, size = 0, address = 0, value = 0 }: Request, bound?: number): number {
    const { words } = this;
    words[WORD.KIND] = kind;
    words[WORD.SIZE] = size;
    words[WORD.ADDRESS] = address;
    words[WORD.VALUE] = value;
    const before = Atomics.add(words, WORD.ASKED, 1);
    const mine = (before + 1) | 0;
    Atomics.notify(words, WORD.ASKED);
    const deadline = bound === undefined ? Infinity : performance.now() + bound;
    for (let seen; (seen = Atomics.load(words, WORD.ANSWERED)) !== mine;) {
      if (Atomics.load(words, WORD.ENDED) !== 0) throw emulatorError('the thread of v86 has ended');
      // One request at a time: the answer to the one before is there.
      if (seen !== before)
        throw emulatorError(
          `memory that is shared with v86 has been damaged: its answers are ${seen}, where ${mine} are expected`,
        );
      const woken = Atomics.wait(words, WORD.ANSWERED, seen, RECHECK);
      if (woken === 'timed-out' && bound !== undefined && performance.now() >= deadline)
        throw noAnswer(`v86 has not answered within ${bound / 1000} s`);
    }
    const answer = words[WORD.VALUE] ?? 0;
    if (words[WORD.THREW] === 0) return answer;
    throw emulatorError(`v86 threw: ${Buffer.from(this.bytes.slice(0, answer)).toString('utf8')}`);
  }

  level(irq: number): boolean {
    return this.words[WORD.LEVELS + irq] === 1;
  }

  rises(irq: number): number {
    return this.words[WORD.RISES + irq] ?? 0;
  }

  /** The emulator's side: an IRQ has a level. */
  drive(irq: number, level: boolean): void {
    const { words } = this;
    if (!(irq >= 0 && irq < IRQS && Number.isInteger(irq))) throw new Error(`it drives IRQ ${irq}, which is none`);
    if (this.level(irq) === level) return;
    Atomics.store(words, WORD.LEVELS + irq, level ? 1 : 0);
    if (level) Atomics.add(words, WORD.RISES + irq, 1);
  }

  /** The emulator's side: waits up to `ms` for a request; undefined when there is none. */
  receive(ms: number): Required<Request> | undefined {
    const { words } = this;
    const answered = Atomics.load(words, WORD.ANSWERED);
    if (Atomics.load(words, WORD.ASKED) === answered) Atomics.wait(words, WORD.ASKED, answered, ms);
    if (Atomics.load(words, WORD.ASKED) === answered) return undefined;
    return {
      kind: words[WORD.KIND] ?? 0,
      size: words[WORD.SIZE] ?? 0,
      address: (words[WORD.ADDRESS] ?? 0) >>> 0,
      value: (words[WORD.VALUE] ?? 0) >>> 0,
    };
  }

  answer(value: number): void {
    this.#answer(value, 0);
  }

  /** The emulator's side: what it was asked for threw. */
  fail(message: string): void {
    const { written } = new TextEncoder().encodeInto(message, this.bytes.subarray(0));
    this.#answer(written, 1);
  }

  /** The emulator will not answer any more. */
  end(): void {
    Atomics.store(this.words, WORD.ENDED, 1);
    Atomics.notify(this.words, WORD.ANSWERED);
  }

  #answer(value: number, threw: number): void {
    const { words } = this;
    words[WORD.VALUE] = value;
    words[WORD.THREW] = threw;
    Atomics.add(words, WORD.ANSWERED, 1);
    Atomics.notify(words, WORD.ANSWERED);
  }
}
