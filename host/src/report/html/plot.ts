import type { Plot } from '@qtest/sdk';

import { el, svg } from './dom.ts';
import { ticks } from './scale.ts';

const WIDTH = 860;
const HEIGHT = 240;
const EDGE = { left: 64, right: 16, top: 14, bottom: 42 };

/** The plot of what a case returned; undefined when it returned none. */
export function plotIn(value: unknown): Plot | undefined {
  if (!isRecord(value) || !isRecord(value['plot'])) return undefined;
  const { title, x, y, points, limits } = value['plot'];
  if (!Array.isArray(points)) return undefined;
  const pairs = points.filter(isPair);
  if (pairs.length === 0 || pairs.length !== points.length) return undefined;
  return {
    points: pairs,
    ...(typeof title === 'string' && { title }),
    ...(typeof x === 'string' && { x }),
    ...(typeof y === 'string' && { y }),
    ...(isPair(limits) && { limits }),
  };
}

/** Draws a series of numbers. */
export function drawPlot({ title, x: xLabel = '', y: yLabel = '', points, limits }: Plot): HTMLElement {
  const xs = extent(points.map(([x]) => x));
  const ys = extent([...points.map(([, y]) => y), ...(limits ?? [])], 0.08);
  const at = (x: number): number => EDGE.left + ((x - xs.from) / (xs.to - xs.from)) * (WIDTH - EDGE.left - EDGE.right);
  const up = (y: number): number =>
    HEIGHT - EDGE.bottom - ((y - ys.from) / (ys.to - ys.from)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x).toFixed(1)} ${up(y).toFixed(1)}`).join('');
  const yTicks = ticks(ys, 5, 0);
  const xTicks = ticks(xs, 8, 0);
  const { least, most } = endsOf(points.map(([, y]) => y));
  const said = `${points.length} points, ${yLabel} from ${numberText(least)} to ${numberText(most)}`;
  return el(
    'figure',
    { class: 'plot' },
    title !== undefined && el('figcaption', {}, title),
    svg(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${title ?? 'Plot'}: ${said}` },
      ...yTicks.at.map((y) =>
        svg(
          'g',
          {},
          svg('line', { class: 'plot-grid', x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(y), y2: up(y) }),
          svg('text', { class: 'plot-tick', x: EDGE.left - 8, y: up(y) + 4, 'text-anchor': 'end' }, numberText(y)),
        ),
      ),
      ...xTicks.at.map((x) =>
        svg(
          'text',
          { class: 'plot-tick', x: at(x), y: HEIGHT - EDGE.bottom + 16, 'text-anchor': 'middle' },
          numberText(x),
        ),
      ),
      svg('text', { class: 'plot-label', x: (WIDTH + EDGE.left) / 2, y: HEIGHT - 6, 'text-anchor': 'middle' }, xLabel),
      svg(
        'text',
        {
          class: 'plot-label',
          transform: `translate(14 ${(HEIGHT - EDGE.bottom + EDGE.top) / 2}) rotate(-90)`,
          'text-anchor': 'middle',
        },
        yLabel,
      ),
      ...(limits ?? []).map((y) =>
        svg('line', { class: 'plot-limit', x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(y), y2: up(y) }),
      ),
      svg('path', { class: 'plot-line', d: path }),
    ),
    el('p', { class: 'quiet' }, said),
  );
}

/** From the least to the greatest, with a margin; never without length. */
function extent(values: readonly number[], margin = 0): { readonly from: number; readonly to: number } {
  const { least, most } = endsOf(values);
  const room = most === least ? Math.abs(most) || 1 : (most - least) * margin;
  return { from: least - room, to: most + room };
}

function endsOf(values: readonly number[]): { readonly least: number; readonly most: number } {
  return {
    least: values.reduce((a, b) => Math.min(a, b), Infinity),
    most: values.reduce((a, b) => Math.max(a, b), -Infinity),
  };
}

function numberText(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPair(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'number');
}
