/** Milliseconds between two looks at what keeps the process alive once the command has ended. */
const PERIOD = 500;

/** Looks that may find what Node has no name for, such as a thread that is ending, before the process is ended. */
const PATIENCE = 20;

/** What standard input may be, which is opened when it is asked for. */
const INPUT = ['PipeWrap', 'TTYWrap'];

/**
 * Ends the process when something that a plugin left running keeps it alive, and all has been written.
 * @param own what the process had open when it began.
 */
export function endLeftovers(own: readonly string[]): void {
  // Time may have stood still for Node's loop while the command was busy; so the first look may come at once, and counts for nothing.
  look([...own, ...INPUT], -1);
}

/** Looks again, for the time after `looks` others, as long as the process goes on by itself. */
function look(own: readonly string[], looks: number): void {
  const onTime = (): void => {
    if (process.stdout.writableLength + process.stderr.writableLength > 0) return look(own, -1);
    const left = without(process.getActiveResourcesInfo(), own);
    if (looks < 0 || (left.length === 0 && looks < PATIENCE)) return look(own, looks + 1);
    const what =
      left.length === 0
        ? 'something in the host was still running'
        : `a plugin has left something running in the host (${[...new Set(left)].join(', ')})`;
    process.stderr.write(`qtest: ended, although ${what}\n`);
    process.exit();
  };
  setTimeout(onTime, PERIOD).unref();
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
