import type { TraceEvent } from '@qtest/sdk';

import type { TracedCase } from './traced-case.ts';
import { onOneLine } from '@qtest/sdk/support';

/**
 * In virtual time many things happen at one instant. Each gets a picosecond of its own, in their order, so that a viewer shows them apart;
 * when all of it does not fit into 64 bits of picoseconds, none does.
 */
const PER_NS = 1000n;
const LIMIT = 2n ** 63n / PER_NS;

/** A variable: how it is declared, and what it is before its first change. */
interface Variable {
  readonly code: string;
  readonly kind: 'wire' | 'event' | 'reg';
  readonly bits: number;
  readonly name: string;
  readonly before: string;
}

/**
 * A trace as a Value Change Dump, IEEE 1364-2005 section 18: each IRQ line a wire; each VCPU's accesses as strobes, with address, data and
 * direction beside them; each device's accesses and timers, the clock's steps and resets as strobes.
 */
export function vcdTrace({ plugin, name, trace }: TracedCase): string {
  const isFine = (trace.events.at(-1)?.time ?? 0n) < LIMIT;
  const dump = new Dump();
  const changes: string[] = [];
  let instant = -1n;
  let within = 0n;
  let last = 0n;
  for (const event of trace.events) {
    within = event.time === instant ? within + 1n : 0n;
    instant = event.time;
    // What is told late (of another thread) is not told before what came earlier.
    const own = isFine ? instant * PER_NS + (within < PER_NS ? within : PER_NS - 1n) : instant;
    const at = own > last ? own : last;
    if (at !== last) changes.push(`#${at}`);
    last = at;
    changes.push(...dump.changesOf(event));
  }
  return [
    `$comment ${words(`${plugin} › ${name}${trace.lost > 0 ? `; ${trace.lost} events before these were not kept` : ''}`)} $end`,
    `$timescale 1 ${isFine ? 'ps' : 'ns'} $end`,
    ...dump.declarations(),
    '$enddefinitions $end',
    '#0',
    '$dumpvars',
    ...dump.initials(),
    '$end',
    ...changes,
    '',
  ].join('\n');
}

class Dump {
  readonly #scopes = new Map<string, Variable[]>();
  #count = 0;

  changesOf(event: TraceEvent): string[] {
    const vcpu = event.vcpu === undefined ? 'io' : `vcpu${event.vcpu}`;
    switch (event.type) {
      case 'access': {
        const { by = vcpu, op, address, value, device } = event;
        const write = op === 'out' || op === 'write' ? '1' : '0';
        return [
          `b${address.toString(2)} ${this.#code(by, 'address', 'reg', 64)}`,
          `b${value.toString(2)} ${this.#code(by, 'data', 'reg', 32)}`,
          `${write}${this.#code(by, 'write', 'reg', 1)}`,
          `1${this.#code(by, 'access')}`,
          ...(device === undefined || device === by ? [] : [`1${this.#code(device, 'accessed')}`]),
        ];
      }
      case 'irq': {
        const [scope = '', ...rest] = event.line.split('.');
        const before = event.level === 1 ? '0' : '1';
        return [`${event.level}${this.#code(scope, rest.join('.') || 'line', 'wire', 1, before)}`];
      }
      case 'timer':
        return [`1${this.#code(event.device, `timer_${event.timer}`)}`];
      case 'reset':
        return [`1${this.#code(event.device ?? 'machine', 'reset')}`];
      case 'snapshot':
        return [`1${this.#code('machine', `snapshot_${event.action}`)}`];
      case 'clock':
        return [`1${this.#code('machine', 'clock')}`];
      case 'handler':
        return [`1${this.#code(vcpu, `handler_${event.line ?? event.vector}`)}`];
      case 'log':
        return [`1${this.#code(vcpu, 'log')}`];
    }
  }

  declarations(): string[] {
    return [...this.#scopes].flatMap(([scope, variables]) => [
      `$scope module ${identifier(scope)} $end`,
      ...variables.map(({ kind, bits, code, name }) => `$var ${kind} ${bits} ${code} ${identifier(name)} $end`),
      '$upscope $end',
    ]);
  }

  initials(): string[] {
    const variables = [...this.#scopes.values()].flat().filter(({ kind }) => kind !== 'event');
    return variables.map(({ bits, before, code }) => (bits === 1 ? before + code : `b${before} ${code}`));
  }

  /** The short name of a variable, which is declared when it is first used. */
  #code(scope: string, name: string, kind: Variable['kind'] = 'event', bits = 1, before = 'x'): string {
    const variables = this.#scopes.get(scope) ?? [];
    this.#scopes.set(scope, variables);
    const known = variables.find((variable) => variable.name === name);
    if (known !== undefined) return known.code;
    const code = codeOf(this.#count++);
    variables.push({ code, kind, bits, name, before });
    return code;
  }
}

/** Identifiers are of the printable characters, `!` to `~`. */
function codeOf(n: number): string {
  const digit = String.fromCharCode(33 + (n % 94));
  return n < 94 ? digit : codeOf(Math.floor(n / 94) - 1) + digit;
}

/** A name of one word; a bracket would be taken for a range of bits. */
function identifier(name: string): string {
  return name.replaceAll(/[^\w$]+/g, '_').replaceAll(/^_+|_+$/g, '') || '_';
}

/** Text within a comment, which `$end` would end. */
function words(text: string): string {
  return onOneLine(text.replaceAll('$', '').replaceAll(/\s+/g, ' '));
}
