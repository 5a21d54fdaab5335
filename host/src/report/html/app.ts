import { formatDuration } from '../format.ts';
import type { PageRun } from '../html-data.ts';
import { isBad } from '../marks.ts';
import { Cases } from './cases.ts';
import { coverageTables } from './coverage.ts';
import { readCoverage, readDetails } from './data.ts';
import { Detail } from './detail.ts';
import { button, el } from './dom.ts';
import { helpDialog } from './help.ts';
import { overview } from './overview.ts';
import { hashOf, readRoute, type Route } from './route.ts';
import { icon } from './status.ts';
import { Theme } from './theme.ts';

/** The page: the list of cases at the side, and what is chosen of it. Its address says what it shows. */
export class App {
  readonly #run: PageRun;
  readonly #cases: Cases;
  readonly #theme: Theme;
  readonly #help = helpDialog();
  readonly #main = el('main', { id: 'main', tabindex: -1 });
  readonly #root = el('div', { class: 'app' });
  readonly #links: Readonly<Record<'overview' | 'coverage', HTMLAnchorElement>>;
  #route: Route = { selected: -1 };
  #detail: Detail | undefined;

  constructor(run: PageRun) {
    this.#run = run;
    this.#cases = new Cases(run, (selected) => this.#go({ selected }));
    this.#theme = new Theme(() => this.#detail?.events?.timeline.redraw());
    this.#links = {
      overview: el('a', { href: '#view=overview', class: 'tab' }, 'Overview'),
      coverage: el('a', { href: '#view=coverage', class: 'tab' }, 'Coverage'),
    };
    // Narrow, the view may be behind the list while the address has it already.
    for (const link of Object.values(this.#links)) link.addEventListener('click', () => this.#read());
    this.#root.append(this.#header(), this.#cases.element, this.#main, this.#help);
    document.body.append(this.#root);
    addEventListener('hashchange', () => void this.#follow());
    addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** Shows what the address says. */
  async start(): Promise<void> {
    await this.#follow(true);
  }

  #header(): HTMLElement {
    const { cases, summary, coverage } = this.#run;
    const failed = cases.filter(isBad).length;
    const toList = button({ class: 'tool to-list', 'aria-label': 'All cases' }, () => this.#toList(), '‹ Cases');
    return el(
      'header',
      { class: 'top' },
      toList,
      el('strong', { class: 'brand' }, 'qtest'),
      el(
        'span',
        { class: 'top-verdict' },
        icon(failed > 0 ? 'fail' : 'pass', 16),
        failed > 0 ? `${failed} of ${cases.length} failed` : `${cases.length} cases`,
        el('span', { class: 'quiet' }, ` in ${formatDuration(summary.duration)}`),
      ),
      el('span', { class: 'grow' }),
      el('nav', { class: 'tabs', 'aria-label': 'Views' }, this.#links.overview, coverage && this.#links.coverage),
      this.#theme.element,
      button({ class: 'tool', 'aria-label': 'Keys', title: 'Keys (?)' }, () => this.#help.showModal(), '?'),
    );
  }

  #go(route: Route): void {
    const hash = hashOf(this.#run, route);
    if (hash === location.hash) this.#read();
    else location.hash = hash;
  }

  /** Narrow: from the list to what is chosen of it. */
  #read(): void {
    this.#root.classList.add('is-reading');
  }

  /** Narrow: back to the list. */
  #toList(): void {
    this.#root.classList.remove('is-reading');
    this.#cases.focus();
  }

  /** Shows what the address says: a case, one of its events, or a view of the run. */
  async #follow(isStart = false): Promise<void> {
    const before = this.#route;
    const route = readRoute(this.#run, location.hash);
    this.#route = route;
    this.#root.classList.toggle('is-reading', !isStart || location.hash.length > 1);
    const isSame = !isStart && before.selected === route.selected && before.view === route.view;
    if (!isSame) {
      this.#mark(route);
      const content = await this.#content(route);
      // Another one may have been asked for meanwhile.
      if (this.#route !== route) return;
      this.#detail = content instanceof Detail ? content : undefined;
      this.#main.replaceChildren(content instanceof Detail ? content.element : content);
      this.#main.scrollTop = 0;
      this.#focus();
    }
    if (route.event !== undefined) this.#detail?.events?.show(route.event);
    else if (!isSame) this.#detail?.events?.toStart();
  }

  /** Keys that scroll go to what is shown, unless they go to the list: which is away on a narrow screen. */
  #focus(): void {
    const list = this.#cases.element;
    const isInList = list.contains(document.activeElement) && list.checkVisibility();
    if (!isInList) this.#main.focus({ preventScroll: true });
  }

  #mark({ selected, view }: Route): void {
    this.#cases.select(selected);
    for (const [name, link] of Object.entries(this.#links)) {
      const isHere = selected < 0 && name === (view ?? 'overview');
      if (isHere) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  async #content({ selected, view }: Route): Promise<Node | Detail> {
    if (view === 'coverage') {
      const tables = coverageTables(await readCoverage());
      return el('div', { class: 'page' }, el('h1', {}, 'Register coverage'), el('section', { class: 'panel' }, tables));
    }
    const one = this.#run.cases[selected];
    if (one === undefined) return overview(this.#run, (index) => this.#go({ selected: index }));
    return new Detail(one, await readDetails(selected), (event) => {
      // The address follows; each event is no page of its own to go back to.
      this.#route = { selected, event };
      history.replaceState(null, '', hashOf(this.#run, this.#route));
    });
  }

  #onKey(event: KeyboardEvent): void {
    const { target, key } = event;
    const isTyping = target instanceof HTMLInputElement || this.#help.open;
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.#press(key)) return;
    event.preventDefault();
  }

  #press(key: string): boolean {
    switch (key) {
      case '/':
        this.#root.classList.remove('is-reading');
        this.#cases.search.focus();
        return true;
      case 'j':
      case 'k':
        this.#cases.move(key === 'j' ? 1 : -1);
        return true;
      case 'o':
        this.#go({ selected: -1 });
        return true;
      case 'c':
        if (this.#run.coverage) this.#go({ selected: -1, view: 'coverage' });
        return true;
      case 'f':
        this.#detail?.events?.toFailure();
        return true;
      case 't':
        this.#theme.next();
        return true;
      case '?':
        this.#help.showModal();
        return true;
      default:
        return false;
    }
  }
}
