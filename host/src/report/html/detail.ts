import { formatDuration } from '../format.ts';
import type { PageCase, PageDetails } from '../html-data.ts';
import { coverageTables } from './coverage.ts';
import { button, el } from './dom.ts';
import { Events } from './events.ts';
import { failureBox } from './failure.ts';
import { drawPlot, plotIn } from './plot.ts';
import { icon, shownAs, wordOf } from './status.ts';
import { accessParts, logParts } from './trace.ts';

/** One case in full. */
export class Detail {
  readonly element: HTMLElement;
  /** Its timeline and list of events, when it was traced. */
  readonly events: Events | undefined;

  constructor(one: PageCase, details: PageDetails, onEvent: (seq: number) => void) {
    const { failures, earlier, trace, accesses, log, notes, value, coverage } = details;
    this.events = trace === undefined || trace.events.length === 0 ? undefined : new Events(trace, onEvent);
    const plot = plotIn(value);
    this.element = el(
      'div',
      { class: 'page' },
      heading(one, details),
      ...failures.map(failureBox),
      earlier.length > 0 && panel('earlier', 'Before it passed', ...earlier.map(failureBox)),
      notes.length > 0 &&
        panel('notes', 'Notes', el('ul', { class: 'notes' }, ...notes.map((note) => el('li', {}, note)))),
      this.events?.element,
      this.events === undefined &&
        accesses.length > 0 &&
        panel('accesses', 'Last accesses', accessList(accesses, failures.length > 0)),
      plot !== undefined && panel('plot', 'Plot', drawPlot(plot)),
      log.length > 0 && panel('log', 'Log', el('pre', { class: 'log', tabindex: 0 }, ...log.map(logLine))),
      value !== undefined && value !== null && panel('value', 'Returned', valueText(value)),
      coverage !== undefined && coverage.length > 0 && panel('registers', 'Registers', coverageTables(coverage)),
    );
  }
}

function heading(one: PageCase, { reason, schedule, attempts, retries, runs, rerun }: PageDetails): HTMLElement {
  const shown = shownAs(one);
  const facts = [
    wordOf(shown),
    formatDuration(one.duration),
    `${one.clock} clock`,
    one.vcpus > 1 ? `${one.vcpus} VCPUs` : undefined,
    schedule === undefined ? undefined : schedule === 'free' ? 'free schedule' : `schedule ${schedule}`,
    attempts === undefined ? undefined : `${attempts} seeds tried`,
    retries === undefined ? undefined : `run again ${retries} ${retries === 1 ? 'time' : 'times'}`,
    runs === undefined ? undefined : `run ${runs} times`,
  ];
  return el(
    'header',
    { class: 'case-head' },
    el('p', { class: 'case-plugin' }, one.plugin),
    el('h1', {}, icon(shown, 24), one.name),
    el(
      'ul',
      { class: 'facts' },
      ...facts
        .filter((fact) => fact !== undefined)
        .map((fact, i) => el('li', { class: i === 0 ? `is-${shown}` : '' }, fact)),
    ),
    reason !== undefined && el('p', { class: 'reason' }, reason),
    el('div', { class: 'rerun' }, el('code', {}, rerun), copyButton(rerun)),
  );
}

function copyButton(text: string): HTMLButtonElement {
  const made = button({ class: 'copy', title: 'Copy the command that runs it again' }, () => void copy(), 'Copy');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      made.textContent = 'Copied';
    } catch {
      // Where a page may not write there, its reader copies by hand.
      made.textContent = 'Select and copy';
    }
  };
  return made;
}

function panel(name: string, title: string, ...content: readonly Node[]): HTMLElement {
  return el(
    'section',
    { class: `panel panel-${name}`, 'aria-labelledby': `${name}-title` },
    el('header', { class: 'panel-head' }, el('h2', { id: `${name}-title` }, title)),
    ...content,
  );
}

/** Decoded accesses of a case that was not traced: the access, then what the register tables say of it. */
function accessList(accesses: readonly string[], hasFailed: boolean): HTMLElement {
  return el(
    'ol',
    { class: 'access-list', tabindex: 0 },
    ...accesses.map((access, index) => {
      const { access: what, decoded } = accessParts(access);
      const isFailed = hasFailed && index === accesses.length - 1;
      return el(
        'li',
        { class: isFailed ? 'is-failed' : '' },
        el('span', { class: 'event-what' }, what),
        el('span', { class: 'event-detail' }, decoded),
        isFailed && el('strong', { class: 'event-flag' }, '✕ failed after this'),
      );
    }),
  );
}

/** A line of `log()`: where it was called, then what it says. */
function logLine(line: string): HTMLElement {
  const { place, text } = logParts(line);
  return el('span', { class: 'line' }, place !== '' && el('span', { class: 'quiet' }, `${place}: `), `${text}\n`);
}

function valueText(value: unknown): HTMLElement {
  // A plot is seen above.
  const text = JSON.stringify(value, (key, item: unknown) => (key === 'plot' ? undefined : bytesText(item)), 2);
  return el('pre', { class: 'value', tabindex: 0 }, text);
}

/** Bytes of a buffer that are shown. */
const SHOWN_BYTES = 64;

/** Packed bytes as `Uint8Array, 3 bytes: 01 02 03`; anything else as it is. */
function bytesText(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || !('type' in item && 'bytes' in item && 'base64' in item))
    return item;
  const { type, bytes, base64 } = item;
  if (typeof type !== 'string' || typeof bytes !== 'number' || typeof base64 !== 'string') return item;
  // Four characters are three bytes.
  const binary = atob(base64.slice(0, 4 * Math.ceil(SHOWN_BYTES / 3)));
  const first = Array.from({ length: Math.min(binary.length, SHOWN_BYTES) }, (_, n) => binary.charCodeAt(n));
  const hex = first.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${type}, ${bytes} bytes: ${hex}${bytes > SHOWN_BYTES ? ' …' : ''}`;
}
