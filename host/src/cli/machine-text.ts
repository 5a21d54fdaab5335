import { count } from '../report/format.ts';
import { onOneLine } from '@qtest/sdk/support';
import type { Style } from '../report/style.ts';
import type { DeviceView, LineView, MachineView, RegionView } from './machine-view.ts';

/** A machine for a reader: its devices, memory, regions and IRQ wiring. */
export function machineText(view: MachineView, style: Style): string {
  const { plugin, clock, vcpus, devices, memory, shadows, regions, lines, stateBytes } = view;
  const about = `${clock} clock, ${count(vcpus, 'VCPU')}, ${stateBytes} bytes of state`;
  return [
    `${style('bold', `machine of ${plugin}`)}  ${style('dim', about)}`,
    ...section(style('bold', 'devices'), deviceLines(devices, style)),
    ...section(
      style('bold', 'memory'),
      columns([
        ...memory.map(({ kind, base, size }) => [range(base, size, 16), kind, bytes(size), '']),
        ...joined(shadows).map(({ device, base, size }) => [
          range(base, size, 16),
          '',
          bytes(size),
          `RAM if ${device} says so`,
        ]),
      ]),
    ),
    ...section(style('bold', 'regions'), columns(regions.map(regionCells))),
    ...section(
      style('bold', 'IRQ lines'),
      rows(lines.filter(isSource(lines)).map((line) => onOneLine(chain(line, lines)))),
    ),
    '',
  ].join('\n');
}

/** Areas of one device that follow each other are one for a reader. */
function joined(shadows: MachineView['shadows']): MachineView['shadows'] {
  const areas: MachineView['shadows'][number][] = [];
  for (const area of shadows) {
    const last = areas.at(-1);
    if (last?.device === area.device && last.base + last.size === area.base)
      areas[areas.length - 1] = { ...last, size: last.size + area.size };
    else areas.push(area);
  }
  return areas;
}

function deviceLines(devices: readonly DeviceView[], style: Style): string[] {
  const heads = columns(devices.map(({ id, type, bus }) => [id, type, bus === undefined ? '' : `on ${bus}`]));
  const width = Math.max(0, ...heads.map((head) => head.length));
  return devices.flatMap(({ description, properties }, index) => {
    const given = Object.entries(properties).map(([key, value]) => `${key}=${propertyText(value)}`);
    const head = `${(heads[index] ?? '').padEnd(width)}  ${style('dim', onOneLine(description))}`;
    return given.length === 0 ? [head] : [head, `    ${onOneLine(given.join(' '))}`];
  });
}

/** Ports and masks are read in hexadecimal. */
function propertyText(value: number | boolean | string): string {
  return typeof value === 'number' && value > 9 ? `0x${value.toString(16)}` : String(value);
}

function regionCells({ space, base, size, device, region, priority }: RegionView): readonly string[] {
  if (space === 'config') return [space, bytes(size), `${device}.${region}`, ''];
  const place = base === undefined ? `moves (${bytes(size)})` : range(base, size, space === 'io' ? 4 : 16);
  return [space, place, `${device}.${region}`, priority === 0 ? '' : `priority ${priority}`];
}

/** Lines of a bus that nothing drives are left out. */
function isSource(lines: readonly LineView[]): (line: LineView) => boolean {
  const driven = new Set(lines.flatMap(({ to }) => to));
  return ({ name, kind }) => kind === 'output' && !driven.has(name);
}

/** A line and what it leads to: `rtc0.irq → isa0.irq[8] → pic0.ir[8]`. */
function chain(line: LineView, lines: readonly LineView[]): string {
  const ends = line.to.flatMap((end) => {
    // The line that ends at an input pin is called as the pin.
    if (end === line.name) return [];
    const next = lines.find(({ name }) => name === end);
    return [next === undefined ? end : chain(next, lines)];
  });
  return ends.length === 0 ? line.name : `${line.name} → ${ends.join(' and ')}`;
}

const PIN = /\[(\d+)\]/g;

/** Chains that differ by their pin, which is the same all along, are one: `isa0.route[0-15] → isa0.irq[0-15] → pic0.ir[0-15]`. */
function rows(chains: readonly string[]): string[] {
  const found: { readonly key: string; readonly first: number; last: number; readonly text: string }[] = [];
  for (const text of chains) {
    const pins = Array.from(text.matchAll(PIN), ([, pin]) => Number(pin));
    const [first = 0] = pins;
    const alike = pins.length > 0 && pins.every((pin) => pin === first);
    const key = alike ? text.replaceAll(PIN, '[]') : text;
    const before = found.at(-1);
    if (alike && before?.key === key && before.last === first - 1) before.last = first;
    else found.push({ key, first, last: first, text });
  }
  return found.map(({ first, last, text }) => (first === last ? text : text.replaceAll(PIN, `[${first}-${last}]`)));
}

/** A heading and lines below it; nothing without lines. */
function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`.trimEnd())];
}

function columns(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map(onOneLine));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function range(base: number, size: number, digits: number): string {
  const hex = (value: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(base)}-${hex(base + size - 1)}`;
}

function bytes(size: number): string {
  if (size >= 2 ** 20 && size % 2 ** 20 === 0) return `${size / 2 ** 20} MiB`;
  return size >= 1024 && size % 1024 === 0 ? `${size / 1024} KiB` : `${size} bytes`;
}
