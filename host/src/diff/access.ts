import type { Decoder, Reached, RegisterPart } from '../trace/decode.ts';
import { OP, type TraceEntry } from '@qtest/machine';
import { OPERATION } from '@qtest/sdk/backend';

/** An access, or a step of the clock, as a trace has it; or what a sequence has beside them. What is in `value` of a read is of no account. */
export type Access = TraceEntry;

/** What a sequence has beside what a trace has. */
export const ALSO = OPERATION;

export const RESET: Access = { op: ALSO.RESET, size: 0, address: 0, value: 0 };

export function isRead({ op }: Access): boolean {
  return op === OP.IN || op === OP.READ;
}

export function isWrite({ op }: Access): boolean {
  return op === OP.OUT || op === OP.WRITE;
}

/** It reaches a device, by a port or by memory. */
export function reachesDevice(access: Access): boolean {
  return isRead(access) || isWrite(access);
}

/** What an access reaches: what its first byte does at which something answers. */
export function reachedBy(decoder: Decoder, access: Access): Reached | undefined {
  if (!reachesDevice(access)) return undefined;
  const { op, size, address, value } = access;
  for (let skipped = 0; skipped < size; skipped++) {
    const shift = 8 * skipped;
    const part = { op, size: size - skipped, address: address + skipped, value: value >>> shift };
    const reached = decoder.next(part);
    if (reached === undefined) continue;
    const registers = (): readonly RegisterPart[] =>
      reached.registers().map((one) => ({ ...one, shift: one.shift + shift }));
    return skipped === 0 ? reached : { ...reached, registers };
  }
  return undefined;
}

/** The bits of an access. */
export function allOnes(size: number): number {
  return 2 ** (8 * size) - 1;
}

/** Of a step of the clock: how far, ns. */
export function stepOf({ address, value }: Access): bigint {
  return (BigInt(address) << 32n) | BigInt(value);
}

export function stepBy(ns: number): Access {
  return { op: OP.STEP, size: 0, address: Math.floor(ns / 2 ** 32), value: ns % 2 ** 32 };
}

/** A look at some IRQs, a bit for each. */
export function lookAt(irqs: number): Access {
  return { op: ALSO.IRQS, size: 0, address: 0, value: irqs };
}

/** The lowest of the IRQs that are looked at, or that are up. */
export function lowestIrq(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
