/** What a batch is made of. A kind is one of these, with the bytes of an access, 1, 2 or 4, above it: `IN | (size << 4)`. */
export const OPERATION = {
  /** Accesses to ports. */
  IN: 1,
  OUT: 2,
  /** Accesses to memory. */
  READ: 3,
  WRITE: 4,
  /** A step of the virtual clock: `value` ns, their upper half in `address`. */
  STEP: 5,
  /** A reset of the whole machine. */
  RESET: 14,
  /** A look at the levels of the ISA bus's IRQs, whose answer they are, a bit each; `value` has a bit for each that is looked at. */
  IRQS: 15,
} as const;

export interface Operation {
  /** One of `OPERATION`. */
  readonly op: number;
  /** Bytes of an access; otherwise 0. */
  readonly size: number;
  readonly address: number;
  /** Of what is written. */
  readonly value: number;
}

/** Operations one after another, packed: millions are made in a second. */
export interface Batch {
  readonly length: number;
  readonly kinds: Uint8Array;
  readonly addresses: Uint32Array;
  readonly values: Uint32Array;
}

/** One of a batch. */
export function operationAt({ kinds, addresses, values }: Batch, index: number): Operation {
  const kind = kinds[index] ?? 0;
  return { op: kind & 0xf, size: kind >> 4, address: addresses[index] ?? 0, value: values[index] ?? 0 };
}

const NAMES: Readonly<Record<number, string>> = {
  [OPERATION.IN]: 'in',
  [OPERATION.OUT]: 'out',
  [OPERATION.READ]: 'read',
  [OPERATION.WRITE]: 'write',
};
const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };

/** A request of the qtest protocol, without its end of line; of what is no request, what there is in its place. */
export function requestOf({ op, size, address, value }: Operation): string {
  if (op === OPERATION.STEP) return `clock_step ${(BigInt(address) << 32n) | BigInt(value)}`;
  if (op === OPERATION.RESET) return 'system_reset';
  if (op === OPERATION.IRQS) return '';
  const request = `${NAMES[op] ?? '?'}${SUFFIX[size] ?? ''} 0x${address.toString(16)}`;
  return op === OPERATION.OUT || op === OPERATION.WRITE ? `${request} 0x${value.toString(16)}` : request;
}
