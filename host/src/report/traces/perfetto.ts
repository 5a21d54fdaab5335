import type { TraceEvent } from '@qtest/sdk';

import { jsonText } from '../json-text.ts';
import type { TracedCase } from './traced-case.ts';

/** An event of the Trace Event Format, as Perfetto and `chrome://tracing` read it. Times are in microseconds. */
interface ChromeEvent {
  /** `i` an instant, `B` and `E` the two ends of a slice, `M` the name of a track. */
  readonly ph: 'i' | 'B' | 'E' | 'M';
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  /** Of an instant: it is its thread's. */
  readonly s?: 't';
  readonly args?: Readonly<Record<string, unknown>>;
}

/** Groups of tracks. */
const GROUPS = { vcpus: 1, lines: 2, devices: 3 } as const;
type Group = keyof typeof GROUPS;
const TITLES: Readonly<Record<Group, string>> = { vcpus: 'VCPUs', lines: 'IRQ lines', devices: 'Devices' };

/** A trace for Perfetto: a track for each VCPU, for each IRQ line, which is a slice while it is up, and for each device. */
export function perfettoTrace({ plugin, name, status, trace }: TracedCase): string {
  const writer = new Writer();
  for (const event of trace.events) writer.add(event);
  return `${jsonText(
    {
      traceEvents: writer.end(),
      displayTimeUnit: 'ns',
      otherData: { plugin, case: name, status, lost: trace.lost },
    },
    0,
  )}\n`;
}

class Writer {
  readonly #events: ChromeEvent[] = [];
  readonly #tracks = new Map<string, { readonly pid: number; readonly tid: number }>();
  /** Lines that are up. */
  readonly #up = new Set<string>();
  #last = 0;

  add(event: TraceEvent): void {
    const ts = Number(event.time) / 1000;
    this.#last = Math.max(this.#last, ts);
    const vcpu = event.vcpu === undefined ? 'I/O thread' : `VCPU ${event.vcpu}`;
    const { seq, source } = event;
    const more = { seq, ...(source !== undefined && { source: `${source.file}:${source.line}:${source.column}` }) };
    switch (event.type) {
      case 'access': {
        const { text, op, size, address, value, device, register, by } = event;
        const hex = { address: `0x${address.toString(16)}`, value: `0x${value.toString(16)}` };
        const args = { ...more, op, size, ...hex, device, register, by, text };
        this.#instant('vcpus', by ?? vcpu, text.replaceAll(/ +/g, ' '), event.type, ts, args);
        if (device !== undefined)
          this.#instant('devices', device, `${op} ${register ?? hex.address}`, event.type, ts, args);
        return;
      }
      case 'irq':
        this.#edge(event.line, event.level === 1, ts, more);
        return;
      case 'timer':
        this.#instant('devices', event.device, `timer ${event.timer}`, event.type, ts, more);
        return;
      case 'reset':
        if (event.device !== undefined) this.#instant('devices', event.device, 'reset', event.type, ts, more);
        else this.#instant('vcpus', vcpu, 'reset', event.type, ts, more);
        return;
      case 'snapshot':
        this.#instant('vcpus', vcpu, `snapshot: ${event.action}`, event.type, ts, more);
        return;
      case 'clock':
        this.#instant('vcpus', vcpu, 'clock', event.type, ts, { ...more, by: event.by });
        return;
      case 'handler':
        this.#instant('vcpus', vcpu, `handler of ${event.line ?? `vector ${event.vector}`}`, event.type, ts, more);
        return;
      case 'log':
        this.#instant('vcpus', vcpu, event.text, event.type, ts, more);
    }
  }

  /** All events. What is still up ends with the trace. */
  end(): readonly ChromeEvent[] {
    for (const line of this.#up)
      this.#events.push({ ph: 'E', name: line, cat: 'irq', ...this.#track('lines', line), ts: this.#last });
    return this.#events;
  }

  #instant(group: Group, track: string, name: string, cat: string, ts: number, args: ChromeEvent['args'] = {}): void {
    this.#events.push({ ph: 'i', name, cat, ...this.#track(group, track), ts, s: 't', args });
  }

  #edge(line: string, up: boolean, ts: number, args: ChromeEvent['args'] = {}): void {
    // One that was up before the first event that was kept.
    if (!up && !this.#up.has(line)) return;
    this.#events.push({ ph: up ? 'B' : 'E', name: line, cat: 'irq', ...this.#track('lines', line), ts, args });
    if (up) this.#up.add(line);
    else this.#up.delete(line);
  }

  #track(group: Group, name: string): { readonly pid: number; readonly tid: number } {
    const key = `${group} ${name}`;
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    const pid = GROUPS[group];
    const track = { pid, tid: this.#tracks.size + 1 };
    const isFirst = ![...this.#tracks.values()].some((other) => other.pid === pid);
    this.#tracks.set(key, track);
    if (isFirst)
      this.#events.push({
        ph: 'M',
        name: 'process_name',
        cat: '__metadata',
        ...track,
        ts: 0,
        args: { name: TITLES[group] },
      });
    this.#events.push({ ph: 'M', name: 'thread_name', cat: '__metadata', ...track, ts: 0, args: { name } });
    return track;
  }
}
