import { defineDevice, deviceSchema, type DeviceTypes } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { pvpanicOutputs, pvpanicProperties, pvpanicRegion, pvpanicRegisters } from './pvpanic.ts';
import { testMachine } from '../../../test/support/machine.ts';

const PORT = 0x505;
const PINS = ['panicked', 'crashloaded', 'shutdown'] as const;

function bench(options: DeviceTypes['pvpanic'] = {}) {
  const harness = testMachine((m) => {
    m.add('isa-bus');
    m.add('pvpanic', options);
  });
  const { machine } = harness;
  return {
    ...harness,
    events: () => harness.events(),
    /** How often each event has been reported, and that no pulse has stayed. */
    reported: () => PINS.map((pin) => machine.irq('pvpanic0', pin)).map(({ edges, level }) => (level ? -1 : edges)),
  };
}

describe('pvpanic', () => {
  test('reading gives the events that it knows', () => {
    expect(bench().vcpu.inb(PORT)).toBe(7);
    for (const events of [0, 1, 3, 5]) expect(bench({ events }).vcpu.inb(PORT)).toBe(events);
  });

  test.each([
    [1, [1, 0, 0]],
    [2, [0, 1, 0]],
    [4, [0, 0, 1]],
    [7, [1, 1, 1]],
    [0, [0, 0, 0]],
  ])('writing %i reports %j', (value, reported) => {
    const m = bench();
    m.vcpu.outb(PORT, value);
    expect(m.reported()).toEqual(reported);
    expect([m.vcpu.inb(PORT), m.events()]).toEqual([7, []]);
  });

  test('each write is an event of its own', () => {
    const { vcpu, reported } = bench();
    for (let i = 0; i < 5; i++) vcpu.outb(PORT, 2);
    expect(reported()).toEqual([0, 5, 0]);
  });

  test('unknown events are ignored, and told as guest errors', () => {
    const { vcpu, reported, events } = bench({ events: 5 });
    vcpu.outb(PORT, 0xfe);
    expect(reported()).toEqual([0, 0, 1]);
    expect(events()).toMatchObject([{ kind: 'guestError', message: 'unknown events 0xfa' }]);
  });

  test('a test can be interrupted by it', () => {
    const { vcpu, machine } = bench();
    let panics = 0;
    vcpu.onIrq(machine.irq('pvpanic0', 'panicked'), () => panics++);
    vcpu.outb(PORT, 1);
    expect(panics).toBe(1);
  });

  test('a word reaches the next port as well, which is nobody’s', () => {
    const { vcpu, reported, events } = bench({ ioBase: 0x506 });
    vcpu.outw(0x506, 0x0101);
    expect(reported()).toEqual([1, 0, 0]);
    expect(events()).toHaveLength(1);
    expect(vcpu.inw(0x506)).toBe(0xff07);
  });

  test('any byte, any reset: nothing throws, nothing is kept', () => {
    const { vcpu, machine, bound } = bench();
    for (let value = 0; value < 256; value++) vcpu.outb(PORT, value);
    machine.reset();
    expect(vcpu.inb(PORT)).toBe(7);
    expect(bound.bus.fault).toBe(undefined);
  });

  test('the register serves a device on another bus', () => {
    const schema = deviceSchema({
      type: 'pvpanic-mmio',
      description: 'pvpanic in memory',
      properties: pvpanicProperties,
      regions: () => ({ bar: { space: 'memory', base: 0x1000, size: 2 } }),
      registers: { bar: pvpanicRegisters },
      outputs: pvpanicOutputs,
    });
    const mmio = defineDevice(schema, { regions: { bar: pvpanicRegion } });
    const { vcpu, machine } = testMachine((m) => m.add(mmio, { events: 3, id: 'panic' }), { devices: [mmio] });
    expect(vcpu.readb(0x1000)).toBe(3);
    vcpu.writeb(0x1000, 1);
    expect(machine.irq('panic', 'panicked').edges).toBe(1);
  });

  test.each([
    ['an event that there is not', { events: 8 }],
    ['a port beyond the last', { ioBase: 0x1_0000 }],
  ])('properties/%s is refused', (_what, options) => {
    expect(() => bench(options)).toThrow(Object.keys(options)[0] ?? '');
  });
});
