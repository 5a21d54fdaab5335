import { type Layout, LINE_WORDS, PAGE_BYTES } from './blueprint.ts';
import { CONTROL_BYTES } from './control.ts';

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 65_536;

const alignTo = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;

interface Parts {
  readonly stateSizes: readonly number[];
  readonly timers: number;
  readonly lines: number;
  readonly ramBytes: number;
}

/** Lays out a machine's memory: control area, state, rises of the IRQ lines, pristine state, dirty map, RAM. */
export function layOut({ stateSizes, timers, lines, ramBytes }: Parts): { layout: Layout; deviceOffsets: number[] } {
  const state = CONTROL_BYTES;
  const clock = state;
  const deadlines = clock + 16;
  const lineWords = deadlines + 8 * timers;
  let at = alignTo(lineWords + 4 * LINE_WORDS * lines, 8);
  const deviceOffsets = stateSizes.map((size) => {
    const offset = at;
    // A cache line each would cost more in snapshots than false sharing does under one lock.
    at += alignTo(size, 8);
    return offset;
  });
  const stateBytes = at - state;
  const rises = alignTo(at, 8);
  const pristine = alignTo(rises + 4 * lines, 8);
  const dirty = alignTo(pristine + stateBytes, 8);
  const ram = alignTo(dirty + ramBytes / PAGE_BYTES, PAGE_BYTES);
  const totalBytes = alignTo(ram + ramBytes, WASM_PAGE);
  return {
    layout: {
      state,
      stateBytes,
      clock,
      deadlines,
      lines: lineWords,
      rises,
      pristine,
      dirty,
      ram,
      ramBytes,
      totalBytes,
    },
    deviceOffsets,
  };
}
