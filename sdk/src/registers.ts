/**
 * Register tables. A field is defined once, with the datasheet's name, bits and access. Devices use it to read and write
 * values. The framework uses it to decode traces, to check reset values and reserved bits, and to measure coverage.
 */

/**
 * How a field answers software:
 *
 * - `rw`: read and write
 * - `ro`: writes are ignored
 * - `wo`: what is written cannot be read; a read gives the reset value, or what the bus gives
 * - `w1c`: writing 1 clears
 * - `w1s`: writing 1 sets
 * - `w0c`: writing 0 clears
 * - `rc`: reading clears; writes are ignored
 * - `reserved`: a read gives the reset value; writes are ignored
 */
export type FieldAccess = 'rw' | 'ro' | 'wo' | 'w1c' | 'w1s' | 'w0c' | 'rc' | 'reserved';

interface FieldSpec {
  readonly access: FieldAccess;
  readonly msb: number;
  readonly lsb: number;
}

/** A field of a register. */
export interface Field extends FieldSpec {
  readonly name: string;
  /** Its bits, in place. */
  readonly mask: number;
  /** Whether any of its bits is set in `value`. */
  test(value: number): boolean;
  /** The field's content in `value`, moved to bit 0. */
  get(value: number): number;
  /** `value` with the field's content replaced. */
  set(value: number, content: number): number;
}

/** The description of a register, for `register()`. */
export interface RegisterSpec<F extends string> {
  /** Byte offset in its region, or index in its bank. */
  readonly offset: number;
  /** The number of bits. Default 8. */
  readonly width?: 8 | 16 | 32;
  /** The value after power-on. Leave it out when the datasheet does not say it. */
  readonly reset?: number;
  readonly fields?: Readonly<Record<F, FieldSpec>>;
  /** The access of a register without fields. Default `rw`. */
  readonly access?: FieldAccess;
  /** What a write or a read does beyond its bits ("reading clears all flags"), for the reader of a trace. */
  readonly effect?: string;
  /**
   * The fields (`true`: all) whose content the part's own logic also changes: another register is written at the same address, time
   * moves it, or it does not take every value. `qtest contract` checks the reset value of these fields, and not what a write does to them.
   */
  readonly volatile?: boolean | readonly NoInfer<F>[];
}

/** A register. Its fields are also its properties, by name. */
export type Register<F extends string = never> = {
  readonly name: string;
  readonly offset: number;
  readonly width: 8 | 16 | 32;
  readonly reset: number | undefined;
  readonly fields: readonly Field[];
  readonly effect: string | undefined;
  /** Bits that a write stores as they are. */
  readonly writable: number;
  /** Bits whose content the part's own logic also changes. */
  readonly volatile: number;
  /** What the register holds after `written` is written over `old`, by the access of each field. */
  write(old: number, written: number): number;
} & { readonly [K in F]: Field };

const bits =
  (access: FieldAccess) =>
  (msb: number, lsb: number = msb): FieldSpec => {
    if (!(Number.isInteger(msb) && Number.isInteger(lsb) && msb >= lsb && lsb >= 0 && msb < 32)) {
      throw new RangeError(`${access}(${msb}, ${lsb}): give the highest and the lowest bit, 31 ≥ msb ≥ lsb ≥ 0`);
    }
    return { access, msb, lsb };
  };

/** A field for reads and writes: `rw(7)` is bit 7, `rw(6, 4)` is bits 6 to 4. The other field constructors take the same arguments. */
export const rw = bits('rw');
/** A read-only field. */
export const ro = bits('ro');
/** A write-only field. */
export const wo = bits('wo');
/** A field that writing 1 clears. */
export const w1c = bits('w1c');
/** A field that writing 1 sets. */
export const w1s = bits('w1s');
/** A field that writing 0 clears. */
export const w0c = bits('w0c');
/** A field that reading clears. */
export const rc = bits('rc');
/** Reserved bits. */
export const reserved = bits('reserved');

const OWN_KEYS = new Set(['name', 'offset', 'width', 'reset', 'fields', 'effect', 'writable', 'volatile', 'write']);

/** Defines a register. Its fields are properties of it: `B.PIE.mask`, `A.RS.get(value)`. */
export function register<const F extends string = never>(name: string, spec: RegisterSpec<F>): Register<F> {
  const { offset, width = 8, reset, effect, access = 'rw', volatile = false } = spec;
  const given: Readonly<Record<string, FieldSpec>> = spec.fields ?? { [name]: { access, msb: width - 1, lsb: 0 } };
  let used = 0;
  const fields = Object.entries(given).map(([fieldName, field]): Field => {
    const mask = ((2 ** (field.msb - field.lsb + 1) - 1) << field.lsb) >>> 0;
    if (field.msb >= width) throw new RangeError(`register ${name}: field ${fieldName} lies beyond its ${width} bits`);
    if ((used & mask) !== 0) throw new RangeError(`register ${name}: field ${fieldName} overlaps another field`);
    if (OWN_KEYS.has(fieldName)) throw new TypeError(`register ${name}: the field name '${fieldName}' is reserved`);
    used |= mask;
    return {
      ...field,
      name: fieldName,
      mask,
      test: (value) => (value & mask) !== 0,
      get: (value) => (value & mask) >>> field.lsb,
      set: (value, content) => ((value & ~mask) | ((content << field.lsb) & mask)) >>> 0,
    };
  });
  const maskOf = (...kinds: FieldAccess[]): number =>
    fields.reduce((mask, field) => (kinds.includes(field.access) ? mask | field.mask : mask), 0) >>> 0;
  const writable = maskOf('rw', 'wo');
  const [w1cMask, w1sMask, w0cMask] = [maskOf('w1c'), maskOf('w1s'), maskOf('w0c')];
  const volatileNames: readonly string[] = typeof volatile === 'boolean' ? [] : volatile;
  const volatileMask =
    volatile === true
      ? 2 ** width - 1
      : fields.reduce((mask, field) => (volatileNames.includes(field.name) ? mask | field.mask : mask), 0) >>> 0;
  const own = {
    name,
    offset,
    width,
    reset,
    effect,
    fields,
    writable,
    volatile: volatileMask,
    write: (old: number, written: number): number =>
      (((((old & ~writable) | (written & writable)) & ~(written & w1cMask)) | (written & w1sMask)) &
        (written | ~w0cMask)) >>>
      0,
  };
  // The keys of `given` are F, which Object.fromEntries cannot know.
  const named = Object.fromEntries(fields.map((field) => [field.name, field])) as { [K in F]: Field };
  return Object.freeze(Object.assign(own, named));
}

/** The registers that answer in one region. */
export interface RegisterBank {
  readonly registers: readonly Register[];
  /** Registers behind an index port and a data port: what is written to `index` selects the register that `data` reaches. */
  readonly indexed?: {
    /** Offsets in the region of the two ports. */
    readonly index: number;
    readonly data: number;
    /** Bits of the index port that select. */
    readonly mask: number;
    readonly registers: readonly Register[];
  };
}

const inHex = (content: number): string => (content > 9 ? `0x${content.toString(16)}` : String(content));

/** The fields that are set in a value, for a reader: `{PIE, 24H}`. Fields of several bits are shown as `RS=6`. */
export function decodeRegister(target: Register, value: number): string {
  const shown = target.fields
    .filter((field) => field.access !== 'reserved' && field.test(value) && target.fields.length > 1)
    .map((field) => (field.msb === field.lsb ? field.name : `${field.name}=${inHex(field.get(value))}`));
  return shown.length === 0 ? '' : `{${shown.join(', ')}}`;
}
