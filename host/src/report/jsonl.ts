import type { Writable } from 'node:stream';

import { EventReporter } from './broadcast.ts';
import { jsonText } from './json-text.ts';

/** The events of a run as they happen, each a line of JSON; the first has the format's `version`, 1. */
export function jsonlReporter(output: Writable): EventReporter {
  return new EventReporter((event) => {
    const line = event.type === 'runStart' ? { ...event, version: 1 } : event;
    output.write(`${jsonText(line, 0)}\n`);
  });
}
