import { bus, hex, states, type Cases, type Context } from './support.ts';

/** The header of QEMU's pci-testdev (QEMU, docs/specs/pci-testdev.rst). */
const TEST = 0;
const WIDTH = 1;
const OFFSET = 4;
const DATA = 8;
const COUNT = 12;
const NAME = 16;

/** Tests of each BAR; those that count a certain value alone. */
const TESTS = [
  { name: 'no-eventfd', matches: true },
  { name: 'wildcard-eventfd', matches: false },
  { name: 'datamatch-eventfd', matches: true },
] as const;

interface Window {
  readonly prefix: string;
  readonly size: number;
  readonly address: number;
  readb(offset: number): number;
  readl(offset: number): number;
  writeb(offset: number, value: number): void;
}

function windows(context: Context): { mmio: Window; io: Window } {
  const { vcpu } = context;
  const fn = bus(context).one('pci-testdev');
  const [{ address: memory }, { address: ports }] = [fn.map(0), fn.map(1)];
  return {
    mmio: {
      prefix: 'mmio',
      size: 4096,
      address: memory,
      readb: (offset) => vcpu.readb(memory + offset),
      readl: (offset) => vcpu.readl(memory + offset),
      writeb: (offset, value) => vcpu.writeb(memory + offset, value),
    },
    io: {
      prefix: 'portio',
      size: 256,
      address: ports,
      readb: (offset) => vcpu.inb(ports + offset),
      readl: (offset) => vcpu.inl(ports + offset),
      writeb: (offset, value) => vcpu.outb(ports + offset, value),
    },
  };
}

/** The test's name, up to its zero. */
function nameOf(window: Window): string {
  let text = '';
  for (let offset = NAME; offset < 64; offset++) {
    const byte = window.readb(offset);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Each test of a BAR counts the writes that its header tells of, and no others. */
function counts({ assert }: Context, window: Window): void {
  for (const [n, test] of TESTS.entries()) {
    window.writeb(TEST, n);
    assert.equal(window.readl(COUNT), 0, 'pci-testdev.rst: selecting a test clears its count');
    assert.equal(window.readb(WIDTH), 1, 'pci-testdev.rst: the width of its accesses');
    const offset = window.readl(OFFSET);
    const data = window.readb(DATA);
    assert(offset > 64 && offset < window.size, `pci-testdev.rst: the offset is in the BAR (${hex(offset)})`);
    for (let i = 1; i <= 8; i++) {
      window.writeb(offset, data);
      assert.equal(window.readl(COUNT), i, `pci-testdev.rst: ${test.name} counts`);
    }
    window.writeb(offset, ~data & 0xff);
    assert.equal(window.readl(COUNT), test.matches ? 8 : 9, `pci-testdev.rst: ${test.name}, another value`);
    const before = window.readl(COUNT);
    window.writeb(offset + 16, data);
    assert.equal(window.readl(COUNT), before, `pci-testdev.rst: ${test.name}, another offset`);
  }
}

export const testdev: Cases = {
  'testdev/header': states('A test that is selected shows its header and its name.', (context) => {
    const { assert } = context;
    for (const window of Object.values(windows(context))) {
      for (const [n, { name }] of TESTS.entries()) {
        window.writeb(TEST, n);
        // QEMU leaves the last byte of the name out of what can be read, its zero.
        assert.equal(nameOf(window), `${window.prefix}-${name}`, 'pci-testdev.rst: the name, a text that ends in 0');
      }
      window.writeb(TEST, TESTS.length);
      assert.equal(window.readb(WIDTH), 0, 'pci-testdev.rst: of a number that no test has the width is 0');
      assert.equal(window.readl(COUNT), 0, 'pci-testdev.rst: and nothing is counted');
    }
  }),

  'testdev/header-read-only': states('Of the header only the test’s number can be written.', (context) => {
    const { assert } = context;
    const { mmio } = windows(context);
    mmio.writeb(TEST, 0);
    const before = [WIDTH, OFFSET, DATA, COUNT, NAME].map(mmio.readb);
    for (const offset of [WIDTH, OFFSET, DATA, COUNT, NAME]) mmio.writeb(offset, 0xff);
    assert.deepEqual([WIDTH, OFFSET, DATA, COUNT, NAME].map(mmio.readb), before, 'pci-testdev.rst: R/O for the guest');
  }),

  'testdev/mmio': states('Each test of the memory BAR counts the writes that it tells of.', (context) =>
    counts(context, windows(context).mmio),
  ),

  'testdev/io': states('Each test of the I/O BAR counts the writes that it tells of.', (context) =>
    counts(context, windows(context).io),
  ),

  'testdev/counter': states('A count goes on over moves of the BAR, and loses not one write.', (context) => {
    const { assert, vcpu } = context;
    const { fn, io } = { fn: bus(context).one('pci-testdev'), io: windows(context).io };
    io.writeb(TEST, 1);
    const offset = io.readl(OFFSET);
    let count = 0;
    for (let n = 0; n < 64; n++) {
      const address = 0xc000 + ((n * 0x700) & 0x3f00);
      fn.setBar(1, address);
      for (let i = 0; i <= n % 5; i++, count++) vcpu.outb(address + offset, n);
      assert.equal(vcpu.inl(address + COUNT), count, `pci-testdev.rst: at ${hex(address)}, move ${n}`);
    }
    return { moves: 64, writes: count };
  }),

  'testdev/two-bars': states('Selecting a test through one BAR ends that of the other.', (context) => {
    const { assert } = context;
    const { io, mmio } = windows(context);
    for (const [window, other] of [
      [io, mmio],
      [mmio, io],
    ] as const) {
      window.writeb(TEST, 0);
      assert.equal(nameOf(window), `${window.prefix}-no-eventfd`, 'pci-testdev.rst: its own test is selected');
      assert.equal(nameOf(other), `${window.prefix}-no-eventfd`, 'QEMU: one header, which both BARs show');
      other.writeb(TEST, TESTS.length);
      assert.equal(window.readb(WIDTH), 0, 'QEMU: through either BAR a test is ended');
    }
  }),

  'pvpanic/events': states(
    'The pvpanic reads as the events that it knows, and signals those that are written.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const on = bus(context);
      const fn = on.one('pvpanic-pci');
      const { id } = on.device(fn);
      const { address } = fn.map(0);
      const names = ['panicked', 'crashloaded', 'shutdown'];
      const edges = (): number[] => names.map((name) => machine.irq(id, name).edges);
      const start = edges();
      const known = vcpu.readb(address);
      assert.equal(known & ~7, 0, 'pvpanic.rst: bits 3 to 7 are reserved');
      for (const [bit] of names.entries()) {
        if (((known >> bit) & 1) === 0) continue;
        vcpu.writeb(address, 1 << bit);
        const expected = start.map((count, n) => (n <= bit && (known >> n) & 1 ? count + 1 : count));
        assert.deepEqual(edges(), expected, `pvpanic.rst: bit ${bit} is ${names[bit]}`);
      }
      assert.equal(vcpu.readb(address), known, 'pvpanic.rst: a write does not change what it knows');
    },
  ),
};
