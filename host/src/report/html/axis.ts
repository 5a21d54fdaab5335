import { lowerBound, ticks, timeText, type Range } from './scale.ts';
import type { Trace } from './trace.ts';

/** What the timeline runs along: the machine's time; or the events in their order, as many happen while virtual time stands still. */
export type AxisName = 'time' | 'order';

export interface Axis {
  readonly name: AxisName;
  /** Where an event stands. */
  readonly of: (index: number) => number;
  readonly bounds: Range;
  /** The shortest view. */
  readonly least: number;
  /** The events of each lane by where they stand. */
  readonly lanes: readonly (readonly number[])[];
  readonly ticks: (view: Range, labels: number) => readonly { readonly at: number; readonly label: string }[];
}

export function timeAxis({ times, lanes }: Trace): Axis {
  const of = (index: number): number => times[index] ?? 0;
  // A snapshot that is restored puts the time back: then they are out of their order.
  const sorted = lanes.map(({ events }) => events.toSorted((a, b) => of(a) - of(b)));
  const least = times.reduce((a, b) => Math.min(a, b), Infinity);
  const most = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const margin = Math.max(50, (most - least) * 0.02);
  return {
    name: 'time',
    of,
    bounds: { from: least - margin, to: most + margin },
    least: 20,
    lanes: sorted,
    ticks: (view, labels) => {
      const { step, at } = ticks(view, labels, 1);
      return at.map((time) => ({ at: time, label: timeText(time, step) }));
    },
  };
}

export function orderAxis({ events, lanes, times }: Trace): Axis {
  const margin = Math.max(1.5, events.length * 0.01);
  return {
    name: 'order',
    of: (index) => index,
    bounds: { from: -margin, to: events.length - 1 + margin },
    least: 6,
    lanes: lanes.map((lane) => lane.events),
    ticks: (view, labels) => {
      const shown = ticks(view, labels, 1).at.filter((at) => at >= 0 && at < events.length);
      return shown.map((at) => ({ at, label: `#${events[at]?.seq ?? at} · ${timeText(times[at] ?? 0, 1000)}` }));
    },
  };
}

/** Time where it tells more than the order does: when most events have an instant of their own. */
export function usualAxis({ times }: Trace): AxisName {
  return new Set(times).size * 2 > times.length ? 'time' : 'order';
}

/** The event of a lane that is nearest to a place and that `isShown`; undefined when none is within `reach`. */
export function nearestOf(
  { lanes, of }: Axis,
  lane: number,
  { at, reach, isShown }: { readonly at: number; readonly reach: number; readonly isShown: (index: number) => boolean },
): number | undefined {
  const events = lanes[lane] ?? [];
  const place = (i: number): number => of(events[i] ?? 0);
  let best: number | undefined;
  let distance = reach;
  for (let i = lowerBound(events.length, place, at - reach); i < events.length && place(i) <= at + reach; i++) {
    const index = events[i] ?? 0;
    if (!isShown(index) || Math.abs(place(i) - at) > distance) continue;
    best = index;
    distance = Math.abs(place(i) - at);
  }
  return best;
}
