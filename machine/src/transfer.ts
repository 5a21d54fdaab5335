import { LINE_WORDS, PAGE_BYTES, type Blueprint } from './blueprint.ts';
import type { BoundMachine } from './bound-machine.ts';

/**
 * Hot plug: a machine is sealed, so that a device comes or goes by another machine, built with it or without, which takes over all that
 * the first one had: the time, RAM, and of every device that both have its state, timers and lines.
 */

/** Puts into `to`, which has just been made, what `from` has; locks held. Outputs of devices that only `from` has must be low. */
export function transferState(from: BoundMachine, to: BoundMachine): void {
  const old = viewsOf(from);
  const next = viewsOf(to);
  for (const device of to.blueprint.devices) {
    const before = from.blueprint.devices.find(({ id, type }) => id === device.id && type === device.type);
    if (before === undefined) continue;
    const size = stateSize(from.blueprint, before.stateOffset);
    next.bytes.set(old.bytes.subarray(before.stateOffset, before.stateOffset + size), device.stateOffset);
  }
  const highNow = transferLines(from, to, old, next);
  transferTimers(from.blueprint, to.blueprint, old, next);
  transferRam(from.blueprint, to.blueprint, old.bytes, next.bytes);
  to.bus.remap();
  to.bus.refresh();
  // What a new device drives high counts among the drivers of the lines that it feeds.
  for (const line of highNow) {
    next.lines[line * LINE_WORDS] = 0;
    to.lines.set(line, true);
  }
}

interface Views {
  readonly bytes: Uint8Array;
  readonly lines: Int32Array;
  readonly rises: Int32Array;
  /** Now, and the next deadline. */
  readonly clock: BigInt64Array;
  readonly deadlines: BigInt64Array;
}

function viewsOf({ handle: { memory }, blueprint: { layout, lines, timers } }: BoundMachine): Views {
  const { buffer } = memory;
  return {
    bytes: new Uint8Array(buffer),
    lines: new Int32Array(buffer, layout.lines, lines.length * LINE_WORDS),
    rises: new Int32Array(buffer, layout.rises, lines.length),
    clock: new BigInt64Array(buffer, layout.clock, 2),
    deadlines: new BigInt64Array(buffer, layout.deadlines, timers.length),
  };
}

/** Bytes from a device's state to the next one's. */
function stateSize({ devices, layout }: Blueprint, offset: number): number {
  const later = devices.map(({ stateOffset }) => stateOffset).filter((other) => other > offset);
  return Math.min(layout.state + layout.stateBytes, ...later) - offset;
}

/** Gives the lines of `to` that `from` does not have and that are high. */
function transferLines(from: BoundMachine, to: BoundMachine, old: Views, next: Views): number[] {
  const highNow: number[] = [];
  for (const [line, { name }] of to.blueprint.lines.entries()) {
    const before = from.blueprint.lines.findIndex((other) => other.name === name);
    if (before >= 0) {
      next.lines.set(old.lines.subarray(before * LINE_WORDS, (before + 1) * LINE_WORDS), line * LINE_WORDS);
      next.rises[line] = old.rises[before] ?? 0;
    } else if (to.lines.level(line)) {
      highNow.push(line);
    }
  }
  return highNow;
}

function transferTimers(from: Blueprint, to: Blueprint, old: Views, next: Views): void {
  next.clock[0] = old.clock[0] ?? 0n;
  let earliest = -1n;
  for (const [timer, { device, name }] of to.timers.entries()) {
    const id = to.devices[device]?.id;
    const before = from.timers.findIndex((other) => from.devices[other.device]?.id === id && other.name === name);
    if (before >= 0) next.deadlines[timer] = old.deadlines[before] ?? -1n;
    const deadline = next.deadlines[timer] ?? -1n;
    if (deadline >= 0n && (earliest < 0n || deadline < earliest)) earliest = deadline;
  }
  next.clock[1] = earliest;
}

/** Both have the same RAM; what has never been written is as the new machine was sealed. */
function transferRam({ layout: a }: Blueprint, { layout: b }: Blueprint, old: Uint8Array, next: Uint8Array): void {
  const pages = Math.min(a.ramBytes, b.ramBytes) / PAGE_BYTES;
  for (let page = 0; page < pages; page++) {
    if (old[a.dirty + page] === 0) continue;
    const at = a.ram + page * PAGE_BYTES;
    next.set(old.subarray(at, at + PAGE_BYTES), b.ram + page * PAGE_BYTES);
    next[b.dirty + page] = 1;
  }
}
