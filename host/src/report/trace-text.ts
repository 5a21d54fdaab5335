import { relative } from 'node:path';

import { formatNanoseconds, type CaseTrace, type TraceEvent } from '@qtest/sdk';

import type { CaseResult } from './events.ts';
import { onOneLine } from '@qtest/sdk/support';

/** Events shown of a trace. */
const SHOWN = 16;

/** An event on one line: `outb 0x71 ← 0x42         rtc0.B {PIE, 24H}`. */
export function eventText(event: TraceEvent): string {
  switch (event.type) {
    case 'access':
    case 'log':
      return event.text;
    case 'irq':
      return `${event.line} ${event.level === 1 ? '↑' : '↓'}`;
    case 'timer':
      return `timer ${event.device}.${event.timer}`;
    case 'reset':
      return `reset of ${event.device ?? 'the machine'}`;
    case 'snapshot':
      return event.action === 'save' ? 'snapshot taken' : 'snapshot restored';
    case 'clock':
      return `clock +${formatNanoseconds(event.by)}`;
    case 'handler':
      return event.line === undefined
        ? `interrupt 0x${(event.vector ?? 0).toString(16).padStart(2, '0')}`
        : `IRQ handler of ${event.line}`;
  }
}

/** Whether an access of the case's own is among the events that {@link traceLines} shows: timers that went on while it waited may have left none. */
export function showsAccess({ events }: CaseTrace): boolean {
  return events.slice(-SHOWN).some((event) => event.type === 'access' && event.by === undefined);
}

/** The last events of a case: the machine's time, the VCPU where there are several, and the line of the source that led to each. The last access before a failure is marked. */
export function traceLines({ vcpus }: Pick<CaseResult, 'vcpus'>, { events, failed }: CaseTrace, cwd: string): string[] {
  const rows = events.slice(-SHOWN).map((event) => {
    const { seq, time, vcpu, source } = event;
    const who = vcpu === undefined ? 'I/O thread' : `VCPU ${vcpu}`;
    return [
      seq === failed ? '>' : ' ',
      formatNanoseconds(time),
      ...(vcpus === 1 ? [] : [who]),
      onOneLine(eventText(event)),
      source === undefined ? '' : onOneLine(`${relative(cwd, source.file)}:${source.line}`),
    ];
  });
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  );
}
