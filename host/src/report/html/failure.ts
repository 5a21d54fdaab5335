import type { PageFailure } from '../html-data.ts';
import { el } from './dom.ts';

/** Why a case did not pass: the message, both sides of a comparison, the source, the stack. */
export function failureBox({ message, code, causes, difference, place, excerpt, stack }: PageFailure): HTMLElement {
  const [first = '', ...more] = message.split('\n');
  return el(
    'article',
    { class: 'failure' },
    el('p', { class: 'failure-message' }, first, code !== undefined && el('code', { class: 'code' }, code)),
    more.some((line) => line !== '') && el('pre', { class: 'failure-more' }, more.join('\n').trim()),
    ...causes.map((cause) => el('p', { class: 'failure-cause' }, `caused by: ${cause}`)),
    difference.length > 0 && lines('difference', difference, differenceClass),
    place !== undefined && el('p', { class: 'failure-place' }, place),
    excerpt.length > 0 && lines('excerpt', excerpt, excerptClass),
    stack.length > 0 && el('details', { class: 'stack' }, el('summary', {}, 'Stack'), el('pre', {}, stack.join('\n'))),
  );
}

function lines(name: string, texts: readonly string[], classOf: (line: string) => string): HTMLElement {
  return el(
    'pre',
    { class: name },
    ...texts.map((line) => el('span', { class: `line ${classOf(line)}` }, `${line}\n`)),
  );
}

function differenceClass(line: string): string {
  if (/^(?:-|expected )/.test(line)) return 'is-expected';
  return /^(?:\+|actual )/.test(line) ? 'is-actual' : '';
}

function excerptClass(line: string): string {
  return line.startsWith('>') || /^ +\| *\^$/.test(line) ? 'is-here' : '';
}
