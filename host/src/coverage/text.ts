import type { BankCoverage, RegisterCoverage, TypeCoverage } from '@qtest/sdk';
import { hasEffect } from './counters.ts';
import { countBits, itemsOf, missingOf, percentOf } from './items.ts';

const COLUMNS = ['device', 'read', 'written', 'seen set', 'seen clear', 'effects', 'coverage'];

/** Lines of a type that are shown; JSON has all. */
const MAX_GAPS = 20;
/** Registers, one after another in their table, of which all are named. */
const LONG_ROW = 16;

/** Coverage for a reader: how much of each type of device was used, and then what was not. */
export function coverageLines(types: readonly TypeCoverage[]): string[] {
  const used = types.filter(({ banks }) => registersOf(banks).some(isTouched));
  const untouched = types.filter((type) => !used.includes(type));
  const rows = used.map((type) => [type.type, ...columnsOf(type.banks), percentText(type)]);
  const total = ['all devices', ...columnsOf(types.flatMap(({ banks }) => banks)), percentText(totalOf(types))];
  return [
    'register coverage',
    '',
    ...tableLines([COLUMNS, ...rows, total]),
    ...used.flatMap((type) => gapLines(type)),
    ...(untouched.length === 0 ? [] : ['', `no register touched: ${untouched.map(({ type }) => type).join(', ')}`]),
    '',
  ];
}

export function totalOf(types: readonly TypeCoverage[]): Pick<TypeCoverage, 'used' | 'items'> {
  return itemsOf(types.flatMap(({ banks }) => banks));
}

/** Rounded down, so that 100 % is all. */
export function percentText(of: Pick<TypeCoverage, 'used' | 'items'>): string {
  return `${(Math.floor(percentOf(of) * 10) / 10).toFixed(1)} %`;
}

/** What a type lacks: a line for the registers of each bank that were never touched, and one for each that was in part. */
export function gapLines({ type, banks }: TypeCoverage): string[] {
  const lines = banks.flatMap(({ name, registers }) => {
    const never = namesOf(registers.map((register) => (isTouched(register) ? undefined : register.name)));
    const partly = registers.filter(isTouched).flatMap((register) => {
      const missing = missingOf(register);
      return missing === '' ? [] : [`  ${name} ${register.name}: ${missing}`];
    });
    return [...(never === '' ? [] : [`  ${name}: never touched: ${never}`]), ...partly];
  });
  if (lines.length === 0) return [];
  const more = lines.length > MAX_GAPS ? [`  … and of ${lines.length - MAX_GAPS} more`] : [];
  return ['', `${type} lacks`, ...lines.slice(0, MAX_GAPS), ...more];
}

/** Names in a list, `A, B, RAM_0E … RAM_7F`; undefined ones end a row. */
function namesOf(names: readonly (string | undefined)[]): string {
  const rows: string[][] = [];
  for (const [index, name] of names.entries()) {
    if (name === undefined) continue;
    if (names[index - 1] === undefined) rows.push([]);
    rows.at(-1)?.push(name);
  }
  return rows.map((row) => (row.length > LONG_ROW ? `${row[0]} … ${row.at(-1)}` : row.join(', '))).join(', ');
}

function columnsOf(banks: readonly BankCoverage[]): string[] {
  const registers = registersOf(banks);
  const fields = registers.flatMap((register) => register.fields).filter(({ access }) => access !== 'wo');
  const effects = fields.filter(({ access }) => hasEffect(access));
  const bits = (used: 'seenSet' | 'seenClear'): string =>
    `${sum(fields.map((field) => countBits(field[used])))}/${sum(fields.map(({ mask }) => countBits(mask)))}`;
  const share = (of: (register: RegisterCoverage) => boolean): string =>
    `${registers.filter(of).length}/${registers.length}`;
  return [
    share(({ reads }) => reads > 0),
    share(({ writes }) => writes > 0),
    bits('seenSet'),
    bits('seenClear'),
    effects.length === 0 ? '–' : `${effects.filter(({ effect }) => effect === true).length}/${effects.length}`,
  ];
}

function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

const registersOf = (banks: readonly BankCoverage[]): RegisterCoverage[] => banks.flatMap(({ registers }) => registers);
const isTouched = ({ reads, writes }: RegisterCoverage): boolean => reads + writes > 0;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
