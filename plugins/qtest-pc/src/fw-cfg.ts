import { fwCfg } from '@qtest/parts/pc';
import { device, hex, list, number, states, type Cases, type Context } from './support.ts';

const { DATA, DMA_CONTROL, DMA_OFFSET, DESCRIPTOR_SIZE, ID, KEY, SELECTOR } = fwCfg;

/** Where in RAM descriptors and data of these cases are. */
const DESCRIPTOR = 0x2000;
const BUFFER = 0x3000;

interface Bench {
  readonly dev: fwCfg.FwCfg;
  readonly base: number;
}

function bench(context: Context): Bench {
  const base = number(device(context, 'fw_cfg'), 'ioBase', fwCfg.IO_BASE);
  return { base, dev: fwCfg.device(context.vcpu, { ioBase: base, descriptor: DESCRIPTOR }) };
}

/** The same, with the DMA interface. */
function dmaBench(context: Context): Bench {
  const on = bench(context);
  return on.dev.hasDma() ? on : context.skip('this fw_cfg has no DMA interface');
}

/** A file that every PC has, and its content by the data port. */
function e820({ dev }: Bench): fwCfg.FwCfgFile & { content: number[] } {
  const file = dev.file('etc/e820');
  if (file === undefined) throw new Error('fw_cfg has no file etc/e820');
  return { ...file, content: list(dev.item(file.key, file.size)) };
}

/** A 32-bit number in the order of bytes that descriptors have. */
function bigEndian(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value);
  return view.getUint32(0, true);
}

export const fwCfgCases: Cases = {
  'fw_cfg/signature': states('Item 0 is the text QEMU, item 1 tells of the interfaces.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    assert.deepEqual(list(dev.item(KEY.SIGNATURE, 4)), [0x51, 0x45, 0x4d, 0x55], 'fw_cfg.rst, Signature');
    const id = dev.readU32(KEY.ID);
    assert(ID.TRADITIONAL.test(id), 'fw_cfg.rst, Revision: bit 0, the traditional interface');
    assert.equal(ID.ZERO.get(id), 0, 'fw_cfg.rst, Revision: bits 0 and 1 are all that there are');
  }),

  'fw_cfg/select': states('Writing the selector begins the item anew, though it is the same.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    dev.select(KEY.SIGNATURE);
    assert.deepEqual(list(dev.read(2)), [0x51, 0x45]);
    dev.select(KEY.SIGNATURE);
    assert.deepEqual(list(dev.read(2)), [0x51, 0x45], 'fw_cfg.rst, Selector register: the offset is reset to 0');
    assert.deepEqual(list(dev.read(2)), [0x4d, 0x55], 'fw_cfg.rst, Data register: the next byte each time');
  }),

  'fw_cfg/beyond-end': states('Beyond its end an item reads as 0, and so does one that is not there.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    assert.deepEqual(list(dev.item(KEY.SIGNATURE, 12)).slice(4), [0, 0, 0, 0, 0, 0, 0, 0], 'fw_cfg.rst, Data register');
    assert.deepEqual(list(dev.item(0x3fff, 8)), [0, 0, 0, 0, 0, 0, 0, 0], 'fw_cfg.rst, Data register: no such item');
  }),

  'fw_cfg/read-only': states('Writes to the data port are ignored.', (context) => {
    const { assert, vcpu } = context;
    const { dev, base } = bench(context);
    dev.select(KEY.SIGNATURE);
    vcpu.outb(base + DATA.offset, 0xff);
    assert.deepEqual(list(dev.read(4)), [0x51, 0x45, 0x4d, 0x55], 'fw_cfg.rst, Data register: writes are ignored');
    assert.deepEqual(list(dev.item(KEY.SIGNATURE, 4)), [0x51, 0x45, 0x4d, 0x55], 'fw_cfg.rst, Data register');
  }),

  'fw_cfg/directory': states(
    'The directory has each file’s size and key, from 20h on, and its name; numbers are big-endian.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const count = new DataView(Uint8Array.from(dev.item(KEY.FILE_DIR, 4)).buffer).getUint32(0);
      const files = dev.files();
      assert(count > 0 && count < 0x100, `fw_cfg.rst, File Directory: ${count} files`);
      assert.equal(files.length, count);
      assert.equal(
        new Set(files.map(({ key }) => key)).size,
        count,
        'fw_cfg.rst, File Directory: each has its own key',
      );
      assert.equal(
        new Set(files.map(({ name }) => name)).size,
        count,
        'fw_cfg.rst, File Directory: each has its own name',
      );
      for (const { name, key } of files) {
        assert(
          key >= KEY.FILE_FIRST && key < 0x4000,
          `fw_cfg.rst, All Other Data Items: ${name} has the key ${hex(key, 4)}`,
        );
        assert.match(name, /^[!-~]{1,55}$/, 'fw_cfg.rst, File Directory: a name is ASCII, with a zero at its end');
      }
      const end = list(dev.item(KEY.FILE_DIR, 4 + 64 * count + 8)).slice(-8);
      assert.deepEqual(
        end,
        [0, 0, 0, 0, 0, 0, 0, 0],
        'fw_cfg.rst, File Directory: 64 bytes for each file, and no more',
      );
    },
  ),

  'fw_cfg/file-size': states('A file has as many bytes as the directory says.', (context) => {
    const { assert } = context;
    const on = bench(context);
    const { size, key, content } = e820(on);
    assert(size > 0 && size % fwCfg.E820_ENTRY_SIZE === 0, `etc/e820: ${size} bytes are no whole entries of 20`);
    assert.equal(content.length, size);
    const more = list(on.dev.item(key, size + 4));
    assert.deepEqual(more, [...content, 0, 0, 0, 0], 'fw_cfg.rst, Data register: zeros beyond the end');
  }),

  'fw_cfg/ram': states('RAM_SIZE and the file etc/e820 tell of the RAM that there is.', (context) => {
    const { assert, vcpu } = context;
    const on = bench(context);
    const { content } = e820(on);
    const view = new DataView(Uint8Array.from(content).buffer);
    const ranges = Array.from({ length: content.length / fwCfg.E820_ENTRY_SIZE }, (_, n) => {
      const at = n * fwCfg.E820_ENTRY_SIZE;
      const base = Number(view.getBigUint64(at, true));
      return { base, end: base + Number(view.getBigUint64(at + 8, true)), type: view.getUint32(at + 16, true) };
    }).filter(({ type }) => type === fwCfg.E820_RAM);
    const total = ranges.reduce((sum, { base, end }) => sum + end - base, 0);
    assert.equal(on.dev.readU64(KEY.RAM_SIZE), BigInt(total), 'fw_cfg: RAM_SIZE is the sum of the RAM in etc/e820');
    for (const { base, end } of ranges) {
      // QEMU's table does not leave out 640 KiB to 1 MiB, so only the ends are looked at.
      for (const address of [base, end - 8]) {
        vcpu.writeq(address, 0x0123_4567_89ab_cdefn);
        assert.equal(vcpu.readq(address), 0x0123_4567_89ab_cdefn, `etc/e820: RAM at ${hex(address, 8)}`);
      }
    }
    const top = ranges.reduce((max, { end }) => Math.max(max, end), 0);
    vcpu.writeq(top, 0n);
    assert.equal(vcpu.readq(top), 0xffff_ffff_ffff_ffffn, `etc/e820: nothing at ${hex(top, 8)}`);
  }),

  'fw_cfg/cpus': states('NB_CPUS is 1 at least, and MAX_CPUS no less.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    const cpus = dev.readU16(KEY.NB_CPUS);
    assert(cpus >= 1, `fw_cfg: ${cpus} CPUs`);
    assert(dev.readU16(KEY.MAX_CPUS) >= cpus, 'fw_cfg: MAX_CPUS is one more than the greatest APIC ID');
  }),

  'fw_cfg/dma/signature': states(
    'With DMA bit 1 of the ID is set, and the address reads as QEMU CFG, big-endian.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, base } = bench(context);
      if (!ID.DMA.test(dev.readU32(KEY.ID))) return context.skip('this fw_cfg has no DMA interface');
      const bytes = [0, 4].flatMap((half) => {
        const value = vcpu.inl(base + DMA_OFFSET + half);
        return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
      });
      assert.equal(String.fromCharCode(...bytes), 'QEMU CFG', 'fw_cfg.rst, DMA Address Register: its signature');
    },
  ),

  'fw_cfg/dma/read': states(
    'A read copies the item to memory, from where the last one stopped, and no byte beside.',
    (context) => {
      const { assert, vcpu } = context;
      const on = dmaBench(context);
      const { key, size, content } = e820(on);
      const { dev } = on;
      vcpu.fill(BUFFER - 8, size + 16, 0xee);
      assert(dev.dma({ key, action: 'read', length: 7, address: BUFFER }), 'fw_cfg.rst, DMA: finished successfully');
      assert(
        dev.dma({ action: 'read', length: size - 7, address: BUFFER + 7 }),
        'fw_cfg.rst, DMA: finished successfully',
      );
      assert.deepEqual(list(vcpu.read(BUFFER, size)), content, 'fw_cfg.rst, DMA: read, from the current offset');
      const beside = [...vcpu.read(BUFFER - 8, 8), ...vcpu.read(BUFFER + size, 8)];
      assert(
        beside.every((byte) => byte === 0xee),
        'fw_cfg.rst, DMA: length bytes, at address',
      );
    },
  ),

  'fw_cfg/dma/select': states(
    'With SELECT the item is the one that the control field names; without it stays.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev } = dmaBench(context);
      dev.select(KEY.FILE_DIR);
      dev.read(3);
      assert(dev.dma({ key: KEY.SIGNATURE }));
      assert.deepEqual(list(dev.read(2)), [0x51, 0x45], 'fw_cfg.rst, DMA: as a write of the selector');
      vcpu.fill(BUFFER, 4, 0);
      assert(dev.dma({ action: 'read', length: 2, address: BUFFER }));
      assert.deepEqual(
        list(vcpu.read(BUFFER, 2)),
        [0x4d, 0x55],
        'fw_cfg.rst, DMA: goes on where the data port stopped',
      );
    },
  ),

  'fw_cfg/dma/skip': states('SKIP moves the offset on and copies nothing.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = dmaBench(context);
    vcpu.fill(BUFFER, 8, 0xee);
    assert(dev.dma({ key: KEY.SIGNATURE, action: 'skip', length: 3, address: BUFFER }));
    assert(
      vcpu.read(BUFFER, 8).every((byte) => byte === 0xee),
      'fw_cfg.rst, DMA: nothing is copied',
    );
    assert.deepEqual(list(dev.read(2)), [0x55, 0], 'fw_cfg.rst, DMA: the offset is advanced by length');
  }),

  'fw_cfg/dma/beyond-end': states('A read beyond the end of an item gives zeros, and is no error.', (context) => {
    const { assert, vcpu } = context;
    const { dev } = dmaBench(context);
    for (const [key, found] of [
      [KEY.SIGNATURE, [0x51, 0x45, 0x4d, 0x55]],
      [0x3fff, []],
    ] as const) {
      vcpu.fill(BUFFER, 16, 0xee);
      assert(dev.dma({ key, action: 'read', length: 12, address: BUFFER }), 'fw_cfg.rst, DMA: no error');
      const expected = [...found, ...Array.from({ length: 12 - found.length }, () => 0), 0xee, 0xee, 0xee, 0xee];
      assert.deepEqual(list(vcpu.read(BUFFER, 16)), expected, 'fw_cfg.rst, DMA: zeros beyond the end');
    }
  }),

  'fw_cfg/dma/error-bit': states(
    'Writing an item that cannot be written sets ERROR, and changes nothing.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev } = dmaBench(context);
      vcpu.fill(BUFFER, 4, 0xee);
      assert(!dev.dma({ key: KEY.SIGNATURE, action: 'write', length: 4, address: BUFFER }), 'fw_cfg.rst, DMA: bit 0');
      assert.deepEqual(list(dev.item(KEY.SIGNATURE, 4)), [0x51, 0x45, 0x4d, 0x55], 'fw_cfg.rst, DMA: not written');
      assert(
        dev.dma({ key: KEY.SIGNATURE, action: 'read', length: 4, address: BUFFER }),
        'fw_cfg.rst, DMA: no error now',
      );
    },
  ),

  'fw_cfg/dma/low-half-starts': states(
    'Writing the low half of the address starts the operation, and ends in a cleared control field.',
    (context) => {
      const { assert, vcpu } = context;
      const { base } = dmaBench(context);
      vcpu.fill(DESCRIPTOR, DESCRIPTOR_SIZE, 0);
      vcpu.fill(BUFFER, 4, 0xee);
      const control = DMA_CONTROL.KEY.set(DMA_CONTROL.SELECT.mask | DMA_CONTROL.READ.mask, KEY.SIGNATURE);
      vcpu.writel(DESCRIPTOR, bigEndian(control));
      vcpu.writel(DESCRIPTOR + 4, bigEndian(4));
      vcpu.writel(DESCRIPTOR + 12, bigEndian(BUFFER));
      // 4 GiB higher there is no descriptor.
      vcpu.outl(base + DMA_OFFSET, bigEndian(1));
      vcpu.outl(base + DMA_OFFSET + 4, bigEndian(DESCRIPTOR));
      assert.equal(vcpu.readl(DESCRIPTOR), bigEndian(control), 'fw_cfg.rst, DMA Address Register: it has 64 bits');
      vcpu.outl(base + DMA_OFFSET, 0);
      assert.equal(vcpu.readl(DESCRIPTOR), bigEndian(control), 'fw_cfg.rst, DMA Address Register: the high half waits');
      vcpu.outl(base + DMA_OFFSET + 4, bigEndian(DESCRIPTOR));
      vcpu.poll(() => vcpu.readl(DESCRIPTOR) === 0, { timeout: '100ms' });
      assert.deepEqual(
        list(vcpu.read(BUFFER, 4)),
        [0x51, 0x45, 0x4d, 0x55],
        'fw_cfg.rst, DMA Address Register: the low half starts it',
      );
      assert.equal(vcpu.readl(DESCRIPTOR + 4), bigEndian(4), 'fw_cfg.rst, DMA: only the control field is written');
    },
  ),

  'fw_cfg/selector-word': states('The selector is 16 bits wide: a byte at its port selects nothing.', (context) => {
    const { assert, vcpu } = context;
    const { dev, base } = bench(context);
    dev.select(KEY.SIGNATURE);
    dev.read(1);
    vcpu.outb(base + SELECTOR.offset, KEY.ID);
    assert.deepEqual(list(dev.read(3)), [0x45, 0x4d, 0x55], 'fw_cfg.rst, Selector register: width 16 bits');
  }),
};
