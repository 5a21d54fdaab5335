import { array, bytes, type CharBackend, type Chardev, type StateArray } from '@qtest/sdk';
import { layoutState, stateBinder } from '@qtest/sdk/support';

/**
 * Character backends: two rings in the device's part of the state, so that bytes on their way are in a snapshot and a test reaches them
 * without a message.
 */

/** Bytes that each ring holds. */
const CAPACITY = 4096;

/** Read and written are counts for ever, modulo 2³². */
const SCHEMA = { counts: array('u32', 4), toDevice: bytes(CAPACITY), fromDevice: bytes(CAPACITY) } as const;

const bind = stateBinder(SCHEMA);

/** Bytes of state that a character backend takes. */
export const CHARDEV_BYTES = layoutState(SCHEMA).size;

class Ring {
  readonly #counts: StateArray;
  readonly #read: number;
  readonly #written: number;
  readonly #cells: StateArray;

  constructor(counts: StateArray, first: number, cells: StateArray) {
    this.#counts = counts;
    this.#read = first;
    this.#written = first + 1;
    this.#cells = cells;
  }

  /** Bytes in it. Counts that cannot be right are those of an empty ring: whoever takes bytes out of it, or puts them in, comes to an end. */
  get waiting(): number {
    const waiting = (this.#counts.get(this.#written) - this.#counts.get(this.#read)) >>> 0;
    return waiting <= CAPACITY ? waiting : 0;
  }

  put(byte: number): boolean {
    if (this.waiting >= CAPACITY) return false;
    const written = this.#counts.get(this.#written);
    this.#cells.set(written % CAPACITY, byte);
    this.#counts.set(this.#written, written + 1);
    return true;
  }

  take(): number | undefined {
    if (this.waiting === 0) return undefined;
    const read = this.#counts.get(this.#read);
    this.#counts.set(this.#read, read + 1);
    return this.#cells.get(read % CAPACITY);
  }
}

/** Both ends of a character backend, bound to a device's state. Everything is called with the lock held. */
export class BoundChardev {
  readonly #toDevice: Ring;
  readonly #fromDevice: Ring;

  constructor(buffer: ArrayBufferLike, offset: number) {
    const { counts, toDevice, fromDevice } = bind(buffer, offset);
    this.#toDevice = new Ring(counts, 0, toDevice);
    this.#fromDevice = new Ring(counts, 2, fromDevice);
  }

  /** The device's end. */
  get backend(): CharBackend {
    const [input, output] = [this.#toDevice, this.#fromDevice];
    return {
      get waiting() {
        return input.waiting;
      },
      receive: () => input.take(),
      send: (byte) => output.put(byte & 0xff),
    };
  }

  /** The test's end; `received` tells the device. */
  frontend(received: () => void): Chardev {
    return {
      write: (data) => {
        const given = typeof data === 'string' ? new TextEncoder().encode(data) : data;
        if (!(given instanceof Uint8Array))
          throw new TypeError(`chardev.write(): give a Uint8Array or a string, not ${typeof data}`);
        let taken = 0;
        while (taken < given.length && this.#toDevice.put(given[taken] ?? 0)) taken++;
        if (taken > 0) received();
        return taken;
      },
      read: () => {
        const found = new Uint8Array(this.#fromDevice.waiting);
        for (let i = 0; i < found.length; i++) found[i] = this.#fromDevice.take() ?? 0;
        return found;
      },
    };
  }
}

/** The backend of a device that has none: nothing comes, and what is sent is gone. */
export const NO_CHARDEV: CharBackend = { waiting: 0, receive: () => undefined, send: () => true };
