import type { CaseTrace, SourceLocation, TraceEvent } from '@qtest/sdk';
import { WHOLE_MACHINE, REACHED, TRACED, tracedEvents, type TracedEvent, OP } from '@qtest/machine';
import { Decoder, describeAccess, describeBlock, type Reached } from '../trace/decode.ts';
import type { Traced } from './backend.ts';

const OPS: Readonly<Record<number, 'in' | 'out' | 'read' | 'write'>> = {
  [TRACED.IN]: 'in',
  [TRACED.OUT]: 'out',
  [TRACED.READ]: 'read',
  [TRACED.WRITE]: 'write',
  [TRACED.DMA_READ]: 'read',
  [TRACED.DMA_WRITE]: 'write',
};

const decoder = new TextDecoder();

/**
 * What has been traced of a case, as reporters are told it.
 * @param failing the VCPU of which the last access is to be marked, of a case that failed.
 */
export function caseTrace(traced: Traced, failing: number | undefined): CaseTrace {
  const { events, lost } = tracedEvents(traced.buffer);
  traced.machine.bus.refresh();
  const reader = new Reader(traced);
  const failed = events.findLast(({ kind, vcpu, by }) => by < 0 && vcpu === failing && kind in OPS)?.seq;
  return {
    events: events.map((event) => reader.read(event)),
    lost,
    ...(failing !== undefined && failed !== undefined && { failed }),
  };
}

/** Reads events one after another: what an access to an index/data pair reaches depends on those before. */
class Reader {
  readonly #traced: Traced;
  readonly #decoder: Decoder;

  constructor(traced: Traced) {
    this.#traced = traced;
    this.#decoder = new Decoder(traced.machine, traced.registry);
  }

  read(event: TracedEvent): TraceEvent {
    const { blueprint } = this.#traced.machine;
    const { kind, seq, time, vcpu, address, value } = event;
    const source = event.source === undefined ? undefined : locationOf(event.source);
    const base = { seq, time, ...(vcpu >= 0 && { vcpu }), ...(source !== undefined && { source }) };
    switch (kind) {
      case TRACED.STEP:
        return { ...base, type: 'clock', by: (BigInt(address) << 32n) | BigInt(value) };
      case TRACED.IRQ:
        return { ...base, type: 'handler', line: this.#line(address) };
      case TRACED.INTERRUPT:
        return { ...base, type: 'handler', vector: address };
      case TRACED.EDGE:
        return { ...base, type: 'irq', line: this.#line(address), level: value === 0 ? 0 : 1 };
      case TRACED.TIMER: {
        const timer = blueprint.timers[address];
        return { ...base, type: 'timer', device: this.#device(timer?.device ?? -1), timer: timer?.name ?? '?' };
      }
      case TRACED.RESET:
        return { ...base, type: 'reset', ...(address !== WHOLE_MACHINE && { device: this.#device(address) }) };
      case TRACED.SAVE:
      case TRACED.RESTORE:
        return { ...base, type: 'snapshot', action: kind === TRACED.SAVE ? 'save' : 'restore' };
      case TRACED.LOG:
        return { ...base, type: 'log', text: event.bytes === undefined ? '(lost)' : decoder.decode(event.bytes) };
    }
    const { by, size, bytes } = event;
    const reached = this.#reached(event);
    const master = by < 0 ? undefined : this.#device(by);
    return {
      ...base,
      type: 'access',
      op: OPS[kind] ?? 'in',
      size,
      address,
      value,
      ...(bytes !== undefined && { data: Buffer.from(bytes).toString('hex') }),
      ...(master !== undefined && { by: master }),
      ...(reached !== undefined && { device: this.#device(reached.device) }),
      ...(reached?.register !== undefined && { register: reached.register.name }),
      text: this.#accessText(event, reached, master),
    };
  }

  #reached({ kind, target, offset, size, address, value }: TracedEvent): Reached | undefined {
    const op = opOf(kind);
    if (target === REACHED.UNKNOWN) return size <= 4 ? this.#decoder.next({ op, size, address, value }) : undefined;
    const region = this.#traced.machine.bus.targets[target];
    if (region === undefined) return undefined;
    return this.#decoder.at(region, offset, value, op === OP.OUT || op === OP.WRITE);
  }

  #accessText(event: TracedEvent, reached: Reached | undefined, master: string | undefined): string {
    const { kind, size, address, value, target, open } = event;
    const entry = { op: opOf(kind), size, address, value };
    const access = [1, 2, 4].includes(size) ? describeAccess(entry) : describeBlock(entry);
    const what =
      (master === undefined ? '' : `${master} DMA `) + (open ? access.replace(/ [→←].*/, ' no answer') : access);
    if (reached !== undefined) return `${what.padEnd(24)} ${reached.text()}`;
    return target === REACHED.NOBODY ? `${what}   no device` : what;
  }

  #line(index: number): string {
    return this.#traced.machine.blueprint.lines[index]?.name ?? String(index);
  }

  #device(index: number): string {
    return this.#traced.machine.blueprint.devices[index]?.id ?? '?';
  }
}

/** DMA is told of as the access that it is. */
function opOf(kind: number): number {
  if (kind === TRACED.DMA_READ) return OP.READ;
  return kind === TRACED.DMA_WRITE ? OP.WRITE : kind;
}

/** Of `file:line:column`. */
function locationOf(place: string): SourceLocation | undefined {
  const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(place) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}
