import { printable } from '@qtest/sdk/printable';
import type { Axis } from './axis.ts';
import { lowerBound, type Range } from './scale.ts';
import { isRead, shortOf, type Lane, type Trace } from './trace.ts';

export const RULER = 26;
export const LANE = 28;
export const OVERVIEW = 26;

/** Width of a character of the labels. */
const CHARACTER = 6.1;

/** Pixels between two events, below which they are not told apart. */
const CROWDED = 2.5;

/** What the timeline shows. */
export interface Scene {
  readonly trace: Trace;
  readonly axis: Axis;
  readonly view: Range;
  readonly width: number;
  /** Width of the lanes' names. */
  readonly gutter: number;
  readonly selected: number;
  readonly hovered: number;
  readonly isShown: (index: number) => boolean;
}

/** The colours of the theme, by the names of their variables. */
export type Palette = (name: string) => string;

export function heightOf({ lanes }: Trace): number {
  return RULER + lanes.length * LANE + OVERVIEW;
}

/** Where an event stands, in pixels. */
export function xOf({ view, width, gutter }: Pick<Scene, 'view' | 'width' | 'gutter'>, at: number): number {
  return gutter + ((at - view.from) / (view.to - view.from)) * (width - gutter);
}

export function draw(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { trace, width, gutter, axis } = scene;
  context.clearRect(0, 0, width, heightOf(trace));
  context.save();
  context.beginPath();
  context.rect(gutter, 0, width - gutter, heightOf(trace));
  context.clip();
  drawRuler(context, scene, palette);
  for (const [number, lane] of trace.lanes.entries()) {
    const top = RULER + number * LANE;
    const line = new Line(scene, axis.lanes[number] ?? [], top);
    if (lane.kind === 'irq') drawWave(context, line, palette);
    else drawMarks(context, line, lane, palette);
  }
  drawCursors(context, scene, palette);
  context.restore();
  drawNames(context, scene, palette);
  drawOverview(context, scene, palette);
}

/** A lane as it is drawn: its events in sight, with one more on either side. */
class Line {
  readonly scene: Scene;
  readonly events: readonly number[];
  readonly top: number;
  readonly first: number;
  readonly end: number;

  constructor(scene: Scene, events: readonly number[], top: number) {
    this.scene = scene;
    this.events = events;
    this.top = top;
    const place = (i: number): number => scene.axis.of(events[i] ?? 0);
    this.first = Math.max(0, lowerBound(events.length, place, scene.view.from) - 1);
    this.end = Math.min(events.length, lowerBound(events.length, place, scene.view.to) + 1);
  }

  x(i: number): number {
    const index = this.events[i];
    return index === undefined ? Infinity : xOf(this.scene, this.scene.axis.of(index));
  }

  /** The last of the events that follow one, each too close to the one before it to be told apart. */
  lastOfRun(i: number): number {
    let last = i;
    while (last + 1 < this.end && this.x(last + 1) - this.x(last) < CROWDED) last++;
    return last;
  }
}

function drawRuler(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { axis, view, width, gutter, trace } = scene;
  const bottom = RULER + trace.lanes.length * LANE;
  context.fillStyle = palette('--lane');
  for (let number = 0; number < trace.lanes.length; number += 2) {
    context.fillRect(gutter, RULER + number * LANE, width - gutter, LANE);
  }
  context.font = `11px ${palette('--sans')}`;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  for (const { at, label } of axis.ticks(view, (width - gutter) / 140)) {
    const x = Math.round(xOf(scene, at)) + 0.5;
    context.fillStyle = palette('--line');
    context.fillRect(x - 0.5, RULER - 6, 1, bottom - RULER + 6);
    context.fillStyle = palette('--quiet');
    context.fillText(label, x + 4, RULER / 2);
  }
}

/** A line's level over time; where it changes faster than can be seen, a pale block. */
function drawWave(context: CanvasRenderingContext2D, line: Line, palette: Palette): void {
  const { scene, events, top, first, end } = line;
  const low = top + LANE - 6;
  const high = top + 6;
  const levelOf = (i: number): number => {
    const event = scene.trace.events[events[i] ?? 0];
    return event?.type === 'irq' ? event.level : 0;
  };
  context.strokeStyle = palette('--irq');
  context.fillStyle = palette('--irq-fill');
  context.lineWidth = 1.25;
  context.beginPath();
  // The event before the view gives its level there; before its first edge a line had the other one.
  const hasBefore = first < end && line.x(first) < scene.gutter;
  let y = (hasBefore ? levelOf(first) === 1 : levelOf(first) === 0 && first < end) ? high : low;
  let x = scene.gutter;
  context.moveTo(x, y);
  const goTo = (next: number): void => {
    if (y === high) context.fillRect(x, high, next - x, low - high);
    context.lineTo(next, y);
    x = next;
  };
  for (let i = first + (hasBefore ? 1 : 0); i < end; i++) {
    goTo(line.x(i));
    const last = line.lastOfRun(i);
    if (last > i + 1) {
      const until = line.x(last);
      block(context, palette('--irq'), { x, y: high, width: until - x, height: low - high });
      context.fillStyle = palette('--irq-fill');
      y = levelOf(last) === 1 ? high : low;
      x = until;
      context.moveTo(x, y);
      i = last;
      continue;
    }
    context.lineTo(x, y === high ? low : high);
    y = levelOf(i) === 1 ? high : low;
    context.lineTo(x, y);
  }
  goTo(scene.width);
  context.stroke();
}

/** Bars: reads hang from the middle up, writes down, all else is as high as the lane; where they touch, a pale block. */
function drawMarks(context: CanvasRenderingContext2D, line: Line, lane: Lane, palette: Palette): void {
  const { scene, events, top, first, end } = line;
  const isAccess = lane.kind === 'access' || lane.kind === 'dma';
  const width = Math.min(5, Math.max(1.5, ((scene.width - scene.gutter) / Math.max(1, end - first)) * 0.4));
  const own = palette(`--${lane.kind}`);
  const runs = {
    read: new Run(lane.kind === 'access' ? palette('--read') : own, top + 5, 9),
    write: new Run(lane.kind === 'access' ? palette('--write') : own, top + 14, 9),
    other: new Run(own, top + 6, LANE - 12),
  };
  const text = palette('--text');
  context.font = `10px ${palette('--mono')}`;
  context.textBaseline = 'middle';
  for (let i = first; i < end; i++) {
    const index = events[i] ?? 0;
    const event = scene.trace.events[index];
    if (event === undefined || !scene.isShown(index)) continue;
    const x = line.x(i);
    const run = runs[isAccess ? (isRead(event) ? 'read' : 'write') : 'other'];
    if (!run.extend(x)) {
      run.flush(context, width, lane.kind === 'timer');
      run.start(x);
    }
    const letters = Math.floor((Math.min(line.x(i + 1), scene.width) - x - width - 10) / CHARACTER);
    if (letters < 4) continue;
    const label = printable(shortOf(event));
    context.fillStyle = text;
    context.fillText(
      label.length > letters ? `${label.slice(0, letters - 1)}…` : label,
      x + width / 2 + 4,
      top + LANE / 2 + 0.5,
    );
  }
  for (const run of Object.values(runs)) run.flush(context, width, lane.kind === 'timer');
}

/** Bars of one kind that touch each other. */
class Run {
  readonly #colour: string;
  readonly #y: number;
  readonly #height: number;
  #from = -Infinity;
  #to = -Infinity;

  constructor(colour: string, y: number, height: number) {
    this.#colour = colour;
    this.#y = y;
    this.#height = height;
  }

  start(x: number): void {
    this.#from = x;
    this.#to = x;
  }

  /** Takes in a bar that touches the last one; false when it does not. */
  extend(x: number): boolean {
    if (x - this.#to >= CROWDED) return false;
    this.#to = x;
    return true;
  }

  flush(context: CanvasRenderingContext2D, width: number, isTriangle: boolean): void {
    if (this.#from === -Infinity) return;
    const x = this.#from - width / 2;
    const bar = { x, y: this.#y, width: this.#to - this.#from + width, height: this.#height };
    if (this.#to - this.#from > CROWDED) return block(context, this.#colour, bar);
    context.fillStyle = this.#colour;
    if (isTriangle) triangle(context, this.#from, this.#y, this.#height);
    else context.fillRect(bar.x, bar.y, bar.width, bar.height);
  }
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Stands for more events than can be told apart. */
function block(context: CanvasRenderingContext2D, colour: string, { x, y, width, height }: Box): void {
  context.globalAlpha = 0.45;
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
}

function triangle(context: CanvasRenderingContext2D, x: number, y: number, height: number): void {
  context.beginPath();
  context.moveTo(x - 4, y + 1);
  context.lineTo(x + 4, y + 1);
  context.lineTo(x, y + height - 1);
  context.fill();
}

/** The failure, the selected event and the one under the pointer. */
function drawCursors(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { trace, axis, selected, hovered } = scene;
  const bottom = RULER + trace.lanes.length * LANE;
  if (hovered >= 0 && hovered !== selected) ring(context, scene, hovered, palette('--quiet'));
  if (trace.failed >= 0) {
    const x = Math.round(xOf(scene, axis.of(trace.failed)));
    context.fillStyle = palette('--fail');
    context.fillRect(x - 0.75, RULER - 8, 1.5, bottom - RULER + 8);
    context.beginPath();
    context.moveTo(x - 6, 3);
    context.lineTo(x + 6, 3);
    context.lineTo(x + 6, 11);
    context.lineTo(x, 18);
    context.lineTo(x - 6, 11);
    context.fill();
    context.strokeStyle = palette('--panel');
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - 2.5, 6);
    context.lineTo(x + 2.5, 11);
    context.moveTo(x + 2.5, 6);
    context.lineTo(x - 2.5, 11);
    context.stroke();
  }
  if (selected < 0) return;
  const x = Math.round(xOf(scene, axis.of(selected)));
  context.fillStyle = palette('--accent');
  context.globalAlpha = 0.6;
  context.fillRect(x - 0.5, RULER - 6, 1, bottom - RULER + 6);
  context.globalAlpha = 1;
  ring(context, scene, selected, palette('--accent'));
}

function ring(context: CanvasRenderingContext2D, scene: Scene, index: number, colour: string): void {
  const lane = scene.trace.laneOf[index] ?? 0;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.roundRect(xOf(scene, scene.axis.of(index)) - 6, RULER + lane * LANE + 3, 12, LANE - 6, 4);
  context.stroke();
}

function drawNames(context: CanvasRenderingContext2D, { trace, gutter }: Scene, palette: Palette): void {
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.font = `11px ${palette('--mono')}`;
  const letters = Math.floor((gutter - 26) / 6.7);
  for (const [number, lane] of trace.lanes.entries()) {
    const { kind } = lane;
    const label = printable(lane.label);
    const top = RULER + number * LANE;
    context.fillStyle = palette(kind === 'access' ? '--write' : `--${kind}`);
    context.fillRect(2, top + 8, 3, LANE - 16);
    context.fillStyle = palette('--text');
    context.fillText(label.length > letters ? `${label.slice(0, letters - 1)}…` : label, 12, top + LANE / 2 + 0.5);
  }
}

/** The whole of the trace: how much happens where, and which part is in view. */
function drawOverview(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { trace, axis, view, width, gutter, selected } = scene;
  const top = RULER + trace.lanes.length * LANE + 6;
  const height = OVERVIEW - 8;
  const whole = { view: axis.bounds, width, gutter };
  context.fillStyle = palette('--lane');
  context.fillRect(gutter, top, width - gutter, height);
  context.fillStyle = palette('--quiet');
  context.globalAlpha = 0.55;
  for (const [x, part] of densityOf(scene)) {
    const bar = Math.max(2, part * (height - 4));
    context.fillRect(gutter + x * COLUMN, top + height - bar, COLUMN, bar);
  }
  context.globalAlpha = 1;
  for (const [index, name] of [
    [trace.failed, '--fail'],
    [selected, '--accent'],
  ] as const) {
    if (index < 0) continue;
    context.fillStyle = palette(name);
    context.fillRect(xOf(whole, axis.of(index)) - 1, top, 2, height);
  }
  const from = xOf(whole, view.from);
  const to = Math.max(from + 3, xOf(whole, view.to));
  context.fillStyle = palette('--view-fill');
  context.fillRect(from, top, to - from, height);
  context.strokeStyle = palette('--accent');
  context.lineWidth = 1;
  context.strokeRect(from + 0.5, top + 0.5, to - from - 1, height - 1);
}

/** Width of the columns in which the overview counts. */
const COLUMN = 2;

const densities = new WeakMap<Axis, { readonly width: number; readonly parts: ReadonlyMap<number, number> }>();

/** How much happens in each column of the overview, as a part of the most, in logarithms. It is counted once for each width. */
function densityOf({ trace, axis, width, gutter }: Scene): ReadonlyMap<number, number> {
  const room = width - gutter;
  const known = densities.get(axis);
  if (known?.width === room) return known.parts;
  const counts = new Map<number, number>();
  for (let index = 0; index < trace.events.length; index++) {
    const x = Math.floor((xOf({ view: axis.bounds, width, gutter }, axis.of(index)) - gutter) / COLUMN);
    counts.set(x, (counts.get(x) ?? 0) + 1);
  }
  const most = Math.log1p([...counts.values()].reduce((a, b) => Math.max(a, b), 1));
  const parts = new Map([...counts].map(([x, count]) => [x, Math.log1p(count) / most]));
  densities.set(axis, { width: room, parts });
  return parts;
}
