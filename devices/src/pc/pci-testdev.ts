/**
 * QEMU's PCI test device, 1b36:0005, for testing and timing single accesses.
 *
 * Published specification: QEMU, docs/specs/pci-testdev.rst. BAR 0 is 4 KiB of memory, BAR 1 256 ports; each begins with the same
 * header. Writing a test's number to `test` selects it and clears its count; from then on the header tells what to write where in this
 * BAR, in `offset`, `data` and `width`, and `count` how many such writes there have been. A number that there is no test of ends the
 * one that runs, and the header reads as zeroes. Tests 0 and 2 count a write of `data` alone, test 1 any value.
 *
 * Not modelled: eventfds, by which the host takes the writes of tests 1 and 2 past the device, so that `count` stands still there: here
 * it counts them. `membar`, the optional BAR 2.
 *
 * As QEMU's, and not as the specification says: `data` is a byte, the byte `test` reads as the test's number counted through both BARs,
 * the header shows the BAR whose test was selected last, through either one, and the last byte of the name cannot be read.
 */
import { definePciFunction, register, type Device, type PciDevice, type RegionBehaviour } from '@qtest/sdk';

const TEST = register('TEST', {
  offset: 0,
  effect: 'writing selects a test, where there is one, and clears its count',
  volatile: true,
});
const WIDTH = register('WIDTH', { offset: 1, access: 'ro' });
const OFFSET = register('OFFSET', { offset: 4, width: 32, access: 'ro' });
const DATA = register('DATA', { offset: 8, access: 'ro' });
const COUNT = register('COUNT', { offset: 12, width: 32, access: 'ro' });
const NAME = 16;

const HEADER = [TEST, WIDTH, OFFSET, DATA, COUNT];

/** What a test that looks at the value wants to see, and what another is told to write. */
const MATCHING = 0xfa;
const ANY = 0xce;

const TESTS = [
  { name: 'no-eventfd', matches: true },
  { name: 'wildcard-eventfd', matches: false },
  { name: 'datamatch-eventfd', matches: true },
] as const;

/** The BARs, in the order in which their tests are counted. */
const BARS = [
  { name: 'mmio', size: 4096 },
  { name: 'portio', size: 256 },
] as const;

/** A test as the header shows it. */
interface Test {
  readonly matches: boolean;
  /** Where in the BAR it is written. */
  readonly offset: number;
  /** Header and name, without the count. */
  readonly bytes: Uint8Array;
}

const ALL: readonly Test[] = BARS.flatMap((bar, b) =>
  TESTS.map(({ name, matches }, n): Test => {
    const index = b * TESTS.length + n;
    const title = `${bar.name}-${name}`;
    const offset = bar.size / 2 + index;
    const header = new Uint8Array(NAME + title.length + 1);
    const view = new DataView(header.buffer);
    view.setUint8(TEST.offset, index);
    view.setUint8(WIDTH.offset, 1);
    view.setUint32(OFFSET.offset, offset, true);
    view.setUint8(DATA.offset, matches ? MATCHING : ANY);
    for (let i = 0; i < title.length; i++) view.setUint8(NAME + i, title.charCodeAt(i));
    return { matches, offset, bytes: header };
  }),
);

/** State of the test that runs when none does. */
const NONE = 0;

/** `current` is the test that runs, plus 1. */
const state = { current: 'u8', count: 'u32' } as const;

type Testdev = PciDevice & Device<{}, typeof state>;

function region(bar: number): RegionBehaviour<Testdev> {
  return {
    read({ state: own }, offset) {
      const test = ALL[own.current - 1];
      // QEMU's: the comparison leaves the last byte out.
      if (test === undefined || offset + 1 >= test.bytes.length) return 0;
      if (offset >= COUNT.offset && offset < NAME) return (own.count >>> (8 * (offset - COUNT.offset))) & 0xff;
      return test.bytes[offset] ?? 0;
    },
    write({ state: own }, offset, value) {
      if (offset === TEST.offset) {
        own.current = value < TESTS.length ? bar * TESTS.length + value + 1 : NONE;
        own.count = 0;
        return;
      }
      const test = ALL[own.current - 1];
      if (test?.offset === offset && (!test.matches || value === MATCHING)) own.count++;
    },
  };
}

export const pciTestdev = definePciFunction(
  {
    type: 'pci-testdev',
    idPrefix: 'pcitest',
    description: 'QEMU’s PCI test device',
    state,
    pci: {
      vendor: 0x1b36,
      device: 0x0005,
      classCode: 0x00_ff00,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      bars: {
        mmio: { bar: 0, kind: 'memory32', size: BARS[0].size },
        portio: { bar: 1, kind: 'io', size: BARS[1].size },
      },
    },
    registers: { mmio: { registers: HEADER }, portio: { registers: HEADER } },
  },
  {
    reset({ state: own }) {
      own.current = NONE;
      own.count = 0;
    },
    regions: { mmio: region(0), portio: region(1) },
  },
);
