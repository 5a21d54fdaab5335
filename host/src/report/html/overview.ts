import { count, formatDuration } from '../format.ts';
import type { PageCase, PageRun } from '../html-data.ts';
import { isBad } from '../marks.ts';
import { button, el } from './dom.ts';
import { icon, SHOWN, shownAs, wordOf, type Shown } from './status.ts';

/** Cases that are named as the slowest. */
const SLOWEST = 5;

/** Failed cases that are shown with why; the list has them all. */
const FAILED = 50;

/** The run as a whole: how it ended, what failed, the plugins, what is to be known beside. */
export function overview(run: PageRun, open: (index: number) => void): HTMLElement {
  const failed = [...run.cases.entries()].filter(([, one]) => isBad(one));
  return el(
    'div',
    { class: 'page' },
    verdict(run, failed.length),
    failed.length > 0 && failures(failed, open),
    run.warnings.length > 0 && warnings(run.warnings),
    plugins(run),
    run.cases.length > SLOWEST && slowest(run, open),
  );
}

function verdict({ cases, summary, started, interrupted, selected }: PageRun, failed: number): HTMLElement {
  const said =
    failed > 0
      ? `${failed} of ${count(cases.length, 'case')} failed`
      : cases.length === 0
        ? 'No case was run'
        : 'Nothing failed';
  const when = new Date(started).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  return el(
    'section',
    { class: 'verdict', 'aria-label': 'Totals' },
    el('h1', {}, icon(failed > 0 ? 'fail' : 'pass', 28), said),
    el(
      'p',
      { class: 'quiet' },
      `${count(cases.length, 'case')} in ${formatDuration(summary.duration)}, ${when}`,
      interrupted && '; interrupted',
      selected > cases.length && `; ${selected} were selected`,
    ),
    proportions(cases),
    el(
      'ul',
      { class: 'totals' },
      ...countsOf(cases).map(([shown, n]) =>
        el(
          'li',
          {},
          icon(shown, 18),
          el('span', { class: 'number' }, String(n)),
          el('span', { class: 'quiet' }, wordOf(shown)),
        ),
      ),
    ),
  );
}

function proportions(cases: readonly PageCase[]): HTMLElement {
  const parts = countsOf(cases).map(([shown, n]) => {
    const part = el('i', { class: `part is-${shown}`, title: `${n} ${wordOf(shown)}` });
    part.style.flexGrow = String(n);
    return part;
  });
  return el('div', { class: 'proportions', 'aria-hidden': 'true' }, ...parts);
}

function countsOf(cases: readonly PageCase[]): (readonly [Shown, number])[] {
  return SHOWN.map((shown) => [shown, cases.filter((one) => shownAs(one) === shown).length] as const).filter(
    ([, n]) => n > 0,
  );
}

function failures(failed: readonly (readonly [number, PageCase])[], open: (index: number) => void): HTMLElement {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'failed-title' },
    el('header', { class: 'panel-head' }, el('h2', { id: 'failed-title' }, 'Failed')),
    el(
      'ul',
      { class: 'failed-list' },
      ...failed.slice(0, FAILED).map(([index, one]) =>
        el(
          'li',
          {},
          button(
            { class: 'failed-case' },
            () => open(index),
            icon(shownAs(one), 18),
            el('span', { class: 'failed-name' }, el('span', { class: 'quiet' }, `${one.plugin} › `), one.name),
            el('span', { class: 'failed-why' }, one.brief ?? ''),
          ),
        ),
      ),
    ),
    failed.length > FAILED && el('p', { class: 'notes quiet' }, `and ${failed.length - FAILED} more in the list`),
  );
}

function warnings(messages: readonly string[]): HTMLElement {
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'warnings-title' },
    el('header', { class: 'panel-head' }, el('h2', { id: 'warnings-title' }, 'Warnings')),
    el('ul', { class: 'notes' }, ...[...new Set(messages)].map((message) => el('li', {}, message))),
  );
}

function plugins(run: PageRun): HTMLElement {
  const rows = run.plugins.map(({ name, description }) => {
    const own = run.cases.filter(({ plugin }) => plugin === name);
    const time = own.reduce((sum, { duration }) => sum + duration, 0);
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, name, el('div', { class: 'quiet' }, description)),
      el(
        'td',
        { class: 'plugin-bar' },
        proportions(own),
        el(
          'span',
          { class: 'plugin-counts' },
          ...countsOf(own).map(([shown, n]) =>
            el('span', {}, icon(shown, 14), el('span', { class: 'number' }, String(n))),
          ),
        ),
      ),
      el('td', { class: 'number' }, formatDuration(time)),
    );
  });
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'plugins-title' },
    el('header', { class: 'panel-head' }, el('h2', { id: 'plugins-title' }, 'Plugins')),
    el(
      'table',
      { class: 'plugins' },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', { scope: 'col' }, 'Plugin'),
          el('th', { scope: 'col' }, 'Cases'),
          el('th', { scope: 'col', class: 'number' }, 'Time'),
        ),
      ),
      el('tbody', {}, ...rows),
    ),
  );
}

function slowest({ cases }: PageRun, open: (index: number) => void): HTMLElement {
  const order = [...cases.entries()].toSorted(([, a], [, b]) => b.duration - a.duration).slice(0, SLOWEST);
  return el(
    'section',
    { class: 'panel', 'aria-labelledby': 'slowest-title' },
    el('header', { class: 'panel-head' }, el('h2', { id: 'slowest-title' }, 'Slowest')),
    el(
      'ul',
      { class: 'slowest' },
      ...order.map(([index, one]) =>
        el(
          'li',
          {},
          button(
            { class: 'slow-case' },
            () => open(index),
            icon(shownAs(one)),
            el('span', { class: 'case-name' }, el('span', { class: 'quiet' }, `${one.plugin} › `), one.name),
            el('span', { class: 'number' }, formatDuration(one.duration)),
          ),
        ),
      ),
    ),
  );
}
