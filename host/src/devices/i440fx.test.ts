import { describe, expect, test } from 'vitest';
import { defineDevice, type MachineBuilder } from '@qtest/sdk';
import { testMachine } from '../machine/testing.ts';

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const ENABLE = 0x8000_0000;

/** What an ISA device has below CONFADD: a byte each port. */
const below = defineDevice(
  {
    type: 'below',
    description: 'four bytes at 0xCF8',
    state: { cells: { of: 'u8', length: 4 } },
    regions: () => ({ cells: { space: 'io', base: 0xcf8, size: 4 } }),
  },
  {
    regions: {
      cells: {
        read: ({ state }, offset) => state.cells.get(offset),
        write: ({ state }, offset, value) => state.cells.set(offset, value),
      },
    },
  },
);

function build({
  configAddress = 'qemu',
  more,
}: { configAddress?: 'qemu' | 'strict'; more?: (m: MachineBuilder) => void } = {}) {
  const machine = testMachine(
    (m) => {
      m.add('i440fx-pcihost', { configAddress });
      m.add('i440fx');
      more?.(m);
    },
    { devices: [below] },
  );
  const { vcpu } = machine;
  /** Selects a register of 0:0.0. */
  const select = (offset: number): void => vcpu.outl(ADDRESS, (ENABLE | offset) >>> 0);
  return { ...machine, select };
}

describe('i440fx-pcihost', () => {
  test('address/a-dword-reads-back', () => {
    const { vcpu } = build();
    expect(vcpu.inl(ADDRESS)).toBe(0);
    vcpu.outl(ADDRESS, 0x80ff_fffc);
    expect(vcpu.inl(ADDRESS)).toBe(0x80ff_fffc);
  });

  test('address/a-reset-clears-it', () => {
    const { vcpu, machine } = build();
    vcpu.outl(ADDRESS, 0x8000_0010);
    machine.reset();
    expect(vcpu.inl(ADDRESS)).toBe(0);
  });

  test('address/bytes-and-words-leave-it-alone', () => {
    const { vcpu, events } = build();
    vcpu.outl(ADDRESS, 0x8000_0810);
    for (const port of [0xcf8, 0xcf9, 0xcfa, 0xcfb]) {
      vcpu.outb(port, 0xff);
      expect(vcpu.inb(port)).toBe(0xff);
    }
    for (const port of [0xcf8, 0xcf9, 0xcfa]) {
      vcpu.outw(port, 0xffff);
      expect(vcpu.inw(port)).toBe(0xffff);
    }
    expect(vcpu.inl(ADDRESS)).toBe(0x8000_0810);
    expect(new Set(events().map(({ message }) => message.replace(/^(read|write) of .* at/, '$1 at')))).toEqual(
      new Set(
        ['cf8', 'cf9', 'cfa', 'cfb'].flatMap((port) =>
          ['read', 'write'].map((what) => `${what} at 0x${port}: no device answers`),
        ),
      ),
    );
  });

  test('address/bytes-and-words-go-through-to-what-lies-below', () => {
    const { vcpu, events } = build({ more: (m) => m.add(below) });
    vcpu.outl(ADDRESS, 0x8000_0010);
    vcpu.outb(0xcf9, 0x12);
    vcpu.outw(0xcfa, 0x5634);
    expect(vcpu.inb(0xcf9)).toBe(0x12);
    expect(vcpu.inw(0xcfa)).toBe(0x5634);
    expect(vcpu.inw(0xcf9)).toBe(0x3412);
    expect(vcpu.inl(ADDRESS)).toBe(0x8000_0010);
    expect(vcpu.inb(0xcf8)).toBe(0);
    expect(events()).toEqual([]);
  });

  test('address/only-ports-can-let-accesses-through', () => {
    const glass = defineDevice(
      {
        type: 'glass',
        description: 'transparent memory',
        regions: () => ({
          pane: { space: 'memory', base: 0x1000, size: 4, access: { min: 4, max: 4, transparent: true } },
        }),
      },
      { regions: { pane: { read: () => 0, write: () => {} } } },
    );
    expect(() => testMachine((m) => m.add(glass), { devices: [glass] })).toThrow(
      /region 'pane' is transparent; only ports can be/,
    );
  });

  test('address/a-dword-beside-it-is-not-its', () => {
    const { vcpu, select } = build({ more: (m) => m.add(below) });
    select(0);
    // 0xCF9 to 0xCFB below, and the first byte of the data.
    vcpu.outb(0xcfb, 0x77);
    expect(vcpu.inl(0xcf9)).toBe(0x8677_0000);
    expect(vcpu.inl(ADDRESS)).toBe(ENABLE);
  });

  test('data/the-enable-bit', () => {
    const { vcpu, select, events } = build();
    vcpu.outl(ADDRESS, 0);
    expect(vcpu.inl(DATA)).toBe(0xffff_ffff);
    expect(vcpu.inb(DATA)).toBe(0xff);
    vcpu.outb(DATA + 3, 0x12);
    vcpu.outl(ADDRESS, 0x3c);
    vcpu.outb(DATA, 0x12);
    select(0x3c);
    expect(vcpu.inb(DATA)).toBe(0);
    select(0);
    expect(vcpu.inl(DATA)).toBe(0x1237_8086);
    expect(events()).toEqual([]);
  });

  test('data/byte-lanes', () => {
    const { vcpu, select } = build();
    select(0);
    expect([0, 1, 2, 3].map((lane) => vcpu.inb(DATA + lane))).toEqual([0x86, 0x80, 0x37, 0x12]);
    expect([0, 1, 2].map((lane) => vcpu.inw(DATA + lane))).toEqual([0x8086, 0x3780, 0x1237]);
    // PAM3 is 0x5C.
    select(0x5c);
    vcpu.outl(DATA, 0x3311_2233);
    vcpu.outb(DATA + 1, 0x01);
    expect(vcpu.inl(DATA)).toBe(0x3311_0133);
    vcpu.outw(DATA + 2, 0x1020);
    expect(vcpu.inl(DATA)).toBe(0x1020_0133);
    vcpu.outw(DATA + 1, 0x3002);
    expect(vcpu.inl(DATA)).toBe(0x1030_0233);
  });

  test('data/a-dword-that-leaves-it-takes-what-is-there', () => {
    const { vcpu, select } = build();
    select(0);
    expect(vcpu.inl(DATA + 2)).toBe(0xffff_1237);
  });

  test('data/absent-functions-are-ones', () => {
    const { vcpu, events } = build();
    for (const at of [1 << 8, 7 << 8, 1 << 11, 31 << 11, 1 << 16, 255 << 16]) {
      vcpu.outl(ADDRESS, (ENABLE | at) >>> 0);
      expect(vcpu.inl(DATA)).toBe(0xffff_ffff);
      expect(vcpu.inw(DATA + 2)).toBe(0xffff);
      vcpu.outl(DATA, 0);
    }
    expect(events()).toEqual([]);
  });

  test('data/bits-30-to-24-do-not-matter', () => {
    const { vcpu } = build();
    vcpu.outl(ADDRESS, 0xff00_0000);
    expect(vcpu.inl(DATA)).toBe(0x1237_8086);
  });

  test('low-bits/qemu/are-kept-and-ored-into-the-offset', () => {
    const { vcpu, select } = build();
    select(2);
    expect(vcpu.inl(ADDRESS)).toBe(0x8000_0002);
    expect(vcpu.inw(DATA)).toBe(0x1237);
    expect(vcpu.inb(DATA + 1)).toBe(0x12);
    expect(vcpu.inb(DATA + 2)).toBe(0x37);
    select(1);
    expect(vcpu.inw(DATA)).toBe(0x3780);
    expect(vcpu.inl(DATA)).toBe(0x0012_3780);
  });

  test('low-bits/qemu/beyond-the-end-there-is-nothing', () => {
    const { vcpu, select } = build();
    select(0xfe);
    expect(vcpu.inl(DATA)).toBe(0xffff_0000);
    vcpu.outl(DATA, 0xffff_ffff);
    select(0);
    expect(vcpu.inl(DATA)).toBe(0x1237_8086);
  });

  test('low-bits/strict/are-zero', () => {
    const { vcpu, select } = build({ configAddress: 'strict' });
    select(3);
    expect(vcpu.inl(ADDRESS)).toBe(ENABLE);
    expect(vcpu.inw(DATA)).toBe(0x8086);
    expect(vcpu.inb(DATA + 3)).toBe(0x12);
    expect(vcpu.inw(DATA + 1)).toBe(0x3780);
  });

  test('snapshot/keeps-the-address', () => {
    const { vcpu, machine, select } = build();
    select(0x2c);
    const snapshot = machine.snapshot();
    select(0);
    machine.restore(snapshot);
    expect(vcpu.inl(ADDRESS)).toBe(0x8000_002c);
  });

  test('place/is-not-a-matter-of-course', () => {
    expect(() => testMachine((m) => m.add('i440fx'))).toThrow(/'pmc0' \(i440fx\) needs a bus of the kind 'pci'/);
  });
});

describe('i440fx', () => {
  test('header/identity', () => {
    const { vcpu, select } = build();
    const at = (offset: number): number => {
      select(offset);
      return vcpu.inl(DATA);
    };
    expect(at(0x00)).toBe(0x1237_8086);
    expect(at(0x04)).toBe(0);
    expect(at(0x08)).toBe(0x0600_0002);
    expect(at(0x0c)).toBe(0);
    expect([0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30, 0x34, 0x3c].map(at)).toEqual(Array(9).fill(0));
  });

  test('pam/masks', () => {
    const { vcpu, select } = build();
    select(0x58);
    vcpu.outl(DATA, 0xffff_ffff);
    expect(vcpu.inl(DATA)).toBe(0x3333_3300);
    select(0x5c);
    vcpu.outl(DATA, 0xffff_ffff);
    expect(vcpu.inl(DATA)).toBe(0x3333_3333);
  });

  test('smram/masks', () => {
    const { vcpu, select } = build();
    select(0x70);
    expect(vcpu.inl(DATA)).toBe(0x0002_0000);
    vcpu.outb(DATA + 2, 0xff);
    expect(vcpu.inl(DATA)).toBe(0x007a_0000);
    vcpu.outb(DATA + 2, 0);
    expect(vcpu.inl(DATA)).toBe(0x0002_0000);
  });

  test('reset/both-kinds-give-the-values-of-power-on', () => {
    for (const kind of ['warm', 'cold'] as const) {
      const { vcpu, machine, select } = build();
      select(0x58);
      vcpu.outl(DATA, 0xffff_ffff);
      machine.reset(kind);
      select(0x58);
      expect(vcpu.inl(DATA)).toBe(0);
    }
  });

  test('slot/another-than-0', () => {
    const { vcpu } = testMachine((m) => {
      m.add('i440fx-pcihost');
      m.add('i440fx', { slot: 3 });
    });
    vcpu.outl(ADDRESS, (ENABLE | (3 << 11)) >>> 0);
    expect(vcpu.inl(DATA)).toBe(0x1237_8086);
  });
});
