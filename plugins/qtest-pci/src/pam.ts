import type { Vcpu } from '@qtest/sdk';
import { BUFFER, driver } from './edu-driver.ts';
import { bus, hex, states, type Cases, type Context, type PciFunction } from './support.ts';

/** 440FX (82441FX, 3.2.17, 3.2.20): registers that show and hide the RAM from 640 KiB to 1 MiB. */
const PAM0 = 0x59;
const SMRAM = 0x72;
const [RE, WE] = [1, 2];
const [DOPEN, DLCK, G_SMRAME] = [0x40, 0x10, 0x08];
const SMRAM_BASE = 0xa_0000;

/** An area that four bits of a PAM register steer. */
interface Area {
  readonly register: number;
  /** Of its read enable. */
  readonly bit: number;
  readonly base: number;
  readonly size: number;
}

const AREAS: readonly Area[] = [
  ...Array.from({ length: 12 }, (_, n) => ({
    register: PAM0 + 1 + (n >> 1),
    bit: (n & 1) * 4,
    base: 0xc_0000 + n * 0x4000,
    size: 0x4000,
  })),
  { register: PAM0, bit: 4, base: 0xf_0000, size: 0x1_0000 },
];

function steer(fn: PciFunction, { register, bit }: Area, enables: number): void {
  const kept = fn.readb(register) & ~(3 << bit);
  fn.writeb(register, kept | (enables << bit));
}

/** Fills all areas with a byte each, and leaves them hidden. */
function filled(context: Context): { fn: PciFunction; vcpu: Vcpu; values: readonly number[] } {
  const { vcpu } = context;
  const fn = bus(context).one('i440fx');
  const values = AREAS.map((area, n) => {
    steer(fn, area, RE | WE);
    vcpu.writeb(area.base, 0x10 + n);
    vcpu.writeb(area.base + area.size - 1, 0x20 + n);
    steer(fn, area, 0);
    return 0x10 + n;
  });
  return { fn, vcpu, values };
}

/** RAM behind an area. */
function behind(fn: PciFunction, vcpu: Vcpu, area: Area, at = area.base): number {
  const kept = fn.readb(area.register);
  steer(fn, area, RE);
  const value = vcpu.readb(at);
  fn.writeb(area.register, kept);
  return value;
}

export const pam: Cases = {
  'pam/reset': states('After a reset no RAM answers from C0000h to FFFFFh.', (context) => {
    const { assert, machine } = context;
    const { fn, vcpu, values } = filled(context);
    for (const area of AREAS) steer(fn, area, RE | WE);
    machine.reset();
    for (const [n, area] of AREAS.entries()) {
      assert.equal(fn.readb(area.register), 0, `82441FX, 3.2.17: register ${hex(area.register)} is 00h after a reset`);
      assert.notEqual(vcpu.readb(area.base), values[n], `82441FX, 3.2.17: reads of ${hex(area.base)} go to PCI`);
      assert.equal(behind(fn, vcpu, area), values[n], 'and RAM keeps what it holds');
    }
  }),

  'pam/each-area': states('Each pair of enables steers its own area, from its first byte to its last.', (context) => {
    const { assert } = context;
    const { fn, vcpu, values } = filled(context);
    for (const [n, area] of AREAS.entries()) {
      const { base, size } = area;
      steer(fn, area, RE);
      for (const [m, other] of AREAS.entries()) {
        const shows = vcpu.readb(other.base) === values[m];
        assert.equal(shows, n === m, `82441FX, 3.2.17: RE of ${hex(base)} and ${hex(other.base)}`);
      }
      assert.equal(vcpu.readb(base + size - 1), 0x20 + n, `82441FX, 3.2.17: the last byte, ${hex(base + size - 1)}`);
      steer(fn, area, 0);
    }
  }),

  'pam/read-only': states('With RE alone RAM is read, and writes go to PCI.', (context) => {
    const { assert } = context;
    const { fn, vcpu, values } = filled(context);
    for (const [n, area] of AREAS.entries()) {
      steer(fn, area, RE);
      vcpu.writeb(area.base, 0xee);
      vcpu.writel(area.base + 0x100, 0xeeee_eeee);
      assert.equal(vcpu.readb(area.base), values[n], `82441FX, 3.2.17: ${hex(area.base)} is write-protected`);
      assert.equal(vcpu.readl(area.base + 0x100), 0, `82441FX, 3.2.17: by dwords too`);
    }
  }),

  'pam/write-only': states('With WE alone writes go to RAM, and PCI is read.', (context) => {
    const { assert } = context;
    const { fn, vcpu } = filled(context);
    for (const area of AREAS) {
      const before = vcpu.readb(area.base);
      steer(fn, area, WE);
      vcpu.writeb(area.base, 0x99);
      assert.equal(vcpu.readb(area.base), before, `82441FX, 3.2.17: reads of ${hex(area.base)} go to PCI`);
      assert.equal(behind(fn, vcpu, area), 0x99, `82441FX, 3.2.17: the write to ${hex(area.base)} has reached RAM`);
    }
  }),

  'pam/shadowing': states(
    'A ROM is copied to the RAM behind it in place, and protected: what a BIOS does.',
    (context) => {
      const { assert, skip } = context;
      const { fn, vcpu } = filled(context);
      const area = AREAS.at(-1);
      if (area === undefined) return skip('there is no area');
      const { base, size } = area;
      const rom = vcpu.read(base, size);
      if (rom.every((byte) => byte === 0xff)) skip(`this machine has no ROM at ${hex(base)}`);
      steer(fn, area, WE);
      for (let at = 0; at < size; at += 4) vcpu.writel(base + at, vcpu.readl(base + at));
      steer(fn, area, RE);
      assert.deepEqual(vcpu.read(base, size), rom, '82441FX, 3.2.17: RAM holds the ROM');
      vcpu.writel(base + 0x10, 0x1234_5678);
      assert.deepEqual(vcpu.read(base, size), rom, '82441FX, 3.2.17: and is write-protected');
    },
  ),

  'pam/border': states('An access across two areas is split, each part as its area says.', (context) => {
    const { assert, skip } = context;
    const { fn, vcpu } = filled(context);
    const [low, high] = AREAS;
    if (low === undefined || high === undefined) return skip('there are no two areas');
    steer(fn, low, RE | WE);
    steer(fn, high, RE | WE);
    vcpu.writel(high.base - 2, 0x4433_2211);
    steer(fn, high, 0);
    assert.equal(vcpu.readl(high.base - 2), 0xffff_2211, '82441FX, 3.2.17: RAM below the border, PCI above');
    vcpu.writel(high.base - 2, 0x8877_6655);
    steer(fn, high, RE);
    assert.equal(vcpu.readl(high.base - 2), 0x4433_6655, '82441FX, 3.2.17: only the part below was written');
  }),

  'pam/dma': states('What a bus master reads and writes is steered as well.', (context) => {
    const { assert, skip, vcpu } = context;
    const on = bus(context);
    const fn = on.one('i440fx');
    const [area] = AREAS;
    if (area === undefined) return skip('there is no area');
    const dev = driver(vcpu, on.one('edu'));
    dev.fn.enable({ memory: true, master: true });
    vcpu.writel(0x1000, 0x600d_f00d);
    steer(fn, area, WE);
    dev.dma({ from: 0x1000, to: BUFFER, count: 4 });
    dev.dma({ from: BUFFER, to: area.base, count: 4, toRam: true });
    assert.equal(vcpu.readl(area.base), 0xffff_ffff, '82441FX, 3.2.17: the VCPU reads PCI');
    dev.dma({ from: area.base, to: BUFFER, count: 4 });
    dev.dma({ from: BUFFER, to: 0x1000, count: 4, toRam: true });
    assert.equal(vcpu.readl(0x1000), 0xffff_ffff, '82441FX, 3.2.17: so does the bus master');
    steer(fn, area, RE);
    assert.equal(vcpu.readl(area.base), 0x600d_f00d, '82441FX, 3.2.17: which has written RAM');
  }),

  'smram/open': states('With G_SMRAME and DOPEN the RAM at A0000h answers, and otherwise PCI.', (context) => {
    const { assert, vcpu } = context;
    const fn = bus(context).one('i440fx');
    const set = (value: number): void => fn.writeb(SMRAM, value);
    set(G_SMRAME | DOPEN);
    for (const at of [SMRAM_BASE, 0xb_fffc]) vcpu.writel(at, at);
    set(0);
    for (const at of [SMRAM_BASE, 0xb_fffc]) {
      assert.notEqual(vcpu.readl(at), at, `82441FX, 3.2.20: ${hex(at)} is closed`);
      vcpu.writel(at, 0);
    }
    set(G_SMRAME | DOPEN);
    for (const at of [SMRAM_BASE, 0xb_fffc]) assert.equal(vcpu.readl(at), at, `82441FX, 3.2.20: ${hex(at)} is open`);
  }),

  'smram/enable': states('DOPEN opens nothing without G_SMRAME.', (context) => {
    const { assert, vcpu } = context;
    const fn = bus(context).one('i440fx');
    fn.writeb(SMRAM, G_SMRAME | DOPEN);
    vcpu.writel(SMRAM_BASE, 0x600d_f00d);
    fn.writeb(SMRAM, DOPEN);
    assert.notEqual(vcpu.readl(SMRAM_BASE), 0x600d_f00d, '82441FX, 3.2.20: SMRAM is not enabled');
  }),

  'smram/lock': states('DLCK resets DOPEN, and neither can be changed again.', (context) => {
    const { assert, vcpu } = context;
    const fn = bus(context).one('i440fx');
    fn.writeb(SMRAM, G_SMRAME | DOPEN);
    vcpu.writel(SMRAM_BASE, 0x600d_f00d);
    fn.writeb(SMRAM, G_SMRAME | DOPEN | DLCK);
    assert.equal(fn.readb(SMRAM) & (DOPEN | DLCK), DLCK, '82441FX, 3.2.20: DOPEN is 0');
    assert.notEqual(vcpu.readl(SMRAM_BASE), 0x600d_f00d, '82441FX, 3.2.20: SMRAM is closed');
    fn.writeb(SMRAM, G_SMRAME | DOPEN);
    assert.equal(fn.readb(SMRAM) & (DOPEN | DLCK), DLCK, '82441FX, 3.2.20: DLCK and DOPEN are read-only');
  }),
};
