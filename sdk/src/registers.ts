/**
 * Register tables. A field is defined once, with the datasheet's name, bits and access; devices use it to read and write
 * values, and the framework to decode traces, check reset values and reserved bits, and measure coverage.
 */

/**
 * How a field answers software:
 * `rw` read and write · `ro` writes ignored · `wo` what is written never shows: reads as its reset value, or as the bus leaves it · `w1c` writing 1 clears · `w1s` writing 1 sets ·
 * `rc` reading clears, writes ignored · `w0c` writing 0 clears · `reserved` reads as its reset value, writes ignored.
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
  /** Its content in `value`, moved to bit 0. */
  get(value: number): number;
  /** `value` with the field's content replaced. */
  set(value: number, content: number): number;
}

/** What `register()` is told of a register. */
export interface RegisterSpec<F extends string> {
  /** Byte offset in its region, or index in its bank. */
  readonly offset: number;
  /** Bits; 8 when left out. */
  readonly width?: 8 | 16 | 32;
  /** Value after power-on; `undefined` when the datasheet leaves it open. */
  readonly reset?: number;
  readonly fields?: Readonly<Record<F, FieldSpec>>;
  /** Access of a register without fields. */
  readonly access?: FieldAccess;
  /** What a write or a read does beyond its bits ("reading clears all flags"), for the reader of a trace. */
  readonly effect?: string;
  /**
   * Fields, or with `true` all of it, whose content the part's own logic decides as well: another register is written at the same
   * address, time moves it, not every value is taken. The contract (`qtest contract`) checks their reset value and not what a write makes of them.
   */
  readonly volatile?: boolean | readonly NoInfer<F>[];
}

/** A register; its fields are also properties of it, by name. */
export type Register<F extends string = never> = {
  readonly name: string;
  readonly offset: number;
  readonly width: 8 | 16 | 32;
  readonly reset: number | undefined;
  readonly fields: readonly Field[];
  readonly effect: string | undefined;
  /** Bits that a write stores as they are. */
  readonly writable: number;
  /** Bits whose content the part's own logic decides as well. */
  readonly volatile: number;
  /** What the register holds when `written` is written over `old`, going by each field's access. */
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

/** Field constructors: `rw(7)` is bit 7, `rw(6, 4)` is bits 6 to 4. */
export const rw = bits('rw');
export const ro = bits('ro');
export const wo = bits('wo');
export const w1c = bits('w1c');
export const w1s = bits('w1s');
export const w0c = bits('w0c');
export const rc = bits('rc');
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
  /** Registers behind an index/data pair: writing `index` selects which one `data` reaches. */
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

/** `B ← 0x42` as a reader wants it: the fields that are set, `{PIE, 24H}`, multi-bit ones as `RS=6`. */
export function decodeRegister(target: Register, value: number): string {
  const shown = target.fields
    .filter((field) => field.access !== 'reserved' && field.test(value) && target.fields.length > 1)
    .map((field) => (field.msb === field.lsb ? field.name : `${field.name}=${inHex(field.get(value))}`));
  return shown.length === 0 ? '' : `{${shown.join(', ')}}`;
}
