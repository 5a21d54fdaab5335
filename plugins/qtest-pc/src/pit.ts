import { i8254 } from '@qtest/parts/pc';
import { device, hex, isaIrq, number, pulses, states, VIRTUAL, type Cases, type Context } from './support.ts';

const { CONTROL, NMISC, READ_BACK, RW } = i8254;

interface Bench {
  readonly dev: i8254.Pit;
  /** Port of counter 0. */
  readonly base: number;
  /** Port 0x61. */
  readonly nmisc: number;
  /** Level of a counter's OUT, by the read-back command. */
  out(counter: i8254.PitCounter): boolean;
  /** Sets GATE 2. */
  gate(level: boolean): void;
}

/** The PIT with GATE 2 high, as counter 2 is the one whose GATE software has. */
function bench(context: Context): Bench {
  const { vcpu } = context;
  const base = number(device(context, 'i8254'), 'ioBase', i8254.BASE);
  const nmisc = number(device(context, 'pcspk'), 'ioBase', i8254.NMISC_PORT);
  const dev = i8254.pit(vcpu, base);
  const gate = (level: boolean): void => vcpu.outb(nmisc, level ? NMISC.GATE2.mask : 0);
  gate(true);
  return { dev, base, nmisc, gate, out: (counter) => dev.status(counter).out };
}

interface Waveform {
  /** What starts it, at the end of a pulse of CLK. */
  readonly begin: () => void;
  /** OUT right after it. */
  readonly level: boolean;
  /** Pulses after it at whose ends OUT changes. */
  readonly changes: readonly number[];
  readonly why: string;
}

/** Follows OUT of counter 2, to the nanosecond. */
function follow(context: Context, { out }: Bench, { begin, level, changes, why }: Waveform): void {
  const { assert } = context;
  const { to, before } = pulses(context);
  begin();
  let now = level;
  assert.equal(out(2), now, `8254, ${why}: OUT at first`);
  for (const pulse of changes) {
    before(pulse);
    assert.equal(out(2), now, `8254, ${why}: OUT until the end of pulse ${pulse}`);
    to(pulse);
    now = !now;
    assert.equal(out(2), now, `8254, ${why}: OUT from the end of pulse ${pulse} on`);
  }
}

export const pit: Cases = {
  'pit/counter-latch': states(
    'A latched count stays until it is read, whatever the counter does; a second latch is ignored.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const { to } = pulses(context);
      dev.program(2, 2, 1000);
      to(10);
      dev.latch(2);
      to(20);
      dev.latch(2);
      assert.equal(dev.read(2), 991, '8254, counter latch command: the count of its instant, 9 after the first pulse');
      assert.equal(dev.read(2), 981, '8254, counter latch command: once read it follows the counter again');
      dev.latch(2);
      to(30);
      assert.equal(dev.read(2), 981, '8254, counter latch command: it can be given again');
    },
    VIRTUAL,
  ),

  'pit/counter-latch/others': states(
    'The counter latch command touches neither the mode nor the other counters.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base } = bench(context);
      const { to } = pulses(context);
      for (const counter of [0, 1, 2] as const) dev.program(counter, 2, 500);
      to(100);
      // The bits of mode and BCD are don't care.
      vcpu.outb(base + CONTROL.offset, 0x4f);
      to(200);
      const counts = ([0, 1, 2] as const).map((counter) => dev.read(counter));
      assert.deepEqual(counts, [301, 401, 301], '8254, counter latch command: counter 1 alone is latched');
      assert.deepEqual(dev.status(1), { out: true, nullCount: false, mode: 2, access: 'word', bcd: false });
    },
    VIRTUAL,
  ),

  'pit/read-back/status': states('The status byte has OUT, NULL COUNT and the bits of the control word.', (context) => {
    const { assert, vcpu } = context;
    const { base } = bench(context);
    for (const word of [0x30, 0x12, 0x24, 0x36, 0x38, 0x1a, 0x31, 0x35]) {
      for (const counter of [0, 1, 2]) {
        vcpu.outb(base + CONTROL.offset, (counter << 6) | word);
        vcpu.outb(base + READ_BACK.offset, READ_BACK.SC.mask | READ_BACK.COUNT.mask | (READ_BACK.CNT0.mask << counter));
        const status = vcpu.inb(base + counter);
        const what = `8254, read-back command, counter ${counter} after ${hex(word)}`;
        assert.equal(status & 0x3f, word, `${what}: RW, M and BCD as they were written`);
        assert.equal(status & 0x40, 0x40, `${what}: NULL COUNT is 1 after a control word`);
        assert.equal(status >> 7, (word & 0x0e) === 0 ? 0 : 1, `${what}: OUT is low in mode 0, else high`);
      }
    }
  }),

  'pit/read-back/status-once': states(
    'A status that is latched stays until it is read; a second read-back command is ignored.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base } = bench(context);
      const latch = READ_BACK.SC.mask | READ_BACK.COUNT.mask | READ_BACK.CNT2.mask;
      const { to } = pulses(context);
      dev.program(2, 0, 10);
      vcpu.outb(base + READ_BACK.offset, latch);
      to(20);
      vcpu.outb(base + READ_BACK.offset, latch);
      assert.equal(vcpu.inb(base + 2), 0x70, '8254, read-back command: OUT low, NULL COUNT, as it was at the first');
      vcpu.outb(base + READ_BACK.offset, latch);
      assert.equal(vcpu.inb(base + 2), 0xb0, '8254, read-back command: OUT high, the count is loaded');
    },
    VIRTUAL,
  ),

  'pit/read-back/several': states(
    'One read-back command latches several counters; the status is read first, then the count.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base } = bench(context);
      const { to } = pulses(context);
      for (const counter of [0, 1, 2] as const) dev.program(counter, 2, 600 + counter);
      to(101);
      vcpu.outb(base + READ_BACK.offset, READ_BACK.SC.mask | READ_BACK.CNT0.mask | READ_BACK.CNT2.mask);
      to(201);
      // What is latched already is not latched again.
      vcpu.outb(base + READ_BACK.offset, READ_BACK.SC.mask | READ_BACK.CNT2.mask);
      const bytes = [0, 2].map((counter) => [0, 1, 2, 3, 4].map(() => vcpu.inb(base + counter)));
      const low = (count: number): number[] => [count & 0xff, count >> 8];
      assert.deepEqual(
        bytes,
        [0, 2].map((n) => [0xb4, ...low(500 + n), ...low(400 + n)]),
        '8254, read-back command: status, the count of that instant, then the count of now',
      );
      assert.equal(dev.read(1), 401, '8254, read-back command: counter 1 was not selected');
    },
    VIRTUAL,
  ),

  'pit/null-count': states(
    'NULL COUNT is 1 from the write of a count until the counter has loaded it.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const { to, before } = pulses(context);
      dev.program(2, 2, 100);
      before(1);
      assert(dev.status(2).nullCount, '8254, figure 12: a count was written');
      to(1);
      assert(!dev.status(2).nullCount, '8254, figure 12: it is loaded by the next pulse');
      to(50);
      dev.load(2, 80);
      before(101);
      assert(dev.status(2).nullCount, '8254, figure 12; mode 2: a new count waits for the end of the cycle');
      to(101);
      assert(!dev.status(2).nullCount, '8254, figure 12: it is loaded');
      assert.equal(dev.read(2), 80, '8254, mode 2: the new count');
    },
    VIRTUAL,
  ),

  'pit/access/one-byte': states(
    'RW = 1 writes and reads the low byte alone, RW = 2 the high byte; the other byte of the count is 0.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base } = bench(context);
      for (const [rw, byte, count] of [
        [RW.LSB, 0x80, 0x80],
        [RW.MSB, 0x03, 0x300],
      ] as const) {
        const { to } = pulses(context);
        vcpu.outb(base + CONTROL.offset, CONTROL.SC.set(CONTROL.RW.set(CONTROL.M.set(0, 2), rw), 2));
        vcpu.outb(base + 2, byte);
        to(1);
        assert.equal(vcpu.inb(base + 2), byte, `8254, write operations: RW = ${rw}, loaded by one byte`);
        to(3);
        const now = count - 2;
        const shown = rw === RW.LSB ? now & 0xff : now >> 8;
        assert.deepEqual([vcpu.inb(base + 2), vcpu.inb(base + 2)], [shown, shown], `8254, read operations: RW = ${rw}`);
        assert(dev.status(2).out);
        to(count);
        assert(!dev.status(2).out, `8254, write operations: the count is ${hex(count)}`);
      }
    },
    VIRTUAL,
  ),

  'pit/access/word': states(
    'RW = 3 is the low byte and then the high one, writing and reading apart.',
    (context) => {
      const { assert, vcpu } = context;
      const { base } = bench(context);
      // A count that waits for its trigger stays: GATE 2 is low, mode 0.
      const { dev, gate } = bench(context);
      const { to } = pulses(context);
      gate(false);
      dev.program(2, 0, 0x1234);
      to(3);
      const first = vcpu.inb(base + 2);
      vcpu.outb(base + 2, 0x78);
      const second = vcpu.inb(base + 2);
      vcpu.outb(base + 2, 0x56);
      assert.deepEqual([first, second], [0x34, 0x12], '8254, read operations: a write in between takes no turn');
      to(6);
      assert.equal(dev.read(2), 0x5678, '8254, write operations: a read in between takes no turn');
    },
    VIRTUAL,
  ),

  'pit/mode0/terminal-count': states(
    'Mode 0: OUT goes high N + 1 pulses after the count was written, and stays high.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      for (const count of [1, 2, 100]) {
        const begin = (): void => on.dev.program(2, 0, count);
        follow(context, on, { begin, level: false, changes: [count + 1], why: `mode 0, N = ${count}` });
        pulses(context).to(0x1_0000 + 10);
        assert(on.out(2), '8254, mode 0: until a new count or control word is written');
      }
    },
    VIRTUAL,
  ),

  'pit/mode0/gate': states(
    'Mode 0: GATE low stops the counting; a count that was written then has no load pulse to wait for.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      const { to, before } = pulses(context);
      on.dev.program(2, 0, 100);
      to(41);
      on.gate(false);
      to(500);
      assert.equal(on.dev.read(2), 60, '8254, mode 0: GATE = 0 disables counting');
      assert(!on.out(2), '8254, mode 0: GATE has no effect on OUT');
      on.gate(true);
      before(560);
      assert(!on.out(2), '8254, mode 0: the 60 that were left');
      to(560);
      assert(on.out(2), '8254, mode 0: the 60 that were left');
      on.gate(false);
      on.dev.program(2, 0, 50);
      to(600);
      const begin = (): void => on.gate(true);
      follow(context, on, { begin, level: false, changes: [50], why: 'mode 0, written while GATE is 0: N pulses' });
    },
    VIRTUAL,
  ),

  'pit/mode0/first-byte': states(
    'Mode 0: the first byte of a new count stops the counting and takes OUT low at once.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base, out } = bench(context);
      const { to, before } = pulses(context);
      dev.program(2, 0, 10);
      to(20);
      assert(out(2));
      vcpu.outb(base + 2, 0x20);
      assert(!out(2), '8254, mode 0: OUT is set low immediately, no clock pulse required');
      dev.latch(2);
      const stopped = dev.read(2);
      to(400);
      assert.equal(dev.read(2), stopped, '8254, mode 0: writing the first byte disables counting');
      vcpu.outb(base + 2, 0);
      before(433);
      assert(!out(2), '8254, mode 0: the second byte lets it be loaded: N + 1 pulses');
      to(433);
      assert(out(2), '8254, mode 0: the second byte lets it be loaded: N + 1 pulses');
    },
    VIRTUAL,
  ),

  'pit/mode1/one-shot': states(
    'Mode 1: OUT is low for N pulses, from the pulse after the trigger; a trigger in between begins anew.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      on.gate(false);
      on.dev.program(2, 1, 50);
      pulses(context).to(200);
      assert(on.out(2), '8254, mode 1: OUT is initially high, and without a trigger it stays so');
      const trigger = (): void => {
        on.gate(false);
        on.gate(true);
      };
      const wave = { begin: trigger, changes: [1, 51], why: 'mode 1' };
      follow(context, on, { ...wave, level: true });
      follow(context, on, { ...wave, level: true, why: 'mode 1, without writing the count again' });
      trigger();
      pulses(context).to(30);
      follow(context, on, { begin: trigger, level: false, changes: [51], why: 'mode 1, retriggered' });
    },
    VIRTUAL,
  ),

  'pit/mode2/rate-generator': states(
    'Mode 2: OUT is low for the last of each N pulses.',
    (context) => {
      const on = bench(context);
      for (const n of [2, 3, 100]) {
        const begin = (): void => on.dev.program(2, 2, n);
        const changes = [1, 2, 3].flatMap((period) => [period * n, period * n + 1]);
        follow(context, on, { begin, level: true, changes, why: `mode 2, N = ${n}` });
      }
    },
    VIRTUAL,
  ),

  'pit/mode2/counts-down': states(
    'Mode 2: the count goes from N to 1 and starts again.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const { to } = pulses(context);
      dev.program(2, 2, 4);
      const seen = Array.from({ length: 10 }, (_, n) => {
        to(n + 1);
        return dev.read(2);
      });
      assert.deepEqual(seen, [4, 3, 2, 1, 4, 3, 2, 1, 4, 3], '8254, mode 2: reloaded when it has come to 1');
    },
    VIRTUAL,
  ),

  'pit/mode2/new-count': states(
    'Mode 2: a new count takes effect at the end of the cycle, or at a trigger.',
    (context) => {
      const on = bench(context);
      const { dev, gate } = on;
      const half = (): void => {
        const { to } = pulses(context);
        dev.program(2, 2, 100);
        to(50);
        dev.load(2, 30);
      };
      half();
      // `follow` begins with the pulse after that, the 51st.
      follow(context, on, { begin: () => {}, level: true, changes: [49, 50, 79, 80], why: 'mode 2, a new count' });
      half();
      const trigger = (): void => {
        gate(false);
        gate(true);
      };
      follow(context, on, { begin: trigger, level: true, changes: [30, 31], why: 'mode 2, a new count and a trigger' });
    },
    VIRTUAL,
  ),

  'pit/mode2/gate': states(
    'Mode 2: GATE low takes OUT high at once and stops the counting; GATE high starts it from N.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      const { to } = pulses(context);
      on.dev.program(2, 2, 50);
      to(50);
      assert(!on.out(2), '8254, mode 2: the last pulse of the cycle');
      on.gate(false);
      assert(on.out(2), '8254, mode 2: OUT is set high immediately');
      to(300);
      assert(on.out(2), '8254, mode 2: GATE = 0 disables counting');
      follow(context, on, {
        begin: () => on.gate(true),
        level: true,
        changes: [50, 51, 100],
        why: 'mode 2, a trigger',
      });
    },
    VIRTUAL,
  ),

  'pit/mode3/even-count': states(
    'Mode 3: an even count is a square wave, N/2 pulses high and N/2 low.',
    (context) => {
      const on = bench(context);
      for (const n of [2, 4, 100]) {
        const begin = (): void => on.dev.program(2, 3, n);
        const changes = [1, 2, 3, 4, 5].map((half) => 1 + (half * n) / 2);
        follow(context, on, { begin, level: true, changes, why: `mode 3, N = ${n}` });
      }
    },
    VIRTUAL,
  ),

  'pit/mode3/odd-count': states(
    'Mode 3: with an odd count OUT is high for (N + 1)/2 pulses and low for (N − 1)/2.',
    (context) => {
      const on = bench(context);
      for (const n of [3, 5, 101]) {
        const begin = (): void => on.dev.program(2, 3, n);
        const changes = [0, 1, 2].flatMap((period) => [1 + period * n + (n + 1) / 2, 1 + (period + 1) * n]);
        follow(context, on, { begin, level: true, changes, why: `mode 3, N = ${n}` });
      }
    },
    VIRTUAL,
  ),

  'pit/mode3/counts-by-two': states(
    'Mode 3: each pulse takes two from the count.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const { to } = pulses(context);
      dev.program(2, 3, 6);
      const seen = Array.from({ length: 7 }, (_, n) => {
        to(n + 1);
        return dev.read(2);
      });
      assert.deepEqual(seen, [6, 4, 2, 6, 4, 2, 6], '8254, mode 3: decremented by two on succeeding pulses');
    },
    VIRTUAL,
  ),

  'pit/mode3/gate': states(
    'Mode 3: GATE low takes OUT high at once; GATE high starts the wave anew.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      const { to } = pulses(context);
      on.dev.program(2, 3, 40);
      to(30);
      assert(!on.out(2), '8254, mode 3: the second half');
      on.gate(false);
      assert(on.out(2), '8254, mode 3: OUT is set high immediately');
      to(100);
      follow(context, on, { begin: () => on.gate(true), level: true, changes: [21, 41, 61], why: 'mode 3, a trigger' });
    },
    VIRTUAL,
  ),

  'pit/mode4/strobe': states(
    'Mode 4: OUT is low for one pulse, N + 1 pulses after the count was written, and not again.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      for (const n of [1, 20]) {
        const begin = (): void => on.dev.program(2, 4, n);
        follow(context, on, { begin, level: true, changes: [n + 1, n + 2], why: `mode 4, N = ${n}` });
      }
      const { to } = pulses(context);
      for (let pulse = 0; pulse < 60; pulse++) {
        to(pulse);
        assert(on.out(2), '8254, mode 4: the strobe comes once for each count that is written');
      }
    },
    VIRTUAL,
  ),

  'pit/mode5/strobe': states(
    'Mode 5: OUT is low for one pulse, N + 1 pulses after a trigger.',
    (context) => {
      const { assert } = context;
      const on = bench(context);
      on.gate(false);
      on.dev.program(2, 5, 20);
      pulses(context).to(50);
      assert(on.out(2), '8254, mode 5: not without a trigger');
      const trigger = (): void => {
        on.gate(false);
        on.gate(true);
      };
      const wave: Waveform = { begin: trigger, level: true, changes: [21, 22], why: 'mode 5' };
      follow(context, on, wave);
      follow(context, on, { ...wave, why: 'mode 5, a second trigger' });
      trigger();
      pulses(context).to(15);
      follow(context, on, { ...wave, why: 'mode 5, retriggered' });
    },
    VIRTUAL,
  ),

  'pit/modes-6-and-7': states(
    'M2 is don’t care with M1: the modes 6 and 7 are 2 and 3.',
    (context) => {
      const { vcpu } = context;
      const on = bench(context);
      for (const [mode, changes] of [
        [6, [20, 21, 40, 41]],
        [7, [11, 21, 31, 41]],
      ] as const) {
        const begin = (): void => {
          vcpu.outb(on.base + CONTROL.offset, CONTROL.SC.set(CONTROL.RW.set(CONTROL.M.set(0, mode), RW.WORD), 2));
          on.dev.load(2, 20);
        };
        follow(context, on, { begin, level: true, changes, why: `control word: M = ${mode}` });
      }
    },
    VIRTUAL,
  ),

  'pit/bcd': states(
    'With BCD the count has four decades.',
    (context) => {
      const { assert, vcpu } = context;
      const on = bench(context);
      const { to } = pulses(context);
      on.dev.program(2, 2, 1000, { bcd: true });
      to(2);
      assert.deepEqual([vcpu.inb(on.base + 2), vcpu.inb(on.base + 2)], [0x99, 0x09], '8254, BCD: 1000 less 1 is 0999');
      const begin = (): void => on.dev.program(2, 0, 321, { bcd: true });
      follow(context, on, { begin, level: false, changes: [322], why: 'BCD' });
    },
    VIRTUAL,
  ),

  'pit/count-0': states(
    'A count of 0 is the largest: 65536, or 10000 in BCD.',
    (context) => {
      const on = bench(context);
      for (const [bcd, largest] of [
        [false, 0x1_0000],
        [true, 10_000],
      ] as const) {
        const begin = (): void => on.dev.program(2, 0, largest, { bcd });
        follow(context, on, { begin, level: false, changes: [largest + 1], why: `count 0, ${bcd ? 'BCD' : 'binary'}` });
      }
    },
    VIRTUAL,
  ),

  'pit/irq0': states(
    'OUT 0 is IRQ 0: in mode 2 it rises once in N pulses.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const line = isaIrq(context, 0);
      const count = i8254.countForHz(1000);
      const { to, before } = pulses(context);
      dev.program(0, 2, count);
      const start = line.edges;
      for (let n = 1; n <= 100; n++) {
        before(n * count + 1);
        assert.equal(line.edges - start, n - 1, `8254, mode 2: not before pulse ${n} · ${count} + 1`);
        to(n * count + 1);
        assert.equal(line.edges - start, n, `8254, mode 2: at the end of pulse ${n} · ${count} + 1`);
      }
    },
    VIRTUAL,
  ),

  'port61/read-write': states('Bits 3:0 of port 61h can be written and read, bits 7:4 not be written.', (context) => {
    const { assert, vcpu } = context;
    const { nmisc } = bench(context);
    for (let value = 0; value < 16; value++) {
      const others = vcpu.inb(nmisc) & (NMISC.SERR.mask | NMISC.IOCHK.mask);
      vcpu.outb(nmisc, 0xf0 | value);
      assert.equal(vcpu.inb(nmisc) & 0x0f, value, '82371SB, NMISC: bits 3:0 are read/write');
      assert.equal(vcpu.inb(nmisc) & 0xc0, others, '82371SB, NMISC: bits 7:4 are read only');
    }
  }),

  'port61/out2': states(
    'Bit 5 of port 61h is OUT 2, and bit 0 GATE 2.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, nmisc, gate, out } = bench(context);
      const { to } = pulses(context);
      const bit5 = (): boolean => NMISC.OUT2.test(vcpu.inb(nmisc));
      dev.program(2, 3, 20);
      for (let pulse = 0; pulse < 60; pulse++) {
        to(pulse);
        assert.equal(
          bit5(),
          pulse < 1 || Math.floor((pulse - 1) / 10) % 2 === 0,
          `82371SB, NMISC: OUT 2, pulse ${pulse}`,
        );
        assert.equal(bit5(), out(2), '82371SB, NMISC: as the PIT itself says');
      }
      assert(!bit5());
      gate(false);
      assert(bit5(), '8254, mode 3: GATE 2 low takes OUT 2 high');
      to(100);
      assert(bit5(), '8254, mode 3: and stops the counting');
    },
    VIRTUAL,
  ),

  'port61/refresh': states('Bit 4 of port 61h changes with each refresh of the RAM.', (context) => {
    const { assert, clock, vcpu } = context;
    const { nmisc } = bench(context);
    const seen = Array.from({ length: 64 }, () => {
      clock.step('1us');
      return NMISC.REFRESH.test(vcpu.inb(nmisc));
    });
    const toggles = seen.filter((bit, n) => n > 0 && bit !== seen[n - 1]).length;
    assert(toggles >= 2, `82371SB, NMISC: REF toggles (${toggles} times in 64 us)`);
  }),
};
