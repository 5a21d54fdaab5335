/**
 * QEMU's `pc-testdev`, an ISA device for tests of machines: registers of each access size, interrupt lines to drive, and memory
 * behind a device.
 *
 * Published specification: QEMU, hw/misc/pc-testdev.c, which the kvm-unit-tests drive (x86/emulator.c, x86/ioapic.c).
 *
 * Ports from `ioBase` (0xe0): four bytes DATA in accesses of 1, 2 or 4 bytes; then FLUSH, 4 bytes at once, write-only; then DATA again,
 * to which a wider access comes as bytes. Ports from `irqBase` (0x2000): a byte for each of 24 interrupt lines; not 0 drives the line
 * high. Memory at `memoryBase` (0xff000000): 64 KiB that keep what is written.
 *
 * Line n is output `irq` n, which the machine wires to whatever takes it, after the devices that drive the same lines:
 * `machine.connect(machine.output(testdev, 'irq', 5), machine.line(isa, 5), { shared: true })`.
 *
 * There is no reset but power-on: DATA, the memory and the lines keep what they have, as in QEMU.
 *
 * Not modelled: FLUSH takes the page of an address away from the host's mapping and gives it back, which no guest can see; here it
 * does nothing at all.
 *
 * Other than QEMU's: a line is a wired OR with the other devices on it, and not overwritten; lines 16 to 23 do not abort; reads of
 * what can only be written give all ones.
 */
import {
  bytes,
  defineDevice,
  deviceSchema,
  property,
  register,
  type AccessSize,
  type DeviceOf,
  type RegionBehaviour,
  type Register,
  type StateArray,
} from '@qtest/sdk';

const LINES = 24;
const MEMORY_BYTES = 0x1_0000;
const DATA_BYTES = 4;

/** Ports from `ioBase`. */
const FLUSH_PORT = 4;
const BYTES_PORT = 8;

const FLOATING = 0xffff_ffff;

const DATA = register('DATA', { offset: 0, width: 32, reset: 0 });
const FLUSH = register('FLUSH', { offset: 0, width: 32, access: 'wo', effect: 'nothing that a guest can see' });
const DATA_BY_BYTE: readonly Register[] = Array.from({ length: DATA_BYTES }, (_, offset) =>
  register(`DATA_${offset}`, { offset, reset: 0 }),
);
const IRQS: readonly Register[] = Array.from({ length: LINES }, (_, offset) =>
  register(`IRQ_${offset}`, { offset, access: 'wo', effect: `drives line ${offset} high, or low with 0` }),
);

const schema = deviceSchema({
  type: 'pc-testdev',
  idPrefix: 'testdev-pc',
  description: 'QEMU’s ISA device for tests',
  bus: 'isa',
  properties: {
    ioBase: property.number({ max: 0xfff4, default: 0xe0, description: 'first of its twelve ports of registers' }),
    irqBase: property.number({
      max: 0x1_0000 - LINES,
      default: 0x2000,
      description: 'port of line 0; the others follow',
    }),
    memoryBase: property.number({
      max: 0xffff_0000,
      default: 0xff00_0000,
      description: 'address of its 64 KiB of memory',
    }),
  },
  state: {
    data: bytes(DATA_BYTES),
    memory: bytes(MEMORY_BYTES),
    /** Levels of the lines, as driven here. */
    lines: bytes(LINES),
  },
  regions: ({ ioBase, irqBase, memoryBase }) => ({
    data: { space: 'io', base: ioBase, size: DATA_BYTES, access: { max: 4 } },
    flush: { space: 'io', base: ioBase + FLUSH_PORT, size: 4, access: { min: 4, max: 4 } },
    bytes: { space: 'io', base: ioBase + BYTES_PORT, size: DATA_BYTES },
    irq: { space: 'io', base: irqBase, size: LINES },
    memory: { space: 'memory', base: memoryBase, size: MEMORY_BYTES, access: { max: 4 } },
  }),
  registers: {
    data: { registers: [DATA] },
    flush: { registers: [FLUSH] },
    bytes: { registers: DATA_BY_BYTE },
    irq: { registers: IRQS },
  },
  outputs: { irq: { count: LINES } },
});

type Testdev = DeviceOf<typeof schema>;

/** A region that keeps what is written. */
function stored(arrayOf: (state: Testdev['state']) => StateArray): RegionBehaviour<Testdev> {
  return {
    read({ state }, offset, size: AccessSize) {
      const array = arrayOf(state);
      let value = 0;
      for (let i = 0; i < size; i++) value |= array.get(offset + i) << (8 * i);
      return value >>> 0;
    },
    write({ state }, offset, value, size) {
      const array = arrayOf(state);
      for (let i = 0; i < size; i++) array.set(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}

function updateIrq({ state, out }: Testdev): void {
  for (let line = 0; line < LINES; line++) out.irq.set(state.lines.get(line) === 1, line);
}

const data = stored(({ data: array }) => array);

export const pcTestdev = defineDevice(schema, {
  updateIrq,
  regions: {
    data,
    bytes: data,
    memory: stored(({ memory }) => memory),
    flush: { read: () => FLOATING, write: () => {} },
    irq: {
      read: () => FLOATING,
      write(device, line, value) {
        device.state.lines.set(line, Number(value !== 0));
        updateIrq(device);
      },
    },
  },
});
