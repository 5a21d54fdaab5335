import { printable } from '@qtest/sdk/printable';
import { nearestOf, orderAxis, timeAxis, usualAxis, type Axis, type AxisName } from './axis.ts';
import { button, el } from './dom.ts';
import { draw, heightOf, LANE, OVERVIEW, RULER, xOf, type Scene } from './draw.ts';
import { centred, exactTime, panned, timeText, within, zoomed, type Range } from './scale.ts';
import { lineOf, type Trace } from './trace.ts';

/** Pixels around the pointer in which an event is found. */
const REACH = 9;

/** Pixels after which a press is a drag. */
const DRAG = 4;

const STEP = 1.5;

export interface TimelineOptions {
  /** An event has been chosen in the timeline. */
  readonly onSelect: (index: number) => void;
  readonly isShown: (index: number) => boolean;
}

/** A trace along time: a lane for each line, timer and device. It is one canvas, of which only what is in view is drawn. */
export class Timeline {
  readonly element: HTMLElement;
  readonly #trace: Trace;
  readonly #options: TimelineOptions;
  readonly #canvas = el('canvas', {
    tabindex: 0,
    role: 'application',
    'aria-roledescription': 'timeline',
    'aria-label': 'Timeline. Arrows go from event to event, plus and minus zoom, 0 shows all, shift and arrows pan.',
  });
  readonly #tip = el('div', { class: 'timeline-tip', 'aria-hidden': 'true' });
  readonly #range = el('output', { class: 'timeline-range' });
  /** Tells a reader of the screen of the event that was chosen. */
  readonly #said = el('output', { class: 'unseen' });
  readonly #axes: Readonly<Record<AxisName, Axis>>;
  readonly #axisButtons: Readonly<Record<AxisName, HTMLButtonElement>>;
  #axis: Axis;
  #view: Range;
  #width = 0;
  #selected = -1;
  #hovered = -1;
  #isAsked = false;
  #press: { readonly x: number; readonly view: Range; readonly isOverview: boolean; isDrag: boolean } | undefined;

  constructor(trace: Trace, options: TimelineOptions) {
    this.#trace = trace;
    this.#options = options;
    this.#axes = { time: timeAxis(trace), order: orderAxis(trace) };
    this.#axis = this.#axes[usualAxis(trace)];
    this.#view = this.#axis.bounds;
    this.#axisButtons = {
      order: button({ title: 'Events evenly, in their order (x)' }, () => this.setAxis('order'), 'Order'),
      time: button({ title: 'By the machine’s time (x)' }, () => this.setAxis('time'), 'Time'),
    };
    this.element = el(
      'div',
      { class: 'timeline' },
      this.#toolbar(),
      el('div', { class: 'timeline-plane' }, this.#canvas, this.#tip),
      this.#said,
    );
    this.#listen();
    this.setAxis(this.#axis.name);
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
  }

  /** Marks an event and brings it into view: into the middle when asked, or when it is not in view. */
  select(index: number, toMiddle: boolean): void {
    this.#selected = index;
    const event = this.#trace.events[index];
    this.#said.textContent = event === undefined ? '' : printable(lineOf(event));
    if (event !== undefined) {
      const at = this.#axis.of(index);
      const isInView = at >= this.#view.from && at <= this.#view.to;
      if (toMiddle || !isInView) this.#show(centred(this.#view, at));
    }
    this.redraw();
  }

  setAxis(name: AxisName): void {
    const middle = this.#selected >= 0 ? this.#selected : this.#trace.failed;
    this.#axis = this.#axes[name];
    this.#view = this.#axis.bounds;
    if (middle >= 0 && name === 'order' && this.#trace.events.length > 120) {
      this.#show(centred({ from: 0, to: 60 }, this.#axis.of(middle)));
    }
    for (const [own, one] of Object.entries(this.#axisButtons)) one.setAttribute('aria-pressed', String(own === name));
    this.redraw();
  }

  /** Shows a part of the axis in which an event can be told from its neighbours. */
  closeUp(index: number): void {
    const { lanes, of, bounds } = this.#axis;
    const events = lanes[this.#trace.laneOf[index] ?? 0] ?? [];
    const position = events.indexOf(index);
    const near = events.slice(Math.max(0, position - 8), position + 9).map(of);
    const reach = Math.max(...near.map((at) => Math.abs(at - of(index))));
    if (reach > 0 && reach * 2 < bounds.to - bounds.from) {
      // What came before it is what is asked about.
      this.#show({ from: of(index) - reach * 1.2, to: of(index) + reach * 0.5 });
    }
  }

  redraw(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
    });
  }

  /** Does what a key asks for; false when it asks for nothing here. */
  press(key: string, shift: boolean): boolean {
    switch (key) {
      case 'ArrowLeft':
      case 'ArrowRight': {
        const by = key === 'ArrowLeft' ? -1 : 1;
        if (shift) this.#show(panned(this.#view, by * 0.2));
        else this.#step(by);
        return true;
      }
      case '+':
      case '=':
        this.#zoom(1 / STEP);
        return true;
      case '-':
        this.#zoom(STEP);
        return true;
      case '0':
        this.#show(this.#axis.bounds);
        return true;
      case 'Home':
        this.#step(1, -1);
        return true;
      case 'End':
        this.#step(-1, this.#trace.events.length);
        return true;
      case 'x':
        this.setAxis(this.#axis.name === 'time' ? 'order' : 'time');
        return true;
      default:
        return false;
    }
  }

  #toolbar(): HTMLElement {
    return el(
      'div',
      { class: 'toolbar' },
      el(
        'div',
        { class: 'segments', role: 'group', 'aria-label': 'Axis' },
        this.#axisButtons.order,
        this.#axisButtons.time,
      ),
      el(
        'div',
        { class: 'segments', role: 'group', 'aria-label': 'Zoom' },
        button({ 'aria-label': 'Zoom out', title: 'Zoom out (−)' }, () => this.#zoom(STEP), '−'),
        button({ 'aria-label': 'Zoom in', title: 'Zoom in (+)' }, () => this.#zoom(1 / STEP), '+'),
        button({ title: 'Show all (0)' }, () => this.#show(this.#axis.bounds), 'All'),
      ),
      this.#range,
    );
  }

  /** Selects the next event that is shown. */
  #step(by: 1 | -1, from = this.#selected): void {
    for (let index = from + by; index >= 0 && index < this.#trace.events.length; index += by) {
      if (!this.#options.isShown(index)) continue;
      this.#options.onSelect(index);
      return;
    }
  }

  #zoom(factor: number, at?: number): void {
    const { from, to } = this.#view;
    const selected = this.#selected < 0 ? undefined : this.#axis.of(this.#selected);
    const fixed = at ?? (selected !== undefined && selected >= from && selected <= to ? selected : (from + to) / 2);
    this.#show(zoomed(this.#view, factor, fixed));
  }

  #show(view: Range): void {
    this.#view = within(view, this.#axis.bounds, this.#axis.least);
    this.redraw();
  }

  get #scene(): Scene {
    return {
      trace: this.#trace,
      axis: this.#axis,
      view: this.#view,
      width: this.#width,
      gutter: this.#width < 560 ? 100 : 148,
      selected: this.#selected,
      hovered: this.#hovered,
      isShown: this.#options.isShown,
    };
  }

  #resize(): void {
    const height = heightOf(this.#trace);
    this.#width = this.#canvas.clientWidth;
    this.#canvas.style.height = `${height}px`;
    this.#canvas.width = Math.round(this.#width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    // At once: a canvas that gets another size is empty.
    this.#draw();
  }

  #draw(): void {
    const context = this.#canvas.getContext('2d');
    if (context === null || this.#width === 0) return;
    const style = getComputedStyle(this.#canvas);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    draw(context, this.#scene, (name) => style.getPropertyValue(name));
    this.#canvas.dataset['from'] = String(this.#view.from);
    this.#canvas.dataset['to'] = String(this.#view.to);
    this.#range.textContent = this.#rangeText();
  }

  #rangeText(): string {
    const { from, to } = this.#view;
    if (this.#axis.name === 'time')
      return `${timeText(Math.round(to - from), Math.max(1, (to - from) / 1000))} in view`;
    const inView = Math.min(this.#trace.events.length - 1, Math.floor(to)) - Math.max(0, Math.ceil(from)) + 1;
    return `${inView} of ${this.#trace.events.length} events in view`;
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.press(event.key, event.shiftKey)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    canvas.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.#onDown(event));
    canvas.addEventListener('pointermove', (event) => this.#onMove(event));
    canvas.addEventListener('pointerup', (event) => this.#onUp(event));
    canvas.addEventListener('pointercancel', () => (this.#press = undefined));
    canvas.addEventListener('pointerleave', () => this.#hover(-1));
    canvas.addEventListener('dblclick', ({ offsetX }) => this.#zoom(1 / (STEP * STEP), this.#at(offsetX)));
  }

  /** The wheel alone scrolls the page, as everywhere; with Ctrl, or two fingers drawn apart, it zooms; sideways it pans. */
  #onWheel(event: WheelEvent): void {
    if (event.ctrlKey || event.metaKey) {
      this.#zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.008), this.#at(event.offsetX));
    } else {
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (Math.abs(sideways) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
      this.#show(panned(this.#view, sideways / this.#width));
    }
    event.preventDefault();
  }

  #onDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    const isOverview = event.offsetY > heightOf(this.#trace) - OVERVIEW;
    this.#press = { x: event.offsetX, view: this.#view, isOverview, isDrag: false };
    this.#canvas.setPointerCapture(event.pointerId);
    if (isOverview) this.#show(centred(this.#view, this.#at(event.offsetX, this.#axis.bounds)));
  }

  #onMove(event: PointerEvent): void {
    const press = this.#press;
    if (press === undefined) return this.#hover(this.#find(event), event);
    if (Math.abs(event.offsetX - press.x) > DRAG) press.isDrag = true;
    if (press.isOverview) this.#show(centred(this.#view, this.#at(event.offsetX, this.#axis.bounds)));
    else if (press.isDrag) {
      this.#hover(-1);
      const { gutter } = this.#scene;
      this.#show(panned(press.view, (press.x - event.offsetX) / (this.#width - gutter)));
    }
  }

  #onUp(event: PointerEvent): void {
    const press = this.#press;
    this.#press = undefined;
    if (press === undefined || press.isDrag || press.isOverview) return;
    const found = this.#find(event);
    if (found >= 0) this.#options.onSelect(found);
  }

  /** The place on the axis below a pixel. */
  #at(x: number, { from, to }: Range = this.#view): number {
    const { gutter } = this.#scene;
    return from + ((x - gutter) / (this.#width - gutter)) * (to - from);
  }

  /** The event below the pointer; −1 when there is none. */
  #find({ offsetX, offsetY }: PointerEvent): number {
    const lane = Math.floor((offsetY - RULER) / LANE);
    if (lane < 0 || lane >= this.#trace.lanes.length) return -1;
    const at = this.#at(offsetX);
    const reach = this.#at(offsetX + REACH) - at;
    return nearestOf(this.#axis, lane, { at, reach, isShown: this.#options.isShown }) ?? -1;
  }

  #hover(index: number, event?: PointerEvent): void {
    this.#canvas.classList.toggle('is-over', index >= 0);
    const found = this.#trace.events[index];
    this.#tip.hidden = found === undefined;
    if (found !== undefined && event !== undefined && index !== this.#hovered) {
      this.#tip.replaceChildren(
        el('div', { class: 'tip-text' }, lineOf(found)),
        el(
          'div',
          { class: 'tip-more' },
          `${exactTime(found.time)} s`,
          found.source === undefined ? '' : ` · ${found.source}`,
        ),
      );
      const x = xOf(this.#scene, this.#axis.of(index));
      const isRight = x > this.#width / 2;
      this.#tip.style.left = isRight ? '' : `${x + 10}px`;
      this.#tip.style.right = isRight ? `${this.#width - x + 10}px` : '';
      this.#tip.style.top = `${RULER + (this.#trace.laneOf[index] ?? 0) * LANE + LANE + 2}px`;
    }
    if (index === this.#hovered) return;
    this.#hovered = index;
    this.redraw();
  }
}
