import { pci } from '@qtest/parts/pc';
import { bus, configAddress, hex, states, type Cases, type Context } from './support.ts';

const { CONFIG_ADDRESS, CONFIG_DATA, HEADER } = pci;

/**
 * Four bytes that keep what is written in bits 7 and 3:0: the PIRQ route control registers of the PIIX3, PIRQRCA to PIRQRCD (82371SB, 2.2.7). Bit 7
 * set, they route nothing.
 */
function scratch(context: Context): { slot: number; function: number; offset: number } {
  const { slot, function: fn } = bus(context).one('piix3');
  return { slot, function: fn, offset: 0x60 };
}

export const config: Cases = {
  'config/mech1/readback': states('CONFIG_ADDRESS reads as it was written.', (context) => {
    const { vcpu, assert } = context;
    const { slot } = bus(context).one('piix3');
    for (const address of [0x8000_0000, configAddress({ slot, function: 0 }, 0x3c), 0x8000_f8fc, 0x0000_0010, 0]) {
      vcpu.outl(CONFIG_ADDRESS, address);
      assert.equal(vcpu.inl(CONFIG_ADDRESS), address, '3.2.2.3.2: CONFIG_ADDRESS is a read/write dword at CF8h');
    }
  }),

  'config/mech1/bus-bits': states(
    'Bits 23:16 of CONFIG_ADDRESS are the bus number; bits 30:24 reach no other bus.',
    (context) => {
      const { vcpu, assert } = context;
      const i440fx = bus(context).one('i440fx');
      for (let n = 1; n < 0x100; n <<= 1) {
        vcpu.outl(CONFIG_ADDRESS, (configAddress(i440fx, 0) | (n << 16)) >>> 0);
        assert.equal(
          vcpu.inl(CONFIG_DATA),
          0xffff_ffff,
          `3.2.2.3.2: bits 23:16 choose the bus, and there is no bus ${n}: all ones`,
        );
      }
    },
  ),

  'config/mech1/enable-bit': states(
    'With bit 31 of CONFIG_ADDRESS 0, CONFIG_DATA is no configuration access.',
    (context) => {
      const { vcpu, assert } = context;
      const { offset, ...at } = scratch(context);
      const { host } = bus(context);
      host.write(at, offset, 0x8483_8281, 4);
      vcpu.outl(CONFIG_ADDRESS, configAddress(at, offset) & 0x7fff_ffff);
      assert.equal(
        vcpu.inl(CONFIG_DATA),
        0xffff_ffff,
        '3.2.2.3.2: without the enable bit it is a normal I/O read, which nobody answers',
      );
      vcpu.outl(CONFIG_DATA, 0);
      assert.equal(host.read(at, offset, 4), 0x8483_8281, '3.2.2.3.2: without the enable bit nothing is written');
    },
  ),

  'config/mech1/dword-only': states('Bytes and words at CF8h to CFBh are not CONFIG_ADDRESS.', (context) => {
    const { vcpu, assert } = context;
    bus(context).one('i440fx');
    const address = configAddress({ slot: 1, function: 0 }, 0x10);
    vcpu.outl(CONFIG_ADDRESS, address);
    // Port CF9h may be a reset register: it gets zeroes alone.
    for (let lane = 0; lane < 4; lane++) vcpu.outb(CONFIG_ADDRESS + lane, lane === 1 ? 0 : 0xff);
    assert.equal(vcpu.inl(CONFIG_ADDRESS), address, '3.2.2.3.2: bytes have no effect on CONFIG_ADDRESS');
    vcpu.outw(CONFIG_ADDRESS, 0x00ff);
    vcpu.outw(CONFIG_ADDRESS + 2, 0xffff);
    assert.equal(vcpu.inl(CONFIG_ADDRESS), address, '3.2.2.3.2: words have no effect on CONFIG_ADDRESS');
    for (const lane of [0, 2, 3]) {
      assert.equal(
        vcpu.inb(CONFIG_ADDRESS + lane),
        0xff,
        '3.2.2.3.2: a byte read there is a normal I/O read, which nobody answers',
      );
    }
    assert.equal(vcpu.inw(CONFIG_ADDRESS + 2), 0xffff, '3.2.2.3.2: a word read there is a normal I/O read');
  }),

  'config/mech1/low-bits': states(
    'Bits 1:0 of CONFIG_ADDRESS are 0; QEMU keeps them and adds them to the offset.',
    (context) => {
      const { vcpu, machine, assert } = context;
      const { offset, ...at } = scratch(context);
      bus(context).host.write(at, offset, 0x8483_8281, 4);
      const bridge = machine.devices.find(({ type }) => type === 'i440fx-pcihost');
      const strict = bridge?.properties['configAddress'] === 'strict';
      for (const low of [1, 2, 3]) {
        const address = configAddress(at, offset + low);
        vcpu.outl(CONFIG_ADDRESS, address);
        assert.equal(
          vcpu.inl(CONFIG_ADDRESS),
          strict ? address - low : address,
          strict ? '3.2.2.3.2: bits 1:0 are read-only and 0' : 'QEMU: bits 1:0 are kept',
        );
        assert.equal(
          vcpu.inb(CONFIG_DATA),
          strict ? 0x81 : 0x81 + low,
          strict ? '3.2.2.3.2: the byte lane alone chooses the byte' : 'QEMU: bits 1:0 are added to the lane',
        );
      }
    },
  ),

  'config/mech1/byte-lanes': states('Each byte of CONFIG_DATA is its lane’s byte of the dword.', (context) => {
    const { vcpu, assert } = context;
    const { offset, ...at } = scratch(context);
    vcpu.outl(CONFIG_ADDRESS, configAddress(at, offset));
    vcpu.outl(CONFIG_DATA, 0x8483_8281);
    for (let lane = 0; lane < 4; lane++) {
      const byte = 0x81 + lane;
      assert.equal(vcpu.inb(CONFIG_DATA + lane), byte, `3.2.2.3.2: a byte read at CFCh + ${lane} is that lane`);
      vcpu.outb(CONFIG_DATA + lane, 0x8a + lane);
      const expected = (0x8483_8281 & ~(0xff << (8 * lane))) | ((0x8a + lane) << (8 * lane));
      assert.equal(
        vcpu.inl(CONFIG_DATA),
        expected >>> 0,
        `3.2.2.3.2: a byte write at CFCh + ${lane} is that lane alone`,
      );
      vcpu.outb(CONFIG_DATA + lane, byte);
    }
  }),

  'config/mech1/word-lanes': states('A word of CONFIG_DATA is its two lanes, also the middle ones.', (context) => {
    const { vcpu, assert } = context;
    const { offset, ...at } = scratch(context);
    vcpu.outl(CONFIG_ADDRESS, configAddress(at, offset));
    for (const lane of [0, 1, 2]) {
      vcpu.outl(CONFIG_DATA, 0x8483_8281);
      assert.equal(
        vcpu.inw(CONFIG_DATA + lane),
        (0x8483_8281 >>> (8 * lane)) & 0xffff,
        `3.2.2.3.2: a word read at CFCh + ${lane} is lanes ${lane} and ${lane + 1}`,
      );
      vcpu.outw(CONFIG_DATA + lane, 0x8b8a);
      const expected = (0x8483_8281 & ~(0xffff << (8 * lane))) | (0x8b8a << (8 * lane));
      assert.equal(
        vcpu.inl(CONFIG_DATA),
        expected >>> 0,
        `3.2.2.3.2: a word write at CFCh + ${lane} is those lanes alone`,
      );
    }
  }),

  'config/mech1/data-keeps-address': states(
    'CONFIG_ADDRESS stays as it is through accesses to CONFIG_DATA.',
    (context) => {
      const { vcpu, assert } = context;
      const { offset, ...at } = scratch(context);
      const address = configAddress(at, offset);
      vcpu.outl(CONFIG_ADDRESS, address);
      for (const value of [0x81, 0x82, 0x84, 0x88]) {
        vcpu.outl(CONFIG_DATA, value);
        assert.equal(vcpu.inl(CONFIG_DATA), value, '3.2.2.3.2: the dword is reached again and again');
      }
      assert.equal(vcpu.inl(CONFIG_ADDRESS), address, '3.2.2.3.2: CONFIG_DATA does not move CONFIG_ADDRESS');
    },
  ),

  'config/mech1/every-register': states(
    'Bits 7:2 of CONFIG_ADDRESS reach the 64 dwords of a function, each its own.',
    (context) => {
      const { assert } = context;
      const { host } = bus(context);
      for (const fn of host.scan()) {
        const image = Array.from({ length: 64 }, (_, n) => fn.readl(4 * n));
        const bytes = image.flatMap((dword) => [0, 8, 16, 24].map((shift) => (dword >>> shift) & 0xff));
        for (const [offset, byte] of bytes.entries()) {
          assert.equal(host.read(fn, offset, 1), byte, `3.2.2.3.2: byte ${hex(offset)} by itself, and of its dword`);
        }
      }
    },
  ),

  'config/mech1/absent-device': states(
    'A device number that nobody has reads as all ones, and takes writes.',
    (context) => {
      const { assert } = context;
      const { host } = bus(context);
      const there = new Set(host.scan().map(({ slot }) => slot));
      for (let slot = 0; slot < 32; slot++) {
        if (there.has(slot)) continue;
        host.write({ slot }, HEADER.COMMAND, 0xffff_ffff, 4);
        for (const offset of [0, HEADER.BAR0, 0x40, 0xfc]) {
          assert.equal(
            host.read({ slot }, offset, 4),
            0xffff_ffff,
            `6.1: a read of a device that is not there, ${slot}, is all ones`,
          );
        }
      }
    },
  ),

  'config/mech1/absent-function': states('A function that a device has not reads as all ones.', (context) => {
    const { assert } = context;
    const { host } = bus(context);
    const found = host.scan();
    for (const { slot } of found.filter((fn) => fn.function === 0)) {
      for (let fn = 1; fn < 8; fn++) {
        if (found.some((other) => other.slot === slot && other.function === fn)) continue;
        assert.equal(
          host.read({ slot, function: fn }, HEADER.VENDOR_ID, 2),
          0xffff,
          `3.2.2.3.4, 6.2.1: function ${fn} of device ${slot} is not there; FFFFh is no vendor`,
        );
        host.write({ slot, function: fn }, HEADER.INTERRUPT_LINE, 0x55, 1);
        assert.equal(
          host.read({ slot, function: fn }, HEADER.INTERRUPT_LINE, 1),
          0xff,
          '3.2.2.3.4: what is written to a function that is not there is lost',
        );
      }
    }
  }),

  'config/mech1/functions-apart': states('A write reaches the function addressed, and no other.', (context) => {
    const { assert } = context;
    const { host } = bus(context);
    const all = host.scan();
    for (const [n, fn] of all.entries()) fn.interruptLine = 0x40 + n;
    for (const [n, fn] of all.entries()) {
      assert.equal(fn.interruptLine, 0x40 + n, '3.2.2.3.2: device and function numbers select one function');
    }
  }),
};
