import base from './styles/base.css';
import cases from './styles/cases.css';
import coverage from './styles/coverage.css';
import detail from './styles/detail.css';
import events from './styles/events.css';
import layout from './styles/layout.css';
import overview from './styles/overview.css';

/** Colours that the timeline draws with. */
const DRAWN = [
  ...['panel', 'lane', 'text', 'quiet', 'line', 'accent', 'view-fill', 'fail', 'read', 'write', 'dma'],
  ...['irq', 'irq-fill', 'timer', 'clock', 'handler', 'machine', 'log'],
];

/** Gives the page its styles: as sheets, as its policy lets no style element in. */
export function applyStyles(): void {
  // Only of a property that is known as a colour can a script read what it is in this theme.
  for (const name of DRAWN) {
    CSS.registerProperty({ name: `--${name}`, syntax: '<color>', inherits: true, initialValue: 'black' });
  }
  document.adoptedStyleSheets = [base, layout, cases, overview, detail, events, coverage].map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
}
