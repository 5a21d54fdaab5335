import { describe, expect, test } from 'vitest';
import { defineDevice, type MachineBuilder } from '@qtest/sdk';
import { testMachine } from '../../../test/support/machine.ts';

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
    vcpu.outb(DATA + 2, 0xef);
    expect(vcpu.inl(DATA)).toBe(0x006a_0000);
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

describe('RAM that i440fx shows and hides', () => {
  const ROM = 0x5a;
  /** RAM of 2 MiB that holds its address's bits 14 to 21, and a ROM of `ROM` under 0xF0000. */
  function memory(smram: 'datasheet' | 'qemu' = 'datasheet') {
    const machine = testMachine((m) => {
      m.add('i440fx-pcihost');
      m.add('i440fx', { smram });
      m.ram(0, 0x20_0000);
      m.rom(0xf_0000, new Uint8Array(0x1_0000).fill(ROM));
      for (let at = 0; at < 0x20_0000; at += 0x4000) m.load(at, new Uint8Array(0x4000).fill(at >>> 14));
    });
    const { vcpu } = machine;
    const set = (offset: number, value: number): void => {
      vcpu.outl(ADDRESS, (ENABLE | (offset & 0xfc)) >>> 0);
      vcpu.outb(DATA + (offset & 3), value);
    };
    return { ...machine, set };
  }

  // Data sheet, 3.2.17: register and half, first address, bytes.
  const AREAS = [
    [0x59, 4, 0xf_0000, 0x1_0000],
    ...Array.from({ length: 12 }, (_, n) => [0x5a + (n >> 1), (n & 1) * 4, 0xc_0000 + n * 0x4000, 0x4000] as const),
  ] as const;

  test.each(AREAS)('pam/%#: register 0x%x, bits from %i', (offset, shift, base, size) => {
    const { vcpu, set } = memory();
    const last = base + size - 1;
    const hidden = base === 0xf_0000 ? ROM : 0xff;
    const ram = (at: number): number => at >>> 14;
    for (const at of [base, last]) expect(vcpu.readb(at)).toBe(hidden);
    set(offset, 1 << shift);
    for (const at of [base, last]) {
      expect(vcpu.readb(at)).toBe(ram(at));
      vcpu.writeb(at, 0x77);
      expect(vcpu.readb(at)).toBe(ram(at));
    }
    set(offset, 2 << shift);
    for (const at of [base, last]) {
      vcpu.writeb(at, 0x33);
      expect(vcpu.readb(at)).toBe(hidden);
    }
    set(offset, 3 << shift);
    for (const at of [base, last]) {
      expect(vcpu.readb(at)).toBe(0x33);
      vcpu.writeb(at, 0x44);
      expect(vcpu.readb(at)).toBe(0x44);
    }
    // Its neighbours have not moved.
    for (const at of [base - 1, last + 1])
      expect(vcpu.readb(at)).toBe(at >= 0x10_0000 ? ram(at) : at >= 0xf_0000 ? ROM : 0xff);
  });

  test('pam/accesses-across-a-border', () => {
    const { vcpu, set } = memory();
    set(0x5a, 0x01);
    expect(vcpu.readl(0xc_3ffe)).toBe(0xffff_3030);
    expect(vcpu.read(0xb_fffe, 4)).toEqual(Uint8Array.of(0xff, 0xff, 0x30, 0x30));
    set(0x5a, 0x22);
    vcpu.write(0xc_3ffc, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    set(0x5a, 0x33);
    expect(vcpu.read(0xc_3ffc, 8)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  });

  test('pam/moves-at-the-next-access, also where RAM was accessed last', () => {
    const { vcpu, set } = memory();
    set(0x5a, 0x03);
    for (let n = 0; n < 3; n++) {
      vcpu.writel(0xc_0000, n);
      expect(vcpu.readl(0xc_0000)).toBe(n);
      set(0x5a, 0x00);
      expect(vcpu.readl(0xc_0000)).toBe(0xffff_ffff);
      vcpu.writel(0xc_0000, 0xbad);
      set(0x5a, 0x01);
      vcpu.writel(0xc_0000, 0xbad);
      expect(vcpu.readl(0xc_0000)).toBe(n);
      set(0x5a, 0x03);
      expect(vcpu.readl(0xc_0000)).toBe(n);
    }
  });

  test('pam/a-write-to-the-ROM-is-reported', () => {
    const { vcpu, events } = memory();
    vcpu.writeb(0xf_0000, 1);
    expect(events()).toEqual([
      { kind: 'guestError', device: undefined, message: 'write of 0x1 to the ROM at 0xf0000' },
    ]);
    expect(vcpu.readb(0xf_0000)).toBe(ROM);
  });

  test('snapshot/brings-the-areas-back', () => {
    const { vcpu, machine, set } = memory();
    set(0x5a, 0x33);
    const snapshot = machine.snapshot();
    set(0x5a, 0);
    expect(vcpu.readb(0xc_0000)).toBe(0xff);
    machine.restore(snapshot);
    expect(vcpu.readb(0xc_0000)).toBe(0x30);
    machine.reset();
    expect(vcpu.readb(0xc_0000)).toBe(0xff);
  });

  test('smram/open-needs-both-bits', () => {
    const { vcpu, set } = memory();
    for (const [value, open] of [
      [0x00, false],
      [0x08, false],
      [0x40, false],
      [0x48, true],
    ] as const) {
      set(0x72, value);
      for (const at of [0xa_0000, 0xb_ffff]) expect(vcpu.readb(at)).toBe(open ? at >>> 14 : 0xff);
    }
    vcpu.writeb(0xa_0000, 0x11);
    expect(vcpu.readb(0xa_0000)).toBe(0x11);
    set(0x72, 0);
    vcpu.writeb(0xa_0000, 0x22);
    set(0x72, 0x48);
    expect(vcpu.readb(0xa_0000)).toBe(0x11);
  });

  test('smram/lock', () => {
    const { vcpu, machine, set } = memory();
    const smram = (): number => vcpu.inb(DATA + 2);
    set(0x72, 0x58);
    expect(smram()).toBe(0x1a);
    expect(vcpu.readb(0xa_0000)).toBe(0xff);
    set(0x72, 0x48);
    expect(smram()).toBe(0x1a);
    set(0x72, 0x20);
    expect(smram()).toBe(0x32);
    machine.reset();
    set(0x72, 0x48);
    expect(smram()).toBe(0x4a);
    expect(vcpu.readb(0xa_0000)).toBe(0x28);
  });

  test('smram/as-qemu', () => {
    const { vcpu, set } = memory('qemu');
    set(0x72, 0x40);
    expect(vcpu.readb(0xa_0000)).toBe(0x28);
    set(0x72, 0x58);
    expect(vcpu.inb(DATA + 2)).toBe(0x5a);
    expect(vcpu.readb(0xa_0000)).toBe(0x28);
  });
});
