import type { TraceAccess, TraceEvent } from '@qtest/sdk';

import type { TracedCase } from './traced-case.ts';
import { onOneLine } from '@qtest/sdk/support';

const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };

/**
 * A trace as requests of the qtest protocol: every access of a VCPU, and `clock_step` wherever the time has gone on. The reply that the machine
 * gave follows as a comment, `# OK 0x0026`. What the protocol has no word for is a comment too: what devices did by themselves, and interrupt
 * acknowledge cycles, resets and snapshots, without which what follows may be answered otherwise.
 */
export function qtestScript({ plugin, name, clock, trace }: TracedCase): string {
  const lines = [comment(`${plugin} › ${name}, ${clock} clock: the requests, each with its reply`)];
  if (trace.lost > 0) lines.push(`# incomplete: ${trace.lost} events before these were not kept`);
  let now = trace.lost > 0 ? (trace.events[0]?.time ?? 0n) : 0n;
  for (const event of trace.events) {
    if ((event.type === 'access' && event.by === undefined) || event.type === 'clock') {
      if (event.time > now) lines.push(`clock_step ${event.time - now}`, `# OK ${event.time}`);
      now = event.time > now ? event.time : now;
    }
    lines.push(...linesOf(event));
  }
  return `${lines.join('\n')}\n`;
}

function linesOf(event: TraceEvent): string[] {
  switch (event.type) {
    case 'access':
      return event.by === undefined ? requestOf(event) : [comment(event.text)];
    case 'irq':
      return [comment(`irq ${event.line} ${event.level}`)];
    case 'timer':
      return [comment(`timer ${event.device}.${event.timer}`)];
    case 'reset':
      return [comment(event.device === undefined ? 'reset' : `reset of ${event.device}`)];
    case 'snapshot':
      return [comment(`snapshot ${event.action}`)];
    case 'handler':
      return [
        comment(
          event.line === undefined
            ? `interrupt acknowledge 0x${(event.vector ?? 0).toString(16)}`
            : `handler of ${event.line}`,
        ),
      ];
    case 'log':
      return [comment(`log ${event.text}`)];
    case 'clock':
      return [];
  }
}

function requestOf({ op, size, address, value, data, text }: TraceAccess): string[] {
  const at = `0x${address.toString(16)}`;
  const suffix = SUFFIX[size];
  const reads = op === 'in' || op === 'read';
  if (suffix === undefined) {
    if (data === undefined) return [comment(size === 0 ? text : `its bytes were not kept: ${text}`)];
    return reads ? [`read ${at} ${size}`, `# OK 0x${data}`] : [`write ${at} ${size} 0x${data}`, '# OK'];
  }
  if (!reads) return [`${op}${suffix} ${at} 0x${value.toString(16)}`, '# OK'];
  return [`${op}${suffix} ${at}`, `# OK 0x${value.toString(16).padStart(op === 'in' ? 4 : 16, '0')}`];
}

/** A comment that is one line of plain text whatever is in it, and is not taken for a reply. */
function comment(text: string): string {
  const line = onOneLine(text.replaceAll(/\s+/g, ' '));
  return /^ ?(OK|FAIL)\b/.test(line) ? `# (${line})` : `# ${line}`;
}
