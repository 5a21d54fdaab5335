import type { DeviceTypes } from '@qtest/sdk';
import { i8254 as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { NMISC, nsOf } = part;
const PORT = 0x61;
const GATE = NMISC.GATE2.mask;
const SPKR = NMISC.SPKR.mask;

/** A PIT and a speaker, wired as in a PC. */
function bench(options: DeviceTypes['pcspk'] = {}) {
  const harness = testMachine((m) => {
    m.add('isa-bus');
    const pit = m.add('i8254');
    const speaker = m.add('pcspk', options);
    m.connect(m.output(speaker, 'gate'), m.input(pit, 'gate', 2));
    m.connect(m.output(pit, 'out', 2), m.input(speaker, 'out'));
  });
  const { vcpu, clock, machine } = harness;
  return {
    ...harness,
    events: () => harness.events(),
    pit: part.pit(vcpu),
    toTick: (tick: number | bigint): void => void clock.step(nsOf(tick) - clock.now),
    read: () => vcpu.inb(PORT),
    out2: () => NMISC.OUT2.test(vcpu.inb(PORT)),
    speaker: machine.irq('pcspk0', 'speaker'),
  };
}

describe('pcspk', () => {
  test('reset: nothing is enabled', () => {
    const { vcpu, machine, read } = bench();
    expect(read()).toBe(0);
    vcpu.outb(PORT, 0xff);
    machine.reset();
    expect(read()).toBe(0);
    expect(machine.irq('pcspk0', 'gate').level).toBe(false);
  });

  test('bits 3 to 0 can be written, bits 7 and 6 are 0', () => {
    const { vcpu, read } = bench();
    for (let value = 0; value < 256; value++) {
      vcpu.outb(PORT, value);
      expect(read() & 0xcf).toBe(value & 0x0f);
    }
  });

  test('GATE2 starts counter 2, OUT2 shows its end to the nanosecond', () => {
    const { vcpu, pit, toTick, out2, clock } = bench();
    pit.program(2, 0, 1000);
    toTick(500);
    expect(pit.readBack(2)[0].count).toBe(1000);
    vcpu.outb(PORT, GATE);
    clock.step(nsOf(1500) - 1n - clock.now);
    expect(out2()).toBe(false);
    clock.step(1n);
    expect(out2()).toBe(true);
  });

  test('GATE2 triggers a one-shot each time it rises', () => {
    const { vcpu, pit, toTick, out2 } = bench();
    pit.program(2, 1, 100);
    for (const at of [0, 1000]) {
      toTick(at);
      vcpu.outb(PORT, 0);
      vcpu.outb(PORT, GATE);
      expect(out2()).toBe(true);
      toTick(at + 1);
      expect(out2()).toBe(false);
      toTick(at + 100);
      expect(out2()).toBe(false);
      toTick(at + 101);
      expect(out2()).toBe(true);
    }
  });

  test('the speaker hears OUT 2 while SPKR is set', () => {
    const { vcpu, pit, clock, speaker } = bench();
    pit.program(2, 3, part.countForHz(440));
    vcpu.outb(PORT, GATE);
    clock.step('1s');
    expect(speaker.edges).toBe(0);
    vcpu.outb(PORT, GATE | SPKR);
    const before = speaker.edges;
    clock.step('1s');
    expect(speaker.edges - before).toBe(440);
    vcpu.outb(PORT, SPKR);
    // OUT is high while GATE is low.
    expect(speaker.level).toBe(true);
    vcpu.outb(PORT, GATE);
    expect(speaker.level).toBe(false);
  });

  test('REFRESH changes every 18 pulses, and takes no timer', () => {
    const { read, clock } = bench();
    for (const periods of [1, 2, 3, 1000, 66_287]) {
      clock.step(nsOf(18 * periods) - 1n - clock.now);
      expect([periods, NMISC.REFRESH.get(read())]).toEqual([periods, (periods - 1) & 1]);
      clock.step(1n);
      expect([periods, NMISC.REFRESH.get(read())]).toEqual([periods, periods & 1]);
    }
    expect(clock.deadline).toBe(undefined);
  });

  test('refresh: read/REFRESH changes with each read, as in QEMU', () => {
    const { read, clock, machine } = bench({ refresh: 'read' });
    const seen = [read(), read(), read()];
    expect(seen.map((value) => NMISC.REFRESH.get(value))).toEqual([1, 0, 1]);
    clock.step('1s');
    const snapshot = machine.snapshot();
    expect(NMISC.REFRESH.get(read())).toBe(0);
    machine.restore(snapshot);
    expect(NMISC.REFRESH.get(read())).toBe(0);
  });

  test('by itself, without a PIT, it does no harm', () => {
    const { vcpu, machine, events } = testMachine((m) => {
      m.add('isa-bus');
      m.add('pcspk', { ioBase: 0x62 });
    });
    for (let value = 0; value < 256; value++) vcpu.outb(0x62, value);
    expect(vcpu.inb(0x62)).toBe(0x0f);
    expect(machine.irq('pcspk0', 'speaker').level).toBe(false);
    expect(events()).toEqual([]);
  });

  test('reset: warm, while a tone plays, stops it and leaves OUT 2 to be seen', () => {
    const { vcpu, pit, machine, speaker, out2, toTick } = bench();
    pit.program(2, 3, 1000);
    vcpu.outb(PORT, GATE | SPKR);
    toTick(700);
    expect([out2(), speaker.level]).toEqual([false, false]);
    machine.reset('warm');
    expect([out2(), speaker.level]).toEqual([true, false]);
    machine.reset('cold');
    expect([out2(), speaker.level]).toEqual([false, false]);
  });
});
