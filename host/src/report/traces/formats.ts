/** The formats in which a case's trace can be written to a file, and the ends of the files' names. */
const EXTENSIONS = { vcd: 'vcd', perfetto: 'trace.json', qtest: 'qtest', jsonl: 'jsonl' } as const;

export type TraceFormat = keyof typeof EXTENSIONS;

export const TRACE_FORMATS: readonly TraceFormat[] = ['vcd', 'perfetto', 'qtest', 'jsonl'];

export function extensionOf(format: TraceFormat): string {
  return EXTENSIONS[format];
}
