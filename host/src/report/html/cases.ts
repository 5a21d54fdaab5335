import { formatDuration } from '../format.ts';
import type { PageCase, PageRun } from '../html-data.ts';
import { isBad } from '../marks.ts';
import { button, el } from './dom.ts';
import { matcherOf, partsOf } from './search.ts';
import { icon, SHOWN, shownAs, wordOf, type Shown } from './status.ts';
import { VirtualList } from './virtual-list.ts';

type Row = { readonly heading: string; readonly count: number } | { readonly index: number };

/** The list of the cases: those that failed first, then all others by plugin; with what finds and filters them. */
export class Cases {
  readonly element: HTMLElement;
  readonly search = el('input', {
    type: 'search',
    id: 'search',
    placeholder: 'Search cases',
    'aria-label': 'Search cases',
    'aria-keyshortcuts': '/',
    spellcheck: 'false',
  });
  readonly #run: PageRun;
  readonly #list: VirtualList;
  readonly #only = new Set<Shown>();
  readonly #found = el('output', { class: 'quiet', id: 'found' });
  #rows: readonly Row[] = [];
  #selected = -1;

  constructor(run: PageRun, onSelect: (index: number) => void) {
    this.#run = run;
    this.#list = new VirtualList({
      label: 'Cases',
      id: 'cases',
      rowHeight: 34,
      row: (row) => this.#row(row),
      isOption: (row) => this.#indexAt(row) !== undefined,
      onSelect: (row) => {
        const index = this.#indexAt(row);
        if (index !== undefined) onSelect(index);
      },
    });
    this.search.addEventListener('input', () => this.#filter());
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.clear();
      else if (event.key === 'ArrowDown' || event.key === 'Enter') this.#list.element.focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.element = el(
      'nav',
      { class: 'cases', 'aria-label': 'Cases' },
      el('div', { class: 'cases-tools' }, this.search, el('div', { class: 'chips' }, ...this.#chips()), this.#found),
      this.#list.element,
    );
    this.#filter();
  }

  /** Marks a case as the one that is shown; −1 for none. */
  select(index: number): void {
    this.#selected = index;
    const row = this.#rows.findIndex((one) => 'index' in one && one.index === index);
    this.#list.select(row);
  }

  /** Goes to the next or the previous case of the list. */
  move(by: 1 | -1): void {
    const from = this.#list.selected;
    this.#list.move(from < 0 ? (by === 1 ? 0 : this.#rows.length - 1) : from + by, by);
  }

  clear(): void {
    this.search.value = '';
    this.#filter();
  }

  focus(): void {
    this.#list.element.focus();
  }

  #chips(): HTMLButtonElement[] {
    return SHOWN.flatMap((shown) => {
      const count = this.#run.cases.filter((one) => shownAs(one) === shown).length;
      if (count === 0) return [];
      const toggle = (): void => {
        if (!this.#only.delete(shown)) this.#only.add(shown);
        made.setAttribute('aria-pressed', String(this.#only.has(shown)));
        this.#filter();
      };
      const attributes = { class: 'chip', 'aria-pressed': 'false', title: `Show only: ${wordOf(shown)}` };
      const made = button(attributes, toggle, icon(shown, 14), el('span', { class: 'number' }, String(count)));
      return [made];
    });
  }

  #filter(): void {
    const matches = matcherOf(this.search.value);
    const { cases, plugins } = this.#run;
    const found = [...cases.keys()].filter((index) => {
      const one = cases[index];
      if (one === undefined || (this.#only.size > 0 && !this.#only.has(shownAs(one)))) return false;
      return matches(`${one.plugin} ${one.name} ${wordOf(shownAs(one))} ${one.brief ?? ''}`);
    });
    const isFailed = (index: number): boolean => isBad(cases[index] ?? { status: 'pass' });
    const groups = [
      { heading: 'Failed', indexes: found.filter(isFailed) },
      ...plugins.map(({ name }) => ({
        heading: name,
        indexes: found.filter((index) => cases[index]?.plugin === name && !isFailed(index)),
      })),
    ];
    this.#rows = groups
      .filter(({ indexes }) => indexes.length > 0)
      .flatMap(({ heading, indexes }) => [{ heading, count: indexes.length }, ...indexes.map((index) => ({ index }))]);
    this.#found.textContent = found.length === cases.length ? '' : `${found.length} of ${cases.length} cases`;
    this.#list.reset(this.#rows.length);
    this.select(this.#selected);
  }

  #indexAt(row: number): number | undefined {
    const one = this.#rows[row];
    return one !== undefined && 'index' in one ? one.index : undefined;
  }

  #row(row: number): HTMLElement {
    const one = this.#rows[row];
    if (one === undefined) return el('div');
    if ('heading' in one) {
      return el(
        'div',
        { class: 'case-heading', role: 'presentation' },
        el('span', {}, one.heading),
        el('span', { class: 'number' }, String(one.count)),
      );
    }
    const found = this.#run.cases[one.index];
    return found === undefined ? el('div') : caseRow(found, this.search.value);
  }
}

function caseRow(one: PageCase, wanted: string): HTMLElement {
  const { plugin, name, duration } = one;
  const folder = name.slice(0, name.lastIndexOf('/') + 1);
  const text = (part: string): Node[] =>
    partsOf(part, wanted).map(({ text: piece, isFound }) => (isFound ? el('mark', {}, piece) : new Text(piece)));
  return el(
    'div',
    { class: 'case-row', title: `${plugin} › ${name}` },
    icon(shownAs(one)),
    el(
      'span',
      { class: 'case-name' },
      isBad(one) && el('span', { class: 'quiet' }, ...text(plugin), ' › '),
      el('span', { class: 'quiet' }, ...text(folder)),
      ...text(name.slice(folder.length)),
    ),
    el('span', { class: 'number quiet' }, formatDuration(duration)),
  );
}
