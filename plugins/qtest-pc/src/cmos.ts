import { fwCfg, rtc, type Rtc } from '@qtest/parts/pc';
import { device, number, states, type Cases, type Context } from './support.ts';

/** Bytes of the CMOS that a PC's BIOS knows (IBM PC/AT Technical Reference, "CMOS RAM"; QEMU, hw/i386/pc.c). */
const FLOPPIES = 0x10;
const EQUIPMENT = 0x14;
const BASE_MEMORY = 0x15;
const EXTENDED_MEMORY = 0x17;
const EXTENDED_MEMORY_2 = 0x30;
const ABOVE_16M = 0x34;
const BOOT_3 = 0x38;
const BOOT_1_2 = 0x3d;
const OTHER_CPUS = 0x5f;

const KIB = 1024;
const MIB = 1024 * KIB;

interface Bench {
  readonly dev: Rtc;
  word(index: number): number;
  /** RAM below 4 GiB, as fw_cfg tells of it. */
  ram(): number;
}

function bench(context: Context): Bench {
  const { vcpu } = context;
  const dev = rtc(vcpu, number(device(context, 'mc146818rtc'), 'ioBase', 0x70));
  return {
    dev,
    word: (index) => dev.read(index) | (dev.read(index + 1) << 8),
    ram() {
      const config = fwCfg.device(vcpu, { ioBase: number(device(context, 'fw_cfg'), 'ioBase', fwCfg.IO_BASE) });
      return Number(config.readU64(fwCfg.KEY.RAM_SIZE));
    },
  };
}

export const cmos: Cases = {
  'cmos/base-memory': states('15h is the memory below 1 MiB in KiB: 640.', (context) => {
    const { assert, vcpu } = context;
    const { word, ram } = bench(context);
    const size = word(BASE_MEMORY);
    assert.equal(size, Math.min(ram() / KIB, 640), 'PC/AT, CMOS 15h: base memory');
    vcpu.writel(size * KIB - 4, 0x600d_f00d);
    assert.equal(vcpu.readl(size * KIB - 4), 0x600d_f00d, 'PC/AT, CMOS 15h: and it is there');
  }),

  'cmos/extended-memory': states('17h and 30h are the memory above 1 MiB in KiB, FFFFh at most.', (context) => {
    const { assert } = context;
    const { word, ram } = bench(context);
    const size = Math.min((ram() - MIB) / KIB, 0xffff);
    assert.equal(word(EXTENDED_MEMORY), size, 'PC/AT, CMOS 17h: as the setup program knows it');
    assert.equal(word(EXTENDED_MEMORY_2), size, 'PC/AT, CMOS 30h: as the self-test has found it');
  }),

  'cmos/above-16-mib': states('34h is the memory above 16 MiB in 64 KiB.', (context) => {
    const { assert } = context;
    const { word, ram } = bench(context);
    assert.equal(word(ABOVE_16M), Math.min((ram() - 16 * MIB) / (64 * KIB), 0xffff), 'QEMU, pc.c: 34h');
  }),

  'cmos/equipment': states(
    '14h and 10h tell of the floppy drives; 14h of a coprocessor and a mouse too.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const drives = dev.read(FLOPPIES);
      const equipment = dev.read(EQUIPMENT);
      const count = Number((drives & 0xf0) !== 0) + Number((drives & 0x0f) !== 0);
      assert.equal((equipment & 0x01) !== 0, count > 0, 'PC/AT, CMOS 14h bit 0: there are floppy drives');
      assert.equal(equipment >> 6, Math.max(count - 1, 0), 'PC/AT, CMOS 14h bits 7:6: one less than their number');
      assert.equal(equipment & 0x02, 0x02, 'PC/AT, CMOS 14h bit 1: a coprocessor');
      assert.equal(equipment & 0x04, 0x04, 'QEMU, pc.c: 14h bit 2: a PS/2 mouse');
    },
  ),

  'cmos/boot-order': states(
    '3Dh and the high half of 38h are the boot order: 1 floppy, 2 hard disk, 3 CD-ROM, 4 network, each once; 0 is none.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const order = [dev.read(BOOT_1_2) & 0x0f, dev.read(BOOT_1_2) >> 4, dev.read(BOOT_3) >> 4];
      const named = order.filter((from) => from !== 0);
      assert(named.length > 0, 'QEMU, pc.c, set_boot_dev: something is booted from');
      assert(Math.max(...order) <= 4, `QEMU, pc.c, boot_device2nibble: ${order.join(', ')}`);
      assert.deepEqual(order.slice(0, named.length), named, 'QEMU, pc.c, set_boot_dev: the first come first');
      assert.equal(new Set(named).size, named.length, 'QEMU, bootdevice.c, validate_bootdevices: none is there twice');
    },
  ),

  'cmos/cpus': states('5Fh is one less than the number of CPUs.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = bench(context);
    const config = fwCfg.device(vcpu, { ioBase: number(device(context, 'fw_cfg'), 'ioBase', fwCfg.IO_BASE) });
    assert.equal(dev.read(OTHER_CPUS), config.readU16(fwCfg.KEY.NB_CPUS) - 1, 'QEMU, pc.c: 5Fh');
  }),

  'cmos/reset': states('A reset leaves the CMOS as it is.', (context) => {
    const { assert, machine } = context;
    const { dev } = bench(context);
    dev.write(0x6a, 0xa6);
    const image = (): number[] => Array.from({ length: 0x70 }, (_, n) => dev.read(0x10 + n));
    const before = image();
    machine.reset();
    assert.deepEqual(image(), before, 'MC146818A, RESET: the RAM is not affected');
  }),
};
