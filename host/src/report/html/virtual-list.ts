import { el } from './dom.ts';

export interface VirtualListOptions {
  /** What a reader of the screen is told that it is. */
  readonly label: string;
  /** Begins the ids of its rows; of this list alone. */
  readonly id: string;
  /** Pixels; of every row. */
  readonly rowHeight: number;
  readonly row: (index: number) => HTMLElement;
  /** Whether a row can be selected: headings cannot. */
  readonly isOption: (index: number) => boolean;
  /** A row has been selected by its reader. */
  readonly onSelect: (index: number) => void;
}

/** Rows kept above and below those in sight. */
const MARGIN = 8;

/** A list of any length of which the document has only the rows in sight. */
export class VirtualList {
  readonly element: HTMLElement;
  readonly #options: VirtualListOptions;
  readonly #space = el('div', { class: 'virtual-space', role: 'presentation' });
  readonly #rows = new Map<number, HTMLElement>();
  #count = 0;
  #selected = -1;
  #isAsked = false;

  constructor(options: VirtualListOptions) {
    this.#options = options;
    this.element = el(
      'div',
      { class: 'virtual-list', role: 'listbox', tabindex: 0, 'aria-label': options.label, id: options.id },
      this.#space,
    );
    this.element.addEventListener('scroll', () => this.#ask());
    this.element.addEventListener('keydown', (event) => this.#onKey(event));
    this.element.addEventListener('click', ({ target }) => this.#onClick(target));
    new ResizeObserver(() => this.#ask()).observe(this.element);
  }

  get selected(): number {
    return this.#selected;
  }

  /** Shows other rows: `count` of them. Nothing is selected. */
  reset(count: number): void {
    this.#count = count;
    this.#selected = -1;
    this.#space.style.height = `${count * this.#options.rowHeight}px`;
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#draw();
  }

  /** Marks a row as the selected one, −1 for none, and brings it into sight: to the middle when it is far from it. */
  select(index: number): void {
    this.#mark(this.#selected, false);
    this.#selected = index;
    if (index >= 0) this.#reveal(index);
    this.#draw();
    this.#mark(index, true);
  }

  /** Selects as its reader does: the first row after `from` in a direction that can be. */
  move(from: number, by: 1 | -1): void {
    for (let index = from; index >= 0 && index < this.#count; index += by) {
      if (!this.#options.isOption(index)) continue;
      this.#options.onSelect(index);
      return;
    }
  }

  #reveal(index: number): void {
    const { rowHeight } = this.#options;
    const { scrollTop, clientHeight } = this.element;
    const top = index * rowHeight;
    if (top >= scrollTop && top + rowHeight <= scrollTop + clientHeight) return;
    const isNear = top > scrollTop - 2 * rowHeight && top < scrollTop + clientHeight + rowHeight;
    if (!isNear) this.element.scrollTop = top - (clientHeight - rowHeight) / 2;
    else this.element.scrollTop = top < scrollTop ? top : top + rowHeight - clientHeight;
  }

  #mark(index: number, isSelected: boolean): void {
    const row = this.#rows.get(index);
    row?.setAttribute('aria-selected', String(isSelected));
    // Only a row that is in the document can be named.
    if (isSelected && row !== undefined) this.element.setAttribute('aria-activedescendant', row.id);
    else this.element.removeAttribute('aria-activedescendant');
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
      this.#mark(this.#selected, this.#selected >= 0);
    });
  }

  #draw(): void {
    const { rowHeight } = this.#options;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / rowHeight) - MARGIN);
    const last = Math.min(this.#count, Math.ceil((scrollTop + clientHeight) / rowHeight) + MARGIN);
    for (const [index, row] of this.#rows) {
      if (index >= first && index < last) continue;
      row.remove();
      this.#rows.delete(index);
    }
    for (let index = first; index < last; index++) {
      if (!this.#rows.has(index)) this.#space.append(this.#make(index));
    }
  }

  #make(index: number): HTMLElement {
    const { row: rowOf, isOption, rowHeight, id } = this.#options;
    const row = rowOf(index);
    row.id = `${id}-${index}`;
    row.dataset['index'] = String(index);
    row.style.transform = `translateY(${index * rowHeight}px)`;
    row.style.height = `${rowHeight}px`;
    if (isOption(index)) {
      row.setAttribute('role', 'option');
      row.setAttribute('aria-selected', String(index === this.#selected));
      row.setAttribute('aria-setsize', String(this.#count));
      row.setAttribute('aria-posinset', String(index + 1));
    }
    this.#rows.set(index, row);
    return row;
  }

  #onClick(target: EventTarget | null): void {
    const row = target instanceof Element ? target.closest<HTMLElement>('[data-index]') : null;
    const index = Number(row?.dataset['index'] ?? -1);
    if (index >= 0 && this.#options.isOption(index)) this.#options.onSelect(index);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.#options.rowHeight) - 1);
    const last = this.#count - 1;
    switch (event.key) {
      case 'ArrowDown':
        this.move(this.#selected + 1, 1);
        break;
      case 'ArrowUp':
        this.move(this.#selected < 0 ? last : this.#selected - 1, -1);
        break;
      case 'PageDown':
        this.move(Math.min(last, this.#selected + page), -1);
        break;
      case 'PageUp':
        this.move(Math.max(0, this.#selected - page), 1);
        break;
      case 'Home':
        this.move(0, 1);
        break;
      case 'End':
        this.move(last, -1);
        break;
      default:
        return;
    }
    event.preventDefault();
  }
}
