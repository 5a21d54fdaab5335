import type {
  BankCoverage,
  CaseResult,
  DeviceCoverage,
  FieldCoverage,
  RegisterCoverage,
  TypeCoverage,
} from '@qtest/sdk';
import { itemsOf } from './items.ts';

/** What a case has used over several runs of it; undefined when its coverage is not measured. */
export function coverageOfRuns(runs: readonly Pick<CaseResult, 'coverage'>[]): readonly DeviceCoverage[] | undefined {
  const all = runs.flatMap(({ coverage = [] }) => coverage);
  if (runs.every(({ coverage }) => coverage === undefined)) return undefined;
  return grouped(all, ({ device }) => device).map((same) => ({ ...same[0], banks: mergeBanks(same) }));
}

/** How a run, or several, have used the registers of each type of device. */
export class CoverageTotal {
  readonly #banks = new Map<string, readonly BankCoverage[]>();

  add(devices: readonly Pick<TypeCoverage, 'type' | 'banks'>[]): void {
    for (const { type, banks } of devices)
      this.#banks.set(type, mergeBanks([{ banks: this.#banks.get(type) ?? [] }, { banks }]));
  }

  types(): TypeCoverage[] {
    return [...this.#banks].map(([type, banks]) => ({ type, ...itemsOf(banks), banks }));
  }
}

function mergeBanks(all: readonly { readonly banks: readonly BankCoverage[] }[]): BankCoverage[] {
  const banks = all.flatMap((one) => one.banks);
  return grouped(banks, ({ name }) => name).map((same) => ({
    name: same[0].name,
    registers: grouped(
      same.flatMap(({ registers }) => registers),
      ({ name, offset }) => `${name} ${offset}`,
    ).map((registers) => registers.reduce(mergeRegisters)),
  }));
}

function mergeRegisters(one: RegisterCoverage, other: RegisterCoverage): RegisterCoverage {
  return {
    name: one.name,
    offset: one.offset,
    reads: one.reads + other.reads,
    writes: one.writes + other.writes,
    fields: grouped([...one.fields, ...other.fields], ({ name }) => name).map((fields) => fields.reduce(mergeFields)),
  };
}

function mergeFields(one: FieldCoverage, other: FieldCoverage): FieldCoverage {
  const { name, access, mask, values, effect } = one;
  return {
    name,
    access,
    mask,
    seenSet: (one.seenSet | other.seenSet) >>> 0,
    seenClear: (one.seenClear | other.seenClear) >>> 0,
    wroteSet: (one.wroteSet | other.wroteSet) >>> 0,
    wroteClear: (one.wroteClear | other.wroteClear) >>> 0,
    ...(values !== undefined && {
      values: [...new Set([...values, ...(other.values ?? [])])].toSorted((a, b) => a - b),
    }),
    ...(effect !== undefined && { effect: effect || other.effect === true }),
  };
}

/** Items with the same key together, in the order of the first of each. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
