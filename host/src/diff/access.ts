import { OP, type TraceEntry } from '../vcpu/trace.ts';

/** An access, or a step of the clock, as a trace has it. What is in `value` of a read is of no account. */
export type Access = TraceEntry;

export function isRead({ op }: Access): boolean {
  return op === OP.IN || op === OP.READ;
}

export function isWrite({ op }: Access): boolean {
  return op === OP.OUT || op === OP.WRITE;
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
