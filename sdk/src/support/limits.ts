/**
 * What a case, a plugin's hook or a device can put into a report, at most. docs/reports.md has the same table. What is beyond is left out, and
 * the report says how much: in the text itself, or in a note of the case.
 */
export const LIMITS = {
  /** Characters of a message, of a cause, and of a reason for a skip. */
  message: 16_384,
  /** Characters of a stack. */
  stack: 16_384,
  /** Characters of the name or the code of an error. */
  errorName: 200,
  /** Characters of each side of a comparison. */
  side: 16_384,
  /** Lines of the difference of the two sides. */
  differenceLines: 1000,
  /** Causes of a failure. */
  causes: 5,
  /** Failures of a VCPU in a case; errors of hooks in a case. */
  failures: 20,
  /** Characters of a line of the log. */
  logLine: 16_384,
  /** Lines of a VCPU's log, and their characters: of more, the first and the last. */
  logLines: 10_000,
  logText: 2 ** 20,
  /** What a case returns: bytes and characters together, items at any depth, and how deep. */
  valueSize: 2 ** 20,
  valueItems: 100_000,
  valueDepth: 64,
  /** Characters of a case's name, of a description, and of a known difference's reason. */
  caseName: 500,
  description: 4096,
} as const;

/**
 * A text of at most `limit` characters, with how many were cut. What wraps a text that has been cut adds some words to it; so that it is not
 * cut again, a text may be longer by a quarter.
 */
export function clipped(text: string, limit: number = LIMITS.message): string {
  if (text.length <= limit * 1.25) return text;
  return `${flat(text.slice(0, wholeAt(text, limit)))}… (${text.length - limit} characters cut)`;
}

/** A text of which the end matters as well, as that of a stack does: cut in its middle. */
export function clippedInside(text: string, limit: number): string {
  if (text.length <= limit * 1.25) return text;
  const half = limit / 2;
  return `${flat(text.slice(0, wholeAt(text, half)))}… (${text.length - limit} characters cut)\n${flat(text.slice(-half))}`;
}

/** Where to cut, so that no pair of surrogates is cut apart. */
function wholeAt(text: string, length: number): number {
  const last = text.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? length - 1 : length;
}

/** A copy of its own: V8's slice of a string keeps all of it in memory. */
export function flat(slice: string): string {
  return structuredClone(slice);
}
