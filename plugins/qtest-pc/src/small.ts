import { device, hex, isaIrq, number, states, type Cases, type Context } from './support.ts';

/** Events of pvpanic, by the outputs that tell of them. */
const EVENTS = { panicked: 0x01, crashloaded: 0x02, shutdown: 0x04 } as const;

interface Pvpanic {
  readonly port: number;
  /** How often each event has been signalled. */
  signalled(): number[];
}

function pvpanic(context: Context): Pvpanic {
  const part = device(context, 'pvpanic');
  return {
    port: number(part, 'ioBase', 0x505),
    signalled: () => Object.keys(EVENTS).map((name) => context.machine.irq(part.id, name).edges),
  };
}

interface Testdev {
  readonly io: number;
  readonly irqs: number;
  readonly memory: number;
}

function testdev(context: Context): Testdev {
  const part = device(context, 'pc-testdev');
  return {
    io: number(part, 'ioBase', 0xe0),
    irqs: number(part, 'irqBase', 0x2000),
    memory: number(part, 'memoryBase', 0xff00_0000),
  };
}

export const small: Cases = {
  'pvpanic/capabilities': states(
    'The port reads as the events that the device knows; of them panicked is one.',
    (context) => {
      const { assert, vcpu } = context;
      const { port } = pvpanic(context);
      const known = vcpu.inb(port);
      assert.equal(known & 0x01, 0x01, 'pvpanic.rst, ISA Interface: bit 0, the guest has panicked');
      assert.equal(known & 0xf8, 0, 'pvpanic.rst, Bit Definition: bits 3 to 7 are reserved');
      vcpu.outb(port, 0);
      assert.equal(vcpu.inb(port), known, 'pvpanic.rst, ISA Interface: a write changes nothing in it');
    },
  ),

  'pvpanic/events': states('Each bit that is written is its event, and no other.', (context) => {
    const { assert, vcpu } = context;
    const { port, signalled } = pvpanic(context);
    const known = vcpu.inb(port);
    const expected = signalled();
    for (const [n, bit] of Object.values(EVENTS).entries()) {
      if ((known & bit) === 0) continue;
      vcpu.outb(port, bit);
      expected[n] = (expected[n] ?? 0) + 1;
      assert.deepEqual(signalled(), expected, `pvpanic.rst, Bit Definition: ${hex(bit)}`);
    }
  }),

  'pvpanic/reserved': states('Reserved bits, and 0, are no events.', (context) => {
    const { assert, vcpu } = context;
    const { port, signalled } = pvpanic(context);
    const before = signalled();
    for (const value of [0x00, 0x08, 0x10, 0x20, 0x40, 0x80, 0xf8]) {
      vcpu.outb(port, value);
      assert.deepEqual(signalled(), before, `pvpanic.rst, Bit Definition: ${hex(value)}`);
    }
  }),

  'testdev/data': states('The data register takes accesses of 1, 2 and 4 bytes, each at its lanes.', (context) => {
    const { assert, vcpu } = context;
    const { io } = testdev(context);
    vcpu.outl(io, 0x1234_5678);
    assert.equal(vcpu.inl(io), 0x1234_5678, 'pc-testdev.c: a dword');
    assert.equal(vcpu.inb(io), 0x78, 'pc-testdev.c: its low byte');
    assert.equal(vcpu.inw(io), 0x5678, 'pc-testdev.c: its low word');
    vcpu.outw(io, 0xabcd);
    vcpu.outb(io, 0xef);
    assert.equal(vcpu.inw(io), 0xabef, 'pc-testdev.c: the byte goes over the word');
  }),

  'testdev/bytes': states('Eight ports further on a wider access of the data register comes as bytes.', (context) => {
    const { assert, vcpu } = context;
    const { io } = testdev(context);
    vcpu.outl(io + 8, 0x8765_4321);
    assert.equal(vcpu.inl(io), 0x8765_4321, 'pc-testdev.c: four bytes');
    vcpu.outl(io, 0x1357_9bdf);
    assert.deepEqual(
      [0, 1, 2, 3].map((n) => vcpu.inb(io + 8 + n)),
      [0xdf, 0x9b, 0x57, 0x13],
      'pc-testdev.c: the same register',
    );
    vcpu.outw(io + 9, 0x2468);
    assert.equal(vcpu.inl(io + 8), 0x1324_68df, 'pc-testdev.c: a word across the middle');
  }),

  'testdev/flush': states('What flushes a page of memory leaves what is in it.', (context) => {
    const { assert, vcpu } = context;
    const { io } = testdev(context);
    vcpu.writel(0x2_0000, 0x1234_5678);
    vcpu.outl(io + 4, 0x2_0000);
    assert.equal(vcpu.readl(0x2_0000), 0x1234_5678, 'pc-testdev.c: the page is there as before');
  }),

  'testdev/irq-lines': states('Port 2000h + n drives IRQ n: not 0 is high.', (context) => {
    const { assert, vcpu } = context;
    const { irqs } = testdev(context);
    for (const irq of [3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15]) {
      const line = isaIrq(context, irq);
      const { edges } = line;
      for (const [value, level] of [
        [1, true],
        [0x80, true],
        [0, false],
      ] as const) {
        vcpu.outb(irqs + irq, value);
        assert.equal(line.level, level, `pc-testdev.c: IRQ ${irq} after ${hex(value)}`);
      }
      assert.equal(line.edges - edges, 1, `pc-testdev.c: IRQ ${irq} rose once`);
    }
  }),

  'testdev/memory': states('Its 64 KiB of memory keep what is written, in accesses of each size.', (context) => {
    const { assert, vcpu } = context;
    const { memory } = testdev(context);
    for (const offset of [0, 0x8004, 0xfffc]) {
      vcpu.writel(memory + offset, 0x89ab_cdef);
      assert.equal(vcpu.readl(memory + offset), 0x89ab_cdef, `pc-testdev.c: at ${hex(offset, 4)}`);
      vcpu.writew(memory + offset + 2, 0x0123);
      vcpu.writeb(memory + offset, 0x45);
      assert.equal(vcpu.readl(memory + offset), 0x0123_cd45, `pc-testdev.c: by parts, at ${hex(offset, 4)}`);
    }
    vcpu.writel(memory, 0);
    assert.equal(vcpu.readl(memory + 0xfffc), 0x0123_cd45, 'pc-testdev.c: each address is its own');
  }),

  'pc/unmapped-port': states('Where nobody answers the bus reads as all ones, and takes writes.', (context) => {
    const { assert, vcpu } = context;
    for (const port of [0x1f80, 0xfff0]) {
      vcpu.outl(port, 0);
      assert.deepEqual(
        [vcpu.inb(port), vcpu.inw(port), vcpu.inl(port)],
        [0xff, 0xffff, 0xffff_ffff],
        `port ${hex(port, 4)}`,
      );
    }
  }),
};
