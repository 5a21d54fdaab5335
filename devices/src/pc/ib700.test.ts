import type { DeviceTypes } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const DISABLE = 0x441;
const ENABLE = 0x443;
const SECOND = 1_000_000_000n;
const PINS = ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'nmi'] as const;

function bench(options: DeviceTypes['ib700'] = {}) {
  const harness = testMachine((m) => {
    m.add('isa-bus');
    m.add('ib700', options);
  });
  const { machine } = harness;
  return {
    ...harness,
    events: () => harness.events(),
    expired: machine.irq('watchdog0'),
    /** Actions that have pulsed. */
    pulsed: () => PINS.filter((pin) => machine.irq('watchdog0', pin).edges > 0),
  };
}

describe('ib700', () => {
  test.each(Array.from({ length: 16 }, (_, n) => n))('value %i is 30 − 2·n seconds, to the nanosecond', (n) => {
    const { vcpu, clock, expired } = bench();
    clock.step(12_345n);
    vcpu.outb(ENABLE, n);
    const timeout = BigInt(30 - 2 * n) * SECOND;
    if (timeout > 0n) {
      clock.step(timeout - 1n);
      expect(expired.edges).toBe(0);
      clock.step(1n);
    }
    expect([expired.edges, expired.level]).toEqual([1, false]);
    clock.step('1h');
    expect([expired.edges, clock.deadline]).toEqual([1, undefined]);
  });

  test('writing anything to DISABLE stops it', () => {
    for (const value of [0, 0x0f, 0xff]) {
      const { vcpu, clock, expired } = bench();
      vcpu.outb(ENABLE, 0);
      clock.step(30n * SECOND - 1n);
      vcpu.outb(DISABLE, value);
      expect(clock.deadline).toBe(undefined);
      clock.step('1h');
      expect(expired.edges).toBe(0);
      vcpu.outb(ENABLE, 14);
      clock.step('2s');
      expect(expired.edges).toBe(1);
    }
  });

  test('writing ENABLE again starts it anew', () => {
    const { vcpu, clock, expired } = bench();
    for (let i = 0; i < 10; i++) {
      vcpu.outb(ENABLE, 14);
      clock.step(2n * SECOND - 1n);
    }
    expect(expired.edges).toBe(0);
    clock.step(1n);
    expect(expired.edges).toBe(1);
  });

  test('words are their low byte; the ports between are nothing', () => {
    const { vcpu, clock, expired } = bench();
    vcpu.outw(ENABLE, 0x000e);
    expect(clock.deadline).toBe(2n * SECOND);
    vcpu.outb(ENABLE + 1, 0);
    vcpu.outb(DISABLE + 1, 0);
    expect(clock.deadline).toBe(2n * SECOND);
    vcpu.outw(DISABLE, 0x000f);
    expect(clock.deadline).toBe(undefined);
    vcpu.outb(ENABLE, 14);
    vcpu.outl(DISABLE, 0x000d_0000);
    expect(clock.deadline).toBe(4n * SECOND);
    expect(expired.edges).toBe(0);
  });

  test('both ports read as all ones, and reading changes nothing', () => {
    const { vcpu, clock } = bench();
    vcpu.outb(ENABLE, 14);
    expect([vcpu.inb(DISABLE), vcpu.inb(ENABLE), vcpu.inw(DISABLE), vcpu.inl(DISABLE)]).toEqual([
      0xff, 0xff, 0xffff, 0xffff_ffff,
    ]);
    expect(clock.deadline).toBe(2n * SECOND);
  });

  test('the high bits of a value are ignored, and reported', () => {
    const { vcpu, clock, events } = bench();
    vcpu.outb(ENABLE, 0xfe);
    expect(clock.deadline).toBe(2n * SECOND);
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'watchdog0' }]);
  });

  test.each([
    ['reset', ['reset']],
    ['shutdown', ['shutdown']],
    ['poweroff', ['poweroff']],
    ['pause', ['pause']],
    ['debug', ['debug']],
    ['none', []],
    ['inject-nmi', ['nmi']],
  ] as const)('action %s pulses its output, once', (action, pins) => {
    const { vcpu, clock, pulsed, expired, machine } = bench({ action });
    vcpu.outb(ENABLE, 14);
    expect(pulsed()).toEqual([]);
    clock.step('2s');
    expect([expired.edges, pulsed()]).toEqual([1, pins]);
    for (const pin of pins) expect(machine.irq('watchdog0', pin).level).toBe(false);
    vcpu.outb(ENABLE, 15);
    expect(expired.edges).toBe(2);
  });

  test('a test can wait for it, and be interrupted by it', () => {
    const { vcpu, expired } = bench();
    let interrupted = 0;
    vcpu.onIrq(expired, () => interrupted++);
    vcpu.outb(ENABLE, 12);
    expect(vcpu.waitIrq(expired)).toBe(6n * SECOND);
    expect(interrupted).toBe(1);
  });

  test.each(['warm', 'cold'] as const)('a %s reset stops it', (kind) => {
    const { vcpu, clock, machine } = bench();
    vcpu.outb(ENABLE, 14);
    machine.reset(kind);
    expect(clock.deadline).toBe(undefined);
  });

  test('a snapshot holds it', () => {
    const { vcpu, clock, machine, expired } = bench();
    vcpu.outb(ENABLE, 14);
    clock.step('1s');
    const snapshot = machine.snapshot();
    vcpu.outb(DISABLE, 0);
    machine.restore(snapshot);
    clock.step(SECOND - 1n);
    expect(expired.edges).toBe(0);
    clock.step(1n);
    expect(expired.edges).toBe(1);
  });

  test('fuzz/nothing throws', () => {
    const { vcpu, clock, bound } = bench({ ioBase: 0x200, action: 'none' });
    const access = fc.record({
      port: fc.integer({ min: 0x200, max: 0x203 }),
      value: fc.integer({ min: 0, max: 0xffff }),
      step: fc.bigInt({ min: 0n, max: 40n * SECOND }),
    });
    fc.assert(
      fc.property(access, ({ port, value, step }) => {
        vcpu.outb(port, value & 0xff);
        vcpu.outw(port, value);
        expect(vcpu.inb(port)).toBe(0xff);
        clock.step(step);
        expect(clock.deadline ?? clock.now + 1n).toBeGreaterThan(clock.now);
      }),
    );
    expect(bound.bus.fault).toBe(undefined);
  });

  test.each([
    ['an action that there is not', { action: 'explode' as 'none' }],
    ['a port beyond the last', { ioBase: 0xfffd }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });
});
