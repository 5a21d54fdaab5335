import { describe, expect, it } from 'vitest';
import type { Vcpu } from '@qtest/sdk';
import { guestMemory } from './index.ts';

/** As much of a VCPU as the driver uses, on a CMOS of these bytes; all ones without. */
function vcpu(cmos?: Readonly<Record<number, number>>): Vcpu {
  let index = 0;
  const part = {
    outb: (_port: number, value: number) => void (index = value),
    inb: () => (cmos === undefined ? 0xff : (cmos[index] ?? 0)),
  };
  return part as unknown as Vcpu;
}

describe('ramEnd', () => {
  it('goes by what is above 16 MiB, if anything is', () => {
    expect(guestMemory.ramEnd(vcpu({ 0x17: 0x00, 0x18: 0xfc, 0x34: 0x00, 0x35: 0x07 }))).toBe(128 * 2 ** 20);
    expect(guestMemory.ramEnd(vcpu({ 0x17: 0x00, 0x18: 0x3c }))).toBe(16 * 2 ** 20);
  });

  it('fails without a CMOS, or RAM above 1 MiB', () => {
    expect(() => guestMemory.ramEnd(vcpu())).toThrow(/the CMOS tells of no RAM above 1 MiB/);
    expect(() => guestMemory.ramEnd(vcpu({}))).toThrow(/no RAM above 1 MiB/);
  });
});

describe('pages', () => {
  const pages = (end = 0x10_8000): guestMemory.Pages => guestMemory.pages(vcpu(), { end });

  it('are the lowest that are free, side by side', () => {
    const some = pages();
    expect([1, 4096, 4097, 1].map((bytes) => some.alloc(bytes))).toEqual([0x10_0000, 0x10_1000, 0x10_2000, 0x10_4000]);
    expect(some.available).toBe(0x3000);
  });

  it('are aligned as asked, and what is skipped is given out later', () => {
    const some = pages();
    some.alloc(1);
    expect(some.alloc(1, 0x4000)).toBe(0x10_4000);
    expect(some.alloc(0x3000)).toBe(0x10_1000);
    expect(some.alloc(1, 16)).toBe(0x10_5000);
  });

  it('join again when they are given back', () => {
    const some = pages();
    const [a, b, c] = [some.alloc(0x2000), some.alloc(0x2000), some.alloc(0x4000)];
    expect(() => some.alloc(1)).toThrow(/no 4096 bytes of guest memory, aligned to 4096, are free/);
    for (const address of [a, c, b]) some.free(address);
    expect(some.available).toBe(0x8000);
    expect(some.alloc(0x8000)).toBe(0x10_0000);
  });

  it('are none of another once given back', () => {
    const some = pages();
    const address = some.alloc(1);
    some.free(address);
    expect(() => some.free(address)).toThrow(/alloc\(\) has given nothing there/);
    expect(() => some.free(address + 1)).toThrow(RangeError);
  });

  it('can have another size, and do not leave the range', () => {
    const some = guestMemory.pages(vcpu(), { start: 0x1001, end: 0x1_fff0, pageSize: 0x4000 });
    expect(some.alloc(1)).toBe(0x4000);
    expect(some.available).toBe(0x1_4000);
    expect(some.alloc(0x1_4000)).toBe(0x8000);
  });

  it('need room, and sensible arguments', () => {
    expect(() => pages(0x10_0fff)).toThrow(/expected room for a page of 4096 bytes/);
    expect(() => guestMemory.pages(vcpu(), { end: 0x20_0000, pageSize: 3000 })).toThrow(/pageSize 3000/);
    for (const bytes of [0, -1, 1.5]) expect(() => pages().alloc(bytes)).toThrow(/expected a positive integer/);
    expect(() => pages().alloc(1, 3)).toThrow(/align 3/);
  });
});
