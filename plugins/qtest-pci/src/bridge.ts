import { pci } from '@qtest/parts/pc';
import { BUFFER, driver, IRQ_STATUS, LIVENESS, type Edu } from './edu-driver.ts';
import { bus, hex, name, states, type Bus, type Cases, type Context, type PciFunction } from './support.ts';
import { PATTERN, RAM_BYTES } from './testfn.ts';

/** A number alone is a section of the PCI-to-PCI Bridge Architecture Specification 1.2 here. */

const { BRIDGE, BRIDGE_CONTROL, HEADER } = pci;

const FLOATING = 0xffff_ffff;
const RAM = 0x3_0000;

/** Bridges of bus 0, and what is behind them. */
interface Behind {
  readonly on: Bus;
  /** Every function, the buses being numbered. */
  readonly all: readonly PciFunction[];
  /** The first bridge of bus 0 that has functions behind it. */
  readonly bridge: PciFunction;
  /** The functions right behind it. */
  readonly near: readonly PciFunction[];
  /** A bridge behind it, with its functions. */
  nested(): { readonly inner: PciFunction; readonly far: readonly PciFunction[] };
  /** The first of the kind right behind the bridge; the case is skipped when there is none. */
  one(part: keyof typeof BEHIND): PciFunction;
}

/** Functions that the cases know behind a bridge. */
const BEHIND = {
  edu: { vendor: 0x1234, device: 0x11e8 },
  'pci-testdev': { vendor: 0x1b36, device: 0x0005 },
  'pci-testfn': { vendor: 0x1234, device: 0x7e57 },
} as const;

function is(fn: PciFunction, part: keyof typeof BEHIND): boolean {
  return fn.vendor === BEHIND[part].vendor && fn.device === BEHIND[part].device;
}

const secondaryOf = (bridge: PciFunction): number => bridge.readb(BRIDGE.SECONDARY_BUS);

/** The buses numbered, depth first. */
function numbered(context: Context): Behind {
  const { skip } = context;
  const on = bus(context);
  on.all('pci-bridge');
  const all = on.host.enumerate();
  const behind = (bridge: PciFunction): PciFunction[] => all.filter((fn) => fn.bus === secondaryOf(bridge));
  const bridges = all.filter(pci.isBridge);
  const bridge = bridges.find((one) => one.bus === 0 && behind(one).length > 0);
  if (bridge === undefined) return skip('no bridge of this machine has a function behind it');
  const near = behind(bridge);
  return {
    on,
    all,
    bridge,
    near,
    nested() {
      const inner = near.find((fn) => pci.isBridge(fn) && behind(fn).length > 0);
      return inner === undefined ? skip('this machine has no bridge behind a bridge') : { inner, far: behind(inner) };
    },
    one: (part) => near.find((fn) => is(fn, part)) ?? skip(`there is no ${part} behind the bridge at ${name(bridge)}`),
  };
}

/** Numbered, and every BAR with an address, its windows open. */
function assigned(context: Context): Behind {
  const behind = numbered(context);
  behind.on.host.assign();
  return behind;
}

/** The edu right behind the bridge, ready for use. */
function eduBehind(context: Context): Behind & { dev: Edu } {
  const behind = assigned(context);
  return { ...behind, dev: driver(context.vcpu, behind.one('edu')) };
}

const header: Cases = {
  'bridge/header': states(
    'A bridge has a type 1 header and the class code of one, and forwards nothing at reset.',
    (context) => {
      const { assert } = context;
      for (const bridge of bus(context).all('pci-bridge')) {
        assert.equal(bridge.readb(HEADER.HEADER_TYPE) & 0x7f, 1, `3.2.4.6: the layout of ${name(bridge)}`);
        assert.equal(bridge.classCode >>> 8, 0x0604, `3.2.4.4: a PCI-to-PCI bridge (${name(bridge)})`);
        assert.equal(bridge.readw(HEADER.COMMAND), 0, '3.2.4.3: nothing is enabled');
        assert.equal(bridge.readl(BRIDGE.PRIMARY_BUS), 0, '3.2.5.2 to 3.2.5.5: bus numbers and latency are 0');
        assert.equal(bridge.readw(BRIDGE.CONTROL), 0, '3.2.5.18: bridge control is 0');
      }
    },
  ),

  'bridge/registers': states('Bus numbers, bases, limits and bridge control read as they were written.', (context) => {
    const { assert } = context;
    const bridge = bus(context).one('pci-bridge');
    for (const value of [0x5a, 0xa5, 0]) {
      for (const offset of [BRIDGE.PRIMARY_BUS, BRIDGE.SECONDARY_BUS, BRIDGE.SUBORDINATE_BUS]) {
        bridge.writeb(offset, value);
        assert.equal(bridge.readb(offset), value, `3.2.5.2 to 3.2.5.4: ${hex(offset)} has eight bits`);
      }
    }
    for (const offset of [BRIDGE.IO_BASE, BRIDGE.IO_LIMIT]) {
      const type = bridge.readb(offset) & 0xf;
      assert(type <= 1, '3.2.5.6: 16 or 32 address bits');
      bridge.writeb(offset, 0xff);
      assert.equal(bridge.readb(offset), 0xf0 | type, '3.2.5.6: the lower four bits are read-only');
    }
    for (const offset of [BRIDGE.MEMORY_BASE, BRIDGE.MEMORY_LIMIT]) {
      bridge.writew(offset, 0xffff);
      assert.equal(bridge.readw(offset), 0xfff0, '3.2.5.8: the lower four bits are 0');
    }
    for (const offset of [BRIDGE.PREFETCH_BASE, BRIDGE.PREFETCH_LIMIT]) {
      const type = bridge.readw(offset) & 0xf;
      assert(type <= 1, '3.2.5.9: 32 or 64 address bits');
      bridge.writew(offset, 0xffff);
      assert.equal(bridge.readw(offset), 0xfff0 | type, '3.2.5.9: the lower four bits are read-only');
      if (type === 0) continue;
      const upper = offset === BRIDGE.PREFETCH_BASE ? BRIDGE.PREFETCH_BASE_UPPER : BRIDGE.PREFETCH_LIMIT_UPPER;
      for (const value of [0x89ab_cdef, 0x7654_3210]) {
        bridge.writel(upper, value);
        assert.equal(bridge.readl(upper), value, '3.2.5.10: bits 63:32 are read/write');
      }
    }
    const { PARITY, SERR, ISA, VGA, MASTER_ABORT, RESET } = BRIDGE_CONTROL;
    for (const field of [PARITY, SERR, ISA, VGA, MASTER_ABORT, RESET]) {
      bridge.writew(BRIDGE.CONTROL, field.mask);
      assert.equal(bridge.readw(BRIDGE.CONTROL), field.mask, `3.2.5.18: ${field.name} can be set by itself`);
    }
    bridge.writew(BRIDGE.CONTROL, 0);
  }),

  'bridge/secondary-status': states('The secondary status can be cleared, and not set.', (context) => {
    const { assert } = context;
    const bridge = bus(context).one('pci-bridge');
    const before = bridge.readw(BRIDGE.SECONDARY_STATUS);
    for (const value of [0xffff, 0, 0x5555]) {
      bridge.writew(BRIDGE.SECONDARY_STATUS, value);
      assert.equal(bridge.readw(BRIDGE.SECONDARY_STATUS), before, '3.2.5.7: nothing was set, nothing can be');
    }
  }),
};

const config: Cases = {
  'bridge/config/unprogrammed': states('A bridge without bus numbers forwards no configuration cycle.', (context) => {
    const { assert } = context;
    const on = bus(context);
    on.all('pci-bridge');
    const before = on.host.scan().map(name);
    for (let n = 1; n < 256; n++) {
      for (const slot of [0, 1, 12, 31])
        assert.equal(on.host.read({ bus: n, slot }, 0, 2), 0xffff, `3.1.2.1.1: nobody answers on bus ${n}`);
    }
    const after = on.host.enumerate().filter((fn) => fn.bus === 0);
    assert.deepEqual(before, after.map(name), '3.1.2.1.1: nor does what is behind a bridge on bus 0');
  }),

  'bridge/config/secondary': states('Cycles to the secondary bus come to it, whatever its number.', (context) => {
    const { assert } = context;
    const { on, bridge, near } = numbered(context);
    const slots = near.map(({ slot }) => slot);
    for (const n of [1, 5, 0x80, 0xff]) {
      bridge.writeb(BRIDGE.SUBORDINATE_BUS, n);
      bridge.writeb(BRIDGE.SECONDARY_BUS, n);
      const found = slots.filter((slot) => on.host.read({ bus: n, slot }, 0, 2) !== 0xffff);
      assert.deepEqual(found, slots, `3.1.2.1.1: type 1 becomes type 0 on bus ${n}`);
      const before = n === 1 ? 2 : 1;
      assert.equal(
        on.host.at({ bus: before, slot: slots[0] ?? 0 }),
        undefined,
        `3.1.2.1.1: nobody is on bus ${before}`,
      );
    }
  }),

  'bridge/config/subordinate': states('Cycles beyond the subordinate bus number are not forwarded.', (context) => {
    const { assert } = context;
    const { on, bridge, nested } = numbered(context);
    const { inner, far } = nested();
    const [fn] = far;
    if (fn === undefined) throw new Error('nested() gives some');
    assert(on.host.at(fn) !== undefined, '3.2.5.4: it is reached');
    bridge.writeb(BRIDGE.SUBORDINATE_BUS, secondaryOf(inner) - 1);
    assert.equal(on.host.at(fn), undefined, '3.2.5.4: its bus is beyond the last behind the bridge');
    bridge.writeb(BRIDGE.SUBORDINATE_BUS, secondaryOf(inner));
    assert(on.host.at(fn) !== undefined, '3.2.5.4: and now it is the last');
  }),

  'bridge/config/nested': states(
    'Behind a bridge behind a bridge each function has a configuration space of its own.',
    (context) => {
      const { assert } = context;
      const { all } = numbered(context);
      for (const [n, fn] of all.entries()) fn.interruptLine = 0x20 + n;
      for (const [n, fn] of all.entries()) assert.equal(fn.interruptLine, 0x20 + n, `3.1.2.1: ${name(fn)}`);
    },
  ),

  'bridge/enumeration': states(
    'Numbered depth first, the buses behind a bridge are those from its secondary to its subordinate.',
    (context) => {
      const { assert } = context;
      const { all } = numbered(context);
      const buses = [...new Set(all.map((fn) => fn.bus))];
      for (const bridge of all.filter(pci.isBridge)) {
        const [primary, secondary, subordinate] = [
          BRIDGE.PRIMARY_BUS,
          BRIDGE.SECONDARY_BUS,
          BRIDGE.SUBORDINATE_BUS,
        ].map((at) => bridge.readb(at));
        if (secondary === undefined || subordinate === undefined) throw new Error('three were read');
        assert.equal(primary, bridge.bus, `3.2.5.2: the primary bus of ${name(bridge)} is the one it is on`);
        assert(secondary > bridge.bus && subordinate >= secondary, `3.2.5.3, 3.2.5.4: ${name(bridge)} leads on`);
      }
      assert.equal(new Set(all.map(name)).size, all.length, '3.1.2.1: each function once');
      return { buses: buses.length, functions: all.length };
    },
  ),
};

/** Whether the edu answers at its BAR. */
function answers({ read, write }: Edu): boolean {
  write(LIVENESS, 0x1234_5678);
  return read(LIVENESS) === ~0x1234_5678 >>> 0;
}

const windows: Cases = {
  'bridge/window/memory': states('Memory behind a bridge is reached between its base and its limit.', (context) => {
    const { assert } = context;
    const { bridge, dev } = eduBehind(context);
    const { address = 0 } = dev.fn.bar(0) ?? {};
    assert(answers(dev), '4.3: its address lies in the window');
    pci.setWindow(bridge, 'memory', address + 0x10_0000, address + 0x1f_ffff);
    assert(!answers(dev), '4.3: it lies below the base');
    pci.setWindow(bridge, 'memory', address - 0x10_0000, address - 1);
    assert(!answers(dev), '4.3: it lies above the limit');
    pci.setWindow(bridge, 'memory', address, address);
    assert(answers(dev), '3.2.5.8: the lower 20 bits of a limit are ones: it takes one MiB to its end');
  }),

  'bridge/window/io': states('Ports behind a bridge are reached between its base and its limit.', (context) => {
    const { assert, vcpu } = context;
    const { bridge, nested, near, far } = withPorts(context);
    for (const fn of [...near, ...far]) {
      const { address } = fn.map(0);
      const port = address + 0xc;
      vcpu.outl(port, 0x1234_5678);
      assert.equal(vcpu.inl(port), 0x1234_5678, `4.2: ${name(fn)} at ${hex(port)}`);
      const gates = fn.bus === bridge.readb(BRIDGE.SECONDARY_BUS) ? [bridge] : [bridge, nested];
      for (const gate of gates) {
        const [base, limit] = [gate.readb(BRIDGE.IO_BASE), gate.readb(BRIDGE.IO_LIMIT)];
        pci.closeWindow(gate, 'io');
        assert.equal(vcpu.inl(port), FLOATING, `4.2: not through the closed window of ${name(gate)}`);
        gate.writeb(BRIDGE.IO_BASE, base);
        gate.writeb(BRIDGE.IO_LIMIT, limit);
        assert.equal(vcpu.inl(port), 0x1234_5678, `4.2: and again through the open one of ${name(gate)}`);
      }
    }
  }),

  'bridge/window/prefetch': states(
    'Prefetchable memory behind a bridge is reached through its own window, above 4 GiB too.',
    (context) => {
      const { assert, vcpu } = context;
      const behind = numbered(context);
      const { bridge, on } = behind;
      const fn = behind.one('pci-testfn');
      for (const above4g of [false, true]) {
        on.host.assign({ above4g });
        const { address, size } = fn.map(2);
        assert.equal(address >= 2 ** 32, above4g, 'the driver puts it there');
        const look = (): boolean => vcpu.readl(address + RAM_BYTES) === PATTERN + RAM_BYTES;
        assert(look(), `4.5: through the window at ${hex(address)}`);
        pci.closeWindow(bridge, 'prefetch');
        assert(!look(), '4.5: not through the closed one');
        pci.setWindow(bridge, 'prefetch', address + 2 ** 32, address + 2 ** 32 + size - 1);
        assert(!look(), '3.2.5.10: all 64 bits count');
        pci.setWindow(bridge, 'prefetch', address, address + size - 1);
        assert(look(), '4.5: and again through the open one');
      }
    },
  ),

  'bridge/window/part': states('Of a BAR that lies in a window in part, that part is reached.', (context) => {
    const { assert, vcpu } = context;
    const behind = assigned(context);
    const { address, size } = behind.one('pci-testfn').map(2);
    const half = address + size / 2;
    const at = (place: number): boolean => vcpu.readl(place) === PATTERN + (place - address);
    pci.setWindow(behind.bridge, 'prefetch', half, half + size / 2 - 1);
    assert(!at(half - 4), '4.5: below the base nothing is forwarded');
    assert(at(half), '4.5: from the base on it is, at the offsets that it has');
    assert(at(address + size - 4), '4.5: up to the end of the BAR');
  }),

  'bridge/window/closed': states('A window whose base is above its limit is closed.', (context) => {
    const { assert } = context;
    const { bridge, dev } = eduBehind(context);
    const { address = 0 } = dev.fn.bar(0) ?? {};
    assert(answers(dev), '4.3: the window is open');
    pci.setWindow(bridge, 'memory', address + 0x10_0000, address);
    assert(!answers(dev), '4.3: a base above the limit is no window at all');
  }),

  'bridge/window/command': states(
    'A bridge forwards nothing to its secondary bus while its command register does not let it.',
    (context) => {
      const { assert, vcpu } = context;
      const { bridge, near } = withPorts(context);
      const [fn] = near;
      if (fn === undefined) throw new Error('withPorts() gives some');
      const port = fn.map(0).address + 0xc;
      const memory = fn.map(1).address + 0x8;
      vcpu.outl(port, 0x1357_9bdf);
      vcpu.writel(memory, 0x2468_ace0);
      const look = (): number[] => [vcpu.inl(port), vcpu.readl(memory)];
      assert.deepEqual(look(), [0x1357_9bdf, 0x2468_ace0], '3.2.4.3: both spaces are enabled');
      bridge.enable({ io: false });
      assert.deepEqual(look(), [FLOATING, 0x2468_ace0], '3.2.4.3: I/O is not');
      bridge.enable({ io: true, memory: false });
      assert.deepEqual(look(), [0x1357_9bdf, FLOATING], '3.2.4.3: memory is not');
      bridge.enable({ memory: true, master: false });
      assert.deepEqual(look(), [0x1357_9bdf, 0x2468_ace0], '3.2.4.3: Bus Master does not matter to that');
    },
  ),

  'bridge/window/nested': states('Behind two bridges a function is reached if both let it be.', (context) => {
    const { assert, vcpu, skip } = context;
    const behind = assigned(context);
    const { inner, far } = behind.nested();
    const fn = far.find((one) => is(one, 'edu')) ?? skip('there is no edu behind two bridges');
    const dev = driver(vcpu, fn);
    assert(answers(dev), '4.3: through both windows');
    for (const bridge of [inner, behind.bridge]) {
      bridge.enable({ memory: false });
      assert(!answers(dev), `3.2.4.3: not without ${name(bridge)}`);
      bridge.enable({ memory: true });
      assert(answers(dev), `3.2.4.3: and with it again`);
    }
  }),

  'bridge/bios-setup': states('Numbered and assigned, everything behind bridges answers at its place.', (context) => {
    const { assert, vcpu } = context;
    const { all } = assigned(context);
    let bars = 0;
    for (const fn of all.filter((one) => one.bus > 0)) {
      for (const { bar, kind, size } of fn.bars()) {
        const { address } = fn.map(bar);
        assert.equal(address % size, 0, `6.2.5.1 of PCI: BAR ${bar} of ${name(fn)} is aligned`);
        bars++;
        if (is(fn, 'pci-testdev'))
          assert.equal(kind === 'io' ? vcpu.inb(address + 8) : vcpu.readb(address + 8), 0, `4.2, 4.3: ${name(fn)}`);
      }
      if (is(fn, 'edu')) assert.equal(driver(vcpu, fn).read(0), 0x0100_00ed, `4.3: ${name(fn)} answers`);
    }
    return { bars };
  }),
};

/** A pci-testfn right behind the bridge, and one behind the nested one, with ports. */
function withPorts(context: Context): {
  bridge: PciFunction;
  nested: PciFunction;
  near: readonly PciFunction[];
  far: readonly PciFunction[];
} {
  const behind = assigned(context);
  const { inner, far } = behind.nested();
  return {
    bridge: behind.bridge,
    nested: inner,
    near: [behind.one('pci-testfn')],
    far: far.filter((fn) => is(fn, 'pci-testfn')),
  };
}

const traffic: Cases = {
  'bridge/dma/master-bit': states(
    'DMA from behind a bridge comes out while the bridge is a bus master, too.',
    (context) => {
      const { assert, vcpu } = context;
      const { bridge, dev } = eduBehind(context);
      dev.fn.enable({ master: true });
      const transfer = (value: number): number => {
        vcpu.writel(RAM, value);
        dev.dma({ from: RAM, to: BUFFER, count: 4 });
        vcpu.writel(RAM + 4, 0);
        dev.dma({ from: BUFFER, to: RAM + 4, count: 4, toRam: true });
        return vcpu.readl(RAM + 4);
      };
      assert.equal(transfer(0x1111_1111), 0x1111_1111, '3.2.4.3: both are bus masters');
      bridge.enable({ master: false });
      assert.equal(transfer(0x2222_2222), 0, '3.2.4.3: the bridge makes no access for it');
      bridge.enable({ master: true });
      assert.equal(transfer(0x3333_3333), 0x3333_3333, '3.2.4.3: and again');
      dev.fn.enable({ master: false });
      assert.equal(transfer(0x4444_4444), 0, '6.2.2 of PCI: the function’s own bit counts as ever');
    },
  ),

  'bridge/dma/nested-master-bit': states(
    'From behind two bridges DMA needs the bus-master bits of both.',
    (context) => {
      const { assert, vcpu, skip } = context;
      const behind = assigned(context);
      const { inner, far } = behind.nested();
      const dev = driver(vcpu, far.find((one) => is(one, 'edu')) ?? skip('there is no edu behind two bridges'));
      dev.fn.enable({ master: true });
      const reaches = (): boolean => {
        vcpu.writel(RAM, 0);
        dev.dma({ from: BUFFER, to: RAM, count: 4, toRam: true });
        return vcpu.readl(RAM) === 0x7777_7777;
      };
      vcpu.writel(RAM, 0x7777_7777);
      dev.dma({ from: RAM, to: BUFFER, count: 4 });
      assert(reaches(), '3.2.4.3: all three are bus masters');
      for (const bridge of [inner, behind.bridge]) {
        bridge.enable({ master: false });
        assert(!reaches(), `3.2.4.3: not without ${name(bridge)}`);
        bridge.enable({ master: true });
      }
      assert(reaches(), '3.2.4.3: and again');
    },
  ),

  'bridge/dma/message': states(
    'A message from behind a bridge is a write of a bus master, and comes out as one.',
    (context) => {
      const { assert, vcpu } = context;
      const { bridge, dev } = eduBehind(context);
      dev.fn.enable({ master: true });
      dev.fn.enableMsi({ address: RAM, data: 0x41 });
      bridge.enable({ master: false });
      dev.raise();
      assert.equal(vcpu.readl(RAM), 0, '3.2.4.3: not while the bridge is none');
      bridge.enable({ master: true });
      dev.raise();
      assert.equal(vcpu.readl(RAM), 0x41, '3.2.4.3: and now it does');
    },
  ),

  'bridge/intx/swizzle': states(
    'INTx# behind a bridge is turned by its slot, and then goes where the bridge’s own would.',
    (context) => {
      const { assert, vcpu } = context;
      const { on, all } = assigned(context);
      const devs = all.filter((fn) => fn.bus > 0 && is(fn, 'edu')).map((fn) => driver(vcpu, fn));
      for (const dev of devs) {
        let { bus: n, slot } = dev.fn;
        let pin = dev.fn.interruptPin - 1;
        while (n !== 0) {
          const bridge = all.find((fn) => pci.isBridge(fn) && secondaryOf(fn) === n);
          if (bridge === undefined) throw new Error('enumerated');
          pin = (pin + slot) % 4;
          ({ bus: n, slot } = bridge);
        }
        dev.raise();
        const levels = [0, 1, 2, 3].filter((line) => on.pirq(line).level);
        assert.deepEqual(levels, [(pin + slot + 3) % 4], `9.1, table 9-1: ${name(dev.fn)} and its line alone`);
        assert.equal(on.host.intx(dev.fn)?.pirq, levels[0], 'and the driver finds it');
        dev.acknowledge();
        assert.deepEqual(
          [0, 1, 2, 3].filter((line) => on.pirq(line).level),
          [],
          '9.1: it falls with the request',
        );
      }
      return { devices: devs.length };
    },
  ),

  'bridge/intx/routing': states('A request behind a bridge reaches the IRQ to which its line is routed.', (context) => {
    const { assert } = context;
    const { on, dev } = eduBehind(context);
    const { pirq = 0 } = on.host.intx(dev.fn) ?? {};
    on.one('piix3');
    on.host.route(pirq, 10);
    assert.equal(on.host.intx(dev.fn)?.irq, 10, '82371SB 2.2.7: the route');
    dev.raise();
    assert(on.irq(10).level, '82371SB 2.2.7: IRQ 10 is high');
    dev.acknowledge();
    assert(!on.irq(10).level, '82371SB 2.2.7: and low again');
  }),

  'bridge/intx/shared': states(
    'A line on which functions behind a bridge and before it meet is high while one asks.',
    (context) => {
      const { assert, vcpu, skip } = context;
      const { on, all } = assigned(context);
      const edus = all.filter((fn) => is(fn, 'edu'));
      const lineOf = (fn: PciFunction): number | undefined => on.host.intx(fn)?.pirq;
      const behind = edus.filter((fn) => fn.bus > 0);
      const pair = behind.flatMap((one) =>
        edus.filter((fn) => fn.bus === 0 && lineOf(fn) === lineOf(one)).map((fn) => [one, fn] as const),
      );
      const [[one, other] = []] = pair;
      if (one === undefined || other === undefined)
        return skip('no edu of bus 0 is on the line of one behind a bridge');
      const line = on.pirq(lineOf(one) ?? 0);
      const [a, b] = [driver(vcpu, one), driver(vcpu, other)];
      a.raise();
      b.raise();
      a.acknowledge();
      assert(line.level, '9.1, 2.2.6 of PCI: the one before the bridge still asks');
      a.raise();
      b.acknowledge();
      assert(line.level, '9.1, 2.2.6 of PCI: the one behind it still asks');
      a.acknowledge();
      assert(!line.level, '9.1, 2.2.6 of PCI: nobody does');
    },
  ),
};

const reset: Cases = {
  'bridge/reset/secondary': states(
    'Secondary Bus Reset resets what is behind the bridge, and nothing else.',
    (context) => {
      const { assert, vcpu, skip } = context;
      const { on, all, bridge, dev } = eduBehind(context);
      const other = driver(
        vcpu,
        all.find((fn) => fn.bus === 0 && is(fn, 'edu')) ?? skip('there is no edu before the bridge'),
      );
      const { address = 0 } = dev.fn.bar(0) ?? {};
      dev.raise(0x20);
      other.raise(0x10);
      const numbers = bridge.readl(BRIDGE.PRIMARY_BUS);
      bridge.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
      bridge.writew(BRIDGE.CONTROL, 0);
      assert.equal(bridge.readl(BRIDGE.PRIMARY_BUS), numbers, '3.2.5.18: the bridge itself is as it was');
      assert.equal(dev.fn.readw(HEADER.COMMAND), 0, '3.2.5.18: the edu behind it is reset');
      assert.equal(dev.fn.bar(0)?.address, 0, '3.2.5.18: its BAR too');
      const line = on.host.intx(dev.fn)?.pirq;
      if (line !== on.host.intx(other.fn)?.pirq) assert(!on.pirq(line ?? 0).level, '3.2.5.18: and it asks no more');
      dev.fn.setBar(0, address);
      dev.fn.enable({ memory: true });
      assert.equal(dev.read(IRQ_STATUS), 0, '3.2.5.18: nor has it anything to ask for');
      assert.equal(other.read(IRQ_STATUS), 0x10, '3.2.5.18: the one before the bridge is not touched');
    },
  ),

  'bridge/reset/nested': states('Secondary Bus Reset goes on through the bridges behind.', (context) => {
    const { assert } = context;
    const { bridge, nested, all } = numbered(context);
    const { inner, far } = nested();
    bridge.writew(BRIDGE.CONTROL, BRIDGE_CONTROL.RESET.mask);
    bridge.writew(BRIDGE.CONTROL, 0);
    assert.equal(inner.readl(BRIDGE.PRIMARY_BUS), 0, '3.2.5.18: the inner bridge has no numbers any more');
    for (const fn of far)
      assert.equal(fn.readw(HEADER.VENDOR_ID), 0xffff, `3.1.2.1.1: so that ${name(fn)} is not reached`);
    assert.equal(bus(context).host.enumerate().length, all.length, '3.1.2.1: enumerated anew, all are there');
  }),

  'bridge/reset/machine': states('A reset of the machine closes every bridge.', (context) => {
    const { assert, machine, vcpu } = context;
    const { bridge, near, dev } = eduBehind(context);
    const { address = 0 } = dev.fn.bar(0) ?? {};
    machine.reset();
    assert.equal(bridge.readl(BRIDGE.PRIMARY_BUS), 0, '3.2.5: its numbers are 0');
    assert.equal(bridge.readw(HEADER.COMMAND), 0, '3.2.4.3: nothing is enabled');
    for (const fn of near) assert.equal(fn.readw(HEADER.VENDOR_ID), 0xffff, `3.1.2.1.1: ${name(fn)} is out of reach`);
    assert.equal(vcpu.readl(address), FLOATING, '4.3: and so is its BAR');
  }),

  'bridge/snapshot': states(
    'A machine that is restored has its bus numbers and windows where they were.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const { bridge, dev, on } = eduBehind(context);
      const { address = 0 } = dev.fn.bar(0) ?? {};
      dev.raise(0x30);
      const snapshot = machine.snapshot();
      pci.closeWindow(bridge, 'memory');
      bridge.writeb(BRIDGE.SECONDARY_BUS, 0);
      assert.equal(vcpu.readl(address), FLOATING, 'closed');
      machine.restore(snapshot);
      assert.equal(dev.read(IRQ_STATUS), 0x30, 'the window is open at once, and the request there');
      assert(on.host.at(dev.fn) !== undefined, 'so are the bus numbers');
      dev.acknowledge();
    },
    { requires: ['snapshot'] },
  ),
};

export const bridges: Cases = { ...header, ...config, ...windows, ...traffic, ...reset };
