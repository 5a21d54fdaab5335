import { isRead, isWrite, type Access } from './access.ts';

export interface Shrunk {
  readonly accesses: readonly Access[];
  /** Sequences that were tried. */
  readonly tries: number;
}

export interface ShrinkOptions {
  /** How many accesses set the machine up: a part of the sequence is first tried behind them. */
  readonly head: number;
  /** Whose each access is: those of the last one's are tried first. */
  readonly owners: readonly unknown[];
  /** It is the last access that shows the difference. */
  readonly keepsLast: boolean;
  /** What is tried at most: against QEMU, each is a QEMU of its own. */
  readonly tries: number;
}

/**
 * Finds a short sequence that still shows a difference (delta debugging; Zeller and Hildebrandt, "Simplifying and isolating
 * failure-inducing input", 2002): fewer accesses first, and then simpler values.
 * @param test gives the sequence up to the access that shows the difference, or undefined.
 */
export async function shrink(
  given: readonly Access[],
  { head, owners, keepsLast, tries: most }: ShrinkOptions,
  test: (candidate: readonly Access[]) => Promise<readonly Access[] | undefined>,
): Promise<Shrunk> {
  let best = given;
  let tries = 0;
  const isBetter = async (candidate: readonly Access[]): Promise<boolean> => {
    if (tries >= most) return false;
    tries++;
    const shown = await test(candidate);
    if (shown === undefined) return false;
    best = shown;
    return true;
  };
  await isBetter(given.filter((_, i) => i < head || owners[i] === owners.at(-1)));
  // What it dies of or hangs of is seldom a read.
  if (!keepsLast) await isBetter(best.filter((access) => !isRead(access)));
  await shortenTail(best, head, isBetter);
  await removeParts(() => best, keepsLast, isBetter);
  await simplifyValues(() => best, isBetter);
  await removeParts(() => best, keepsLast, isBetter);
  return { accesses: best, tries };
}

type Try = (candidate: readonly Access[]) => Promise<boolean>;

/** Most often what matters happened shortly before: the last access alone, the last two, four, … */
async function shortenTail(given: readonly Access[], head: number, isBetter: Try): Promise<void> {
  for (let length = 1; length < given.length - head; length *= 2) {
    if (await isBetter([...given.slice(0, head), ...given.slice(-length)])) return;
  }
}

/** Leaves parts out, smaller and smaller ones, until no single access can be left out. */
async function removeParts(best: () => readonly Access[], keepsLast: boolean, isBetter: Try): Promise<void> {
  let size = Math.ceil(best().length / 2);
  while (size >= 1) {
    let removed = false;
    // From the end: what came last depends on what came before.
    for (let end = best().length - Number(keepsLast); end > 0; end -= size) {
      const from = Math.max(0, end - size);
      if (end > best().length - Number(keepsLast)) continue;
      if (await isBetter(best().toSpliced(from, end - from))) removed = true;
    }
    if (size === 1 && !removed) return;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
}

/** Writes 0 in place of each value, or as few bits of it as will do. */
async function simplifyValues(best: () => readonly Access[], isBetter: Try): Promise<void> {
  for (let i = 0; i < best().length; i++) {
    const attempt = async (value: number): Promise<boolean> => {
      const access = best()[i];
      return access !== undefined && (await isBetter(best().with(i, { ...access, value })));
    };
    const access = best()[i];
    if (access === undefined || !isWrite(access) || access.value === 0) continue;
    if (await attempt(0)) continue;
    for (let bit = 31; bit >= 0; bit--) {
      const { value = 0 } = best()[i] ?? {};
      const without = (value & ~(1 << bit)) >>> 0;
      if (without !== value) await attempt(without);
    }
  }
}
