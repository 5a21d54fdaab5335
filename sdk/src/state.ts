/**
 * State schemas: a device's mutable state declared as names and widths, bound as typed accessors to bytes that every
 * thread of a machine shares. One class serves a schema; its accessors sit on the prototype, so that they stay as fast
 * as plain fields however many instances there are.
 */

/** A single value: a flag, or an unsigned or signed integer of the width in its name. `i64` is a `bigint`. */
export type ScalarType = 'bool' | 'u8' | 'u16' | 'u32' | 'i32' | 'i64';

/** A fixed number of values of one width. */
export interface ArrayType<W extends 'u8' | 'u16' | 'u32' = 'u8' | 'u16' | 'u32'> {
  readonly of: W;
  readonly length: number;
}

/** The state of a device: names and types. */
export type StateSchema = Readonly<Record<string, ScalarType | ArrayType>>;

/** A checked array in a device's state. An index outside it is a bug of the device and throws. */
export interface StateArray {
  readonly length: number;
  get(index: number): number;
  set(index: number, value: number): void;
  fill(value: number): void;
}

/** A checked array of bytes in a device's state. Ranges of it move whole, as to and from what `device.dma` takes: all of a range, or an error. */
export interface StateBytes extends StateArray {
  /** A copy of `length` bytes from `start`. A range that is not inside the array is a bug of the device and throws. */
  read(start: number, length: number): Uint8Array;
  /** Puts bytes in, from `start`. Throws as `read()` does; nothing is written then. */
  write(start: number, data: Uint8Array): void;
}

type FieldOf<T> =
  T extends ArrayType<'u8'>
    ? StateBytes
    : T extends ArrayType
      ? StateArray
      : T extends 'i64'
        ? bigint
        : T extends 'bool'
          ? boolean
          : number;

/** The typed view of a schema's bytes. */
export type StateOf<S extends StateSchema> = {
  -readonly [K in keyof S as S[K] extends ArrayType ? never : K]: FieldOf<S[K]>;
} & {
  readonly [K in keyof S as S[K] extends ArrayType ? K : never]: FieldOf<S[K]>;
};

/** `length` bytes of state. */
export function bytes(length: number): ArrayType<'u8'> {
  return array('u8', length);
}

/** `length` values of state, each of the width `of`. */
export function array<W extends ArrayType['of']>(of: W, length: number): ArrayType<W> {
  if (!Number.isInteger(length) || length < 1) {
    throw new RangeError(`array('${of}', ${length}): the length must be a positive integer`);
  }
  return { of, length };
}

/** Bytes of each scalar type. */
export const SCALAR_WIDTH = { bool: 1, u8: 1, u16: 2, u32: 4, i32: 4, i64: 8 } as const;

/** Where a field lies: its byte offset from the start of the device's state, which is aligned to 8. */
export interface StateField {
  readonly name: string;
  readonly type: ScalarType | ArrayType;
  readonly offset: number;
  readonly size: number;
}

/** Where the fields of a state lie in its bytes. */
export interface StateLayout {
  readonly fields: readonly StateField[];
  /** Bytes, a multiple of 8. */
  readonly size: number;
}

/** The layout of a schema. Wide fields come first, so that each field is aligned without padding. */
export function layoutState(schema: StateSchema): StateLayout {
  const widthOf = (type: ScalarType | ArrayType): number => SCALAR_WIDTH[typeof type === 'string' ? type : type.of];
  const ordered = Object.entries(schema).toSorted(([, a], [, b]) => widthOf(b) - widthOf(a));
  let offset = 0;
  const fields = ordered.map(([name, type]): StateField => {
    const size = widthOf(type) * (typeof type === 'string' ? 1 : type.length);
    const field = { name, type, offset, size };
    offset += size;
    return field;
  });
  return { fields, size: (offset + 7) & ~7 };
}

/** Names that the accessors themselves use. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set([
  'u8',
  'u16',
  'u32',
  'i32',
  'i64',
  'constructor',
  '__proto__',
]);

class BoundState {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;

  constructor(buffer: ArrayBufferLike, offset: number, size: number) {
    this.u8 = new Uint8Array(buffer, offset, size);
    this.u16 = new Uint16Array(buffer, offset, size >> 1);
    this.u32 = new Uint32Array(buffer, offset, size >> 2);
    this.i32 = new Int32Array(buffer, offset, size >> 2);
    this.i64 = new BigInt64Array(buffer, offset, size >> 3);
  }
}

class BoundArray<V extends Uint8Array | Uint16Array | Uint32Array> {
  readonly length: number;
  protected readonly name: string;
  protected readonly view: V;

  constructor(name: string, view: V) {
    this.length = view.length;
    this.name = name;
    this.view = view;
  }

  fill(value: number): void {
    this.view.fill(value);
  }

  protected outOfBounds(index: number): RangeError {
    return new RangeError(`state array '${this.name}' has no element ${index}: its length is ${this.length}`);
  }
}

// A get and a set for each width, alike as they are: one that has met views of several widths asks at every access which it has.

class ByteArray extends BoundArray<Uint8Array> implements StateBytes {
  get(index: number): number {
    const value = this.view[index];
    if (value === undefined) throw this.outOfBounds(index);
    return value;
  }

  set(index: number, value: number): void {
    if (!(index >= 0 && index < this.length && Number.isInteger(index))) throw this.outOfBounds(index);
    this.view[index] = value;
  }

  read(start: number, length: number): Uint8Array {
    this.#check(start, length);
    return this.view.slice(start, start + length);
  }

  write(start: number, data: Uint8Array): void {
    this.#check(start, data.length);
    this.view.set(data, start);
  }

  #check(start: number, length: number): void {
    const fits = Number.isInteger(start) && Number.isInteger(length) && start >= 0 && length >= 0;
    if (!(fits && start + length <= this.length))
      throw new RangeError(
        `state array '${this.name}' has no ${length} bytes from ${start}: its length is ${this.length}`,
      );
  }
}

class WordArray extends BoundArray<Uint16Array> implements StateArray {
  get(index: number): number {
    const value = this.view[index];
    if (value === undefined) throw this.outOfBounds(index);
    return value;
  }

  set(index: number, value: number): void {
    if (!(index >= 0 && index < this.length && Number.isInteger(index))) throw this.outOfBounds(index);
    this.view[index] = value;
  }
}

class LongArray extends BoundArray<Uint32Array> implements StateArray {
  get(index: number): number {
    const value = this.view[index];
    if (value === undefined) throw this.outOfBounds(index);
    return value;
  }

  set(index: number, value: number): void {
    if (!(index >= 0 && index < this.length && Number.isInteger(index))) throw this.outOfBounds(index);
    this.view[index] = value;
  }
}

const arrayOf: Readonly<
  Record<ArrayType['of'], (name: string, state: BoundState, from: number, to: number) => StateArray>
> = {
  u8: (name, { u8 }, from, to) => new ByteArray(name, u8.subarray(from, to)),
  u16: (name, { u16 }, from, to) => new WordArray(name, u16.subarray(from, to)),
  u32: (name, { u32 }, from, to) => new LongArray(name, u32.subarray(from, to)),
};

// A closure for each type, not one generic accessor: `this[type][i]` is eight times slower.
const accessorOf: Readonly<Record<ScalarType, (i: number) => PropertyDescriptor & ThisType<BoundState>>> = {
  bool: (i) => ({
    get() {
      return this.u8[i] !== 0;
    },
    set(value: boolean) {
      this.u8[i] = value ? 1 : 0;
    },
  }),
  u8: (i) => ({
    get() {
      return this.u8[i];
    },
    set(value: number) {
      this.u8[i] = value;
    },
  }),
  u16: (i) => ({
    get() {
      return this.u16[i];
    },
    set(value: number) {
      this.u16[i] = value;
    },
  }),
  u32: (i) => ({
    get() {
      return this.u32[i];
    },
    set(value: number) {
      this.u32[i] = value;
    },
  }),
  i32: (i) => ({
    get() {
      return this.i32[i];
    },
    set(value: number) {
      this.i32[i] = value;
    },
  }),
  i64: (i) => ({
    get() {
      return this.i64[i];
    },
    set(value: bigint) {
      this.i64[i] = value;
    },
  }),
};

/** Binds a schema to bytes. Binding writes nothing. */
export type StateBinder<S extends StateSchema> = (buffer: ArrayBufferLike, offset: number) => StateOf<S>;

/** Makes the binder of a schema. Make it once and use it for every instance: then they share one class. */
export function stateBinder<const S extends StateSchema>(schema: S): StateBinder<S>;
// The accessors are added by name, where no type sees them.
export function stateBinder(schema: StateSchema): (buffer: ArrayBufferLike, offset: number) => object {
  const { fields, size } = layoutState(schema);
  class State extends BoundState {}
  const arrays: StateField[] = [];
  for (const field of fields) {
    if (typeof field.type === 'string') {
      const index = field.offset / SCALAR_WIDTH[field.type];
      Object.defineProperty(State.prototype, field.name, { enumerable: true, ...accessorOf[field.type](index) });
    } else {
      arrays.push(field);
    }
  }
  return (buffer, offset) => {
    const state = new State(buffer, offset, size);
    for (const { name, type, offset: at, size: length } of arrays) {
      if (typeof type === 'string') continue;
      const width = SCALAR_WIDTH[type.of];
      const value = arrayOf[type.of](name, state, at / width, (at + length) / width);
      Object.defineProperty(state, name, { value, enumerable: true });
    }
    return state;
  };
}
