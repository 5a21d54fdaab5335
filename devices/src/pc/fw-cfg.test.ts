import fc from 'fast-check';
import type { DeviceTypes } from '@qtest/sdk';
import { fwCfg as part } from '@qtest/parts/pc';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const { DMA_CONTROL, IO_BASE, KEY } = part;
const DATA = IO_BASE + 1;
const DMA_HIGH = IO_BASE + 4;
const DMA_LOW = IO_BASE + 8;

/** RAM from 0, with nothing after it. */
const RAM = 0x20_0000;
const DESCRIPTOR = 0x1000;
const BUFFER = 0x1_0000;

function bench(properties: DeviceTypes['fw_cfg'] = {}) {
  const harness = testMachine((m) => {
    m.ram(0, RAM);
    m.add('fw_cfg', properties);
  });
  const { vcpu } = harness;
  const dev = part.device(vcpu, { descriptor: DESCRIPTOR });
  const swap = (value: number): number =>
    Number(
      `0x${value
        .toString(16)
        .padStart(8, '0')
        .replace(/(..)(..)(..)(..)/, '$4$3$2$1')}`,
    );
  return {
    ...harness,
    events: () => harness.events().map(({ message }) => message),
    dev,
    swap,
    text: (bytes: Uint8Array): string => String.fromCharCode(...bytes),
    /** Puts a descriptor in RAM by hand. */
    describe: (control: number, length: number, address: bigint): void => {
      vcpu.writel(DESCRIPTOR, swap(control));
      vcpu.writel(DESCRIPTOR + 4, swap(length));
      vcpu.writel(DESCRIPTOR + 8, swap(Number(address >> 32n)));
      vcpu.writel(DESCRIPTOR + 12, swap(Number(address & 0xffff_ffffn)));
    },
    control: (): number => swap(vcpu.readl(DESCRIPTOR)),
  };
}

describe('ports', () => {
  test('the signature, and zeros after it', () => {
    const { vcpu, dev, text } = bench();
    vcpu.outw(IO_BASE, KEY.SIGNATURE);
    expect(text(Uint8Array.from([1, 2, 3, 4], () => vcpu.inb(DATA)))).toBe('QEMU');
    expect([vcpu.inb(DATA), vcpu.inb(DATA)]).toEqual([0, 0]);
    expect(dev.present()).toBe(true);
  });

  test('selected at reset', () => {
    const { dev, machine, text } = bench();
    expect(text(dev.read(4))).toBe('QEMU');
    dev.select(KEY.ID);
    machine.reset('warm');
    expect(text(dev.read(4))).toBe('QEMU');
  });

  test('selecting begins at the first byte', () => {
    const { dev, text } = bench();
    expect(text(dev.item(KEY.SIGNATURE, 2))).toBe('QE');
    expect(text(dev.read(1))).toBe('M');
    expect(text(dev.item(KEY.SIGNATURE, 4))).toBe('QEMU');
  });

  test('a key that is not there reads 0', () => {
    const { dev } = bench();
    for (const key of [KEY.MACHINE_ID, KEY.KERNEL_SIZE, 0x3fff, 0x8000, 0xbfff, 0xffff]) {
      expect([...dev.item(key, 3)]).toEqual([0, 0, 0]);
    }
  });

  test('WRITE_CHANNEL selects the same item', () => {
    const { dev, text } = bench();
    expect(text(dev.item(0x4000 | KEY.SIGNATURE, 4))).toBe('QEMU');
    expect(dev.readU32(0x4000 | KEY.IRQ0_OVERRIDE)).toBe(1);
  });

  test('writes to the data port are ignored', () => {
    const { vcpu, dev, events, text } = bench();
    dev.select(KEY.SIGNATURE);
    vcpu.outb(DATA, 0x55);
    expect(text(dev.read(4))).toBe('QEMU');
    expect(events()).toEqual(['write to the data port, which is ignored: use DMA']);
  });

  test('the selector takes words alone, and cannot be read', () => {
    const { vcpu, dev, events, text } = bench();
    vcpu.outb(IO_BASE, 1);
    expect([vcpu.inb(IO_BASE), vcpu.inw(IO_BASE)]).toEqual([0, 0]);
    expect(text(dev.read(4))).toBe('QEMU');
    expect(events()).toEqual([
      'write of a byte to the selector, which takes words',
      'read of the selector, which is write-only',
      'read of the selector, which is write-only',
    ]);
  });

  test('ioBase moves it', () => {
    const harness = testMachine((m) => m.add('fw_cfg', { ioBase: 0x1510 }));
    expect(part.device(harness.vcpu).present()).toBe(false);
    const dev = part.device(harness.vcpu, { ioBase: 0x1510 });
    expect([dev.present(), dev.hasDma()]).toEqual([true, true]);
  });
});

describe('items', () => {
  test('as they are by default', () => {
    const { dev } = bench();
    expect(dev.readU32(KEY.ID)).toBe(3);
    expect([...dev.item(KEY.UUID, 16)]).toEqual(Array(16).fill(0));
    expect(dev.readU64(KEY.RAM_SIZE)).toBe(0x800_0000n);
    expect([KEY.NOGRAPHIC, KEY.NB_CPUS, KEY.MAX_CPUS, KEY.BOOT_MENU].map((key) => dev.readU16(key))).toEqual([
      0, 1, 1, 0,
    ]);
    expect(dev.readU64(KEY.NUMA)).toBe(0n);
    expect(dev.readU32(KEY.IRQ0_OVERRIDE)).toBe(1);
  });

  test('as properties say', () => {
    const { dev } = bench({ ramSize: 0x1_2345_6789_abcd, cpus: 4, maxCpus: 0x0102, bootMenu: true });
    expect(dev.readU64(KEY.RAM_SIZE)).toBe(0x1_2345_6789_abcdn);
    expect([KEY.NB_CPUS, KEY.MAX_CPUS, KEY.BOOT_MENU].map((key) => dev.readU16(key))).toEqual([4, 0x0102, 1]);
  });

  test('further ones, and others in the place of the default', () => {
    const uuid = Uint8Array.from({ length: 16 }, (_, i) => i * 17);
    const { dev } = bench({
      items: part.items([
        [KEY.UUID, uuid],
        [KEY.KERNEL_CMDLINE, 'console=ttyS0\0'],
        [0xbfff, new Uint8Array([1])],
      ]),
    });
    expect(dev.item(KEY.UUID, 16)).toEqual(uuid);
    expect([...dev.item(KEY.KERNEL_CMDLINE, 15)]).toEqual([...new TextEncoder().encode('console=ttyS0\0\0')]);
    expect(dev.item(0xbfff, 2)).toEqual(new Uint8Array([1, 0]));
  });

  test('the timer blocks', () => {
    const { dev } = bench({ items: part.items([[KEY.HPET, part.hpetItem([{ base: 0xfed0_0000, minTick: 0x80 }])]]) });
    expect([...dev.item(KEY.HPET, 17)]).toEqual([
      1, 0x01, 0xa2, 0x86, 0x80, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0, 0x80, 0, 0, 0,
    ]);
    expect(part.hpetItem([])).toHaveLength(121);
    expect(() => part.hpetItem(Array.from({ length: 9 }, () => ({ base: 0 })))).toThrow('9 blocks');
  });
});

describe('files', () => {
  test('the directory of a PC', () => {
    const { dev } = bench();
    expect(dev.files()).toEqual([
      { name: 'bootorder', key: 0x20, size: 0 },
      { name: 'etc/boot-fail-wait', key: 0x21, size: 4 },
      { name: 'etc/e820', key: 0x22, size: 20 },
    ]);
    expect([...dev.readFile('etc/boot-fail-wait')]).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect(dev.readFile('bootorder')).toHaveLength(0);
  });

  test('the directory’s bytes', () => {
    const { dev, text } = bench();
    const bytes = dev.item(KEY.FILE_DIR, 4 + 4 * part.FILE_ENTRY_SIZE);
    expect([...bytes.subarray(0, 4)]).toEqual([0, 0, 0, 3]);
    const entry = bytes.subarray(4 + 2 * 64, 4 + 3 * 64);
    expect([...entry.subarray(0, 8)]).toEqual([0, 0, 0, 20, 0, 0x22, 0, 0]);
    expect(text(entry.subarray(8))).toBe('etc/e820'.padEnd(56, '\0'));
    expect(bytes.subarray(4 + 3 * 64).every((byte) => byte === 0)).toBe(true);
  });

  test('bootorder/ends with a zero', () => {
    const { dev, text } = bench({ bootorder: '/pci@i0cf8/ide@1,1/drive@0/disk@0\nHALT' });
    expect(text(dev.readFile('bootorder'))).toBe('/pci@i0cf8/ide@1,1/drive@0/disk@0\nHALT\0');
  });

  test.each([
    [0x800_0000, [[0n, 0x800_0000n]]],
    [0xdfff_f000, [[0n, 0xdfff_f000n]]],
    [
      0xe000_0000,
      [
        [0n, 0xc000_0000n],
        [0x1_0000_0000n, 0x2000_0000n],
      ],
    ],
    [
      0x10_0000_0000,
      [
        [0n, 0xc000_0000n],
        [0x1_0000_0000n, 0xf_4000_0000n],
      ],
    ],
  ])('etc/e820/%i bytes of RAM', (ramSize, expected) => {
    const { dev } = bench({ ramSize });
    const bytes = dev.readFile('etc/e820');
    const view = new DataView(bytes.buffer);
    expect(bytes).toHaveLength(expected.length * part.E820_ENTRY_SIZE);
    for (const [i, range] of expected.entries()) {
      const at = i * part.E820_ENTRY_SIZE;
      expect([view.getBigUint64(at, true), view.getBigUint64(at + 8, true)]).toEqual(range);
      expect(view.getUint32(at + 16, true)).toBe(part.E820_RAM);
    }
  });

  test('further ones, by name, and in the place of the default', () => {
    const long = 'opt/'.padEnd(55, 'x');
    const { dev, text } = bench({
      files: part.files({
        'opt/org.example/greeting': 'hello',
        [long]: new Uint8Array([0, 0xff]),
        'etc/boot-fail-wait': new Uint8Array([0x10, 0x27, 0, 0]),
        A: '',
        __proto__x: 'ü',
      }),
    });
    expect(dev.files().map(({ name, key }) => [name, key])).toEqual([
      ['A', 0x20],
      ['__proto__x', 0x21],
      ['bootorder', 0x22],
      ['etc/boot-fail-wait', 0x23],
      ['etc/e820', 0x24],
      ['opt/org.example/greeting', 0x25],
      [long, 0x26],
    ]);
    expect(text(dev.readFile('opt/org.example/greeting'))).toBe('hello');
    expect([...dev.readFile(long)]).toEqual([0, 0xff]);
    expect([...dev.readFile('etc/boot-fail-wait')]).toEqual([0x10, 0x27, 0, 0]);
    expect([...dev.readFile('__proto__x')]).toEqual([0xc3, 0xbc]);
  });

  test('one that there is not', () => {
    const { dev } = bench();
    expect(dev.file('etc/nothing')).toBeUndefined();
    expect(() => dev.readFile('etc/nothing')).toThrow(
      "fw_cfg has no file 'etc/nothing'; it has bootorder, etc/boot-fail-wait, etc/e820",
    );
  });

  test('as many as there is room for, and large ones', () => {
    const names = Array.from({ length: 29 }, (_, i) => `opt/${i}`);
    const large = new Uint8Array(300_000).fill(0xa5);
    const { dev } = bench({
      files: part.files(Object.fromEntries(names.map((name) => [name, name === 'opt/0' ? large : name]))),
    });
    expect(dev.files()).toHaveLength(part.FILE_SLOTS);
    expect(dev.file('opt/0')?.size).toBe(300_000);
    const { key } = dev.file('opt/0') ?? { key: 0 };
    dev.select(key);
    expect(dev.dma({ action: 'skip', length: 299_999 })).toBe(true);
    expect([...dev.read(2)]).toEqual([0xa5, 0]);
  });
});

describe('properties', () => {
  test.each([
    '',
    '[]',
    '{',
    '{"a":1}',
    '{"a":"0"}',
    '{"a":"0g"}',
    '{"a":"FF"}',
    '{"":"00"}',
    '{"a":"00",}',
    '{"a":"00" "b":"00"}',
    '{"a":"00","b":"","a":"11"}',
    String.raw`{"a\"b":"00"}`,
    String.raw`{"\u0061":"00"}`,
    '{"ü":"00"}',
    `{"${'x'.repeat(56)}":""}`,
    `{${Array.from({ length: 30 }, (_, i) => `"${i}":""`).join()}}`,
    '{"a":"00"}x',
  ])('files/%j is refused', (files) => {
    expect(() => bench({ files })).toThrow(/'files' is .*; expected JSON of up to 29 names/);
  });

  test.each(['{}', ' { } ', '{"a":""}', '{ "a" : "00ff" ,\n "b" : "" }', '{":":"00","a:":"11"}'])(
    'files/%j is taken',
    (files) => {
      const { dev } = bench({ files });
      expect(dev.files()).toHaveLength(3 + Object.keys(JSON.parse(files) as object).length);
    },
  );

  test.each(['0000', '0001', '0019', '0020', '4002', '7fff', 'c000', '2', '00002', '000A'])(
    'items/key %s is refused',
    (key) => {
      expect(() => bench({ items: `{"${key}":"00"}` })).toThrow(/'items' is .*; expected JSON of keys/);
    },
  );

  test.each(['0002', '0018', '001a', '001f', '8000', 'bfff'])('items/key %s is taken', (key) => {
    const { dev } = bench({ items: `{"${key}":"5a"}` });
    expect([...dev.item(Number.parseInt(key, 16), 2)]).toEqual([0x5a, 0]);
  });

  test('files()/names that cannot be', () => {
    for (const name of ['', 'a"b', 'a\\b', 'ü', 'x'.repeat(56), 'a\nb']) {
      expect(() => part.files({ [name]: '' })).toThrow('fw_cfg file name');
    }
  });
});

describe('dma', () => {
  test('the address register reads as the signature, in any size', () => {
    const { vcpu, dev, text } = bench();
    expect(text(Uint8Array.from({ length: 8 }, (_, i) => vcpu.inb(DMA_HIGH + i)))).toBe('QEMU CFG');
    expect([vcpu.inl(DMA_HIGH), vcpu.inl(DMA_LOW), vcpu.inw(DMA_HIGH + 2)]).toEqual([0x554d_4551, 0x4746_4320, 0x554d]);
    expect(dev.hasDma()).toBe(true);
  });

  test('left out', () => {
    const { vcpu, dev } = bench({ dma: false });
    expect(vcpu.inl(DMA_HIGH)).toBe(0xffff_ffff);
    expect([dev.readU32(KEY.ID), dev.hasDma()]).toEqual([1, false]);
  });

  test('select and read', () => {
    const { vcpu, dev, describe: put, control, swap, text } = bench();
    dev.select(KEY.ID);
    put(DMA_CONTROL.KEY.set(DMA_CONTROL.SELECT.mask | DMA_CONTROL.READ.mask, KEY.SIGNATURE), 4, BigInt(BUFFER));
    vcpu.fill(BUFFER, 8, 0xee);
    vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
    expect(control()).toBe(0);
    expect(text(vcpu.read(BUFFER, 4))).toBe('QEMU');
    expect([...vcpu.read(BUFFER + 4, 4)]).toEqual([0xee, 0xee, 0xee, 0xee]);
    expect([vcpu.readl(DESCRIPTOR + 4), vcpu.readl(DESCRIPTOR + 12)]).toEqual([swap(4), swap(BUFFER)]);
  });

  test('reads go on where the last access ended, and give zeros at the end', () => {
    const { vcpu, dev, text } = bench();
    dev.select(KEY.SIGNATURE);
    expect(text(dev.read(1))).toBe('Q');
    vcpu.fill(BUFFER, 16, 0xee);
    expect(dev.dma({ action: 'read', length: 2, address: BUFFER })).toBe(true);
    expect(text(dev.read(1))).toBe('U');
    expect(dev.dma({ action: 'read', length: 3, address: BUFFER + 2 })).toBe(true);
    expect([...vcpu.read(BUFFER, 6)]).toEqual([0x45, 0x4d, 0, 0, 0, 0xee]);
  });

  test('skip', () => {
    const { dev, text } = bench();
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'skip', length: 2 })).toBe(true);
    expect(text(dev.read(2))).toBe('MU');
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'skip', length: 0xffff_ffff })).toBe(true);
    expect([...dev.read(1)]).toEqual([0]);
  });

  test('select alone', () => {
    const { dev, text } = bench();
    dev.select(KEY.ID);
    expect(dev.dma({ key: KEY.SIGNATURE })).toBe(true);
    expect(text(dev.read(4))).toBe('QEMU');
  });

  test('nothing at all', () => {
    const { dev, text } = bench();
    expect(text(dev.read(1))).toBe('Q');
    expect(dev.dma({ length: 100, address: BUFFER })).toBe(true);
    expect(text(dev.read(1))).toBe('E');
  });

  test('read comes before write, write before skip', () => {
    const { vcpu, dev, describe: put, control, swap, text } = bench();
    const { READ, WRITE, SKIP } = DMA_CONTROL;
    put(READ.mask | WRITE.mask | SKIP.mask, 2, BigInt(BUFFER));
    vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
    expect([control(), text(vcpu.read(BUFFER, 2))]).toEqual([0, 'QE']);
    put(WRITE.mask | SKIP.mask, 1, BigInt(BUFFER));
    vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
    expect([control(), text(dev.read(1))]).toEqual([1, 'M']);
  });

  test('write/every item is read-only', () => {
    const { vcpu, dev, text } = bench();
    vcpu.fill(BUFFER, 4, 0x58);
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'write', length: 4, address: BUFFER })).toBe(false);
    expect(text(dev.read(4))).toBe('QEMU');
    expect(dev.dma({ key: 0x3fff, action: 'write', length: 1, address: BUFFER })).toBe(false);
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'write', length: 0, address: BUFFER })).toBe(true);
  });

  test('a whole file', () => {
    const content = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 0xff);
    const { dev } = bench({ files: part.files({ 'opt/big': content }) });
    const { key, size } = dev.file('opt/big') ?? { key: 0, size: 0 };
    expect(dev.dmaItem(key, size, BUFFER)).toEqual(content);
    expect(dev.readFile('opt/big')).toEqual(content);
  });

  test('the high half is 0 again after an operation, and after a reset', () => {
    const { vcpu, machine, describe: put, control, swap, events } = bench();
    const run = (): number => {
      put(DMA_CONTROL.SELECT.mask, 0, 0n);
      vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
      return control();
    };
    vcpu.outl(DMA_HIGH, swap(1));
    expect(run()).toBe(DMA_CONTROL.SELECT.mask);
    expect(events().length).toBeGreaterThan(0);
    expect(run()).toBe(0);
    vcpu.outl(DMA_HIGH, swap(1));
    machine.reset('warm');
    expect(run()).toBe(0);
  });

  test('above 4 GiB', () => {
    const high = 0x1_0000_0000;
    const { vcpu } = testMachine((m) => {
      m.ram(high, 0x1000);
      m.add('fw_cfg');
    });
    const dev = part.device(vcpu, { descriptor: high });
    expect(String.fromCharCode(...dev.dmaItem(KEY.SIGNATURE, 4, high + 0x100))).toBe('QEMU');
  });

  test('addresses that there are not', () => {
    const { vcpu, dev, describe: put, control, swap, events } = bench();
    put(DMA_CONTROL.READ.mask, 4, 2n ** 53n - 3n);
    vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
    expect(control()).toBe(DMA_CONTROL.ERROR.mask);
    put(DMA_CONTROL.READ.mask, 0, 2n ** 64n - 1n);
    vcpu.outl(DMA_LOW, swap(DESCRIPTOR));
    expect(control()).toBe(0);
    expect(events()).toEqual([]);
    vcpu.outl(DMA_HIGH, 0xffff_ffff);
    vcpu.outl(DMA_LOW, 0xffff_ffff);
    expect(events()).toEqual(['DMA descriptor at 0x10000000000000000: no such address']);
    expect(dev.present()).toBe(true);
    expect(() => dev.dmaItem(KEY.SIGNATURE, 4, 2 ** 53)).toThrow('DMA of 4 bytes of the item 0x0 failed');
  });

  test('a length of 4 GiB past the end of RAM', () => {
    const { vcpu, dev, bound } = bench();
    vcpu.fill(RAM - 0x1000, 0x1000, 0xee);
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'read', length: 0xffff_ffff, address: RAM - 0x1000 })).toBe(true);
    expect(vcpu.read(RAM - 0x1000, 5)).toEqual(new Uint8Array([0x51, 0x45, 0x4d, 0x55, 0]));
    expect(vcpu.readb(RAM - 1)).toBe(0);
    expect(bound.bus.fault).toBeUndefined();
  });

  test('over its own descriptor', () => {
    const { vcpu, dev, control } = bench();
    expect(dev.dma({ key: KEY.SIGNATURE, action: 'read', length: 16, address: DESCRIPTOR })).toBe(true);
    expect(control()).toBe(0);
    expect([...vcpu.read(DESCRIPTOR + 4, 12)]).toEqual(Array(12).fill(0));
  });

  test('the address takes halves of 4 bytes alone', () => {
    const { vcpu, events } = bench();
    vcpu.outb(DMA_LOW + 3, 0x10);
    vcpu.outw(DMA_LOW, 0x10);
    expect(events()).toEqual([
      'write of 1 bytes to the DMA address, which takes halves of 4',
      'write of 2 bytes to the DMA address, which takes halves of 4',
    ]);
  });
});

describe('any accesses', () => {
  test('no throw, and a snapshot in the middle changes nothing', () => {
    const access = fc.record({
      port: fc.constantFrom(IO_BASE, DATA, DMA_HIGH, DMA_LOW, DMA_LOW),
      size: fc.constantFrom(1, 2, 4),
      value: fc.oneof(fc.constantFrom(0, 0x19, 0x21, 0x8002, 0x0010_0000), fc.nat(0xffff_ffff)),
      write: fc.boolean(),
    });
    const run = (
      accesses: readonly (typeof access extends fc.Arbitrary<infer A> ? A : never)[],
      at: number,
    ): number[] => {
      const { vcpu, machine, dev, bound } = bench();
      const seen: number[] = [];
      for (const [i, { port, size, value, write }] of accesses.entries()) {
        if (!write) seen.push(size === 1 ? vcpu.inb(port) : size === 2 ? vcpu.inw(port) : vcpu.inl(port));
        else if (size === 1) vcpu.outb(port, value & 0xff);
        else if (size === 2) vcpu.outw(port, value & 0xffff);
        else vcpu.outl(port, value);
        if (i !== at) continue;
        const snapshot = machine.snapshot();
        dev.dma({ key: KEY.FILE_DIR, action: 'read', length: 40, address: BUFFER });
        machine.restore(snapshot);
      }
      expect(bound.bus.fault).toBeUndefined();
      return [...seen, ...dev.read(4)];
    };
    fc.assert(
      fc.property(fc.array(access, { minLength: 5, maxLength: 40 }), fc.nat(30), (accesses, at) => {
        expect(run(accesses, at)).toEqual(run(accesses, -1));
      }),
      { numRuns: 60 },
    );
  });
});
