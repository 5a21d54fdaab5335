import type { BankCoverage, FieldCoverage, RegisterCoverage, TypeCoverage } from '@qtest/sdk';
import { hasEffect } from './counters.ts';

/** How many things there are to do with registers, and how many of them were done: what the percentage is of. */
export interface Items {
  readonly used: number;
  readonly items: number;
}

/**
 * The items of registers. Of each: that it was read, unless nothing of it shows; that it was written, unless all of it is read-only; of
 * each bit of an `rw` field that it was seen set, and seen clear; of a `wo` field that it was written so; of a field with an effect
 * that it happened. What the part alone decides (`ro`) has none but the read.
 */
export function itemsOf(banks: readonly BankCoverage[]): Items {
  const checks = banks.flatMap(({ registers }) => registers.flatMap((register) => checksOf(register)));
  const sum = (of: (check: Check) => number): number => checks.reduce((total, check) => total + of(check), 0);
  return { used: sum(({ of, missing }) => of - countBits(missing)), items: sum(({ of }) => of) };
}

/** What was not done with a register: `never written; never seen set: PIE, RS[3:2]`. */
export function missingOf(register: RegisterCoverage): string {
  const gaps = new Map<string, string[]>();
  for (const { missing, what, where } of checksOf(register)) {
    if (missing === 0) continue;
    const places = gaps.get(what) ?? [];
    gaps.set(what, places);
    const place = where?.(missing) ?? '';
    if (place !== '') places.push(place);
  }
  return [...gaps].map(([what, places]) => (places.length === 0 ? what : `${what}: ${places.join(', ')}`)).join('; ');
}

export function percentOf({ used, items }: Pick<TypeCoverage, 'used' | 'items'>): number {
  return items === 0 ? 100 : (100 * used) / items;
}

/** Items of one kind. */
interface Check {
  readonly of: number;
  /** A bit for each that was not done. */
  readonly missing: number;
  /** `never seen set`. */
  readonly what: string;
  /** The bits that are missing, as a reader calls them; nothing when they are all of the register. */
  readonly where?: (missing: number) => string;
}

function checksOf({ name, reads, writes, fields }: RegisterCoverage): Check[] {
  const once = (count: number, what: string): Check => ({ of: 1, missing: count > 0 ? 0 : 1, what });
  return [
    ...(fields.some(({ access }) => access !== 'wo') ? [once(reads, 'never read')] : []),
    ...(fields.some(({ access }) => access !== 'ro' && access !== 'rc') ? [once(writes, 'never written')] : []),
    ...fields.flatMap((field) => fieldChecks(field, field.name === name ? '' : field.name)),
  ];
}

/** @param name of the field; empty when it is the whole register. */
function fieldChecks(field: FieldCoverage, name: string): Check[] {
  const { access, mask, seenSet, seenClear, wroteSet, wroteClear, effect } = field;
  const bits = (used: number, what: string): Check => ({
    of: countBits(mask),
    missing: mask & ~used,
    what,
    where: (missing) => `${name}${placeOf(missing, mask)}`,
  });
  if (access === 'rw') return [bits(seenSet, 'never seen set'), bits(seenClear, 'never seen clear')];
  if (access === 'wo')
    return [bits(wroteSet, 'never written with ones'), bits(wroteClear, 'never written with zeroes')];
  if (!hasEffect(access)) return [];
  return [{ of: 1, missing: effect === true ? 0 : 1, what: EFFECTS[access] ?? 'never used', where: () => name }];
}

const EFFECTS: Readonly<Record<string, string>> = {
  w1c: 'never cleared by writing 1',
  w1s: 'never set by writing 1',
  w0c: 'never cleared by writing 0',
  rc: 'never read while set',
};

/** `[3:2,0]`, bits of a field; nothing when they are all of it. */
function placeOf(bits: number, mask: number): string {
  if (bits >>> 0 === mask) return '';
  const lowest = countBits((mask & -mask) - 1);
  const ranges: string[] = [];
  for (let bit = 31; bit >= 0; bit--) {
    if (((bits >>> bit) & 1) === 0) continue;
    const high = bit;
    while (bit > 0 && ((bits >>> (bit - 1)) & 1) === 1) bit--;
    ranges.push(high === bit ? `${bit - lowest}` : `${high - lowest}:${bit - lowest}`);
  }
  return `[${ranges.join(',')}]`;
}

export function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}
