import { describe, expect, test } from 'vitest';
import { defineDevice } from '@qtest/sdk';
import { BoundMachine } from './bound-machine.ts';
import { OWNER } from './control.ts';
import { restorePristine } from './snapshot.ts';
import { testMachine, knownDevices } from '../../test/support/machine.ts';

const VALUE = 0x100;
const RESET = 0x101;
const ARM = 0x102;
const RESETS = 0x103;

/** Keeps a value until it is reset, counts its resets, and asks for one on a write or by a timer. */
const resetter = defineDevice(
  {
    type: 'resetter',
    description: 'asks for a reset',
    state: { value: 'u8', resets: 'u8' },
    regions: () => ({ ports: { space: 'io', base: VALUE, size: 4 } }),
    timers: ['late'],
    outputs: { reset: { reset: true } },
  },
  {
    reset({ state, timers }) {
      state.value = 0;
      state.resets++;
      timers.late.cancel();
    },
    updateIrq({ out }) {
      out.reset.set(false);
    },
    regions: {
      ports: {
        read: ({ state }, offset) => (offset === RESETS - VALUE ? state.resets : state.value),
        write(device, offset, value) {
          if (offset === RESET - VALUE) device.out.reset.set(value !== 0);
          else if (offset === ARM - VALUE) device.timers.late.arm(device.now() + BigInt(value) * 1000n);
          device.state.value = value;
        },
      },
    },
    timers: { late: ({ out }) => out.reset.set(true) },
  },
);

const build = (options: { clock?: 'virtual' | 'realtime' } = {}) =>
  testMachine((m) => void m.add(resetter), { ...options, devices: [resetter] });

describe('the reset line', () => {
  test('write/the-access-ends-and-then-it-happens', () => {
    const { vcpu, events } = build();
    vcpu.outb(VALUE, 7);
    vcpu.outb(RESET, 1);
    expect(vcpu.inb(VALUE)).toBe(0);
    expect(vcpu.inb(RESETS)).toBe(2);
    expect(vcpu.inb(RESETS)).toBe(2);
    expect(events()).toEqual([]);
  });

  test('write/a-pulse-is-enough', () => {
    const { vcpu } = build();
    // A word: the reset port, and the one that comes after it.
    vcpu.outw(RESET, 0x0001);
    expect(vcpu.inb(RESETS)).toBe(2);
    vcpu.outb(RESET, 0);
    expect(vcpu.inb(RESETS)).toBe(2);
  });

  test('timer/in-the-middle-of-a-step', () => {
    const { vcpu, clock } = build();
    vcpu.outb(ARM, 5);
    clock.step('20us');
    expect(clock.now).toBe(20_000n);
    expect(vcpu.inb(RESETS)).toBe(2);
    expect(clock.deadline).toBeUndefined();
  });

  test('timer/while-a-vcpu-waits', () => {
    for (const clock of ['virtual', 'realtime'] as const) {
      const { vcpu, machine } = build({ clock });
      vcpu.outb(ARM, 50);
      vcpu.waitIrq(machine.irq('resetter0', 'reset'), { timeout: '5s' });
      expect(vcpu.inb(RESETS)).toBe(2);
    }
  });

  test('bindings/whoever-comes-next-does-it', () => {
    const { vcpu, bound } = build();
    const registry = new Map(
      [...knownDevices([{ name: 'test', url: import.meta.url, devices: [resetter] }])].map(([type, { definition }]) => [
        type,
        definition,
      ]),
    );
    // As the I/O thread does it.
    const other = new BoundMachine(bound.handle, registry, OWNER.IO);
    other.bus.refresh();
    vcpu.outb(VALUE, 7);
    other.bus.ioWrite(RESET, 1, 1, { kind: 'host', index: 0 });
    expect(bound.context('resetter0')?.state).toMatchObject({ resets: 1 });
    // Alone in virtual time, a VCPU reads bytes without a look at what others do: there are none.
    expect(vcpu.inw(0x200)).toBe(0xffff);
    expect(bound.context('resetter0')?.state).toMatchObject({ resets: 2, value: 0 });
  });

  test('restore/a-request-of-before-is-forgotten', () => {
    const { vcpu, bound } = build();
    bound.lines.set(bound.blueprint.resets[0] ?? -1, true);
    restorePristine(bound);
    expect(vcpu.inw(VALUE + 2)).toBe(0x0100);
  });
});
