import type { PageCase, PageRun } from '../html-data.ts';

/** What the page shows, as its address has it after `#`. */
export interface Route {
  /** Index of a case; −1 for the overview. */
  readonly selected: number;
  /** `seq` of an event of its trace. */
  readonly event?: number;
  readonly view?: 'coverage';
}

/** `rtc/periodic/rate`, by which an address names a case. */
export function pathOf({ plugin, name }: Pick<PageCase, 'plugin' | 'name'>): string {
  return `${plugin}/${name}`;
}

export function readRoute({ cases, coverage }: PageRun, hash: string): Route {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  if (parameters.get('view') === 'coverage' && coverage) return { selected: -1, view: 'coverage' };
  const path = parameters.get('case');
  const selected = path === null ? -1 : cases.findIndex((one) => pathOf(one) === path);
  const event = parameters.get('event');
  return selected < 0 || event === null || !/^\d+$/.test(event) ? { selected } : { selected, event: Number(event) };
}

export function hashOf({ cases }: PageRun, { selected, event, view }: Route): string {
  if (view !== undefined) return `#view=${view}`;
  const one = cases[selected];
  if (one === undefined) return '#view=overview';
  const path = encodeURIComponent(pathOf(one)).replaceAll('%2F', '/');
  return `#case=${path}${event === undefined ? '' : `&event=${event}`}`;
}
