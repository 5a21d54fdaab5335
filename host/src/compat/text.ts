import type { Writable } from 'node:stream';

import { onOneLine } from '@qtest/sdk/support';
import { print, type Style } from '../report/style.ts';
import { indented } from '../report/format.ts';
import {
  flakyOf,
  isUnexpected,
  MARK,
  skipsOf,
  titleOf,
  type Cell,
  type Column,
  type Difference,
  type Row,
  type Sides,
} from './matrix.ts';

const COLOUR = { pass: 'green', known: 'yellow', skip: 'dim', fail: 'red', timeout: 'red', crash: 'red' } as const;

/** The matrix for a reader: a line for each case, then every difference, then what was skipped. */
export function writeMatrix(
  rows: readonly Row[],
  columns: readonly Column[],
  { output, style }: { readonly output: Writable; readonly style: Style },
): void {
  const width = Math.max(...rows.map(({ name }) => name.length), 0) + 2;
  const titles = columns.map(titleOf);
  const lines: string[] = [];
  for (const plugin of new Set(rows.map((row) => row.plugin))) {
    lines.push(
      '',
      `${style('bold', plugin.padEnd(width + 2))}${titles.map((title) => style('bold', title)).join('  ')}`,
    );
    for (const { name, cells } of rows.filter((row) => row.plugin === plugin)) {
      const marks = columns.map((column, index) => mark(cells[column.name], titles[index]?.length ?? 1, style));
      lines.push(`  ${name.padEnd(width)}${marks.join('  ')}`.trimEnd());
    }
  }
  const different = rows.filter(({ cells }) => columns.some(({ name }) => hasMore(cells[name])));
  if (different.length > 0) lines.push('', style('bold', 'differences'));
  for (const row of different) lines.push(...rowLines(row, columns, style));
  const flaky = rows.flatMap((row) => flakyLines(row, columns));
  if (flaky.length > 0) lines.push('', style('bold', 'flaky'), ...flaky.map((line) => style('yellow', line)));
  for (const column of columns) {
    const skips = skipsOf(rows, column.name);
    if (skips.length === 0) continue;
    lines.push('', style('bold', `skipped on ${titleOf(column)}`));
    lines.push(...skips.map(([reason, count]) => `  ${String(count).padStart(4)}  ${onOneLine(reason)}`));
  }
  lines.push('', ...columns.map((column) => summaryLine(rows, column)));
  print(output, `${lines.join('\n')}\n`);
}

function mark(cell: Cell | undefined, width: number, style: Style): string {
  if (cell === undefined) return ' '.repeat(width);
  return style(COLOUR[cell.status], MARK[cell.status]) + ' '.repeat(Math.max(0, width - 1));
}

const hasMore = (cell: Cell | undefined): boolean =>
  cell !== undefined && (cell.status === 'known' || isUnexpected(cell));

function rowLines({ plugin, name, cells, differences }: Row, columns: readonly Column[], style: Style): string[] {
  const lines = ['', `  ${plugin} › ${name}`];
  for (const column of columns) {
    const cell = cells[column.name];
    if (cell === undefined || !hasMore(cell)) continue;
    const { status, reason, message = status } = cell;
    const what = status === 'known' ? (reason ?? '') : message;
    lines.push(
      ...indented(`${style(COLOUR[status], MARK[status])} ${column.name}: ${what}`, '    '),
      ...(status === 'known' ? indented(message, '        ') : []),
    );
    const found = differences.find(({ other }) => other === column.name);
    if (found !== undefined) lines.push(...differenceLines(found).map((line) => style('dim', `        ${line}`)));
  }
  return lines;
}

function flakyLines({ plugin, name, cells }: Row, columns: readonly Column[]): string[] {
  return columns.flatMap((column) => {
    const cell = cells[column.name];
    const text = cell && flakyOf(cell);
    return text === undefined ? [] : [`  ${plugin} › ${name}, ${column.name}: ${text}`];
  });
}

/** The accesses that led to a difference, and both sides of it. */
export function differenceLines({ reference, other, same, before, last, ...first }: Difference): string[] {
  if (first.onReference === undefined && first.onOther === undefined)
    return [`all ${same} accesses and answers are the same: it differs in time, or in an IRQ`];
  const width = Math.max(reference.length, other.length);
  const both = ({ onReference = 'ends', onOther = 'ends' }: Sides): string[] => [
    `${reference.padEnd(width)}  ${onReference}`,
    `${other.padEnd(width)}  ${onOther}`,
  ];
  return [...before, ...both(first), ...(last === undefined ? [] : ['… and at last', ...both(last)])];
}

function summaryLine(rows: readonly Row[], column: Column): string {
  const count = (test: (cell: Cell) => boolean): number =>
    rows.filter(({ cells }) => cells[column.name] !== undefined && test(cells[column.name] ?? NONE)).length;
  const failed = count(isUnexpected);
  const flaky = count((cell) => flakyOf(cell) !== undefined);
  return [
    `${titleOf(column)}: ${count(({ status }) => status === 'pass')} passed`,
    ...(flaky > 0 ? [`${flaky} flaky`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    `${count(({ status }) => status === 'known')} known to differ`,
    `${count(({ status }) => status === 'skip')} skipped`,
  ].join(', ');
}

const NONE: Cell = { status: 'skip', clock: 'virtual', attempts: 0 };
