import type { PageEvent, PageTrace } from '../html-data.ts';
import { timeText } from './scale.ts';

/** Kinds of events, in the order of their lanes: from what drives the machine to what the test does. */
export const KINDS = {
  clock: 'Clock',
  timer: 'Timers',
  irq: 'IRQ lines',
  handler: 'Handlers',
  access: 'Accesses',
  dma: 'DMA',
  machine: 'Machine',
  log: 'Log',
} as const;

export type Kind = keyof typeof KINDS;

export interface Lane {
  readonly kind: Kind;
  readonly label: string;
  /** Indexes of its events, in the order in which they happened. */
  readonly events: number[];
}

/** A trace as the timeline and the list read it. */
export interface Trace {
  readonly events: readonly PageEvent[];
  readonly lanes: readonly Lane[];
  /** The lane of each event. */
  readonly laneOf: readonly number[];
  /** ns; of each event. */
  readonly times: Float64Array;
  /** Index of the last access before the failure; −1 when there is none. */
  readonly failed: number;
  readonly lost: number;
  /** Whether more than one VCPU has done something. */
  readonly hasVcpus: boolean;
}

export function traceOf({ events, lost, failed }: PageTrace): Trace {
  const hasVcpus = new Set(events.map(({ vcpu }) => vcpu).filter((vcpu) => vcpu !== undefined)).size > 1;
  const byName = new Map<string, Lane>();
  for (const [index, event] of events.entries()) {
    const kind = kindOf(event);
    const label = laneLabel(event, hasVcpus);
    const name = `${kind} ${label}`;
    const lane = byName.get(name) ?? { kind, label, events: [] };
    byName.set(name, lane);
    lane.events.push(index);
  }
  const order = Object.keys(KINDS);
  const byVcpu = ({ kind, label }: Lane): string => (hasVcpus && kind === 'access' ? label : '');
  const lanes = [...byName.values()].toSorted(
    (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || byVcpu(a).localeCompare(byVcpu(b), 'en'),
  );
  const laneOf: number[] = [];
  for (const [number, lane] of lanes.entries()) for (const index of lane.events) laneOf[index] = number;
  return {
    events,
    lanes,
    laneOf,
    times: Float64Array.from(events, ({ time }) => Number(time)),
    failed: failed === undefined ? -1 : events.findIndex(({ seq }) => seq === failed),
    lost,
    hasVcpus,
  };
}

export function kindOf(event: PageEvent): Kind {
  switch (event.type) {
    case 'access':
      return event.by === undefined ? 'access' : 'dma';
    case 'reset':
    case 'snapshot':
      return 'machine';
    default:
      return event.type;
  }
}

/** With several VCPUs each has lanes of its own for its accesses: how they come between each other is what is looked for. */
function laneLabel(event: PageEvent, hasVcpus: boolean): string {
  switch (event.type) {
    case 'access': {
      if (event.by !== undefined) return event.by;
      const device = event.device ?? (event.op === 'in' || event.op === 'out' ? 'no device' : 'memory');
      return hasVcpus ? `V${event.vcpu ?? '–'} ${device}` : device;
    }
    case 'irq':
      return event.line;
    case 'timer':
      return `${event.device} ${event.timer}`;
    default:
      return KINDS[kindOf(event)].toLowerCase();
  }
}

export function isRead(event: PageEvent): boolean {
  return event.type === 'access' && (event.op === 'in' || event.op === 'read');
}

/** A line of `log()` in its two parts: where it was called, which may be empty, and what it says. */
export function logParts(line: string): { readonly place: string; readonly text: string } {
  const [, place = '', text = line] = /^(\S+:L\d+): ([^]*)$/.exec(line) ?? [];
  return { place, text };
}

/** A decoded access in its two parts: what was read or written, and what the register tables say of it. */
export function accessParts(text: string): { readonly access: string; readonly decoded: string } {
  const [, access = text, decoded = ''] = /^(.*? [←→] (?:checksum )?\S+)\s*([^]*)$/.exec(text) ?? [];
  return { access, decoded };
}

/** The first of many bytes, of which there are two digits each. */
function bytesText(digits: string, size: number): string {
  const bytes = digits.match(/../g) ?? [];
  return `${bytes.join(' ')}${bytes.length < size ? ' …' : ''}`;
}

/** An event in words: what happened, what it is about, and the line of the plugin that led to it. */
export function wordsOf(event: PageEvent): { readonly what: string; readonly detail: string; readonly source: string } {
  const source = event.source ?? (event.type === 'log' ? logParts(event.text).place : '');
  return { ...saidOf(event), source };
}

function saidOf(event: PageEvent): { readonly what: string; readonly detail: string } {
  switch (event.type) {
    case 'access': {
      const { access, decoded } = accessParts(event.text);
      return { what: access, detail: event.data === undefined ? decoded : bytesText(event.data, event.size) };
    }
    case 'irq':
      return { what: event.level === 1 ? 'rises' : 'falls', detail: event.line };
    case 'timer':
      return { what: 'fires', detail: `${event.device} ${event.timer}` };
    case 'reset':
      return { what: 'reset', detail: event.device ?? 'machine' };
    case 'snapshot':
      return { what: event.action === 'save' ? 'snapshot' : 'restore', detail: '' };
    case 'clock':
      return { what: `+ ${timeText(Number(event.by))}`, detail: '' };
    case 'handler':
      return { what: 'handler', detail: event.line ?? (event.vector === undefined ? '' : `vector ${event.vector}`) };
    case 'log':
      return { what: logParts(event.text).text, detail: '' };
  }
}

/** The same on one line. */
export function lineOf(event: PageEvent): string {
  const { what, detail } = wordsOf(event);
  switch (event.type) {
    case 'irq':
    case 'timer':
      return `${detail} ${what}`;
    default:
      return detail === '' ? what : `${what}  ${detail}`;
  }
}

/** What stands beside an event in its lane, where there is room. */
export function shortOf(event: PageEvent): string {
  switch (event.type) {
    case 'access': {
      if (event.size > 4) return `${event.size} bytes`;
      // What a write to an index chooses says more than the index.
      const [, chosen] = / index (\S+)$/.exec(event.text) ?? [];
      if (chosen !== undefined) return `[${chosen}]`;
      const value = `0x${event.value.toString(16).padStart(Math.min(8, event.size * 2), '0')}`;
      return `${event.register ?? `0x${event.address.toString(16)}`} ${isRead(event) ? '→' : '←'} ${value}`;
    }
    case 'irq':
    case 'timer':
      return '';
    case 'reset':
      return `reset ${event.device ?? ''}`.trim();
    case 'handler':
      return event.line ?? (event.vector === undefined ? '' : `vector ${event.vector}`);
    default:
      return wordsOf(event).what;
  }
}
