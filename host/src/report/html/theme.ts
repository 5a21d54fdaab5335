import { button, svg } from './dom.ts';

const CHOICES = ['auto', 'light', 'dark'] as const;
type Choice = (typeof CHOICES)[number];

const KEY = 'qtest-report-theme';

const MARKS: Readonly<Record<Choice, string>> = {
  auto: 'M8 1.5a6.5 6.5 0 1 0 0 13Z',
  light:
    'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 .8v2M8 13.2v2M.8 8h2M13.2 8h2M2.9 2.9l1.4 1.4M11.7 11.7l1.4 1.4M13.1 2.9l-1.4 1.4M4.3 11.7l-1.4 1.4',
  dark: 'M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3Z',
};

/** Light, dark, or as the system is; a choice is kept where the browser lets a page keep anything. */
export class Theme {
  readonly element: HTMLButtonElement;
  readonly #onChange: () => void;
  #choice: Choice;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#choice = kept();
    this.element = button({ class: 'tool', id: 'theme' }, () => this.next());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
    this.#apply();
  }

  next(): void {
    this.#choice = CHOICES[(CHOICES.indexOf(this.#choice) + 1) % CHOICES.length] ?? 'auto';
    keep(this.#choice);
    this.#apply();
    this.#onChange();
  }

  #apply(): void {
    if (this.#choice === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.#choice;
    const label = `Theme: ${this.#choice === 'auto' ? 'as the system' : this.#choice}`;
    this.element.setAttribute('aria-label', label);
    this.element.title = `${label} (t)`;
    this.element.replaceChildren(
      svg(
        'svg',
        { viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', class: 'glyph' },
        this.#choice === 'auto' && svg('circle', { cx: 8, cy: 8, r: 6.5 }),
        svg('path', { d: MARKS[this.#choice], class: this.#choice === 'light' ? '' : 'glyph-solid' }),
      ),
    );
  }
}

function kept(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === value) ?? 'auto';
  } catch {
    // A browser may keep nothing for a file: then each report opens as the system is.
    return 'auto';
  }
}

function keep(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // As above.
  }
}
