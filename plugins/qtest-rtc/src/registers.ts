import { rtc } from '@qtest/parts/pc';
import {
  at,
  FIRST_UPDATE,
  hex,
  part,
  parts,
  random,
  rollover,
  show,
  start,
  states,
  VIRTUAL,
  type Cases,
  type Context,
  type Part,
} from './support.ts';

const { A, B, C, D } = rtc;

const ALARM_BYTES = [rtc.SECONDS_ALARM, rtc.MINUTES_ALARM, rtc.HOURS_ALARM] as const;

/** Indices of RAM that nothing but the program writes. */
function ramOf({ dev, calendar }: Part): number[] {
  const all = Array.from({ length: rtc.SIZE - rtc.FIRST_RAM }, (_, i) => rtc.FIRST_RAM + i);
  return calendar === 'gregorian' ? all.filter((index) => index !== dev.centuryByte) : all;
}

export const registers: Cases = {
  'registers/start': states(
    'At the start the divider runs, the format is BCD and 24 h, and nothing interrupts.',
    (context) => {
      const { assert } = context;
      for (const { dev, id } of parts(context)) {
        for (const register of [A, B, D]) {
          // UIP may be up by chance in real time.
          const ignored = register === A ? A.UIP.mask : 0;
          assert.equal(dev.read(register) & ~ignored, register.reset, `${id}: register ${register.name} at the start`);
        }
      }
    },
  ),

  'registers/a': states('A: DV and RS are read/write; UIP is read-only.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    for (let value = 0; value < 0x80; value++) {
      dev.write(A, value);
      assert.equal(dev.read(A) & 0x7f, value, `DV and RS read back as written (${hex(value)})`);
    }
    dev.holdDivider();
    assert(!dev.updateInProgress(), 'no update is in progress while the divider is held in reset');
    dev.write(A, dev.read(A) | A.UIP.mask);
    assert(!dev.updateInProgress(), 'UIP is read-only: writing 1 does not set it');
  }),

  'registers/b': states('B: all bits are read/write, but UIE is 0 while SET is 1.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    for (let value = 0; value < 0x100; value++) {
      dev.write(B, value);
      const expected = B.SET.test(value) ? B.UIE.set(value, 0) : value;
      assert.equal(dev.read(B), expected, `B reads back as written, with UIE cleared by SET (${hex(value)} written)`);
    }
  }),

  'registers/c-read-only': states('C is read-only; its bits 3 to 0 are 0.', (context) => {
    const { assert, clock } = context;
    const { dev } = part(context);
    dev.setRate(0);
    start(dev);
    clock.step(FIRST_UPDATE);
    dev.holdDivider();
    dev.write(C, 0x00);
    assert.equal(dev.acknowledge(), C.UF.mask, 'C is read-only: writing 0 clears no flag, and bits 3 to 0 are 0');
    dev.write(C, 0xff);
    assert.equal(dev.acknowledge(), 0, 'C is read-only: writing ones sets no flag');
  }),

  'registers/d-read-only': states('D is read-only: VRT is 1, bits 6 to 0 are 0.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    for (const value of [0x00, 0x7f, 0x80, 0xff]) {
      dev.write(D, value);
      assert.equal(dev.read(D), D.VRT.mask, `VRT is 1, the rest 0, whatever is written (${hex(value)})`);
    }
  }),

  'registers/alarm-bytes': states('The alarm bytes are read/write and keep every value.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    for (let value = 0; value < 0x100; value++) {
      for (const register of ALARM_BYTES) dev.write(register, value ^ register.offset);
      for (const register of ALARM_BYTES) {
        assert.equal(dev.read(register), value ^ register.offset, `${register.name} reads back as written`);
      }
    }
  }),

  'registers/time-bytes': states('Under SET the ten time and calendar bytes are read/write.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    dev.modify(B, { SET: 1 });
    dev.setTime({ ...at('1987-12-31 23:58:57'), weekday: 3 });
    assert.equal(show(dev.readTime()), '1987-12-31 23:58:57', 'under SET the time reads back as written');
    assert.equal(dev.read(rtc.DAY_OF_WEEK), 3, 'under SET the weekday reads back as written');
  }),

  'registers/random': states(
    'Whatever is written, reads are bytes, the line is IRQF, and A to D, alarms and RAM keep to their rules.',
    (context) => {
      const next = random(context.options.seed);
      const all = parts(context);
      for (const one of all) hammer(context, one, next);
      return { seed: context.options.seed, parts: all.length, writes: all.length * WRITES };
    },
    VIRTUAL,
  ),

  'ram/walking': states('0x0E to 0x7F are RAM.', (context) => {
    const { assert } = context;
    const { dev } = part(context);
    // With SET nothing else writes the century byte.
    dev.modify(B, { SET: 1 });
    const ram = Array.from({ length: rtc.SIZE - rtc.FIRST_RAM }, (_, i) => rtc.FIRST_RAM + i);
    const patterns: ((index: number) => number)[] = [
      () => 0x00,
      () => 0xff,
      () => 0x55,
      () => 0xaa,
      (index) => index,
      (index) => ~index & 0xff,
      ...Array.from({ length: 8 }, (_, bit) => (index: number) => 1 << ((bit + index) % 8)),
    ];
    for (const pattern of patterns) {
      for (const index of ram) dev.write(index, pattern(index));
      for (const index of ram) assert.equal(dev.read(index), pattern(index), `RAM byte ${hex(index)} keeps its value`);
    }
    return { bytes: ram.length, patterns: patterns.length };
  }),

  'ram/left-alone': states('The clock does not touch the RAM.', (context) => {
    const { assert } = context;
    for (const one of [part(context), part(context, { calendar: 'gregorian' })]) {
      const { dev, id } = one;
      const ram = ramOf(one);
      dev.setAlarm({});
      dev.setRate(6);
      start(dev, '1999-12-31 23:59:59');
      for (const index of ram) dev.write(index, index ^ 0x5a);
      context.clock.step('1.6s');
      for (const index of ram) {
        assert.equal(
          dev.read(index),
          index ^ 0x5a,
          `${id}: RAM byte ${hex(index)} is as it was before the turn of the century`,
        );
      }
    }
  }),
};

const WRITES = 3000;

/** Random writes and steps, each followed by a check of everything that must always be true. */
function hammer({ assert, clock, vcpu }: Context, one: Part, next: () => number): void {
  const { dev, line, id } = one;
  const ram = new Set(ramOf(one));
  const expected = new Map<number, number>([[D.offset, D.VRT.mask]]);
  for (let i = 0; i < WRITES; i++) {
    const [index, value] = [next() & 0x7f, next() & 0xff];
    vcpu.outb(dev.base, index | (next() & 0x80));
    vcpu.outb(dev.base + 1, value);
    const where = `${id}, write ${i} (${hex(value)} to ${hex(index)})`;
    if (index === A.offset) expected.set(index, value & 0x7f);
    else if (index === B.offset) expected.set(index, B.SET.test(value) ? B.UIE.set(value, 0) : value);
    else if (ram.has(index) || ALARM_BYTES.some(({ offset }) => offset === index)) expected.set(index, value);
    if (next() % 8 === 0) clock.step(BigInt(next() % (next() % 32 === 0 ? 2_000_000_000 : 20_000_000)));

    const level = line.level;
    const b = dev.read(B);
    const c = dev.acknowledge();
    const irqf = (B.PIE.test(b) && C.PF.test(c)) || (B.AIE.test(b) && C.AF.test(c)) || (B.UIE.test(b) && C.UF.test(c));
    assert.equal(C.IRQF.test(c), irqf, `${where}: IRQF = PF·PIE + AF·AIE + UF·UIE, with B ${hex(b)} and C ${hex(c)}`);
    assert.equal(level, irqf, `${where}: the line is up when IRQF is 1, with B ${hex(b)} and C ${hex(c)}`);
    assert.equal(line.level, false, `${where}: reading C lowers the line`);
    assert.equal(C.ZERO.get(c), 0, `${where}: bits 3 to 0 of C are 0`);

    const looked = next() & 0x7f;
    const byte = dev.read(looked);
    assert(
      Number.isInteger(byte) && byte >= 0 && byte <= 0xff,
      `${where}: ${hex(looked)} reads as a byte, not ${byte}`,
    );
    const known = expected.get(looked);
    if (known !== undefined) {
      const masked = looked === A.offset ? byte & 0x7f : byte;
      assert.equal(masked, known, `${where}: register ${hex(looked)} reads back as written`);
    }
  }
  for (const [index, value] of expected) {
    if (ram.has(index)) assert.equal(dev.read(index), value, `${id}: RAM byte ${hex(index)} keeps its value`);
  }
  dev.write(B, B['24H'].mask);
  dev.write(A, 0x20);
  assert.equal(
    rollover(clock, dev, '2011-12-31 23:59:59').slice(2),
    '12-01-01 00:00:00',
    `${id}: set again, the clock runs as if nothing had been`,
  );
}
