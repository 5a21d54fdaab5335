import type { PageEvent, PageTrace } from '../html-data.ts';
import { button, el } from './dom.ts';
import { exactTime } from './scale.ts';
import { matcherOf } from './search.ts';
import { Timeline } from './timeline.ts';
import { KINDS, kindOf, lineOf, traceOf, wordsOf, type Kind, type Trace } from './trace.ts';
import { VirtualList } from './virtual-list.ts';

const ROW = 26;

/** What happened in a case: the timeline and the list of its events, each of which follows the other. */
export class Events {
  readonly element: HTMLElement;
  readonly #trace: Trace;
  readonly #timeline: Timeline;
  readonly #list: VirtualList;
  readonly #onSelect: (seq: number) => void;
  readonly #search = el('input', {
    type: 'search',
    placeholder: 'Find in events',
    'aria-label': 'Find in events',
    spellcheck: 'false',
  });
  readonly #count = el('output', { class: 'quiet' });
  readonly #hidden = new Set<Kind>();
  /** Indexes of the events in the list. */
  #shown: number[] = [];
  #isShown: Uint8Array;
  #selected = -1;

  constructor(data: PageTrace, onSelect: (seq: number) => void) {
    const trace = traceOf(data);
    this.#trace = trace;
    this.#onSelect = onSelect;
    this.#isShown = new Uint8Array(trace.events.length).fill(1);
    this.#timeline = new Timeline(trace, {
      onSelect: (index) => this.#choose(index, 'timeline'),
      isShown: (index) => this.#isShown[index] === 1,
    });
    this.#list = new VirtualList({
      label: 'Events',
      id: 'events',
      rowHeight: ROW,
      row: (row) => this.#row(this.#shown[row] ?? 0),
      isOption: () => true,
      onSelect: (row) => this.#choose(this.#shown[row] ?? 0, 'list'),
    });
    this.#list.element.classList.add('event-list');
    if (trace.hasVcpus) this.#list.element.classList.add('has-vcpus');
    this.#search.addEventListener('input', () => this.#filter());
    this.element = el(
      'section',
      { class: 'panel events', 'aria-labelledby': 'events-title' },
      el(
        'header',
        { class: 'panel-head' },
        el('h2', { id: 'events-title' }, 'Timeline'),
        this.#count,
        trace.lost > 0 && el('span', { class: 'quiet' }, `${trace.lost} before these were not kept`),
        trace.failed >= 0 &&
          button({ class: 'jump', title: 'Go to the failing access (f)' }, () => this.toFailure(), 'Failing access'),
      ),
      this.#timeline.element,
      el('div', { class: 'event-tools' }, ...this.#kindButtons(), this.#search),
      this.#list.element,
    );
    this.#filter();
  }

  /** Shows an event by its number in the case; false when the trace has it not. */
  show(seq: number): boolean {
    const index = this.#trace.events.findIndex((event) => event.seq === seq);
    if (index < 0) return false;
    this.#mark(index, true);
    return true;
  }

  /** As the case is opened: at the failing access, else at the first event. */
  toStart(): void {
    const { failed } = this.#trace;
    if (failed < 0) return;
    this.#timeline.closeUp(failed);
    this.#mark(failed, false);
  }

  /** Goes to the access at which it failed. */
  toFailure(): void {
    const { failed } = this.#trace;
    if (failed < 0) return;
    this.#timeline.closeUp(failed);
    this.#choose(failed, 'timeline');
    this.element.scrollIntoView({ block: 'nearest' });
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  #choose(index: number, from: 'list' | 'timeline'): void {
    this.#mark(index, from === 'list');
    const event = this.#trace.events[index];
    if (event !== undefined) this.#onSelect(event.seq);
  }

  #mark(index: number, toMiddle: boolean): void {
    if (this.#isShown[index] !== 1) this.#showAll();
    this.#selected = index;
    this.#list.select(this.#shown.indexOf(index));
    this.#timeline.select(index, toMiddle);
  }

  #kindButtons(): HTMLButtonElement[] {
    const kinds = new Set(this.#trace.lanes.map(({ kind }) => kind));
    return [...kinds].map((kind) => {
      const toggle = (): void => {
        if (!this.#hidden.delete(kind)) this.#hidden.add(kind);
        made.setAttribute('aria-pressed', String(!this.#hidden.has(kind)));
        this.#filter();
      };
      const attributes = { class: `chip kind-${kind}`, 'aria-pressed': 'true', 'data-kind': kind };
      const made = button(attributes, toggle, el('i', { class: 'swatch' }), KINDS[kind]);
      return made;
    });
  }

  #showAll(): void {
    this.#search.value = '';
    this.#hidden.clear();
    for (const one of this.element.querySelectorAll('[data-kind]')) one.setAttribute('aria-pressed', 'true');
    this.#filter();
  }

  #filter(): void {
    const matches = matcherOf(this.#search.value);
    const { events } = this.#trace;
    const shown: number[] = [];
    for (const [index, event] of events.entries()) {
      const is = !this.#hidden.has(kindOf(event)) && matches(`${lineOf(event)} ${wordsOf(event).source}`);
      this.#isShown[index] = is ? 1 : 0;
      if (is) shown.push(index);
    }
    this.#shown = shown;
    this.#count.textContent =
      shown.length === events.length ? `${events.length} events` : `${shown.length} of ${events.length} events`;
    this.#list.reset(shown.length);
    this.#list.select(shown.indexOf(this.#selected));
    this.#timeline.redraw();
  }

  #row(index: number): HTMLElement {
    const event = this.#trace.events[index];
    if (event === undefined) return el('div');
    const { what, detail, source } = wordsOf(event);
    const isFailed = index === this.#trace.failed;
    const kind = kindOf(event);
    return el(
      'div',
      { class: `event-row kind-${kind}${isFailed ? ' is-failed' : ''}${detail === '' ? ' is-single' : ''}` },
      el('span', { class: 'event-time', title: `#${event.seq}` }, exactTime(event.time)),
      this.#trace.hasVcpus && el('span', { class: 'event-vcpu' }, event.vcpu === undefined ? '' : `V${event.vcpu}`),
      el('i', { class: `swatch ${directionOf(event)}`, title: KINDS[kind] }),
      el('span', { class: 'event-what', title: what }, what),
      detail !== '' && el('span', { class: 'event-detail', title: detail }, detail),
      isFailed && el('strong', { class: 'event-flag' }, '✕ failed after this'),
      source !== '' && el('span', { class: 'event-source', title: source }, source),
    );
  }
}

function directionOf(event: PageEvent): string {
  return event.type === 'access' ? `is-${event.op === 'in' || event.op === 'read' ? 'read' : 'write'}` : '';
}
