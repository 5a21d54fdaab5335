import { rtc } from '@qtest/parts/pc';
import { hex, part, states, type Cases } from './support.ts';

const { A } = rtc;

/** A byte that is read/write in every part: not all have RAM. */
const BYTE = rtc.SECONDS_ALARM.offset;

export const ports: Cases = {
  'ports/index-write-only': states('Port 0x70 is write-only: reading it gives all ones.', (context) => {
    const { assert, vcpu } = context;
    const { base } = part(context).dev;
    for (const index of [0x00, A.offset, 0x40, 0x7f, 0x80]) {
      vcpu.outb(base, index);
      assert.equal(
        vcpu.inb(base),
        0xff,
        `the index port is write-only, and reads as all ones on a PC (index ${hex(index)})`,
      );
    }
  }),

  'ports/index-kept': states('The index selects a register until another is written.', (context) => {
    const { assert, vcpu } = context;
    const { base } = part(context).dev;
    vcpu.outb(base, BYTE);
    for (const value of [0x12, 0x34]) {
      vcpu.outb(base + 1, value);
      assert.equal(vcpu.inb(base + 1), value, 'the data port goes on reaching the register');
      assert.equal(vcpu.inb(base + 1), value, 'a read does not move the index');
    }
  }),

  'ports/nmi-bit': states('Bit 7 of the index masks NMI; bits 0 to 6 alone select.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = part(context);
    dev.write(BYTE, 0x11);
    vcpu.outb(dev.base, 0x80 | BYTE);
    assert.equal(vcpu.inb(dev.base + 1), 0x11, 'index 0x81 reads register 1: bit 7 is the NMI mask');
    vcpu.outb(dev.base + 1, 0x22);
    assert.equal(dev.read(BYTE), 0x22, 'index 0x81 writes register 1: bit 7 is the NMI mask');
    vcpu.outb(dev.base, 0x80 | A.offset);
    vcpu.outb(dev.base + 1, A.RS.set(0x20, 3));
    assert.equal(A.RS.get(dev.read(A)), 3, 'index 0x8a writes register A');
    assert.equal(dev.read(BYTE), 0x22, 'and only that');
  }),

  'ports/word-access': states('A word to the 8-bit part is two bytes, the low one first (ISA bus).', (context) => {
    const { assert, vcpu } = context;
    const { dev } = part(context);
    vcpu.outw(dev.base, 0x5a00 | BYTE);
    assert.equal(dev.read(BYTE), 0x5a, 'outw writes the index, and then the data');
    vcpu.outb(dev.base, BYTE);
    assert.equal(vcpu.inw(dev.base), 0x5aff, 'inw gives the index port, all ones, and the data');
  }),
};
