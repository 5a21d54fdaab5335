/**
 * Whether a command printed what a page shows: line by line, where `…` alone on a line stands for any lines, and within a
 * line for any characters. Times may differ. With `ours`, what is printed is of this repository's own packages, in which the number
 * of cases and the lines that log something change all the time. Empty lines at both ends and white space at the ends of
 * lines do not count.
 */
export function matchesTranscript(shown: readonly string[], printed: string, { ours }: { ours: boolean }): boolean {
  const plain = (line: string): string => (ours ? withoutCounts(withoutTimes(line)) : withoutTimes(line));
  const pattern = trimmed(shown)
    .map((line) => (line.trim() === '…' ? ANY_LINES : `${escaped(plain(line)).replaceAll('…', '.*')}\\n`))
    .join('');
  const text = trimmed(printed.split('\n')).map((line) => `${plain(line)}\n`);
  return new RegExp(`^${pattern}$`).test(text.join(''));
}

const ANY_LINES = '(?:.*\\n)*?';

function trimmed(lines: readonly string[]): readonly string[] {
  const ends = lines.map((line) => line.trimEnd());
  const first = ends.findIndex((line) => line !== '');
  const last = ends.findLastIndex((line) => line !== '');
  return first < 0 ? [] : ends.slice(first, last + 1);
}

/** `0.3 ms`, `1.25 s`, `2 min 5 s`: how long something took. */
function withoutTimes(line: string): string {
  return line.replace(/\b(?:\d+ min )?\d+(?:\.\d+)? m?s\b/g, '0 s');
}

/** The report's last line says how many passed and how many were skipped; a line of the log where it was called. */
function withoutCounts(line: string): string {
  return line
    .replace(/^\d+ passed(?:, \d+ skipped)? of \d+ cases? in /, '1 passed of 1 case in ')
    .replace(/:L\d+: /, ':L1: ');
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
