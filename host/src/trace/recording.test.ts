import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { recorded, Recording } from './recording.ts';
import { OP } from '@qtest/machine';
import { testMachine } from '../../../test/support/machine.ts';

function rig() {
  const { vcpu } = testMachine((machine) => {
    machine.ram(0, 4096);
    const isa = machine.add('isa-bus');
    machine.add('mc146818rtc', { bus: isa, irq: 8 });
  });
  const buffer = Recording.buffer();
  return { plain: vcpu, vcpu: recorded(vcpu, buffer), recording: new Recording(buffer), buffer };
}

it('records every access with its answer', () => {
  const { vcpu, recording } = rig();
  vcpu.outb(0x70, 0x0d);
  vcpu.inb(0x71);
  vcpu.writeq(0x100, 0x0123_4567_89ab_cdefn);
  vcpu.readw(0x102);
  vcpu.write(0x200, Uint8Array.of(1, 2, 3));
  vcpu.read(0x200, 3);
  const sum = crc32(Uint8Array.of(1, 2, 3));
  expect(recording.entries().map(({ op, size, address, value }) => [op, size, address, value])).toEqual([
    [OP.OUT, 1, 0x70, 0x0d],
    [OP.IN, 1, 0x71, 0x80],
    [OP.WRITE, 4, 0x100, 0x89ab_cdef],
    [OP.WRITE, 4, 0x104, 0x0123_4567],
    [OP.READ, 2, 0x102, 0x89ab],
    [OP.WRITE_BLOCK, 3, 0x200, sum],
    [OP.READ_BLOCK, 3, 0x200, sum],
  ]);
});

it('keeps the last look of a poll', () => {
  const { vcpu, recording } = rig();
  vcpu.outb(0x70, 0x0c);
  let looks = 0;
  vcpu.poll(() => {
    vcpu.inb(0x71);
    return ++looks === 5;
  });
  expect(recording.entries().map(({ op }) => op)).toEqual([OP.OUT, OP.IN]);
});

it('is full at some time, and then keeps what it has', () => {
  const { vcpu, recording } = rig();
  for (let n = 0; n <= 2 ** 18; n++) vcpu.readb(n & 0xfff);
  expect(recording.length).toBe(2 ** 18);
});

it('is none when it is not asked for', () => {
  const { plain } = rig();
  expect(recorded(plain, undefined)).toBe(plain);
});
