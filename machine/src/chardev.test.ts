import { defineDevice, type DeviceDefinition } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../test/support/machine.ts';

/** Gives what comes, at a port, and counts how often it was told; sends what is written there. */
const pipe = defineDevice(
  {
    type: 'pipe',
    description: 'A port to a character backend',
    chardev: true,
    state: { told: 'u8', refused: 'u8' },
    regions: () => ({ port: { space: 'io', base: 0x10, size: 4 } }),
  },
  {
    received: ({ state }) => {
      state.told++;
    },
    regions: {
      port: {
        read: ({ chardev, state }, offset) => {
          if (offset === 1) return chardev.receive() ?? 0xff;
          return [chardev.waiting & 0xff, 0, state.told, state.refused][offset] ?? 0;
        },
        write: ({ chardev, state }, _offset, value) => {
          if (!chardev.send(value)) state.refused++;
        },
      },
    },
  },
);
const WAITING = 0x10;
const NEXT = 0x11;
const TOLD = 0x12;
const REFUSED = 0x13;
const CAPACITY = 4096;

const deaf = defineDevice(
  {
    type: 'deaf',
    description: 'A device without a character backend, which uses it',
    regions: () => ({ port: { space: 'io', base: 0x20, size: 1 } }),
  },
  {
    regions: {
      port: {
        read: ({ chardev }) => (chardev.waiting === 0 && chardev.receive() === undefined && chardev.send(1) ? 1 : 0),
        write: () => {},
      },
    },
  },
);

const throwing = defineDevice(
  { type: 'throwing', description: 'Throws when it is told', chardev: true },
  {
    received() {
      throw new Error('no');
    },
  },
);

function bench(definition: DeviceDefinition = pipe) {
  const harness = testMachine((m) => m.add(definition), { devices: [definition] });
  return { ...harness, end: () => harness.machine.chardev(`${definition.schema.type}0`) };
}

describe('chardev', () => {
  test('to the device/bytes and UTF-8, in order, told once a write', () => {
    const { vcpu, end } = bench();
    expect(end().write('aé')).toBe(3);
    expect(end().write(Uint8Array.of(0, 0xff))).toBe(2);
    expect(end().write('')).toBe(0);
    const found = Array.from({ length: 6 }, () => [vcpu.inb(WAITING), vcpu.inb(NEXT)]);
    expect(found).toEqual([
      [5, 0x61],
      [4, 0xc3],
      [3, 0xa9],
      [2, 0],
      [1, 0xff],
      [0, 0xff],
    ]);
    expect(vcpu.inb(TOLD)).toBe(2);
  });

  test('to the device/what is no bytes is refused', () => {
    const { end } = bench();
    // @ts-expect-error: as JavaScript may give it
    expect(() => end().write([1, 2])).toThrow(/Uint8Array or a string/u);
  });

  test('from the device/each byte once', () => {
    const { vcpu, end } = bench();
    for (const byte of [1, 2, 0xff]) vcpu.outb(NEXT, byte);
    const held = end();
    expect([...held.read()]).toEqual([1, 2, 0xff]);
    expect([...held.read()]).toEqual([]);
    vcpu.outb(NEXT, 4);
    expect([...end().read()]).toEqual([4]);
  });

  test('the rings hold 4 KiB, and wrap', () => {
    const { vcpu, end } = bench();
    const data = Uint8Array.from({ length: CAPACITY + 10 }, (_, i) => i * 7);
    expect(end().write(data)).toBe(CAPACITY);
    expect(end().write(data)).toBe(0);
    for (let i = 0; i < 100; i++) expect(vcpu.inb(NEXT)).toBe(data[i]);
    expect(end().write(data.subarray(CAPACITY))).toBe(10);
    for (let i = 100; i < CAPACITY + 10; i++) vcpu.outb(NEXT, vcpu.inb(NEXT));
    expect(vcpu.inb(WAITING)).toBe(0);
    expect(end().read()).toEqual(data.subarray(100));
    for (let i = 0; i < CAPACITY + 3; i++) vcpu.outb(NEXT, 1);
    expect(vcpu.inb(REFUSED)).toBe(3);
    expect(end().read()).toEqual(new Uint8Array(CAPACITY).fill(1));
  });

  test('reset/a cold one empties both rings, a warm one does not', () => {
    const { vcpu, machine, end } = bench();
    end().write('ab');
    vcpu.outb(NEXT, 1);
    machine.reset('warm');
    expect(vcpu.inb(WAITING)).toBe(2);
    machine.reset('cold');
    expect([vcpu.inb(WAITING), end().read().length]).toEqual([0, 0]);
  });

  test('snapshot/bytes on their way are in it', () => {
    const { vcpu, machine, end } = bench();
    end().write('ab');
    vcpu.outb(NEXT, 1);
    const snapshot = machine.snapshot();
    vcpu.inb(NEXT);
    end().read();
    end().write('xyz');
    machine.restore(snapshot);
    expect([vcpu.inb(NEXT), vcpu.inb(NEXT), vcpu.inb(WAITING)]).toEqual([0x61, 0x62, 0]);
    expect([...end().read()]).toEqual([1]);
  });

  test('a device that throws when it is told has a fault, the host does not', () => {
    const { bound, end } = bench(throwing);
    expect(end().write('a')).toBe(1);
    expect(bound.bus.fault).toMatchObject({ device: 'throwing0', message: 'Error: no' });
  });

  test('without one/the device hears nothing, and the test is told', () => {
    const { vcpu, end, machine } = bench(deaf);
    expect(vcpu.inb(0x20)).toBe(1);
    expect(end).toThrow(/deaf0.*no character backend/u);
    expect(() => machine.chardev('nobody')).toThrow(/nobody.*deaf0/u);
  });
});
