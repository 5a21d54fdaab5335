import { jsonText } from '../json-text.ts';
import type { TracedCase } from './traced-case.ts';

/** A trace as lines of JSON: the case, with the format's `version`, and then each event. */
export function jsonlTrace({ plugin, name, clock, vcpus, status, trace }: TracedCase): string {
  const { lost, failed } = trace;
  const head = {
    version: 1,
    type: 'case',
    plugin,
    name,
    clock,
    vcpus,
    status,
    lost,
    ...(failed !== undefined && { failed }),
  };
  return [head, ...trace.events].map((line) => `${jsonText(line, 0)}\n`).join('');
}
