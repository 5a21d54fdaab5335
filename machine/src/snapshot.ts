import { hostError } from '@qtest/sdk/support';
import { PAGE_BYTES } from './blueprint.ts';
import type { BoundMachine } from './bound-machine.ts';
import { WORD } from './control.ts';
import { readyWaiters, rouseForTimer } from './waiters.ts';

/** A machine's state: its bytes, and the pages of RAM that differ from the machine as it was sealed. */
export interface SavedState {
  /** Serial of the machine it is of. */
  readonly machine: number;
  readonly state: Uint8Array;
  readonly pages: ReadonlyMap<number, Uint8Array>;
  readonly size: number;
}

/** Copies a machine's whole state; lock held. */
export function save(machine: BoundMachine): SavedState {
  machine.time.now();
  const { layout } = machine.blueprint;
  const { buffer } = machine.handle.memory;
  const state = new Uint8Array(buffer, layout.state, layout.stateBytes).slice();
  const pages = new Map<number, Uint8Array>();
  for (const page of dirtyPages(machine)) {
    pages.set(page, new Uint8Array(buffer, layout.ram + page * PAGE_BYTES, PAGE_BYTES).slice());
  }
  return { machine: machine.handle.serial, state, pages, size: state.length + pages.size * PAGE_BYTES };
}

/** Puts a machine back into a state that it had; lock held. In real time its clock goes on from there. */
export function restore(machine: BoundMachine, saved: SavedState): void {
  const { serial, memory } = machine.handle;
  if (saved.machine !== serial) {
    throw hostError(
      'MACHINE',
      'restore(): this snapshot is of another machine; a snapshot goes back to the machine it was taken of',
    );
  }
  const { layout } = machine.blueprint;
  const u8 = new Uint8Array(memory.buffer);
  u8.set(saved.state, layout.state);
  restorePages(machine, u8, saved.pages);
  restored(machine);
}

/** Puts a machine back into the state in which it was sealed; lock held. */
export function restorePristine(machine: BoundMachine): void {
  const { layout } = machine.blueprint;
  machine.code.copy(layout.state, layout.pristine, layout.stateBytes);
  restorePages(machine, undefined, undefined);
  restored(machine);
}

/** Takes the present state as the one in which the machine was sealed. */
export function keepPristine(machine: BoundMachine): void {
  const { layout } = machine.blueprint;
  machine.code.copy(layout.pristine, layout.state, layout.stateBytes);
}

function restored(machine: BoundMachine): void {
  machine.time.pastDue = false;
  Atomics.store(machine.control.words, WORD.RESET, 0);
  machine.time.rebase();
  machine.bus.remap();
  machine.bus.refresh();
  // Levels and deadlines are others now: whoever waits looks again.
  readyWaiters(machine.control);
  if (machine.time.kind === 'realtime') rouseForTimer(machine.control);
}

/** Pages of RAM that have been written since the machine was sealed. */
function dirtyPages(machine: BoundMachine): number[] {
  const { layout } = machine.blueprint;
  const count = layout.ramBytes / PAGE_BYTES;
  const { buffer } = machine.handle.memory;
  const dirty = new Uint8Array(buffer, layout.dirty, count);
  const eights = new BigUint64Array(buffer, layout.dirty, count >> 3);
  const pages: number[] = [];
  const look = (from: number, to: number): void => {
    for (let page = from; page < to; page++) if (dirty[page] !== 0) pages.push(page);
  };
  for (let i = 0; i < eights.length; i++) if (eights[i] !== 0n) look(i * 8, i * 8 + 8);
  look(eights.length * 8, count);
  return pages;
}

function restorePages(
  machine: BoundMachine,
  u8 = new Uint8Array(machine.handle.memory.buffer),
  saved: ReadonlyMap<number, Uint8Array> = new Map(),
): void {
  const { layout } = machine.blueprint;
  const { image } = machine.handle;
  for (const page of dirtyPages(machine)) {
    const at = layout.ram + page * PAGE_BYTES;
    if (!saved.has(page)) {
      const index = image.pages.indexOf(page);
      if (index < 0) u8.fill(0, at, at + PAGE_BYTES);
      else u8.set(image.bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES), at);
      u8[layout.dirty + page] = 0;
    }
  }
  for (const [page, bytes] of saved) {
    u8.set(bytes, layout.ram + page * PAGE_BYTES);
    u8[layout.dirty + page] = 1;
  }
}
