import type { FieldCoverage, RegisterCoverage } from '@qtest/sdk';

import type { PageCoverage } from '../html-data.ts';
import { el } from './dom.ts';

/** Tables that are open at first. */
const OPEN = 3;

/** How the registers of devices were used: a table a device, a register a row, a mark for each way to use a field. */
export function coverageTables(devices: readonly PageCoverage[]): HTMLElement {
  // What was not touched at all comes last, and closed.
  const order = devices.toSorted((a, b) => Math.min(1, touchedOf(b)) - Math.min(1, touchedOf(a)));
  const tables = order.map((device, index) => deviceTable(device, index < OPEN && touchedOf(device) > 0));
  return el('div', { class: 'coverage' }, legend(), ...tables);
}

function touchedOf({ banks }: PageCoverage): number {
  return banks.flatMap((bank) => bank.registers).filter(({ reads, writes }) => reads + writes > 0).length;
}

function legend(): HTMLElement {
  const entry = (shown: State, text: string): HTMLElement =>
    el('span', { class: 'legend-entry' }, el('i', { class: `mark is-${shown}` }), text);
  return el(
    'p',
    { class: 'legend' },
    'Of each field, above: a read has shown it set, clear; below: it was written with one, with zero. Struck out: its side effect was never made to happen.',
    entry('full', 'every bit'),
    entry('part', 'some bits'),
    entry('none', 'none'),
  );
}

function deviceTable(device: PageCoverage, isOpen: boolean): HTMLElement {
  const { type, device: id, used, items, banks } = device;
  const count = banks.reduce((sum, { registers }) => sum + registers.length, 0);
  const touched = touchedOf(device);
  const percent = used === undefined || items === undefined || items === 0 ? undefined : (100 * used) / items;
  // Of a case there are only registers that it has touched.
  const counted = id === undefined ? `${touched} of ${count} registers` : `${touched} registers`;
  const made = el(
    'details',
    { class: 'device' },
    el(
      'summary',
      {},
      el('span', { class: 'device-name' }, id ?? type),
      id !== undefined && el('span', { class: 'quiet' }, type),
      el('span', { class: 'grow' }),
      el('span', { class: 'quiet' }, counted),
      percent !== undefined && meter(percent),
    ),
  );
  // A machine has hundreds of registers: a device's are made when they are looked at.
  made.addEventListener('toggle', () => {
    if (made.open && made.childElementCount === 1) made.append(...banks.map(bankTable));
  });
  made.open = isOpen;
  return made;
}

function bankTable({ name, registers }: PageCoverage['banks'][number]): HTMLElement {
  return el(
    'div',
    { class: 'bank' },
    el('h4', {}, name),
    el('div', { class: 'registers' }, ...registers.map(registerRow)),
  );
}

export function meter(percent: number): HTMLElement {
  const bar = el('i');
  bar.style.width = `${percent}%`;
  return el(
    'span',
    {
      class: 'meter',
      role: 'meter',
      'aria-valuenow': Math.floor(percent),
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-label': 'Used',
    },
    el('span', { class: 'meter-track' }, bar),
    `${Math.floor(percent)} %`,
  );
}

function registerRow({ name, offset, reads, writes, fields }: RegisterCoverage): HTMLElement {
  return el(
    'div',
    { class: `register${reads + writes === 0 ? ' is-untouched' : ''}` },
    el('span', { class: 'register-offset' }, `0x${offset.toString(16).padStart(2, '0')}`),
    el('span', { class: 'register-name', title: name }, name),
    el(
      'span',
      { class: 'register-count', title: `${reads} reads, ${writes} writes` },
      `r ${compact(reads)}  w ${compact(writes)}`,
    ),
    el('span', { class: 'fields' }, ...fields.toSorted((a, b) => b.mask - a.mask).map(fieldCell)),
  );
}

type State = 'full' | 'part' | 'none';

function fieldCell(field: FieldCoverage): HTMLElement {
  const { name, access, mask, values, effect } = field;
  const isRead = access !== 'wo';
  const isWritten = access !== 'ro' && access !== 'rc';
  const marks = [
    { what: 'seen set', is: isRead, bits: field.seenSet },
    { what: 'seen clear', is: isRead, bits: field.seenClear },
    { what: 'written one', is: isWritten, bits: field.wroteSet },
    { what: 'written zero', is: isWritten, bits: field.wroteClear },
  ].map(({ what, is, bits }) => ({ what, state: is ? stateOf(bits, mask) : undefined }));
  const lines = [
    `${name} (${access}), bits 0x${mask.toString(16)}`,
    ...marks.flatMap(({ what, state }) => (state === undefined ? [] : [`${what}: ${STATES[state]}`])),
    ...(values === undefined ? [] : [`values read: ${values.join(', ')}`]),
    ...(effect === undefined ? [] : [`its effect: ${effect ? 'made to happen' : 'never made to happen'}`]),
  ];
  return el(
    'span',
    { class: 'field', title: lines.join('\n'), role: 'img', 'aria-label': lines.join('; ') },
    el('span', { class: 'field-name' }, name),
    el(
      'span',
      { class: 'field-marks' },
      // What there is not to do with it has no mark.
      ...marks.map(({ state }) => el('i', { class: state === undefined ? '' : `mark is-${state}` })),
    ),
    effect !== undefined && el('span', { class: `field-effect${effect ? ' is-made' : ''}` }, access),
  );
}

const STATES: Readonly<Record<State, string>> = { full: 'every bit', part: 'some bits', none: 'none' };

function stateOf(bits: number, mask: number): State {
  // Unsigned, as masks have 32 bits.
  const seen = (bits & mask) >>> 0;
  if (seen === 0) return 'none';
  return seen === mask >>> 0 ? 'full' : 'part';
}

function compact(count: number): string {
  return count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`;
}
