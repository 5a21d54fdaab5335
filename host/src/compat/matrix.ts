import type { BackendName, CaseStatus, ClockKind } from '@qtest/sdk';

import type { CaseResult, SelectedCase } from '../report/events.ts';

/** How a case ended on one backend. */
export interface Cell {
  readonly status: CaseStatus;
  readonly clock: ClockKind;
  /** Why it was skipped; of a known difference, what is different. */
  readonly reason?: string;
  /** Its first failure, of whatever kind. */
  readonly message?: string;
  /** Runs that it took: a case that fails gets another try. */
  readonly attempts: number;
  /** Why it failed before, of one that is flaky: it did not on a retry. */
  readonly earlier?: string;
}

/** What each side did at one place in a case, decoded; undefined where it had ended. */
export interface Sides {
  readonly onReference?: string;
  readonly onOther?: string;
}

/** What two backends answered differently. */
export interface Difference extends Sides {
  readonly reference: BackendName;
  readonly other: BackendName;
  /** Accesses that were the same before, and the last of them, decoded. */
  readonly same: number;
  readonly before: readonly string[];
  /** The last answer that differed while both made the same accesses, if it is another one: it is the nearest to the failure. */
  readonly last?: Sides;
}

/** One case on every backend. */
export interface Row {
  readonly plugin: string;
  readonly name: string;
  readonly cells: Readonly<Record<BackendName, Cell>>;
  /** One for each backend that does otherwise than the reference. */
  readonly differences: readonly Difference[];
}

export interface Column {
  readonly name: BackendName;
  readonly version?: string;
}

/** A backend, with its version. */
export function titleOf({ name, version }: Column): string {
  return version === undefined ? name : `${name} ${version}`;
}

/** How it is shown. */
export const MARK: Readonly<Record<CaseStatus, string>> = {
  pass: '✓',
  fail: '✗',
  timeout: '✗',
  crash: '✗',
  known: '≠',
  skip: '–',
};

/** Whether a case ended as it should not have. */
export const isUnexpected = ({ status }: Pick<Cell, 'status'>): boolean => !['pass', 'skip', 'known'].includes(status);

export function cellOf({ status, clock, reason, failures, retries = 0, earlier }: CaseResult): Cell {
  const [failure] = failures;
  const before = earlier?.[0];
  return {
    status,
    clock,
    ...(reason !== undefined && { reason }),
    ...(failure !== undefined && { message: failure.message }),
    attempts: 1 + retries,
    ...(before !== undefined && { earlier: before.message }),
  };
}

/** What a flaky case did before, on one line; undefined for one that is not. */
export function flakyOf({ attempts, earlier }: Cell): string | undefined {
  return earlier === undefined ? undefined : `on retry ${attempts - 1} alone; before: ${earlier.split('\n', 1)[0]}`;
}

/** Keys of cases, which plugins may name alike. */
export const keyOf = ({ plugin, name }: Pick<SelectedCase, 'plugin' | 'name'>): string => `${plugin} ${name}`;

/** The backends on which a case does otherwise than on the first one that ran it: one passes, and the other does not. */
export function differing(
  cells: Row['cells'],
  columns: readonly Column[],
): readonly { readonly reference: BackendName; readonly other: BackendName }[] {
  const ran = columns
    .map(({ name }) => name)
    .filter((name) => cells[name] !== undefined && cells[name].status !== 'skip');
  const [reference, ...others] = ran;
  if (reference === undefined) return [];
  const passes = (name: BackendName): boolean => cells[name]?.status === 'pass';
  return others.filter((other) => passes(other) !== passes(reference)).map((other) => ({ reference, other }));
}

/** What a case was skipped for on a backend, and how many were, the most first. */
export function skipsOf(
  rows: readonly Row[],
  name: BackendName,
): readonly (readonly [reason: string, cases: number])[] {
  const counts = new Map<string, number>();
  for (const { cells } of rows) {
    const cell = cells[name];
    if (cell?.status !== 'skip') continue;
    const reason = cell.reason ?? 'for no reason';
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
