import { RING_ENTRIES, RING_ENTRY_BYTES, RING_OFFSET, WORD, type Control } from './control.ts';

/**
 * The event ring: what happened in devices, for the host's observing hooks. Written under the machine's lock, read by the
 * host alone; when it is full, events are counted and lost.
 */

export const EVENT = { IRQ: 1, GUEST_ERROR: 2, UNIMPLEMENTED: 3 } as const;
export type EventKind = (typeof EVENT)[keyof typeof EVENT];

export interface MachineEvent {
  readonly kind: EventKind;
  /** Device index, or line index for `IRQ`; −1 when no device answered. */
  readonly source: number;
  /** Level, for `IRQ`. */
  readonly value: number;
  /** Machine time, ns. */
  readonly now: bigint;
  readonly message: string;
}

/** Longest message kept, in characters; others than Latin-1 are shown as `?`. */
const MESSAGE_BYTES = RING_ENTRY_BYTES - 24;

export class EventRing {
  readonly #words: Int32Array;
  readonly #view: DataView;
  /** Of the reader, which does not believe the word: a case could have written it. */
  #taken: number;

  constructor(control: Control) {
    this.#words = control.words;
    this.#taken = Atomics.load(control.words, WORD.RING_TAIL);
    this.#view = new DataView(control.words.buffer, RING_OFFSET, RING_ENTRIES * RING_ENTRY_BYTES);
  }

  /** Writes an event; the caller holds the lock. */
  push(kind: EventKind, source: number, value: number, now: bigint, message = ''): void {
    const words = this.#words;
    const head = Atomics.load(words, WORD.RING_HEAD);
    if (((head - Atomics.load(words, WORD.RING_TAIL)) | 0) >= RING_ENTRIES) {
      Atomics.add(words, WORD.RING_LOST, 1);
      return;
    }
    const view = this.#view;
    const at = (head & (RING_ENTRIES - 1)) * RING_ENTRY_BYTES;
    const length = Math.min(message.length, MESSAGE_BYTES);
    view.setInt32(at, kind, true);
    view.setInt32(at + 4, source, true);
    view.setInt32(at + 8, value, true);
    view.setInt32(at + 12, length, true);
    view.setBigInt64(at + 16, now, true);
    for (let i = 0; i < length; i++) {
      const char = message.charCodeAt(i);
      view.setUint8(at + 24 + i, char > 0xff ? 0x3f : char);
    }
    Atomics.store(words, WORD.RING_HEAD, (head + 1) | 0);
  }

  /** Entries taken out, for ever. */
  get taken(): number {
    return this.#taken;
  }

  /** Entries to be taken out. Those of a head that cannot be right are none. */
  get #waiting(): number {
    const waiting = (Atomics.load(this.#words, WORD.RING_HEAD) - this.#taken) | 0;
    return waiting >= 0 && waiting <= RING_ENTRIES ? waiting : 0;
  }

  /**
   * Takes out the events that there are now, oldest first, until `isOver`: more may come as fast as they are taken. On the host's thread only.
   * @returns whether there are more.
   */
  drain(take: (event: MachineEvent) => void, isOver: () => boolean = () => false): boolean {
    const view = this.#view;
    for (let left = this.#waiting; left > 0 && !isOver(); left--) {
      const at = (this.#taken & (RING_ENTRIES - 1)) * RING_ENTRY_BYTES;
      const length = Math.min(view.getInt32(at + 12, true), MESSAGE_BYTES);
      let message = '';
      for (let i = 0; i < length; i++) message += String.fromCharCode(view.getUint8(at + 24 + i));
      const event: MachineEvent = {
        kind: view.getInt32(at, true) as EventKind,
        source: view.getInt32(at + 4, true),
        value: view.getInt32(at + 8, true),
        now: view.getBigInt64(at + 16, true),
        message,
      };
      this.#skip(1);
      take(event);
    }
    return this.#waiting > 0;
  }

  /** Takes out all events, of which nobody is told. Gives how many there were. */
  discard(): number {
    const waiting = this.#waiting;
    this.#skip(waiting);
    return waiting;
  }

  #skip(count: number): void {
    this.#taken = (this.#taken + count) | 0;
    Atomics.store(this.#words, WORD.RING_TAIL, this.#taken);
  }

  /** Events lost since the last call. */
  takeLost(): number {
    return Math.max(0, Atomics.exchange(this.#words, WORD.RING_LOST, 0));
  }
}
