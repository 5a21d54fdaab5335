import { types } from 'node:util';

import { inspected, isHuge, unboxed, flat, LIMITS, messageOf, nameOf } from '@qtest/sdk/support';
import { count } from '../report/format.ts';

/** What a case has returned, as a report keeps it. */
export interface Returned {
  readonly value: unknown;
  /** What was left out; undefined when nothing was. */
  readonly note?: string;
}

/**
 * A copy of what a case has returned: a tree of plain data, by `LIMITS`, whatever it was. What contains itself is `[Circular]` there, a Map has
 * texts as its keys, an error is its name and message. What is within the limits comes out as it went in, so that the host takes nothing else.
 * @throws TypeError when it is no data: a function, a symbol, a promise, a proxy, a getter that throws.
 */
export function returned(value: unknown): Returned {
  const packer = new Packer();
  try {
    const copy = packer.pack(value, 0);
    const note = packer.note();
    return { value: copy, ...(note !== undefined && { note }) };
  } catch (error) {
    throw new TypeError(
      `the case returned what cannot be cloned (${messageOf(error)}); a case returns nothing, or plain data`,
      { cause: error },
    );
  }
}

const MIB = 2 ** 20;

class Packer {
  #size = 0;
  #items = 0;
  readonly #around: object[] = [];
  readonly #cut = { byte: 0, character: 0, item: 0 };

  note(): string | undefined {
    const parts = Object.entries(this.#cut).filter(([, left]) => left > 0);
    if (parts.length === 0) return undefined;
    const { valueSize, valueItems, valueDepth } = LIMITS;
    return (
      `what it returned is cut: ${parts.map(([noun, left]) => count(left, noun)).join(', ')} left out. ` +
      `A report keeps ${valueSize / MIB} MiB of bytes and characters, ${valueItems} items and ${valueDepth} levels of a value`
    );
  }

  pack(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'bigint' && isHuge(value)) {
      this.#cut.item++;
      return inspected(value, { depth: 0 });
    }
    if (typeof value === 'function' || typeof value === 'symbol') return structuredClone(value);
    if (typeof value !== 'object' || value === null) return value;
    return this.#object(value, depth);
  }

  #object(value: object, depth: number): unknown {
    // What cannot be cloned says so itself, and a proxy is not asked.
    if (types.isProxy(value) || types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value))
      return structuredClone(value);
    if (types.isBoxedPrimitive(value)) return this.pack(unboxed(value), depth);
    if (types.isDate(value)) return new Date(Date.prototype.getTime.call(value));
    if (types.isRegExp(value)) return this.#text(RegExp.prototype.toString.call(value));
    if (types.isNativeError(value)) return this.pack({ name: nameOf(value), message: messageOf(value) }, depth);
    if (types.isAnyArrayBuffer(value)) return this.#bytes(new Uint8Array(value), 1).buffer;
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (this.#around.includes(value)) return '[Circular]';
    if (depth === LIMITS.valueDepth) {
      this.#cut.item++;
      return '(deeper than a report keeps)';
    }
    this.#around.push(value);
    const copy = this.#container(value, depth + 1);
    this.#around.pop();
    return copy;
  }

  #container(value: object, depth: number): unknown {
    if (Array.isArray(value)) {
      const copy: unknown[] = [];
      for (let n = 0; n < value.length && this.#takesItem(value.length - n); n++) copy.push(this.pack(value[n], depth));
      return copy;
    }
    if (types.isSet(value)) {
      const copy = new Set();
      for (const item of Set.prototype.values.call(value)) {
        if (!this.#takesItem(value.size - copy.size)) break;
        copy.add(this.pack(item, depth));
      }
      return copy;
    }
    if (types.isMap(value)) {
      const copy = new Map<unknown, unknown>();
      for (const [key, item] of Map.prototype.entries.call(value)) {
        if (!this.#takesItem(value.size - copy.size)) break;
        copy.set(this.#text(keyText(key)), this.pack(item, depth));
      }
      return copy;
    }
    const copy = {};
    const names = Object.keys(value);
    for (const [n, name] of names.entries()) {
      if (!this.#takesItem(names.length - n)) break;
      const item = this.pack(Reflect.get(value, name), depth);
      // A field may be called `__proto__`.
      Object.defineProperty(copy, this.#text(name), {
        ...{ value: item, enumerable: true, configurable: true, writable: true },
      });
    }
    return copy;
  }

  #takesItem(left: number): boolean {
    const fits = this.#items < LIMITS.valueItems;
    if (fits) this.#items++;
    else this.#cut.item += left;
    return fits;
  }

  #text(text: string): string {
    const kept = this.#take(text.length);
    if (kept === text.length) return text;
    this.#cut.character += text.length - kept;
    return flat(text.slice(0, kept));
  }

  /** Bytes of a buffer that may be shared, as their own. */
  #bytes(bytes: Uint8Array, unit: number): Uint8Array<ArrayBuffer> {
    const kept = this.#take(bytes.length, unit);
    this.#cut.byte += bytes.length - kept;
    return new Uint8Array(bytes.subarray(0, kept));
  }

  #view(view: ArrayBufferView): unknown {
    const unit = 'BYTES_PER_ELEMENT' in view ? Number(view.BYTES_PER_ELEMENT) : 1;
    const { buffer } = this.#bytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), unit);
    const kind = VIEWS.find((Kind) => view instanceof Kind) ?? Uint8Array;
    const copy: unknown = Reflect.construct(kind, [buffer]);
    return copy;
  }

  /** How much of so much is still to be kept, in whole units. */
  #take(size: number, unit = 1): number {
    const left = LIMITS.valueSize - this.#size;
    const kept = size <= left ? size : left - (left % unit);
    this.#size += kept;
    return kept;
  }
}

const VIEWS = [
  ...[Uint8Array, Uint8ClampedArray, Uint16Array, Uint32Array, BigUint64Array],
  ...[Int8Array, Int16Array, Int32Array, BigInt64Array, Float32Array, Float64Array, DataView],
] as const;

/** What JSON calls it. */
function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'bigint' && !isHuge(key)) return String(key);
  return inspected(key, { depth: 1, breakLength: Infinity });
}
