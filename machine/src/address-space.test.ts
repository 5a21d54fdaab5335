import { defineDevice, type AnyDeviceDefinition, type MachineBuilder, type PropertiesIn } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { callsOf, mapper, NO_ADDRESS, probe, TICKER, ticker } from '../../test/support/devices.ts';
import { BoundMachine } from './bound-machine.ts';
import { OWNER } from './control.ts';
import { testMachine, type TestMachine, knownDevices } from '../../test/support/machine.ts';
import { registryOf } from './catalog.ts';

interface Bench extends TestMachine {
  /** What has reached a probe so far. */
  readonly calls: (id?: string) => string[];
}

function bench(
  init: (machine: MachineBuilder) => void,
  devices: readonly AnyDeviceDefinition[] = [probe, mapper, ticker],
): Bench {
  const harness = testMachine(init, { devices });
  return {
    ...harness,
    calls: (id = 'probe0') => {
      const context = harness.bound.context(id);
      return context === undefined ? [] : callsOf(context);
    },
  };
}

const oneProbe = (properties: Parameters<typeof addProbe>[1]): Bench => bench((m) => addProbe(m, properties));
const addProbe = (
  machine: MachineBuilder,
  properties: Partial<PropertiesIn<NonNullable<(typeof probe)['schema']['properties']>>>,
): void => {
  machine.add(probe, properties);
};

describe('io', () => {
  test('unmapped ports give all ones and a guestError, each size once', () => {
    const { vcpu, events } = bench(() => {});
    expect([vcpu.inb(0x80), vcpu.inw(0x80), vcpu.inl(0x80)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    vcpu.outb(0x80, 1);
    vcpu.outw(0x80, 1);
    vcpu.outl(0x80, 1);
    expect(events().map(({ kind, device, message }) => [kind, device, message])).toEqual(
      ['read of 1', 'read of 2', 'read of 4', 'write of 1', 'write of 2', 'write of 4'].map((what) => [
        'guestError',
        undefined,
        expect.stringMatching(new RegExp(`^${what} bytes? .*0x80`)),
      ]),
    );
  });

  test('a device sees offsets, never ports', () => {
    const { vcpu, calls } = oneProbe({ base: 0x3f8 });
    expect(vcpu.inb(0x3f8)).toBe(0);
    expect(vcpu.inb(0x3ff)).toBe(7);
    vcpu.outb(0x3fa, 0xab);
    expect(vcpu.inb(0x3fa)).toBe(0xab);
    expect(calls()).toEqual(['r1@0', 'r1@7', 'w1@2=ab', 'r1@2']);
  });

  test('the last port: a word or a long there ends in ones', () => {
    const { vcpu, calls, events } = oneProbe({ base: 0xfff0, max: '4' });
    expect(vcpu.inb(0xffff)).toBe(0x0f);
    expect(vcpu.inw(0xffff)).toBe(0xff0f);
    expect(vcpu.inl(0xffff)).toBe(0xffff_ff0f);
    expect(vcpu.inl(0xfffd)).toBe(0xff0f_0e0d);
    expect(calls()).toEqual(['r1@15', 'r1@15', 'r1@15', 'r1@13', 'r2@14']);
    expect(events().every(({ kind, device }) => kind === 'guestError' && device === undefined)).toBe(true);
    vcpu.outw(0xffff, 0x1234);
    vcpu.outl(0xffff, 0x1234_5678);
    vcpu.outl(0xfffe, 0x1234_5678);
    expect(calls().slice(5)).toEqual(['w1@15=34', 'w1@15=78', 'w2@14=5678']);
  });

  test('a word at the last port when nobody is there', () => {
    const { vcpu } = bench(() => {});
    expect(vcpu.inw(0xffff)).toBe(0xffff);
    expect(vcpu.inl(0xfffd)).toBe(0xffff_ffff);
    vcpu.outl(0xfffd, 0);
  });

  test('accesses that straddle two devices are split at the border', () => {
    const { vcpu, calls } = bench((m) => {
      m.add(probe, { base: 0x100, length: 6, max: '4', unaligned: true, first: 0x10 });
      m.add(probe, { base: 0x106, length: 16, max: '4', unaligned: true, first: 0x20 });
    });
    expect(vcpu.inl(0x104)).toBe(0x2120_1514);
    expect(vcpu.inw(0x105)).toBe(0x2015);
    vcpu.outl(0x104, 0xddcc_bbaa);
    expect(calls()).toEqual(['r2@4', 'r1@5', 'w2@4=bbaa']);
    expect(calls('probe1')).toEqual(['r2@0', 'r1@0', 'w2@0=ddcc']);
  });

  test('the part of an access that nobody answers gives ones', () => {
    const { vcpu, calls, events } = oneProbe({ base: 0x100, length: 2, max: '4' });
    expect(vcpu.inl(0x100)).toBe(0xffff_0100);
    expect(vcpu.inw(0x0ff)).toBe(0x00ff);
    vcpu.outl(0x100, 0x1234_5678);
    expect(calls()).toEqual(['r2@0', 'r1@0', 'w2@0=5678']);
    expect(events()).toHaveLength(3);
  });

  test('of overlapping regions the one of the highest priority answers', () => {
    const { vcpu } = bench((m) => {
      m.add(probe, { base: 0x100, length: 16, priority: 1, first: 0x10 });
      m.add(probe, { base: 0x104, length: 4, priority: 2, first: 0x20 });
      m.add(probe, { base: 0x0fc, length: 32, priority: 0, first: 0x30 });
    });
    expect([0x0ff, 0x100, 0x103, 0x104, 0x107, 0x108, 0x10f, 0x110].map((port) => vcpu.inb(port))).toEqual([
      0x33, 0x10, 0x13, 0x20, 0x23, 0x18, 0x1f, 0x44,
    ]);
  });

  test('a long over four regions of one byte', () => {
    const { vcpu } = bench((m) => {
      for (let n = 0; n < 4; n++) m.add(probe, { base: 0x100 + n, length: 1, first: 0x10 * n });
    });
    expect(vcpu.inl(0x100)).toBe(0x3020_1000);
    vcpu.outl(0x100, 0x4433_2211);
    expect(vcpu.inl(0x100)).toBe(0x4433_2211);
  });
});

describe('how a region takes accesses', () => {
  test('by default bytes: wider ones are split, low address first', () => {
    const { vcpu, calls } = oneProbe({});
    expect(vcpu.inl(0x100)).toBe(0x0302_0100);
    vcpu.outw(0x101, 0xbbaa);
    expect(calls()).toEqual(['r1@0', 'r1@1', 'r1@2', 'r1@3', 'w1@1=aa', 'w1@2=bb']);
  });

  test('max 2: a long is two words', () => {
    const { vcpu, calls } = oneProbe({ max: '2' });
    expect(vcpu.inl(0x104)).toBe(0x0706_0504);
    vcpu.outl(0x104, 0x4433_2211);
    expect(calls()).toEqual(['r2@4', 'r2@6', 'w2@4=2211', 'w2@6=4433']);
  });

  test('max 4: passed on whole when aligned, in bytes when not', () => {
    const { vcpu, calls } = oneProbe({ max: '4' });
    vcpu.inl(0x104);
    vcpu.inw(0x102);
    vcpu.inw(0x101);
    vcpu.inl(0x102);
    vcpu.outl(0x101, 0x4433_2211);
    expect(calls()).toEqual([
      'r4@4',
      'r2@2',
      'r1@1',
      'r1@2',
      'r1@2',
      'r1@3',
      'r1@4',
      'r1@5',
      'w1@1=11',
      'w1@2=22',
      'w1@3=33',
      'w1@4=44',
    ]);
  });

  test('unaligned: passed on whole wherever they lie', () => {
    const { vcpu, calls } = oneProbe({ max: '4', unaligned: true });
    expect(vcpu.inl(0x101)).toBe(0x0403_0201);
    vcpu.outw(0x103, 0xbbaa);
    expect(calls()).toEqual(['r4@1', 'w2@3=bbaa']);
  });

  test('min 2, not widened: bytes are refused; an unaligned word too', () => {
    const { vcpu, calls, events } = oneProbe({ min: '2', max: '4' });
    expect(vcpu.inb(0x100)).toBe(0xff);
    vcpu.outb(0x100, 1);
    expect(vcpu.inw(0x101)).toBe(0xffff);
    vcpu.outw(0x101, 1);
    expect(calls()).toEqual([]);
    expect(events().map(({ kind, device }) => [kind, device])).toEqual(Array(4).fill(['guestError', 'probe0']));
    expect(vcpu.inl(0x102)).toBe(0x0504_0302);
    expect(calls()).toEqual(['r2@2', 'r2@4']);
  });

  test('strict: wider and unaligned ones are refused', () => {
    const { vcpu, calls, events } = oneProbe({ max: '2', strict: true });
    expect(vcpu.inw(0x100)).toBe(0x0100);
    expect(vcpu.inl(0x100)).toBe(0xffff_ffff);
    expect(vcpu.inw(0x101)).toBe(0xffff);
    vcpu.outl(0x100, 0);
    vcpu.outw(0x101, 0);
    expect(calls()).toEqual(['r2@0']);
    expect(events()).toHaveLength(4);
  });

  test('widen: a narrow read is a part of a wide one, a narrow write is refused', () => {
    const { vcpu, calls, events } = oneProbe({ min: '4', max: '4', widen: true });
    expect([0, 1, 2, 3, 4].map((n) => vcpu.inb(0x100 + n))).toEqual([0, 1, 2, 3, 4]);
    expect(vcpu.inw(0x102)).toBe(0x0302);
    expect(vcpu.inw(0x101)).toBe(0x0201);
    expect(calls()).toEqual([...Array(4).fill('r4@0'), 'r4@4', 'r4@0', 'r4@0']);
    vcpu.outb(0x100, 1);
    vcpu.outw(0x100, 1);
    expect(calls()).toHaveLength(7);
    expect(events()).toHaveLength(2);
  });

  test('regression: a narrow read that lies in two wide units has the bytes of both', () => {
    const { vcpu, calls } = oneProbe({ min: '4', max: '4', widen: true });
    expect(vcpu.inw(0x103)).toBe(0x0403);
    expect(calls()).toEqual(['r4@0', 'r4@4']);
  });

  test('widened to words', () => {
    const { vcpu, calls } = oneProbe({ min: '2', max: '2', widen: true });
    expect([vcpu.inb(0x100), vcpu.inb(0x101), vcpu.inl(0x100)]).toEqual([0, 1, 0x0302_0100]);
    expect(calls()).toEqual(['r2@0', 'r2@0', 'r2@0', 'r2@2']);
  });

  /** Port n answers with the nth of these. */
  const WILD: readonly unknown[] = [-1, 1.9, 2 ** 40 + 5, NaN, Infinity, undefined, null, '7', true, 0x1_2345_6789];
  const NO_NUMBERS: readonly unknown[] = [5n, Symbol('five'), Object.create(null)];
  const wild = (values: readonly unknown[], size: number): AnyDeviceDefinition =>
    defineDevice(
      {
        type: 'wild',
        description: 'Answers anything',
        regions: () => ({ reg: { space: 'io', base: 0x100, size: 64, access: { max: 4 } } }),
      },
      { regions: { reg: { read: (_device, offset) => values[offset / size] as number, write: () => {} } } },
    );

  test('whatever number a device gives, an access has its own width', () => {
    const definition = wild(WILD, 4);
    const { vcpu, bound } = bench((m) => void m.add(definition), [definition]);
    const ports = WILD.map((_, n) => 0x100 + 4 * n);
    expect(ports.map((port) => vcpu.inb(port))).toEqual([0xff, 1, 5, 0, 0, 0, 0, 7, 1, 0x89]);
    expect(ports.map((port) => vcpu.inw(port))).toEqual([0xffff, 1, 5, 0, 0, 0, 0, 7, 1, 0x6789]);
    expect(ports.map((port) => vcpu.inl(port))).toEqual([0xffff_ffff, 1, 5, 0, 0, 0, 0, 7, 1, 0x2345_6789]);
    expect(bound.bus.fault).toBeUndefined();
  });

  test.each(NO_NUMBERS.map((value, n) => [typeof value, n] as const))(
    'a device that gives no number (%s): a fault of the device',
    (_type, n) => {
      const definition = wild([NO_NUMBERS[n]], 4);
      for (const read of ['inb', 'inw', 'inl'] as const) {
        const { vcpu, bound } = bench((m) => void m.add(definition), [definition]);
        expect(vcpu[read](0x100)).toBe({ inb: 0xff, inw: 0xffff, inl: 0xffff_ffff }[read]);
        expect(bound.bus.fault?.device).toBe('wild0');
      }
    },
  );

  const aPort = fc.integer({ min: 0xf8, max: 0x118 });
  const aSize = fc.constantFrom(1, 2, 4);
  test('property: a read gives the bytes, however it is split', () => {
    const options = fc.record({
      max: fc.constantFrom('1' as const, '2' as const, '4' as const),
      unaligned: fc.boolean(),
      at: fc.array(fc.record({ port: aPort, size: aSize }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(options, ({ max, unaligned, at }) => {
        const { vcpu } = oneProbe({ max, unaligned, first: 0x40 });
        for (const { port, size } of at) {
          let expected = 0;
          for (let i = size - 1; i >= 0; i--) {
            const offset = port + i - 0x100;
            expected = expected * 256 + (offset >= 0 && offset < 16 ? 0x40 + offset : 0xff);
          }
          expect(size === 1 ? vcpu.inb(port) : size === 2 ? vcpu.inw(port) : vcpu.inl(port)).toBe(expected);
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test('property: what is written is what is read back', () => {
    const writes = fc.array(
      fc.record({
        port: fc.integer({ min: 0x100, max: 0x10c }),
        size: aSize,
        value: fc.integer({ min: 0, max: 0xffff_ffff }),
      }),
      {
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(
        writes,
        fc.constantFrom('1' as const, '2' as const, '4' as const),
        fc.boolean(),
        (list, max, unaligned) => {
          const { vcpu } = oneProbe({ max, unaligned });
          const model = Array.from({ length: 16 }, (_, i) => i);
          for (const { port, size, value } of list) {
            const cut = size === 4 ? value : value % 2 ** (8 * size);
            if (size === 1) vcpu.outb(port, cut);
            else if (size === 2) vcpu.outw(port, cut);
            else vcpu.outl(port, cut);
            for (let i = 0; i < size; i++) model[port - 0x100 + i] = Math.floor(cut / 2 ** (8 * i)) % 256;
          }
          expect(model.map((_, i) => vcpu.inb(0x100 + i))).toEqual(model);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('memory', () => {
  const RAM = 0x10_0000;

  test('RAM, ROM and nothing', () => {
    const { vcpu, events } = bench((m) => {
      m.ram(RAM, 0x2000);
      m.rom(0xf_0000, Uint8Array.of(1, 2, 3, 4, 5));
    });
    vcpu.writel(RAM, 0x1234_5678);
    expect([vcpu.readb(RAM), vcpu.readw(RAM + 1), vcpu.readl(RAM), vcpu.readq(RAM)]).toEqual([
      0x78,
      0x3456,
      0x1234_5678,
      0x1234_5678n,
    ]);
    expect(vcpu.readl(0xf_0000)).toBe(0x0403_0201);
    expect(vcpu.readl(0xf_0004)).toBe(5);
    expect(events()).toEqual([]);
    for (const write of [
      () => vcpu.writeb(0xf_0000, 9),
      () => vcpu.writew(0xf_0000, 9),
      () => vcpu.writel(0xf_0000, 9),
      () => vcpu.writeb(0xf_0000, 9),
    ])
      write();
    expect(vcpu.readl(0xf_0000)).toBe(0x0403_0201);
    expect(events()).toHaveLength(4);
    expect(vcpu.readl(0x8000_0000)).toBe(0xffff_ffff);
    expect(vcpu.readq(0x8000_0000)).toBe(2n ** 64n - 1n);
    vcpu.writel(0x8000_0000, 0);
    expect(events().length).toBeGreaterThan(0);
  });

  test('at every alignment, from a byte to eight', () => {
    const { vcpu } = bench((m) => m.ram(RAM, 0x1000));
    const model = new Uint8Array(64);
    const check = (): void => expect(vcpu.read(RAM, 64)).toEqual(model);
    for (let at = 0; at < 12; at++) {
      vcpu.writeb(RAM + at, 0xf0 + at);
      model[at] = 0xf0 + at;
      check();
      vcpu.writew(RAM + 13 + at, 0xa1b2);
      model.set([0xb2, 0xa1], 13 + at);
      check();
      vcpu.writel(RAM + 27 + at, 0xc1c2_c3c4);
      model.set([0xc4, 0xc3, 0xc2, 0xc1], 27 + at);
      check();
      vcpu.writeq(RAM + 44 + at, 0x8182_8384_8586_8788n);
      model.set([0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81], 44 + at);
      check();
      expect(vcpu.readq(RAM + 44 + at)).toBe(0x8182_8384_8586_8788n);
      expect(vcpu.readl(RAM + 27 + at)).toBe(0xc1c2_c3c4);
      expect(vcpu.readw(RAM + 13 + at)).toBe(0xa1b2);
    }
  });

  test('over the border of two pieces of RAM, of RAM and nothing, of RAM and ROM', () => {
    const { vcpu, events } = bench((m) => {
      m.ram(0x1000, 0x1000);
      m.ram(0x2000, 0x1000);
      m.rom(0x3000, Uint8Array.of(0xaa, 0xbb));
    });
    vcpu.writel(0x1ffe, 0x4433_2211);
    expect(vcpu.readl(0x1ffe)).toBe(0x4433_2211);
    expect([vcpu.readw(0x1ffe), vcpu.readw(0x2000)]).toEqual([0x2211, 0x4433]);
    expect(events()).toEqual([]);
    expect(vcpu.readl(0x0ffe)).toBe(0x0000_ffff);
    vcpu.writel(0x2ffe, 0x4433_2211);
    expect(vcpu.readl(0x2ffe)).toBe(0xbbaa_2211);
    expect(events()).toHaveLength(2);
  });

  test('a region over RAM takes its place, and RAM keeps what it held', () => {
    const { vcpu } = bench((m) => {
      m.ram(0, 0x2000);
      m.add(mapper, {});
    });
    vcpu.fill(0, 0x2000, 0x11);
    expect(vcpu.readl(0x1000)).toBe(0x1111_1111);
    vcpu.outl(0x604, 0x1000);
    expect(vcpu.readl(0x1000)).toBe(0xa5a5_a5a5);
    expect(vcpu.readb(0x0fff)).toBe(0x11);
    expect(vcpu.readl(0x0ffe)).toBe(0xa5a5_1111);
    expect(vcpu.readl(0x100e)).toBe(0x1111_a5a5);
    vcpu.writel(0x1000, 0);
    vcpu.outl(0x604, 0);
    expect(vcpu.readl(0x1000)).toBe(0x1111_1111);
  });

  test('the end of the address space', () => {
    const { vcpu } = bench((m) => void m.add(probe, { space: 'memory', base: 2 ** 53 - 16, max: '4', first: 0x30 }));
    expect(vcpu.readb(2 ** 53 - 1)).toBe(0x3f);
    expect(vcpu.readl(2 ** 53 - 4)).toBe(0x3f3e_3d3c);
    expect(vcpu.read(2 ** 53 - 20, 20)).toEqual(
      Uint8Array.from({ length: 20 }, (_, i) => (i < 4 ? 0xff : 0x30 + i - 4)),
    );
    expect(() => vcpu.readl(2 ** 53 - 3)).toThrow(RangeError);
  });

  test('above 4 GiB: RAM and regions', () => {
    const high = 0x12_3456_7000;
    const { vcpu, calls } = bench((m) => {
      m.ram(high, 0x1000);
      m.add(probe, { space: 'memory', base: high + 0x1000, max: '4' });
    });
    vcpu.writel(high, 0xdead_beef);
    vcpu.writeb(high + 4, 0x77);
    expect([vcpu.readl(high), vcpu.readb(high + 4)]).toEqual([0xdead_beef, 0x77]);
    expect(vcpu.readl(high + 0xffe)).toBe(0x0100_0000);
    expect(calls()).toEqual(['r2@0']);
  });
});

describe('bulk', () => {
  test('RAM, a region in longs where it is aligned, ROM and nothing, in one go', () => {
    const { vcpu, calls, events } = bench((m) => {
      m.ram(0x1000, 0x1000);
      m.add(probe, { space: 'memory', base: 0x2000, length: 10, max: '4', first: 0x50 });
    });
    vcpu.write(0x1ffd, Uint8Array.of(1, 2, 3));
    expect(vcpu.read(0x1ffd, 16)).toEqual(
      Uint8Array.of(1, 2, 3, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0xff, 0xff, 0xff),
    );
    expect(calls()).toEqual(['r4@0', 'r4@4', 'r1@8', 'r1@9']);
    expect(events()).toHaveLength(1);
    vcpu.write(0x1ffe, Uint8Array.of(9, 9, 1, 2, 3, 4, 5, 6));
    expect(calls().slice(4)).toEqual(['w4@0=4030201', 'w1@4=5', 'w1@5=6']);
    expect(vcpu.readw(0x1ffe)).toBe(0x0909);
  });

  test('regression: a large stretch that nobody answers is one event', () => {
    const { vcpu, events } = bench(() => {});
    expect(vcpu.read(0x1000, 0x1_0000).every((byte) => byte === 0xff)).toBe(true);
    vcpu.fill(0x1000, 0x1_0000, 0);
    expect(events().map(({ message }) => message)).toEqual([
      'read of 65536 bytes at 0x1000: no device answers',
      'write of 65536 bytes at 0x1000: no device answers',
    ]);
  });

  test('nothing at all', () => {
    const { vcpu, events } = bench((m) => m.ram(0, 0x1000));
    expect(vcpu.read(0, 0)).toEqual(new Uint8Array(0));
    vcpu.write(0, new Uint8Array(0));
    vcpu.fill(0, 0, 1);
    expect(vcpu.read(2 ** 53 - 1, 1)).toEqual(Uint8Array.of(0xff));
    expect(events()).toHaveLength(1);
  });

  test('into an array that is there', () => {
    const { vcpu } = bench((m) => m.ram(0x1000, 0x1000));
    vcpu.writel(0x1000, 0x4433_2211);
    const target = new Uint8Array(6).fill(9);
    expect(vcpu.read(0xfff, target.subarray(0, 5))).toEqual(Uint8Array.of(0xff, 0x11, 0x22, 0x33, 0x44));
    expect(target).toEqual(Uint8Array.of(0xff, 0x11, 0x22, 0x33, 0x44, 9));
  });

  test.each([511, 512, 65_535, 65_536, 65_537, 200_000])('%i bytes, from the middle of an array', (size) => {
    const { vcpu } = bench((m) => m.ram(0, 0x4_0000));
    const data = Uint8Array.from({ length: size + 2 }, (_, n) => (n * 7 + (n >> 8)) & 0xff);
    vcpu.fill(0, 0x4_0000, 0xee);
    vcpu.write(0x101, data.subarray(1, 1 + size));
    expect(vcpu.read(0x101, size)).toEqual(data.subarray(1, 1 + size));
    expect([vcpu.readb(0x100), vcpu.readb(0x101 + size)]).toEqual([0xee, 0xee]);
    vcpu.write(0x101, data.slice(0, size));
    expect(vcpu.read(0x101, new Uint8Array(size))).toEqual(data.slice(0, size));
  });

  test('what is read is a copy', () => {
    const { vcpu } = bench((m) => m.ram(0, 0x1000));
    const copy = vcpu.read(0, 4);
    vcpu.writel(0, 0xffff_ffff);
    expect(copy).toEqual(new Uint8Array(4));
    copy.fill(1);
    expect(vcpu.readl(0)).toBe(0xffff_ffff);
  });
});

describe('the same region again and again', () => {
  test('every size, at its place and nowhere else, also above 2 GiB', () => {
    const { vcpu, calls, events } = bench((m) => {
      m.ram(0, 0x1000);
      m.add(probe, { space: 'memory', base: 0xe000_0000, length: 16, max: '4', min: '1' });
    });
    for (let n = 0; n < 3; n++) {
      vcpu.writel(0xe000_0004, 0x8765_4321);
      vcpu.writew(0xe000_0008, 0xcafe);
      vcpu.writeb(0xe000_000a, 0x77);
      expect(vcpu.readl(0xe000_0004)).toBe(0x8765_4321);
      expect(vcpu.readw(0xe000_0008)).toBe(0xcafe);
      expect(vcpu.readb(0xe000_000a)).toBe(0x77);
      expect(vcpu.readl(0xe000_0006)).toBe(0xcafe_8765);
      vcpu.writel(0x10, n);
      expect(vcpu.readl(0x10)).toBe(n);
    }
    expect(calls().length).toBe(3 * 10);
    expect(events()).toEqual([]);
    expect(vcpu.readb(0xe000_000f)).toBe(0x0f);
    expect(vcpu.readb(0xe000_0010)).toBe(0xff);
    expect(vcpu.readb(0xdfff_ffff)).toBe(0xff);
    expect(events()).toHaveLength(2);
    for (const bad of [-1, 1.5, Number.NaN, '3758096384']) {
      expect(() => Reflect.apply(vcpu.readb, vcpu, [bad])).toThrow(RangeError);
      expect(() => Reflect.apply(vcpu.writel, vcpu, [bad, 1])).toThrow(RangeError);
    }
  });
});

describe('moving regions', () => {
  const PORTS = 0x600;
  const MEMORY = 0x604;

  test('the very next access sees the new map', () => {
    const { vcpu } = bench((m) => {
      m.ram(0, 0x1000);
      m.add(mapper, {});
    });
    expect(vcpu.inb(0x1000)).toBe(0xff);
    vcpu.outl(PORTS, 0x1000);
    expect(vcpu.inb(0x1000)).toBe(0xa5);
    vcpu.outl(PORTS, 0x2000);
    expect([vcpu.inb(0x1000), vcpu.inb(0x2000), vcpu.inb(0x200f), vcpu.inb(0x2010)]).toEqual([0xff, 0xa5, 0xa5, 0xff]);
    expect(vcpu.readb(0x800)).toBe(0);
    vcpu.outl(MEMORY, 0x800);
    expect(vcpu.readb(0x800)).toBe(0xa5);
    vcpu.outl(MEMORY, 0);
    expect(vcpu.readb(0x800)).toBe(0);
  });

  test('two regions that have come to overlap with one priority: the one that was added first answers', () => {
    const { vcpu } = bench((m) => {
      m.add(mapper, { base: 0x600, fill: 0x11 });
      m.add(mapper, { base: 0x700, fill: 0x22 });
    });
    vcpu.outl(0x700, 0x1008);
    vcpu.outl(0x600, 0x1000);
    expect([vcpu.inb(0x1000), vcpu.inb(0x1008), vcpu.inb(0x100f), vcpu.inb(0x1010)]).toEqual([0x11, 0x11, 0x11, 0x22]);
  });

  test('part of it, or all, beyond the last port', () => {
    const { vcpu } = bench((m) => void m.add(mapper, {}));
    vcpu.outl(PORTS, 0xfff8);
    expect([vcpu.inb(0xfff7), vcpu.inb(0xfff8), vcpu.inb(0xffff), vcpu.inb(0)]).toEqual([0xff, 0xa5, 0xa5, 0xff]);
    vcpu.outl(PORTS, 0x1_0000);
    expect([vcpu.inb(0xffff), vcpu.inb(0)]).toEqual([0xff, 0xff]);
  });

  test('a timer moves it while time is stepped over: the access after the step sees it', () => {
    const { vcpu, clock } = bench((m) => void m.add(mapper, {}));
    vcpu.outl(PORTS + 12, 0x3000);
    vcpu.outl(PORTS + 8, 100);
    expect(vcpu.inb(0x3000)).toBe(0xff);
    clock.step(99n);
    expect(vcpu.inb(0x3000)).toBe(0xff);
    clock.step(1n);
    expect(vcpu.inb(0x3000)).toBe(0xa5);
  });

  test('a timer moves it while the VCPU waits', () => {
    const { vcpu, machine } = bench((m) => {
      m.add(mapper, {});
      m.add(ticker, {});
    });
    vcpu.outl(PORTS + 12, 0x3000);
    vcpu.outl(PORTS + 8, 100);
    vcpu.outl(0x200 + TICKER.ARM, 100);
    vcpu.waitIrq(machine.irq('ticker0', 'irq', 0));
    expect(vcpu.inb(0x3000)).toBe(0xa5);
  });

  test('RAM that has been accessed before is found under a region that was put over it', () => {
    const { vcpu } = bench((m) => {
      m.ram(0, 0x1000);
      m.add(mapper, {});
    });
    vcpu.writel(0x100, 0x1111_1111);
    expect(vcpu.readl(0x100)).toBe(0x1111_1111);
    vcpu.outl(MEMORY, 0x100);
    expect([vcpu.readb(0x100), vcpu.readl(0x100)]).toEqual([0xa5, 0xa5a5_a5a5]);
    vcpu.writeb(0x100, 0x22);
    vcpu.outl(MEMORY, 0);
    expect(vcpu.readl(0x100)).toBe(0x1111_1111);
  });

  test('another binding sees it before its next access', () => {
    const known = knownDevices([{ name: 'test', url: import.meta.url, devices: [mapper] }]);
    const { vcpu, bound } = testMachine((m) => void m.add(mapper, {}), { devices: [mapper] });
    const other = new BoundMachine(bound.handle, registryOf(known), OWNER.HOST);
    const seen = (): number => {
      other.bus.refresh();
      return other.bus.ioRead(0x1000, 1, { kind: 'host', index: 0 });
    };
    expect(seen()).toBe(0xff);
    vcpu.outl(PORTS, 0x1000);
    expect(seen()).toBe(0xa5);
    vcpu.outl(PORTS, 0);
    expect(seen()).toBe(0xff);
  });

  test('binding looks at no state: a machine may be bound while another thread is inside a device of it', () => {
    const known = knownDevices([{ name: 'test', url: import.meta.url, devices: [mapper] }]);
    const { bound, events } = testMachine((m) => void m.add(mapper, {}), { devices: [mapper] });
    const context = bound.context('mapper0');
    const { state } = context as unknown as { state: { io: number } };
    // As in the middle of a write: the state is one that base() throws on, and the map has not been announced.
    state.io = NO_ADDRESS.THROWS;
    const other = new BoundMachine(bound.handle, registryOf(known), OWNER.HOST);
    expect(other.bus.fault).toBeUndefined();
    expect(events()).toEqual([]);
  });

  test.each(Object.entries(NO_ADDRESS))(
    'base() that gives no address (%s): a fault of the device, and its region is nowhere',
    (what, value) => {
      const { vcpu, bound, events } = bench((m) => {
        m.ram(0, 0x2000);
        m.add(probe, { base: 0xfff0 });
        m.add(mapper, {});
      });
      vcpu.writel(0x1000, 0x1111_1111);
      vcpu.outl(MEMORY, value);
      vcpu.outl(PORTS, value);
      expect(vcpu.readl(0x1000)).toBe(0x1111_1111);
      expect([vcpu.readb(0x1ff0), vcpu.readb(0x1ff8)]).toEqual([0, 0]);
      expect([vcpu.inb(0xfff8), vcpu.inb(0xfff0), vcpu.inb(0)]).toEqual([8, 0, 0xff]);
      expect(bound.bus.fault).toMatchObject({
        device: 'mapper0',
        message:
          what === 'THROWS'
            ? 'Error: mapper: base() throws'
            : expect.stringMatching(/^RangeError: base\(\) of region '(window|ports)' gave /),
      });
      expect(
        events().some(({ device, message }) => device === 'mapper0' && message.startsWith('the device threw')),
      ).toBe(true);
    },
  );
});
