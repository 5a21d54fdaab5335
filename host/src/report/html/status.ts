import type { PageCase } from '../html-data.ts';
import { MARKS } from '../marks.ts';
import { svg } from './dom.ts';

/** What a case is shown as: its status, or that it is flaky. */
export type Shown = keyof typeof SHAPES;

/** Each has a shape of its own, so that colour is not needed to tell them apart. */
const SHAPES = {
  fail: { solid: 'M4.7 1h6.6L15 4.7v6.6L11.3 15H4.7L1 11.3V4.7Z', mark: 'M5.5 5.5l5 5m0-5l-5 5' },
  timeout: { solid: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Z', mark: 'M8 4.5V8l2.4 1.8' },
  crash: { solid: 'M8 1l7 13.5H1Z', mark: 'M8 6v4m0 1.6v.4' },
  flaky: { solid: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Z', mark: 'M4 9c1.3-3 2.7-3 4-1s2.7 2 4-1' },
  known: { solid: 'M8 .8L15.2 8 8 15.2.8 8Z', mark: 'M5.3 6.7h5.4M5.3 9.3h5.4M9.4 5.2L6.6 10.8' },
  skip: { solid: 'M3.5 1.5h9a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2Z', mark: 'M5 8h6' },
  pass: { solid: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Z', mark: 'M4.8 8.3l2.2 2.2 4.2-4.7' },
} as const;

/** In the order in which the page has them: what needs a reader first. */
export const SHOWN: readonly Shown[] = ['fail', 'timeout', 'crash', 'flaky', 'known', 'skip', 'pass'];

export function shownAs({ status, flaky }: Pick<PageCase, 'status' | 'flaky'>): Shown {
  return flaky ? 'flaky' : status;
}

export function wordOf(shown: Shown): string {
  return shown === 'flaky' ? 'flaky' : MARKS[shown].word;
}

/** The mark of a status; a reader of the screen is told its word. */
export function icon(shown: Shown, size = 16): SVGSVGElement {
  const { solid, mark } = SHAPES[shown];
  return svg(
    'svg',
    {
      class: `icon is-${shown}`,
      viewBox: '0 0 16 16',
      width: size,
      height: size,
      role: 'img',
      'aria-label': wordOf(shown),
    },
    svg('path', { class: 'icon-solid', d: solid }),
    svg('path', { class: 'icon-mark', d: mark }),
  );
}
