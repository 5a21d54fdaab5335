import { button, el } from './dom.ts';

const KEYS = [
  ['/', 'search the cases'],
  ['j  k', 'next, previous case'],
  ['o', 'overview'],
  ['c', 'register coverage'],
  ['f', 'the failing access'],
  ['t', 'theme: as the system, light, dark'],
  ['?', 'these keys'],
  ['↑ ↓  Page  Home End', 'in a list: select'],
  ['← →  Home End', 'in the timeline: from event to event'],
  ['+  −  0', 'in the timeline: zoom in, out, show all'],
  ['Shift ← →', 'in the timeline: pan'],
  ['x', 'in the timeline: by order, by time'],
  ['Ctrl and wheel, drag', 'in the timeline: zoom, pan'],
] as const;

/** The keys that the page knows. */
export function helpDialog(): HTMLDialogElement {
  const dialog = el('dialog', { class: 'help', 'aria-labelledby': 'help-title' });
  dialog.append(
    el('h2', { id: 'help-title' }, 'Keys'),
    el(
      'dl',
      {},
      ...KEYS.flatMap(([keys, text]) => [
        el('dt', {}, ...keys.split(/\s{2,}/).map((key) => el('kbd', {}, key))),
        el('dd', {}, text),
      ]),
    ),
    button({ class: 'close' }, () => dialog.close(), 'Close'),
  );
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
  });
  return dialog;
}
