import type {
  AnyDeviceDefinition,
  BankCoverage,
  DeviceCoverage,
  Field,
  FieldCoverage,
  Register,
  RegisterBank,
  RegisterCoverage,
} from '@qtest/sdk';
import type { Blueprint, Registry } from '@qtest/machine';

/** The words of a register. */
const READS = 0;
const WRITES = 1;
const SEEN_SET = 2;
const SEEN_CLEAR = 3;
const WROTE_SET = 4;
const WROTE_CLEAR = 5;
/** What reads have shown last, to tell a write that clears a bit from one that finds it clear. */
const LAST = 6;
/** Bits that software has cleared or set by reading or writing them. */
const EFFECTS = 7;
const REGISTER_WORDS = 8;

/** Widest field whose values are kept, bits. */
const MAX_VALUE_BITS = 8;

/** The word that holds the address of PCI configuration space. */
export const CONFIG_WORD = 0;

/** A register, where its words are, and what of it is looked at in each access. */
export interface CountedRegister {
  readonly register: Register;
  readonly at: number;
  /** Bits by what they do. */
  readonly masks: { readonly rc: number; readonly w1c: number; readonly w1s: number; readonly w0c: number };
  /** Fields whose values are kept, and where their bitmaps are. */
  readonly valued: readonly { readonly field: Field; readonly map: number }[];
}

/** Where registers lie. Of several at one offset, one is read and another written; where that does not tell, it is the table's first. */
interface CountedPlace {
  readonly start: number;
  readonly end: number;
  readonly read: CountedRegister;
  readonly write: CountedRegister;
}

/** Registers that answer in one region, or behind one index. */
export interface CountedBank {
  readonly name: string;
  readonly registers: readonly CountedRegister[];
  readonly places: readonly CountedPlace[];
  readonly indexed?: {
    readonly index: number;
    readonly data: number;
    readonly mask: number;
    /** The word of what was written to the index, plus 1; 0 when nothing was. */
    readonly at: number;
    readonly bank: CountedBank;
    readonly byIndex: ReadonlyMap<number, CountedRegister>;
  };
}

interface CountedDevice {
  readonly id: string;
  readonly type: string;
  /** By region. */
  readonly banks: ReadonlyMap<string, CountedBank>;
}

/**
 * How the registers of a machine's devices are used, in shared memory, so that it is there when a VCPU has been killed, and that several
 * VCPUs count in one place. Every thread lays it out alike, from the blueprint and the register tables.
 */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly devices: readonly CountedDevice[];
  readonly #words: Int32Array;

  constructor({ devices }: Pick<Blueprint, 'devices'>, registry: Registry, buffer?: SharedArrayBuffer) {
    let words = CONFIG_WORD + 1;
    const take = (count: number): number => (words += count) - count;
    const place = (register: Register): CountedRegister => {
      const of = (access: Field['access']): number => maskOf(register, access);
      const masks = { rc: of('rc'), w1c: of('w1c'), w1s: of('w1s'), w0c: of('w0c') };
      const at = take(REGISTER_WORDS);
      const fields = register.fields.filter((field) => valueWords(field) > 0);
      return { register, at, masks, valued: fields.map((field) => ({ field, map: take(valueWords(field)) })) };
    };
    this.devices = devices.map(({ id, type }) => ({ id, type, banks: banksOf(registry.get(type), place, take) }));
    this.buffer = buffer ?? new SharedArrayBuffer(words * 4);
    this.#words = new Int32Array(this.buffer);
  }

  /** Forgets all. */
  clear(): void {
    this.#words.fill(0);
  }

  word(at: number): number {
    return (this.#words[at] ?? 0) >>> 0;
  }

  setWord(at: number, value: number): void {
    this.#words[at] = value;
  }

  /** @param covered the register's bits that the access reaches. */
  read({ at, masks, valued }: CountedRegister, value: number, covered: number): void {
    Atomics.add(this.#words, at + READS, 1);
    this.#or(at + SEEN_SET, value & covered);
    this.#or(at + SEEN_CLEAR, ~value & covered);
    this.#or(at + EFFECTS, value & covered & masks.rc);
    this.setWord(at + LAST, (this.word(at + LAST) & ~covered) | (value & covered));
    for (const { field, map } of valued) {
      if ((field.mask & ~covered) !== 0) continue;
      const content = field.get(value);
      this.#or(map + (content >>> 5), 1 << (content & 31));
    }
  }

  /** @param covered the register's bits that the access reaches. */
  write({ at, masks }: CountedRegister, value: number, covered: number): void {
    Atomics.add(this.#words, at + WRITES, 1);
    const [ones, zeroes] = [value & covered, ~value & covered];
    this.#or(at + WROTE_SET, ones);
    this.#or(at + WROTE_CLEAR, zeroes);
    const set = this.word(at + LAST);
    const clear = (this.word(at + SEEN_SET) | this.word(at + SEEN_CLEAR)) & ~set;
    const cleared = set & ((ones & masks.w1c) | (zeroes & masks.w0c));
    this.#or(at + EFFECTS, cleared | (clear & ones & masks.w1s));
  }

  /** How all registers were used, those never touched included. */
  all(): DeviceCoverage[] {
    return this.devices.flatMap(({ id, type, banks }) => {
      const found = [...banks.values()].flatMap((bank) =>
        [bank, ...(bank.indexed === undefined ? [] : [bank.indexed.bank])].map(({ name, registers }): BankCoverage => ({
          name,
          registers: registers.map((one) => this.#used(one)),
        })),
      );
      return found.length === 0 ? [] : [{ device: id, type, banks: found }];
    });
  }

  /** How those registers were used that were touched at all. */
  touched(): DeviceCoverage[] {
    return this.all().flatMap((device) => {
      const banks = device.banks.flatMap(({ name, registers }) => {
        const touched = registers.filter(({ reads, writes }) => reads + writes > 0);
        return touched.length === 0 ? [] : [{ name, registers: touched }];
      });
      return banks.length === 0 ? [] : [{ ...device, banks }];
    });
  }

  #used({ register, at, valued }: CountedRegister): RegisterCoverage {
    const of = (word: number, mask: number): number => (this.word(at + word) & mask) >>> 0;
    const fields = register.fields.flatMap((field): FieldCoverage[] => {
      const { name, access, mask } = field;
      const map = valued.find((one) => one.field === field)?.map;
      if (access === 'reserved') return [];
      return [
        {
          name,
          access,
          mask,
          seenSet: of(SEEN_SET, mask),
          seenClear: of(SEEN_CLEAR, mask),
          wroteSet: of(WROTE_SET, mask),
          wroteClear: of(WROTE_CLEAR, mask),
          ...(map !== undefined && { values: this.#values(map, valueWords(field)) }),
          ...(hasEffect(access) && { effect: of(EFFECTS, mask) !== 0 }),
        },
      ];
    });
    const { name, offset } = register;
    return { name, offset, reads: this.word(at + READS), writes: this.word(at + WRITES), fields };
  }

  #values(at: number, size: number): number[] {
    const values = Array.from({ length: size * 32 }, (_, value) => value);
    return values.filter((value) => ((this.word(at + (value >>> 5)) >>> (value & 31)) & 1) !== 0);
  }

  #or(at: number, bits: number): void {
    if (bits !== 0) Atomics.or(this.#words, at, bits);
  }
}

/** Whether reading or writing a field does something beyond storing it. */
export function hasEffect(access: string): boolean {
  return ['w1c', 'w1s', 'w0c', 'rc'].includes(access);
}

/** A region without a table. */
const NONE: RegisterBank = { registers: [] };

function banksOf(
  definition: AnyDeviceDefinition | undefined,
  place: (register: Register) => CountedRegister,
  take: (count: number) => number,
): Map<string, CountedBank> {
  const banks = Object.entries(definition?.schema.registers ?? {});
  return new Map(
    banks.map(([name, { registers, indexed } = NONE]) => {
      const bank = bankOf(name, registers.map(place));
      if (indexed === undefined) return [name, bank];
      const { index, data, mask } = indexed;
      const holder = registers.find(({ offset }) => offset === index)?.name ?? index;
      const behind = bankOf(`${name}[${holder}]`, indexed.registers.map(place));
      const byIndex = new Map(behind.places.map(({ start, read }) => [start, read]));
      return [name, { ...bank, indexed: { index, data, mask, at: take(1), bank: behind, byIndex } }];
    }),
  );
}

function bankOf(name: string, registers: readonly CountedRegister[]): CountedBank {
  const places = Map.groupBy(registers, ({ register }) => register.offset);
  return {
    name,
    registers,
    places: [...places].flatMap(([start, [first, ...others]]) => {
      if (first === undefined) return [];
      const all = [first, ...others];
      const end = start + Math.max(...all.map(({ register }) => register.width / 8));
      const oneThat = (is: (access: string) => boolean): CountedRegister =>
        all.find(({ register }) => register.fields.some(({ access }) => access !== 'reserved' && is(access))) ?? first;
      const read = oneThat((access) => access !== 'wo');
      return [{ start, end, read, write: oneThat((access) => access !== 'ro' && access !== 'rc') }];
    }),
  };
}

/** Words of the bitmap of a field's values: none of a single bit's, nor of a wide field's. */
function valueWords({ access, msb, lsb }: Field): number {
  const bits = msb - lsb + 1;
  return access === 'reserved' || bits === 1 || bits > MAX_VALUE_BITS ? 0 : Math.ceil(2 ** bits / 32);
}

function maskOf({ fields }: Register, access: Field['access']): number {
  return fields.reduce((mask, field) => (field.access === access ? mask | field.mask : mask), 0);
}
