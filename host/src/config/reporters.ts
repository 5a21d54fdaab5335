import { didYouMean } from '@qtest/sdk/support';

/** The reporters, with whether what each writes is a document: nothing else may stand beside it. */
const REPORTERS = {
  spec: { document: false },
  dot: { document: false },
  tap: { document: true },
  junit: { document: true },
  json: { document: true },
  jsonl: { document: true },
  html: { document: true },
  github: { document: false },
  blob: { document: true },
} as const satisfies Record<string, { document: boolean }>;

export type ReporterName = keyof typeof REPORTERS;
export const REPORTER_NAMES: readonly string[] = Object.keys(REPORTERS);

/** A reporter that has been asked for. */
export interface ReporterRequest {
  readonly name: ReporterName;
  /** Where it writes; undefined for standard output. */
  readonly file?: string;
}

export const REPORTER_EXPECTED = `a list of reporters, each a name or name=file, such as 'spec' or 'json=report.json'`;

/** A reporter as it is written, `name` or `name=file`; or what is wrong with it, as a sentence. */
export function parseReporter(text: string): ReporterRequest | string {
  const [name = '', ...rest] = text.split('=');
  if (!isReporter(name)) {
    return `Unknown reporter '${name}'.${didYouMean(name, REPORTER_NAMES)} The reporters are ${REPORTER_NAMES.join(', ')}.`;
  }
  if (rest.length === 0) return { name };
  const file = rest.join('=');
  return file.trim() === '' ? `Expected a file after '${name}='.` : { name, file };
}

/**
 * What is wrong with reporters together: two that write to one place. The lines of `github` may stand below those for a reader.
 * @returns undefined when all is well.
 */
export function conflictOf(requests: readonly ReporterRequest[]): string | undefined {
  for (const [index, { name, file }] of requests.entries()) {
    const other = requests.slice(0, index).find((earlier) => earlier.file === file && !canShare(earlier.name, name));
    if (other === undefined) continue;
    const place = file === undefined ? 'standard output' : file;
    return `the reporters '${other.name}' and '${name}' both write to ${place}: give one a file of its own, as --reporter ${name}=FILE`;
  }
  return undefined;
}

function canShare(one: ReporterName, other: ReporterName): boolean {
  const isGithub = one === 'github' || other === 'github';
  return isGithub && one !== other && !REPORTERS[one].document && !REPORTERS[other].document;
}

/** Whether standard output is for one document, so that nothing else may be written there. */
export function claimsStdout(requests: readonly ReporterRequest[]): boolean {
  return requests.some(({ name, file }) => file === undefined && REPORTERS[name].document);
}

function isReporter(name: string): name is ReporterName {
  return Object.hasOwn(REPORTERS, name);
}
