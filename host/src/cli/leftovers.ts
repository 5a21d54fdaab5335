/** Milliseconds that a plugin's leftovers may keep the process alive once the command has ended. */
const LINGER = 1_000;

/** How often there may be nothing that has a name, such as a large thread that is ending, before the process is ended all the same. */
const PATIENCE = 10;

/** What standard input may be, which is opened when it is asked for. */
const INPUT = ['PipeWrap', 'TTYWrap'];

/**
 * Ends the process when something that a plugin left running keeps it alive, and all has been written.
 * @param own what the process had open when it began.
 */
export function endLeftovers(own: readonly string[]): void {
  lookLater([...own, ...INPUT], 0);
}

/** @param looks that have found nothing. */
function lookLater(own: readonly string[], looks: number): void {
  const look = (): void => {
    if (process.stdout.writableLength + process.stderr.writableLength > 0) return lookLater(own, 0);
    const left = without(process.getActiveResourcesInfo(), own);
    if (left.length === 0 && looks < PATIENCE) return lookLater(own, looks + 1);
    const what =
      left.length === 0
        ? 'something in the host was still running'
        : `a plugin has left something running in the host (${[...new Set(left)].join(', ')})`;
    process.stderr.write(`qtest: ended, although ${what}\n`);
    process.exit();
  };
  setTimeout(look, LINGER).unref();
}

/** What is in a list more often than in another. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return list.filter((name) => {
    const index = rest.indexOf(name);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}
