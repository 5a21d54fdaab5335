import { defineDevice, type AnyDeviceDefinition } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { Builder } from './builder.ts';
import { WORD } from './control.ts';
import { createMachine } from './create.ts';
import { testMachine, type TestMachine, knownDevices } from '../../test/support/machine.ts';

const BASE = 0x100;
const WINDOW = 0x10_0000;

/** Throws wherever its property says, but for the cold reset of the machine's making unless that is what is wanted. */
function thrower(where: string, ...given: readonly [thrown?: unknown]): AnyDeviceDefinition {
  const thrown = given.length === 0 ? new Error('boom') : given[0];
  const boom = (here: string): void => {
    if (here === where) throw thrown;
  };
  return defineDevice(
    {
      type: 'thrower',
      description: '',
      state: { armed: 'bool' },
      regions: () => ({
        reg: { space: 'io', base: BASE, size: 16, access: { max: 4 } },
        mem: { space: 'memory', base: WINDOW, size: 16, access: { max: 4 } },
        moved: { space: 'io', size: 1 },
      }),
      timers: ['t'],
      outputs: { out: {}, intr: { intr: true } },
      inputs: { in: {} },
    },
    {
      reset: (_device, kind) => boom(`reset ${kind}`),
      updateIrq: ({ state }) => {
        if (state.armed) boom('updateIrq');
      },
      regions: {
        reg: {
          read() {
            boom('read');
            return 0x42;
          },
          write(device, offset, value) {
            boom('write');
            if (offset === 0) device.timers.t.arm(device.now() + BigInt(value));
            else if (offset === 4) device.out.out.set(value !== 0);
            else if (offset === 8) device.out.intr.set(value !== 0);
            else {
              device.state.armed = true;
              device.remap();
            }
          },
        },
        mem: {
          read() {
            boom('memory read');
            return 0x42;
          },
          write: () => boom('memory write'),
        },
        moved: {
          base({ state }) {
            if (state.armed) boom('base');
            return undefined;
          },
          read: () => 0,
          write: () => {},
        },
      },
      timers: { t: () => boom('timer') },
      inputs: { in: () => boom('input') },
      acknowledge() {
        boom('acknowledge');
        return 0x30;
      },
    },
  );
}

function bench(definition: AnyDeviceDefinition): TestMachine {
  return testMachine(
    (m) => {
      const device = m.add(definition);
      m.connect(m.output(device, 'out'), m.input(device, 'in'));
    },
    { devices: [definition] },
  );
}

/** Makes a device go through each of its handlers. */
const OCCASIONS: Readonly<Record<string, (machine: TestMachine) => unknown>> = {
  read: ({ vcpu }) => vcpu.inb(BASE),
  write: ({ vcpu }) => vcpu.outb(BASE, 1),
  'memory read': ({ vcpu }) => vcpu.readl(WINDOW),
  'memory write': ({ vcpu }) => vcpu.writeb(WINDOW, 1),
  timer: ({ vcpu, clock }) => {
    vcpu.outl(BASE, 100);
    clock.step(100n);
  },
  input: ({ vcpu }) => vcpu.outl(BASE + 4, 1),
  'reset warm': ({ machine }) => machine.reset(),
  updateIrq: ({ vcpu, machine }) => {
    vcpu.outl(BASE + 12, 1);
    machine.reset('warm');
  },
  base: ({ vcpu }) => {
    vcpu.outl(BASE + 12, 1);
    vcpu.inb(0x80);
  },
  acknowledge: ({ vcpu }) => {
    let vector = -1;
    vcpu.onInterrupt(0xff, () => (vector = 0xff));
    vcpu.outl(BASE + 8, 1);
    vcpu.outl(BASE + 8, 0);
    return vector;
  },
};

describe('a device that throws', () => {
  test.each(Object.keys(OCCASIONS).filter((where) => where !== 'acknowledge'))(
    'in %s: named, reported, and nothing else happens',
    (where) => {
      const b = bench(thrower(where));
      expect(() => OCCASIONS[where]?.(b)).not.toThrow();
      expect(b.bound.bus.fault).toMatchObject({
        device: 'thrower0',
        message: 'Error: boom',
        stack: expect.stringContaining('faults.test.ts'),
      });
      expect(b.bound.control.words[WORD.FAULT]).toBe(1);
      expect(b.events()[0]).toEqual({
        kind: 'guestError',
        device: 'thrower0',
        message: 'the device threw: Error: boom',
      });
      // Neither the machine's lock nor the guard against re-entrancy is left behind.
      expect(b.bound.lock.held).toBe(true);
      expect(b.vcpu.inb(BASE)).toBe(where === 'read' ? 0xff : 0x42);
      expect(b.clock.step(1n)).toBeGreaterThan(0n);
    },
  );

  test('reads give all ones', () => {
    const { vcpu } = bench(thrower('read'));
    expect([vcpu.inb(BASE), vcpu.inw(BASE), vcpu.inl(BASE)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    const memory = bench(thrower('memory read'));
    expect([memory.vcpu.readb(WINDOW), memory.vcpu.readw(WINDOW), memory.vcpu.readl(WINDOW)]).toEqual([
      0xff, 0xffff, 0xffff_ffff,
    ]);
    expect(memory.vcpu.read(WINDOW, 3)).toEqual(Uint8Array.of(0xff, 0xff, 0xff));
  });

  test('in acknowledge: the vector is 0xff', () => {
    const b = bench(thrower('acknowledge'));
    expect(() => {
      b.vcpu.onInterrupt(0xff, () => b.vcpu.outl(BASE + 8, 0));
      b.vcpu.outl(BASE + 8, 1);
    }).not.toThrow();
    expect(b.bound.bus.fault).toMatchObject({ device: 'thrower0', message: 'Error: boom' });
  });

  test.each([
    [null, 'null'],
    [undefined, 'undefined'],
    ['text', 'text'],
    [7, '7'],
    [5n, '5n'],
    [Object.create(null), expect.any(String)],
    [Symbol('s'), 'Symbol(s)'],
  ])('throwing %o', (thrown, message) => {
    for (const where of ['read', 'timer']) {
      const b = bench(thrower(where, thrown));
      expect(() => OCCASIONS[where]?.(b)).not.toThrow();
      expect(b.bound.bus.fault).toMatchObject({ device: 'thrower0', message });
    }
  });

  test('the first fault is kept', () => {
    const b = bench(thrower('read'));
    b.vcpu.inb(BASE);
    const first = b.bound.bus.fault;
    b.vcpu.inl(BASE + 4);
    expect(b.bound.bus.fault).toBe(first);
  });

  test('at power-on: the machine is made, and says so', () => {
    const definition = thrower('reset cold');
    const known = knownDevices([{ name: 'test', url: import.meta.url, devices: [definition] }]);
    const builder = new Builder('virtual', known);
    builder.add(definition);
    const machine = createMachine(builder, new Map([['thrower', definition]]));
    expect(machine.bus.fault).toMatchObject({ device: 'thrower0', message: 'Error: boom' });
    expect(machine.lock.held).toBe(false);
  });
});

/** DMA of each kind, into whatever the guest says, at once. */
const dmaDevice = (base: number, own: number): AnyDeviceDefinition =>
  defineDevice(
    {
      type: `dma-${base.toString(16)}`,
      description: '',
      state: { got: 'u32', entered: 'u32', low: 'u32', high: 'u32' },
      regions: () => ({
        reg: { space: 'io', base, size: 16, access: { max: 4 } },
        window: { space: 'memory', base: own, size: 16, access: { max: 4 } },
      }),
    },
    {
      regions: {
        reg: {
          read: ({ state }, offset) => (offset === 0 ? state.got : state.entered),
          write(device, offset, value) {
            const { state, dma } = device;
            const address = state.high * 2 ** 32 + state.low;
            if (offset === 0) state.low = value;
            else if (offset === 4) state.high = value;
            else if (offset === 8) state.got = dma.readl(address);
            else dma.writel(address, value);
          },
        },
        window: {
          // A write here starts a DMA read of what `low` says: a way to enter another device from inside this one.
          read({ state }) {
            state.entered++;
            return 0x1234_5678;
          },
          write(device, offset, value) {
            device.state.entered++;
            if (offset === 4) device.state.got = device.dma.readl(value);
            if (offset === 8) device.dma.writel(value, 0x99);
          },
        },
      },
    },
  );

describe('DMA', () => {
  const A = { base: 0x100, window: 0x10_0000 };
  const B = { base: 0x200, window: 0x20_0000 };
  const a = dmaDevice(A.base, A.window);
  const b = dmaDevice(B.base, B.window);
  const two = (): TestMachine =>
    testMachine(
      (m) => {
        m.ram(0, 0x2000);
        m.add(a, { id: 'a' });
        m.add(b, { id: 'b' });
      },
      { devices: [a, b] },
    );
  const point = ({ vcpu }: TestMachine, address: number): void => {
    vcpu.outl(A.base, address % 2 ** 32);
    vcpu.outl(A.base + 4, Math.floor(address / 2 ** 32));
  };
  const dmaRead = (m: TestMachine, address: number): number => {
    point(m, address);
    m.vcpu.outl(A.base + 8, 0);
    return m.vcpu.inl(A.base);
  };
  const dmaWrite = (m: TestMachine, address: number, value: number): void => {
    point(m, address);
    m.vcpu.outl(A.base + 12, value);
  };

  test('RAM, another device, and nothing', () => {
    const m = two();
    m.vcpu.writel(0x10, 0xfeed_f00d);
    expect(dmaRead(m, 0x10)).toBe(0xfeed_f00d);
    dmaWrite(m, 0x1ffe, 0x4433_2211);
    expect(m.vcpu.readw(0x1ffe)).toBe(0x2211);
    expect(dmaRead(m, B.window)).toBe(0x1234_5678);
    expect(m.vcpu.inl(B.base + 4)).toBe(1);
    expect(m.events()).toHaveLength(1);
    expect(dmaRead(m, 0x7000_0000)).toBe(0xffff_ffff);
    expect(m.events()).toHaveLength(1);
  });

  test('into the device itself: refused, reported, and a fault of the device', () => {
    const m = two();
    expect(dmaRead(m, A.window)).toBe(0xffff_ffff);
    dmaWrite(m, A.window, 1);
    expect(m.vcpu.inl(A.base + 4)).toBe(0);
    expect(m.events().map(({ kind, device, message }) => [kind, device, message])).toEqual([
      ['guestError', 'a', expect.stringMatching(/read at a\.window\+0x0 from inside its own access refused/)],
      ['guestError', 'a', expect.stringMatching(/write at a\.window\+0x0 from inside its own access refused/)],
    ]);
    expect(m.bound.bus.fault).toMatchObject({ device: 'a', did: 'entered itself by an access of its own' });
    // It is not shut afterwards.
    expect(m.vcpu.readl(A.window)).toBe(0x1234_5678);
  });

  test('from memory-mapped registers, and after a byte access', () => {
    const m = two();
    m.vcpu.writel(A.window + 4, A.window);
    expect(m.vcpu.inl(A.base)).toBe(0xffff_ffff);
    expect(m.vcpu.inl(A.base + 4)).toBe(1);
    // A byte goes another way through the bus than a long.
    m.vcpu.outb(A.base, 0);
    m.vcpu.outb(A.base + 4, 0);
    m.vcpu.outl(A.base, A.window);
    m.vcpu.outb(A.base + 8, 0);
    expect(m.vcpu.inl(A.base)).toBe(0xffff_ffff);
    expect(m.events().filter(({ message }) => /own access refused/.test(message))).toHaveLength(2);
  });

  test('round about through another device: the second entry is refused, the first is not', () => {
    const m = two();
    // a writes to b's window at 4: b reads by DMA what the value says, which is in a.
    dmaWrite(m, B.window + 4, A.window);
    expect(m.vcpu.inl(B.base)).toBe(0xffff_ffff);
    expect(m.vcpu.inl(B.base + 4)).toBe(1);
    expect(m.vcpu.inl(A.base + 4)).toBe(0);
    expect(m.events().map(({ device }) => device)).toEqual(['a']);
  });

  test.each([-1, 2 ** 53, 2 ** 60, NaN, 0.5, -0.5, Infinity])(
    'an address that there is not (%s): ones, ignored, reported',
    (address) => {
      const wild = defineDevice(
        {
          type: 'wild-dma',
          description: '',
          state: { got: 'u32' },
          regions: () => ({ reg: { space: 'io', base: 0x100, size: 16, access: { max: 4 } } }),
        },
        {
          regions: {
            reg: {
              read({ dma, state }, offset) {
                const block = new Uint8Array(4);
                if (offset === 0) return dma.readb(address);
                if (offset === 2) return dma.readw(address);
                if (offset === 4) return dma.readl(address);
                dma.read(address, block);
                state.got = new DataView(block.buffer).getUint32(0);
                return state.got;
              },
              write({ dma }) {
                dma.writeb(address, 1);
                dma.writew(address, 1);
                dma.writel(address, 1);
                dma.write(address, Uint8Array.of(1, 2));
              },
            },
          },
        },
      );
      const { vcpu, events, bound } = testMachine((m) => void m.add(wild), { devices: [wild] });
      expect([vcpu.inb(0x100), vcpu.inw(0x102), vcpu.inl(0x104), vcpu.inl(0x108)]).toEqual([
        0xff, 0xffff, 0xffff_ffff, 0xffff_ffff,
      ]);
      vcpu.outl(0x100, 0);
      expect(events().map(({ kind, device }) => [kind, device])).toEqual(Array(8).fill(['guestError', 'wild-dma0']));
      expect(bound.bus.fault).toBeUndefined();
    },
  );

  test('marks the RAM that it writes: a restore takes it back', () => {
    const m = two();
    const before = m.machine.snapshot();
    dmaWrite(m, 0x1000, 0x1111_1111);
    expect(m.vcpu.readl(0x1000)).toBe(0x1111_1111);
    m.machine.restore(before);
    expect(m.vcpu.readl(0x1000)).toBe(0);
  });
});
