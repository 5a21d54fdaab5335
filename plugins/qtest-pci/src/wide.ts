import { pci } from '@qtest/parts/pc';
import { bus, hex, states, type Cases, type Context, type PciFunction } from './support.ts';
import { LONG_BYTES, PATTERN, PCIR_AT, RAM_BYTES, ROM_BYTES, TESTFN } from './testfn.ts';

const { HEADER } = pci;

/** The BAR of 64 bits: its number, and the offsets of its two registers. */
const LONG = 2;
const LOW = HEADER.BAR0 + 4 * LONG;
const HIGH = LOW + 4;

const BELOW = 0xe020_0000;
const ABOVE = 0x12_3460_0000;

function testfn(context: Context): PciFunction {
  return bus(context).one('pci-testfn');
}

/** The function with its long BAR at an address, and decoding on. */
function longAt(context: Context, address: number): PciFunction {
  const fn = testfn(context);
  fn.setBar(LONG, address);
  fn.enable({ memory: true });
  return fn;
}

/** Whether the long BAR answers at an address, beyond its RAM. */
function answers({ vcpu }: Context, address: number): boolean {
  return vcpu.readl(address + RAM_BYTES) === PATTERN + RAM_BYTES;
}

const long: Cases = {
  'bar/64bit/kind': states('Bits 2:1 of a 64-bit BAR are 10, and cannot be written.', (context) => {
    const { assert } = context;
    const fn = testfn(context);
    for (const value of [0, 0xffff_ffff, 6, BELOW]) {
      fn.writel(LOW, value);
      assert.equal(fn.readl(LOW) & 7, 4, `6.2.5.1: 64 bits, memory, after ${hex(value, 8)} was written`);
    }
  }),

  'bar/64bit/sizing': states('A 64-bit BAR is sized by both of its registers.', (context) => {
    const { assert } = context;
    const fn = testfn(context);
    fn.writel(LOW, 0xffff_ffff);
    fn.writel(HIGH, 0xffff_ffff);
    assert.equal(fn.readl(HIGH), 0xffff_ffff, '6.2.5.1: all of the upper bits are there');
    const low = fn.readl(LOW) & ~0xf;
    assert.equal((~low + 1) >>> 0, LONG_BYTES, '6.2.5.1: invert, add 1');
    assert.equal(fn.bar(LONG)?.kind, 'memory64', '6.2.5.1: it is one BAR');
    assert.equal(fn.bar(LONG + 1), undefined, '6.2.5.1: the register after it is its upper half, and no BAR');
  }),

  'bar/64bit/above-4g': states('A 64-bit BAR can lie above 4 GiB, and does not answer 4 GiB lower.', (context) => {
    const { assert, vcpu } = context;
    const fn = longAt(context, ABOVE);
    assert(answers(context, ABOVE), '6.2.5.1: it answers there');
    assert.equal(vcpu.readl(ABOVE + LONG_BYTES - 4), PATTERN + LONG_BYTES - 4, '6.2.5.1: up to its last dword');
    assert.equal(vcpu.readl(ABOVE + LONG_BYTES), 0xffff_ffff, '6.2.5.1: and not beyond');
    assert(!answers(context, ABOVE % 2 ** 32), '6.2.5.1: all 64 bits are decoded');
    assert.equal(fn.bar(LONG)?.address, ABOVE, '6.2.5.1: it reads back');
  }),

  'bar/64bit/below-4g': states('A 64-bit BAR whose upper half is 0 answers below 4 GiB.', (context) => {
    const { assert } = context;
    longAt(context, BELOW);
    assert(answers(context, BELOW), '6.2.5.1: it answers there');
  }),

  'bar/64bit/halves': states('Each write to a half of a 64-bit BAR takes effect by itself.', (context) => {
    const { assert } = context;
    const fn = longAt(context, BELOW);
    fn.writel(HIGH, 3);
    assert(!answers(context, BELOW), '6.2.5.1: gone with the upper half');
    assert(answers(context, BELOW + 3 * 2 ** 32), '6.2.5.1: to 12 GiB further up');
    fn.writel(LOW, BELOW + LONG_BYTES);
    assert(answers(context, BELOW + LONG_BYTES + 3 * 2 ** 32), '6.2.5.1: the lower half moves it, too');
    fn.writel(HIGH, 0);
    assert(answers(context, BELOW + LONG_BYTES), '6.2.5.1: and back');
  }),

  'bar/64bit/all-ones-is-unmapped': states(
    'While a 64-bit BAR holds all ones for its sizing it covers nothing.',
    (context) => {
      const { assert, vcpu } = context;
      const fn = longAt(context, BELOW);
      const before = vcpu.readl(0xffff_fff0);
      fn.writel(HIGH, 0xffff_ffff);
      fn.writel(LOW, 0xffff_ffff);
      assert(!answers(context, BELOW), '6.2.5.1: it is not where it was');
      assert(!answers(context, 2 ** 53 - LONG_BYTES), '6.2.5.1: at the end of what can be addressed nobody answers');
      assert.equal(vcpu.readl(0xffff_fff0), before, '6.2.5.1: nor does it take the end of the lower 4 GiB');
    },
  ),

  'bar/prefetchable/kind': states('Bit 3 of a BAR tells prefetchable memory, and cannot be written.', (context) => {
    const { assert } = context;
    const fn = testfn(context);
    for (const [bar, prefetchable] of [
      [1, false],
      [LONG, true],
      [4, false],
    ] as const) {
      const offset = HEADER.BAR0 + 4 * bar;
      for (const value of [0, 0xffff_ffff]) {
        fn.writel(offset, value);
        assert.equal((fn.readl(offset) >> 3) & 1, Number(prefetchable), `6.2.5.1: BAR ${bar}`);
      }
    }
  }),

  'bar/prefetchable/no-side-effects': states(
    'Reads of prefetchable memory change nothing, and give whole what bytes make up.',
    (context) => {
      const { assert, vcpu } = context;
      longAt(context, BELOW);
      for (const [i, byte] of [0x11, 0x22, 0x33, 0x44].entries()) vcpu.writeb(BELOW + i, byte);
      for (let n = 0; n < 3; n++)
        assert.equal(vcpu.readl(BELOW), 0x4433_2211, '6.2.5.1: writes may be merged, reads repeated');
      vcpu.writel(BELOW, 0x8877_6655);
      assert.deepEqual(
        [0, 1, 2, 3].map((i) => vcpu.readb(BELOW + i)),
        [0x55, 0x66, 0x77, 0x88],
        '6.2.5.1: all bytes are given whatever the byte enables',
      );
    },
  ),
};

/** The function with its ROM at an address, enabled in the command register alone. */
function romAt(context: Context, address: number, enabled: boolean): PciFunction {
  const fn = testfn(context);
  fn.writel(HEADER.ROM_BAR, (address | Number(enabled)) >>> 0);
  fn.enable({ memory: true });
  return fn;
}

const rom: Cases = {
  'bar/rom/sizing': states('The BAR of an expansion ROM is sized with its enable bit 0.', (context) => {
    const { assert } = context;
    const fn = testfn(context);
    fn.writel(HEADER.ROM_BAR, 0xffff_fffe);
    const read = fn.readl(HEADER.ROM_BAR);
    assert.equal((~(read & ~0x7ff) + 1) >>> 0, ROM_BYTES, '6.2.5.2: as any BAR');
    assert.equal(read & 0x7ff, 0, '6.2.5.2: bits 10:1 are reserved, bit 0 is as written');
  }),

  'bar/rom/enables': states('An expansion ROM answers with its own enable bit and that of memory.', (context) => {
    const { assert, vcpu } = context;
    const fn = romAt(context, BELOW, false);
    assert.equal(vcpu.readw(BELOW), 0xffff, '6.2.5.2: memory is enabled, the ROM is not');
    fn.writel(HEADER.ROM_BAR, (BELOW | 1) >>> 0);
    assert.equal(vcpu.readw(BELOW), 0xaa55, '6.2.5.2: both are');
    fn.enable({ memory: false });
    assert.equal(vcpu.readw(BELOW), 0xffff, '6.2.5.2: the command register comes first');
  }),

  'bar/rom/image': states('An expansion ROM begins with 55AAh, and points to what says whose it is.', (context) => {
    const { assert, vcpu } = context;
    romAt(context, BELOW, true);
    assert.equal(vcpu.readw(BELOW), 0xaa55, '6.3.1.1: the signature');
    const at = BELOW + vcpu.readw(BELOW + 0x18);
    assert.equal(at, BELOW + PCIR_AT, '6.3.1.1: the pointer to the PCI data structure');
    assert.equal(new TextDecoder().decode(vcpu.read(at, 4)), 'PCIR', '6.3.1.2: its signature');
    assert.equal(vcpu.readl(at + 4), (TESTFN.device << 16) | TESTFN.vendor, '6.3.1.2: vendor and device');
    assert.equal(vcpu.readw(at + 16) * 512, ROM_BYTES, '6.3.1.2: length in units of 512 bytes');
  }),

  'bar/rom/read-only': states('An expansion ROM cannot be written.', (context) => {
    const { assert, vcpu } = context;
    romAt(context, BELOW, true);
    for (const at of [0, 0x40, ROM_BYTES - 1]) {
      const before = vcpu.readb(BELOW + at);
      vcpu.writeb(BELOW + at, ~before & 0xff);
      assert.equal(vcpu.readb(BELOW + at), before, `6.2.5.2: a ROM (${hex(at)})`);
    }
  }),

  'bar/rom/move': states('An expansion ROM can be moved, and ends where its size says.', (context) => {
    const { assert, vcpu } = context;
    const fn = romAt(context, BELOW, true);
    fn.setBar('rom', BELOW + ROM_BYTES);
    assert.equal(vcpu.readw(BELOW), 0xffff, '6.2.5.2: gone from here');
    assert.equal(vcpu.readw(BELOW + ROM_BYTES), 0xaa55, '6.2.5.2: to there');
    assert.equal(vcpu.readb(BELOW + 2 * ROM_BYTES - 1), 0xff, '6.3: its last byte');
    assert.equal(vcpu.readb(BELOW + 2 * ROM_BYTES - 2), 0xfe, '6.3: the one before');
    assert.equal(vcpu.readb(BELOW + 2 * ROM_BYTES), 0xff, '6.2.5.2: nothing is behind it');
  }),
};

export const wide: Cases = { ...long, ...rom };
