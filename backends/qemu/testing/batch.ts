import { OPERATION, type Batch, type Operation } from '@qtest/sdk/backend';

export const outb = (address: number, value: number): Operation => ({ op: OPERATION.OUT, size: 1, address, value });
export const outl = (address: number, value: number): Operation => ({ op: OPERATION.OUT, size: 4, address, value });
export const inb = (address: number): Operation => ({ op: OPERATION.IN, size: 1, address, value: 0 });
export const readl = (address: number): Operation => ({ op: OPERATION.READ, size: 4, address, value: 0 });
export const stepBy = (ns: number): Operation => ({
  op: OPERATION.STEP,
  size: 0,
  address: Math.floor(ns / 2 ** 32),
  value: ns % 2 ** 32,
});
export const lookAt = (irqs: number): Operation => ({ op: OPERATION.IRQS, size: 0, address: 0, value: irqs });
export const RESET: Operation = { op: OPERATION.RESET, size: 0, address: 0, value: 0 };

export function batchOf(operations: readonly Operation[]): Batch {
  return {
    length: operations.length,
    kinds: Uint8Array.from(operations, ({ op, size }) => op | (size << 4)),
    addresses: Uint32Array.from(operations, ({ address }) => address),
    values: Uint32Array.from(operations, ({ value }) => value),
  };
}
