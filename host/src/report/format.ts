import type { SelectedCase } from '@qtest/sdk';

/** Milliseconds for a reader: `0.3 ms`, `12 ms`, `1.25 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.995) return `${Number(seconds.toFixed(2))} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `1 case`, `2 cases`. */
export function count(n: number, noun: string, several = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : several}`;
}

/** Puts `indent` before each line of a text. */
export function indented(text: string, indent: string): string[] {
  return text.split('\n').map((line) => (line === '' ? '' : indent + line));
}

/** An argument as a POSIX shell takes it, quoted when it needs to be. */
export function shellQuote(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** A case as reports, and what is kept of a run, call it. */
export function titleOf({ plugin, name }: Pick<SelectedCase, 'plugin' | 'name'>): string {
  return `${plugin} › ${name}`;
}
