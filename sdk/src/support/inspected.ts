import { inspect, types, type InspectOptions } from 'node:util';

import { clipped, LIMITS } from './limits.ts';

/** Items of a value that are looked at: a reader sees no more. */
const ITEMS = 2000;
/** Elements of a list that are shown. */
const ELEMENTS = 200;
/** Characters of a string inside of a value that are shown, and of a name. */
const CHARACTERS = 4000;
const NAME = 200;
/** Bits of a bigint that are shown. */
const BITS = 4096;
/** Prototypes that are looked at. */
const PROTOTYPES = 10;

/**
 * A value as Node's `inspect` shows it, whatever it is: of one that is large, a part, in a bounded time. No getter of a field, no trap of a
 * proxy and no `inspect.custom` is called.
 */
export function inspected(value: unknown, options: InspectOptions & { readonly depth: number }): string {
  const part = new Part();
  try {
    const shown = part.of(value, options.depth);
    // What stands for the whole value is no string of it.
    if (typeof shown === 'string' && typeof value !== 'string') return shown;
    const text = inspect(shown, {
      maxArrayLength: ELEMENTS,
      maxStringLength: CHARACTERS,
      ...options,
      customInspect: false,
    });
    return clipped(part.isWhole ? text : `${text} … (the rest is not shown)`, LIMITS.side);
  } catch {
    // A list of bytes with a length of its own, or the like.
    return '(a value that cannot be shown, as it throws when it is looked at)';
  }
}

/** Whether a bigint is too long for a reader, and for the time that it takes to write it. */
export function isHuge(value: bigint): boolean {
  return BigInt.asIntN(BITS, value) !== value;
}

/** What an object that stands for a string, a number … stands for. */
export function unboxed(value: object): unknown {
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  if (types.isBigIntObject(value)) return BigInt.prototype.valueOf.call(value);
  return types.isSymbolObject(value) ? Symbol.prototype.valueOf.call(value) : value;
}

/** Copies as much of a value as is shown. Objects keep their classes, by which they are called. */
class Part {
  isWhole = true;
  #left = ITEMS;
  /** Copies of what is around the value at hand: it may contain itself. */
  readonly #around = new Map<object, object>();

  of(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'bigint':
        return isHuge(value) ? `(a bigint of more than ${BITS} bits)` : value;
      case 'symbol':
        return (value.description?.length ?? 0) > NAME ? '(a symbol with a long name)' : value;
      case 'function':
        return isPlainFunction(value) ? value : '(a function)';
      case 'object':
        return value === null ? value : this.#object(value, depth);
      default:
        return value;
    }
  }

  #object(value: object, depth: number): unknown {
    if (types.isProxy(value)) return '(a Proxy)';
    if (types.isBoxedPrimitive(value)) return this.of(unboxed(value), depth);
    if (types.isDate(value) || types.isRegExp(value) || ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
      return value;
    const known = this.#around.get(value);
    if (known !== undefined) return known;
    const isDeep = depth < 0 || !this.#take();
    const copy = emptyCopy(value);
    // `inspect` names what is too deep by its class alone, unless it is empty.
    if (isDeep) return Array.isArray(copy) ? [0] : Object.assign(copy, { '…': undefined });
    this.#around.set(value, copy);
    if (Array.isArray(value) && Array.isArray(copy)) this.#elements(value, copy, depth - 1);
    else if (types.isMap(value) && types.isMap(copy)) this.#entries(value, copy, depth - 1);
    else if (types.isSet(value) && types.isSet(copy)) this.#members(value, copy, depth - 1);
    // The indices of a long list are names of fields, too.
    if (!Array.isArray(value) || value.length <= ELEMENTS) this.#fields(value, copy, depth - 1);
    this.#around.delete(value);
    return copy;
  }

  #elements(list: readonly unknown[], copy: unknown[], depth: number): void {
    for (let n = 0; n < Math.min(list.length, ELEMENTS); n++) {
      if (!this.#take()) {
        copy.length = n;
        return;
      }
      const field = Object.getOwnPropertyDescriptor(list, n);
      if (field !== undefined) Object.defineProperty(copy, n, this.#field(field, depth));
    }
    copy.length = list.length;
  }

  #entries(map: ReadonlyMap<unknown, unknown>, copy: Map<unknown, unknown>, depth: number): void {
    for (const [key, item] of Map.prototype.entries.call(map)) {
      if (!this.#take()) return;
      copy.set(this.of(key, depth), this.of(item, depth));
    }
  }

  #members(set: ReadonlySet<unknown>, copy: Set<unknown>, depth: number): void {
    for (const item of Set.prototype.values.call(set)) {
      if (!this.#take()) return;
      copy.add(this.of(item, depth));
    }
  }

  #fields(value: object, copy: object, depth: number): void {
    for (const keys of [Object.keys(value), Object.getOwnPropertySymbols(value)]) {
      for (const key of keys) {
        if (Object.hasOwn(copy, key)) continue;
        if (!this.#take()) return;
        const field = Object.getOwnPropertyDescriptor(value, key);
        if (field?.enumerable !== true) continue;
        const name = typeof key === 'string' ? clipped(key, NAME) : key;
        Object.defineProperty(copy, name, this.#field(field, depth));
      }
    }
  }

  #field(field: PropertyDescriptor, depth: number): PropertyDescriptor {
    return 'value' in field ? { ...field, value: this.of(field.value, depth) } : field;
  }

  #take(): boolean {
    if (this.#left > 0) this.#left--;
    else this.isWhole = false;
    return this.isWhole;
  }
}

/** Of the same kind and class, with nothing in it. */
function emptyCopy(value: object): object {
  const prototype = classOf(value);
  if (Array.isArray(value)) return Object.setPrototypeOf([], prototype);
  if (types.isMap(value)) return Object.setPrototypeOf(new Map(), prototype);
  if (types.isSet(value)) return Object.setPrototypeOf(new Set(), prototype);
  if (types.isNativeError(value)) return errorCopy(value, prototype);
  return Object.create(prototype);
}

/** An error is shown by its name and message, without its stack. */
function errorCopy(error: Error, prototype: object | null): object {
  const [name, message] = [textOf(error, 'name') ?? 'Error', textOf(error, 'message') ?? ''];
  const copy: object = Object.setPrototypeOf(new Error(), prototype);
  const stack = message === '' ? name : `${name}: ${message}`;
  return Object.defineProperty(copy, 'stack', { value: clipped(stack, CHARACTERS), enumerable: false });
}

/** A text that an object or its class has under a name, other than by a getter. */
function textOf(object: object, name: string): string | undefined {
  let at: object | null = object;
  for (let n = 0; at !== null && n < PROTOTYPES && !types.isProxy(at); n++) {
    const field = Object.getOwnPropertyDescriptor(at, name);
    if (field !== undefined) return typeof field.value === 'string' ? field.value : undefined;
    at = Object.getPrototypeOf(at);
  }
  return undefined;
}

/** The prototype, unless that is a proxy, or has one behind it. */
function classOf(value: object): object | null {
  const first: object | null = Object.getPrototypeOf(value);
  let prototype = first;
  for (let n = 0; prototype !== null; n++) {
    if (n === PROTOTYPES || types.isProxy(prototype)) return null;
    prototype = Object.getPrototypeOf(prototype);
  }
  return first;
}

/** One that is shown by its name, which is no getter. */
function isPlainFunction(value: object): boolean {
  if (types.isProxy(value) || Object.keys(value).length > 0) return false;
  const name: unknown = Object.getOwnPropertyDescriptor(value, 'name')?.value;
  return name === undefined ? !Object.hasOwn(value, 'name') : typeof name === 'string' && name.length <= NAME;
}
