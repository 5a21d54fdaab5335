import { pci } from '@qtest/parts/pc';
import {
  bus,
  hex,
  name,
  PARTS,
  partOf,
  states,
  type Cases,
  type Context,
  type PartName,
  type PciFunction,
} from './support.ts';

const { CAPABILITY, COMMAND, HEADER, isBridge, MSI, STATUS } = pci;

const MULTIFUNCTION = 0x80;

/** Registers of the header that no software can change: offset and bytes (6.1, 6.2.1, 6.2.4). */
const READ_ONLY = [
  ['Vendor ID', HEADER.VENDOR_ID, 2],
  ['Device ID', HEADER.DEVICE_ID, 2],
  ['Revision ID', HEADER.REVISION_ID, 1],
  ['Class Code', HEADER.CLASS_CODE, 1],
  ['Class Code', HEADER.CLASS_CODE + 1, 2],
  ['Header Type', HEADER.HEADER_TYPE, 1],
  ['Subsystem Vendor ID', HEADER.SUBSYSTEM_VENDOR_ID, 2],
  ['Subsystem ID', HEADER.SUBSYSTEM_ID, 2],
  ['Capabilities Pointer', HEADER.CAPABILITIES, 1],
  ['Interrupt Pin', HEADER.INTERRUPT_PIN, 1],
] as const;

/** Bits of the command register that the specification gives a meaning (table 6-1). */
const COMMAND_BITS = 0x077f;

/** Status bits that tell of a condition: parity errors, aborts, SERR#, and an interrupt request (6.2.3). */
const CONDITIONS = 0xf908;

/** BARs that a part has, by its specification. */
const BARS: Readonly<Record<PartName, readonly number[]>> = {
  i440fx: [],
  piix3: [],
  edu: [0],
  'pci-testdev': [0, 1],
  'pvpanic-pci': [0],
};

/** Functions of these parts that the machine has; the case is skipped when it has none. */
function known(context: Context, ...parts: readonly PartName[]): { fn: PciFunction; part: PartName }[] {
  const found = bus(context)
    .host.scan()
    .flatMap((fn) => {
      const part = partOf(fn);
      return part === undefined || !parts.includes(part) ? [] : [{ fn, part }];
    });
  return found.length > 0 ? found : context.skip(`this machine has no ${parts.join(', no ')}`);
}

/** What QEMU has for tests. */
const TEST_PARTS: readonly PartName[] = ['edu', 'pci-testdev', 'pvpanic-pci'];

/** Functions that are no bridges: those of the chipset have bits of their own. */
function endpoints(context: Context): PciFunction[] {
  const found = bus(context)
    .host.scan()
    .filter(({ classCode }) => classCode >>> 16 !== 0x06);
  return found.length > 0 ? found : context.skip('this machine has bridges alone');
}

/** Bits of the command register that a function cannot do without. */
function needed(fn: PciFunction): readonly (typeof COMMAND)['MASTER'][] {
  const kinds = new Set(fn.bars().map(({ kind }) => kind));
  return [
    ...(kinds.has('io') ? [COMMAND.IO] : []),
    ...(kinds.has('memory32') || kinds.has('memory64') ? [COMMAND.MEMORY] : []),
    ...(partOf(fn) === 'edu' ? [COMMAND.MASTER, COMMAND.INTX_DISABLE] : []),
  ];
}

export const header: Cases = {
  'config/header/ids': states('Each part identifies itself as its specification says.', (context) => {
    const { assert, machine, skip } = context;
    const { host } = bus(context);
    for (const fn of host.scan()) {
      assert.equal(fn.readl(0), (fn.vendor | (fn.device << 16)) >>> 0, `6.2.1: Vendor ID and Device ID of ${name(fn)}`);
      assert.notEqual(fn.device, 0xffff, `6.2.1: there is a ${name(fn)}`);
    }
    const parts = machine.devices.flatMap(({ type, properties: { slot, function: fn = 0 } }) => {
      const part = Object.keys(PARTS).find((candidate) => candidate === type) as PartName | undefined;
      return part === undefined ? [] : [{ part, found: host.at({ slot: Number(slot), function: Number(fn) }) }];
    });
    if (parts.length === 0) return skip('this machine names none of its functions');
    // One that is behind a bridge is not there until the buses have numbers.
    for (const { part, found } of parts.filter(({ found }) => found !== undefined)) {
      const { vendor, device } = PARTS[part];
      assert.equal(found?.readl(0), vendor | (device << 16), `6.2.1: ${part}`);
    }
  }),

  'config/header/class': states('Each part has the class code that its specification says.', (context) => {
    const { assert } = context;
    for (const { fn, part } of known(context, ...(Object.keys(PARTS) as PartName[]))) {
      assert.equal(fn.readl(HEADER.REVISION_ID) >>> 8, PARTS[part].classCode, `6.2.1, appendix D: ${part}`);
    }
  }),

  'config/header/subsystem': states('QEMU’s test devices have Red Hat’s subsystem IDs, 1AF4:1100.', (context) => {
    const { assert } = context;
    for (const { fn, part } of known(context, ...TEST_PARTS)) {
      assert.equal(fn.readl(HEADER.SUBSYSTEM_VENDOR_ID), 0x1100_1af4, `6.2.4; QEMU docs/specs/pci-ids: ${part}`);
    }
  }),

  'config/header/type': states(
    'The layout is that of a device, or of a bridge; bit 7 tells whether there are more functions.',
    (context) => {
      const { assert } = context;
      const all = bus(context).host.scan();
      for (const fn of all) {
        // Class 0604h is a PCI-to-PCI bridge.
        const type = fn.classCode >>> 8 === 0x0604 ? 1 : 0;
        assert.equal(fn.readb(HEADER.HEADER_TYPE) & 0x7f, type, `6.2.1: ${name(fn)} has the layout of its class`);
        if (fn.function > 0) {
          const zero = all.find((other) => other.slot === fn.slot && other.function === 0);
          assert.equal(
            (zero?.readb(HEADER.HEADER_TYPE) ?? 0) & MULTIFUNCTION,
            MULTIFUNCTION,
            `6.2.1: function 0 tells that the device has ${name(fn)} as well`,
          );
        }
      }
    },
  ),

  'config/header/at-reset': states('After reset a function answers nothing, and asks for nothing.', (context) => {
    const { assert } = context;
    for (const fn of endpoints(context)) {
      assert.equal(fn.readw(HEADER.COMMAND), 0, `6.2.2: at reset the command register is 0 (${name(fn)})`);
      assert.equal(fn.readw(HEADER.STATUS) & CONDITIONS, 0, `6.2.3: no condition is set (${name(fn)})`);
      assert.equal(fn.readb(HEADER.CACHE_LINE_SIZE), 0, `6.2.4: Cache Line Size is 0 after RST# (${name(fn)})`);
      assert.equal(fn.readb(HEADER.LATENCY_TIMER), 0, `6.2.4: the Latency Timer is 0 after RST# (${name(fn)})`);
    }
  }),

  'config/header/read-only': states('Identity, layout, pin and pointers cannot be written.', (context) => {
    const { assert } = context;
    for (const fn of bus(context).host.scan()) {
      for (const [register, offset, size] of READ_ONLY) {
        // A bridge has its windows there.
        if (register.startsWith('Subsystem') && isBridge(fn)) continue;
        const read = size === 1 ? fn.readb : fn.readw;
        const write = size === 1 ? fn.writeb : fn.writew;
        const before = read(offset);
        for (const value of [0, 2 ** (8 * size) - 1, 0x5a]) {
          write(offset, value);
          assert.equal(read(offset), before, `6.2.1, 6.2.4: ${register} of ${name(fn)} is read-only`);
        }
      }
    }
  }),

  'config/header/reserved': states('Reserved bytes of the header read as 0 and take no value.', (context) => {
    const { assert } = context;
    for (const fn of bus(context).host.scan()) {
      for (let offset = HEADER.CAPABILITIES + 1; offset < HEADER.INTERRUPT_LINE; offset++) {
        fn.writeb(offset, 0xff);
        assert.equal(fn.readb(offset), 0, `6.1: reserved byte ${hex(offset)} of ${name(fn)} reads as 0`);
      }
    }
  }),

  'config/header/absent-bars': states('A BAR that a part does not have is hardwired to 0.', (context) => {
    const { assert } = context;
    for (const fn of bus(context).host.scan()) {
      const part = partOf(fn);
      if (part === undefined) continue;
      for (let n = 0; n < 6; n++) {
        if (BARS[part].includes(n)) continue;
        fn.writel(HEADER.BAR0 + 4 * n, 0xffff_ffff);
        assert.equal(fn.readl(HEADER.BAR0 + 4 * n), 0, `6.2.5.1: ${part} has no BAR ${n}`);
      }
      fn.writel(HEADER.ROM_BAR, 0xffff_ffff);
      assert.equal(fn.readl(HEADER.ROM_BAR), 0, `6.2.5.2: ${part} has no expansion ROM`);
    }
  }),

  'config/header/command-mask': states(
    'Command bits that are not there are hardwired to 0; the others read back.',
    (context) => {
      const { assert } = context;
      for (const fn of endpoints(context)) {
        fn.writew(HEADER.COMMAND, 0xffff);
        const written = fn.readw(HEADER.COMMAND);
        assert.equal(written & ~COMMAND_BITS, 0, `6.2.2: bits 15:11 and 7 are reserved (${name(fn)})`);
        for (const field of needed(fn)) {
          assert(field.test(written), `6.2.2: a part with memory, I/O, DMA or an interrupt pin has ${field.name}`);
          fn.writew(HEADER.COMMAND, field.mask);
          assert.equal(fn.readw(HEADER.COMMAND), field.mask, `6.2.2: ${field.name} can be set by itself (${name(fn)})`);
        }
        fn.writew(HEADER.COMMAND, 0);
        assert.equal(fn.readw(HEADER.COMMAND), 0, `6.2.2: every bit can be cleared (${name(fn)})`);
      }
    },
  ),

  'config/header/status-w1c': states(
    'A write to the status register can clear conditions, and set nothing.',
    (context) => {
      const { assert } = context;
      for (const fn of bus(context).host.scan()) {
        const before = fn.readw(HEADER.STATUS);
        for (const value of [0xffff, 0, 0x5555, 0xaaaa]) {
          fn.writew(HEADER.STATUS, value);
          assert.equal(
            fn.readw(HEADER.STATUS),
            before,
            `6.2.3: nothing in ${name(fn)} was set, nothing can be (${hex(value, 4)})`,
          );
        }
      }
    },
  ),

  'config/header/status-with-command': states(
    'A dword to command and status sets the one and clears in the other.',
    (context) => {
      const { assert } = context;
      for (const fn of endpoints(context)) {
        const [field] = needed(fn);
        if (field === undefined) continue;
        const status = fn.readw(HEADER.STATUS);
        fn.writel(HEADER.COMMAND, (0xffff_0000 | field.mask) >>> 0);
        assert.equal(
          fn.readw(HEADER.COMMAND),
          field.mask,
          `6.2.2: lanes 0 and 1 are the command register (${name(fn)})`,
        );
        assert.equal(fn.readw(HEADER.STATUS), status, `6.2.3: lanes 2 and 3 are the status register (${name(fn)})`);
        fn.writew(HEADER.STATUS, 0xffff);
        assert.equal(fn.readw(HEADER.COMMAND), field.mask, `6.2.2: a write to status leaves command (${name(fn)})`);
      }
    },
  ),

  'config/header/interrupt-line': states('Interrupt Line is the software’s: eight bits that do nothing.', (context) => {
    const { assert } = context;
    const { host, irq } = bus(context);
    for (const fn of host.scan().filter(({ interruptPin }) => interruptPin > 0)) {
      for (let value = 0; value < 0x100; value++) {
        fn.interruptLine = value;
        assert.equal(fn.interruptLine, value, `6.2.4: Interrupt Line of ${name(fn)} is read/write`);
      }
    }
    // PCI's interrupts come to the processor by these.
    for (const n of [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15])
      assert(!irq(n).level, `6.2.4: the hardware takes no notice of Interrupt Line (IRQ ${n})`);
  }),

  'config/header/interrupt-pin': states('Interrupt Pin is 1 to 4 for INTA# to INTD#, and 0 for none.', (context) => {
    const { assert } = context;
    for (const fn of bus(context).host.scan()) {
      const part = partOf(fn);
      assert(fn.interruptPin <= 4, `6.2.4: 05h to FFh are reserved (${name(fn)})`);
      if (part === 'edu') assert.equal(fn.interruptPin, 1, '6.2.4; edu.rst: the edu uses INTA#');
      else if (part !== undefined) assert.equal(fn.interruptPin, 0, `6.2.4: ${part} has no interrupt pin`);
    }
  }),

  'config/header/cache-line': states('Cache Line Size holds a size that the part supports, or 0.', (context) => {
    const { assert } = context;
    for (const fn of endpoints(context)) {
      for (const size of [0x10, 0x08, 0]) {
        fn.writeb(HEADER.CACHE_LINE_SIZE, size);
        const held = fn.readb(HEADER.CACHE_LINE_SIZE);
        assert(held === size || held === 0, `6.2.4: ${size} is kept, or 0 when not supported; it is ${held}`);
      }
    }
  }),

  'config/capabilities/list': states(
    'The list of capabilities is aligned, beyond the header, and ends in 0.',
    (context) => {
      const { assert } = context;
      for (const fn of bus(context).host.scan()) {
        const has = STATUS.CAPABILITIES.test(fn.readw(HEADER.STATUS));
        const start = fn.readb(HEADER.CAPABILITIES);
        if (!has) {
          assert.equal(start, 0, `6.2.3: without the status bit there is no list (${name(fn)})`);
          continue;
        }
        const seen = new Set<number>();
        for (let at = start; at !== 0; at = fn.readb(at + 1)) {
          assert.equal(at & 3, 0, `6.7: the bottom two bits of a pointer are 0 (${name(fn)})`);
          assert(at >= 0x40, `6.7: capabilities are beyond the header (${hex(at)} of ${name(fn)})`);
          assert(!seen.has(at), `6.7: the list ends (${name(fn)})`);
          seen.add(at);
          for (const offset of [at, at + 1]) {
            const before = fn.readb(offset);
            fn.writeb(offset, ~before & 0xff);
            assert.equal(fn.readb(offset), before, '6.7: ID and pointer are read-only');
          }
        }
      }
    },
  ),

  'config/capabilities/msi': states(
    'The MSI capability has the fields of the specification, off at reset.',
    (context) => {
      const { assert, skip } = context;
      const fn =
        endpoints(context).find((candidate) => candidate.capability(CAPABILITY.MSI) !== undefined) ??
        skip('no function of this machine has an MSI capability');
      const at = fn.capability(CAPABILITY.MSI) ?? 0;
      const control = fn.readw(at + MSI.CONTROL.offset);
      assert(!MSI.CONTROL.ENABLE.test(control), '6.8.1.3: MSI Enable is 0 after reset');
      assert.equal(MSI.CONTROL.MULTIPLE_ENABLE.get(control), 0, '6.8.1.3: Multiple Message Enable is 0 after reset');
      assert(MSI.CONTROL.MULTIPLE_CAPABLE.get(control) <= 5, '6.8.1.3: 110 and 111 are reserved');
      fn.writew(at + MSI.CONTROL.offset, 0xffff & ~MSI.CONTROL.ENABLE.mask);
      const fixed = ~(MSI.CONTROL.ENABLE.mask | MSI.CONTROL.MULTIPLE_ENABLE.mask) & 0xffff;
      assert.equal(
        fn.readw(at + MSI.CONTROL.offset) & fixed,
        control & fixed,
        '6.8.1.3: what it is capable of is read-only',
      );
      fn.writel(at + MSI.ADDRESS.offset, 0xffff_ffff);
      assert.equal(fn.readl(at + MSI.ADDRESS.offset), 0xffff_fffc, '6.8.1.4: bits 1:0 of the address are 0');
      const data = MSI.CONTROL.ADDRESS_64.test(control) ? MSI.DATA.offset : MSI.ADDRESS_HIGH.offset;
      fn.writew(at + data, 0xa55a);
      assert.equal(fn.readw(at + data), 0xa55a, '6.8.1.6: the message data have 16 bits');
    },
  ),
};
