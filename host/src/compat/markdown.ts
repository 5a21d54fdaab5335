import { type Cell, type Column, type Row, isUnexpected, MARK, skipsOf, titleOf, flakyOf } from './matrix.ts';
import { markdownText } from '@qtest/sdk/support';

/** Between these lines of a README the matrix is. */
export const BEGIN = '<!-- qtest compat -->';
export const END = '<!-- /qtest compat -->';

/** The matrix of one plugin for its README. */
export function markdownOf(rows: readonly Row[], columns: readonly Column[]): string {
  const lines = [
    `On ${columns.map((column) => markdownText(titleOf(column))).join(', ')}. ✓ passes, ≠ is known to differ, – is skipped${rows.some(hasFailed) ? ', ✗ fails' : ''}.`,
    '',
    `| case | ${columns.map(({ name }) => name).join(' | ')} |`,
    `|---|${columns.map(() => ':-:|').join('')}`,
    ...rows.map(
      ({ name, cells }) =>
        `| ${markdownText(name)} | ${columns.map((column) => mark(cells[column.name])).join(' | ')} |`,
    ),
  ];
  const differences = rows.flatMap((row) => differencesOf(row, columns));
  if (differences.length > 0) lines.push('', 'What differs:', '', ...differences);
  const flaky = rows.flatMap(({ name, cells }) =>
    columns.flatMap((column) => {
      const cell = cells[column.name];
      const text = cell && flakyOf(cell);
      return text === undefined ? [] : [`- ${markdownText(name)}, ${column.name}: ${markdownText(text)}`];
    }),
  );
  if (flaky.length > 0) lines.push('', 'What is flaky:', '', ...flaky);
  const skips = columns.flatMap(({ name }) =>
    skipsOf(rows, name).map(
      ([reason, count]) => `- ${name}, ${count} ${count === 1 ? 'case' : 'cases'}: ${markdownText(reason)}`,
    ),
  );
  if (skips.length > 0) lines.push('', 'What is skipped:', '', ...skips);
  return lines.join('\n');
}

/**
 * Puts a matrix into a README.
 * @throws RangeError when the README has no place for it.
 */
export function insertMatrix(readme: string, matrix: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END, begin);
  if (begin < 0 || end < 0)
    throw new RangeError(`it has no lines '${BEGIN}' and '${END}', between which it would be put`);
  return `${readme.slice(0, begin)}${BEGIN}\n\n${matrix}\n\n${readme.slice(end)}`;
}

const hasFailed = ({ cells }: Row): boolean => Object.values(cells).some(isUnexpected);

function differencesOf({ name, cells }: Row, columns: readonly Column[]): string[] {
  return columns.flatMap((column) => {
    const cell = cells[column.name];
    if (cell === undefined || (cell.status !== 'known' && !isUnexpected(cell))) return [];
    const { reason, message = '', status } = cell;
    return [`- ${markdownText(name)}, ${column.name}: ${markdownText(status === 'known' ? (reason ?? '') : message)}`];
  });
}

const mark = (cell: Cell | undefined): string => (cell === undefined ? '' : MARK[cell.status]);
