/** A plugin's code, or the config's, that the host has called or loads. */
export interface Foreign {
  /** As messages name it: `plugin 'rtc', hook 'tick'`. */
  readonly what: string;
  /** The command's exit code when it never comes back. */
  readonly exit: 1 | 2;
}

const underWay = new Set<Foreign>();
let last: Foreign | undefined;
let onFirst: (() => void) | undefined;

/** Calls `start` before such code is called or loaded for the first time. */
export function beforeForeign(start: () => void): void {
  onFirst = start;
}

/** Says that such code is about to be called. */
export function announceForeign(): void {
  const start = onFirst;
  onFirst = undefined;
  start?.();
}

/** Notes that it has been called; gives what notes that it has come back, or settled. */
export function beginForeign(foreign: Foreign): () => void {
  announceForeign();
  // Each call is one of its own, of what is described by one object.
  const call = { ...foreign };
  underWay.add(call);
  last = call;
  return () => void underWay.delete(call);
}

/** What has been called and has not settled: one of them keeps the host's thread, when it stands still. */
export function foreignUnderWay(): readonly Foreign[] {
  return [...underWay];
}

/** What was called last, and may have left something running. */
export function lastForeign(): Foreign | undefined {
  return last;
}

/** Calls so far, for `breakOff`. */
export function countForeign(): number {
  return underWay.size;
}

/** Forgets the calls beyond the first `count`, which V8 has broken off without a word; gives the innermost. */
export function breakOff(count: number): Foreign | undefined {
  const broken = [...underWay].slice(count);
  for (const call of broken) underWay.delete(call);
  return broken.at(-1);
}
