import type { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';

import type { ReportEvent } from '@qtest/sdk';

import { EXACT } from './blob-values.ts';
import { EventReporter } from './broadcast.ts';
import type { ReportContext } from './events.ts';
import { jsonText } from './json-text.ts';

export const BLOB_FORMAT = 'qtest-blob';
export const BLOB_VERSION = 1;

/** The first line of a blob. The others are the run's events, each case's end with the command that runs it again. */
export interface BlobHeader {
  readonly format: typeof BLOB_FORMAT;
  readonly version: typeof BLOB_VERSION;
  /** The version of the host that has written it. */
  readonly host: string;
  readonly cwd: string;
  readonly descriptions: Readonly<Record<string, string>>;
  readonly shard?: { readonly index: number; readonly count: number };
  /** The cases of all shards, in their order. */
  readonly order: readonly string[];
}

/** A line behind it. */
export type BlobLine = ReportEvent & { readonly rerun?: string };

/**
 * A run for `qtest merge-reports`: header and events as lines of JSON, packed by gzip. Each case is packed by itself, and written when it
 * ends.
 */
export function blobReporter(
  output: Writable,
  { cwd, descriptions, part, rerun }: ReportContext,
  host: string,
): EventReporter {
  const { shard, order = [] } = part ?? {};
  const header: BlobHeader = {
    format: BLOB_FORMAT,
    version: BLOB_VERSION,
    host,
    cwd,
    descriptions: Object.fromEntries(descriptions),
    ...(shard && { shard }),
    order,
  };
  let text = `${jsonText(header, 0)}\n`;
  return new EventReporter((event) => {
    const line: BlobLine = event.type === 'caseEnd' ? { ...event, rerun: rerun(event.result) } : event;
    text += `${jsonText(line, 0, EXACT)}\n`;
    // What a case has begun with goes with its end.
    if (event.type === 'caseStart') return;
    output.write(gzipSync(text));
    text = '';
  });
}
