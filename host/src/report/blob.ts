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

/** How much text is packed at once: traces make more of it than one string holds. */
const PIECE = 2 ** 16;

/** A run for `qtest merge-reports`: header and events as lines of JSON, packed by gzip, at the end. */
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
  const packed: Buffer[] = [];
  let text = `${jsonText(header, 0)}\n`;
  const pack = (): void => {
    packed.push(gzipSync(text));
    text = '';
  };
  return new EventReporter((event) => {
    const line: BlobLine = event.type === 'caseEnd' ? { ...event, rerun: rerun(event.result) } : event;
    text += `${jsonText(line, 0, EXACT)}\n`;
    if (text.length >= PIECE || event.type === 'done') pack();
    if (event.type === 'done') output.write(Buffer.concat(packed));
  });
}
