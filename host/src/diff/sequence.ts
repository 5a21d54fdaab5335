import { OP } from '@qtest/machine';
import { ALSO, type Access } from './access.ts';

/** Where the size is in a packed access's kind, above its operation. */
const SIZE = 4;
const OPERATION = 0xf;

/** The kinds of packed accesses. */
export const KIND = {
  INB: OP.IN | (1 << SIZE),
  INW: OP.IN | (2 << SIZE),
  INL: OP.IN | (4 << SIZE),
  OUTB: OP.OUT | (1 << SIZE),
  OUTW: OP.OUT | (2 << SIZE),
  OUTL: OP.OUT | (4 << SIZE),
  READB: OP.READ | (1 << SIZE),
  READW: OP.READ | (2 << SIZE),
  READL: OP.READ | (4 << SIZE),
  WRITEB: OP.WRITE | (1 << SIZE),
  WRITEW: OP.WRITE | (2 << SIZE),
  WRITEL: OP.WRITE | (4 << SIZE),
  STEP: OP.STEP,
  RESET: ALSO.RESET,
  IRQS: ALSO.IRQS,
} as const;

/** Accesses one after another, packed: millions are made in a second, and an object each would be most of the work. */
export class Sequence {
  kinds: Uint8Array;
  addresses: Uint32Array;
  values: Uint32Array;
  length = 0;

  /** @param room for so many, before more is made. */
  constructor(room = 64) {
    this.kinds = new Uint8Array(room);
    this.addresses = new Uint32Array(room);
    this.values = new Uint32Array(room);
  }

  static of(accesses: Iterable<Access>): Sequence {
    const sequence = new Sequence();
    for (const access of accesses) sequence.add(access);
    return sequence;
  }

  push(op: number, size: number, address: number, value: number): void {
    const at = this.length;
    if (at === this.kinds.length) this.#grow(2 * at);
    this.kinds[at] = op | (size << SIZE);
    this.addresses[at] = address;
    this.values[at] = value;
    this.length = at + 1;
  }

  add({ op, size, address, value }: Access): void {
    this.push(op, size, address, value);
  }

  at(index: number): Access {
    const { kinds, addresses, values } = this;
    const kind = kinds[index] ?? 0;
    const op = kind & OPERATION;
    return { op, size: kind >> SIZE, address: addresses[index] ?? 0, value: values[index] ?? 0 };
  }

  set(index: number, { op, size, address, value }: Access): void {
    this.kinds[index] = op | (size << SIZE);
    this.addresses[index] = address;
    this.values[index] = value;
  }

  /** Leaves one out. */
  remove(index: number): void {
    for (const list of [this.kinds, this.addresses, this.values]) list.copyWithin(index, index + 1, this.length);
    this.length--;
  }

  toArray(): Access[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }

  #grow(size: number): void {
    const { kinds, addresses, values } = this;
    this.kinds = new Uint8Array(size);
    this.addresses = new Uint32Array(size);
    this.values = new Uint32Array(size);
    this.kinds.set(kinds);
    this.addresses.set(addresses);
    this.values.set(values);
  }
}
