import { describe, expect, test } from 'vitest';
import { sideOf } from '../../testing/diff.ts';
import { Random } from '@qtest/sdk/support';
import { Decoder } from '../trace/decode.ts';
import { OP } from '@qtest/machine';
import { ALSO, type Access } from './access.ts';
import { Generator } from './generate.ts';
import { Ignored } from './ignored.ts';
import { Sequence } from './sequence.ts';
import { setupOf } from './setup.ts';

const COUNT = 5000;

/** Accesses to devices of a `pc`, by their ids. */
function generated(
  ids: readonly string[],
  { seed = 1, steps = false, resets = false, irqs = 0, count = COUNT, ignore = new Array<string>() } = {},
) {
  const { side, registry } = sideOf((machine) => void machine.pc({ edu: true }));
  const { bound } = side;
  const devices = ids.map((id) => bound.blueprint.devices.findIndex((device) => device.id === id));

  const setup = setupOf(side, devices);
  const ignored = Ignored.of(ignore, bound, registry);
  const generator = new Generator({ bound, registry, setup, devices, ignored, steps, resets, irqs });
  const sequence = new Sequence();
  generator.next(new Random(seed), sequence, count);
  const accesses = sequence.toArray();
  const decoder = new Decoder(bound, registry);
  return { accesses, setup, side, reached: accesses.map((access) => decoder.next(access)), bound };
}

const isIo = ({ op }: Access): boolean => op === OP.IN || op === OP.OUT;

describe('accesses', () => {
  test('are decided by the seed', () => {
    const { accesses } = generated(['rtc0', 'pit0']);
    expect(accesses.length).toBeGreaterThanOrEqual(COUNT);
    expect(accesses.length).toBeLessThan(COUNT + 100);
    expect(generated(['rtc0', 'pit0']).accesses).toEqual(accesses);
    expect(generated(['rtc0', 'pit0'], { seed: 2 }).accesses).not.toEqual(accesses);
  });

  test('reach the devices that were named, and every register of theirs', () => {
    const { reached, accesses, bound } = generated(['rtc0', 'uart0']);
    const ids = new Set(reached.map((found) => bound.blueprint.devices[found?.device ?? -1]?.id));
    // An access may begin in front of a device, where nothing is.
    expect(ids).toEqual(new Set(['rtc0', 'uart0', undefined]));
    const names = new Set(reached.map((found) => found?.text().split(/[ {]/)[0]));
    const some = ['rtc0.A', 'rtc0.B', 'rtc0.C', 'rtc0.D', 'rtc0.RAM_7F', 'uart0.LCR', 'uart0.SCR'];
    expect(some.filter((name) => !names.has(name))).toEqual([]);
    expect(accesses.every(isIo)).toBe(true);
    const reads = accesses.filter(({ op }) => op === OP.IN).length;
    expect(reads).toBeGreaterThan(COUNT / 5);
  });

  test('leave out what is ignored', () => {
    const indices = (ignore: string[]): Set<number> => {
      const { accesses } = generated(['rtc0'], { ignore });
      return new Set(accesses.filter(({ op, address }) => op === OP.OUT && address === 0x70).map(({ value }) => value));
    };
    expect(indices([])).toContain(0x37);
    expect(indices(['RAM_37'])).not.toContain(0x37);
    expect(indices(['C/PF'])).toContain(0x0c);
  });

  test('are as wide as they can be, at every offset, where both sides split them alike', () => {
    const { accesses } = generated(['uart0']);
    const placesOf = (wanted: number): Set<number> =>
      new Set(accesses.filter(({ size }) => size === wanted).map(({ address }) => address - 0x3f8));
    // In front of it is a floppy disk's port, of QEMU's.
    for (const size of [1, 2, 4]) expect(placesOf(size)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
    expect(generated(['rtc0']).accesses.some(({ address }) => address < 0x70)).toBe(true);
  });

  test('as wide as a pair select registers alone', () => {
    const { accesses } = generated(['rtc0'], { ignore: ['RAM_37'], count: 40_000 });
    const wide = accesses.filter(({ op, size, address }) => op === OP.OUT && size === 2 && address === 0x70);
    expect(wide.length).toBeGreaterThan(20);
    expect(new Set(wide.map(({ value }) => value & 0x7f)).size).toBeGreaterThan(15);
    expect(wide.filter(({ value }) => (value & 0x7f) === 0x37)).toEqual([]);
  });

  test('leave out a register that is ignored, beside the others too', () => {
    const { accesses } = generated(['uart0'], { ignore: ['LSR'] });
    const touches = accesses.filter(({ address, size }) => address <= 0x3fd && address + size > 0x3fd);
    expect(touches).toEqual([]);
  });

  test('look at the IRQs, and reset the machine, where both can', () => {
    const count = (all: readonly Access[], wanted: number): number => all.filter(({ op }) => op === wanted).length;
    const without = generated(['rtc0']).accesses;
    expect([count(without, ALSO.IRQS), count(without, ALSO.RESET)]).toEqual([0, 0]);
    const { accesses, setup } = generated(['rtc0', 'edu0'], { irqs: 0x0101, resets: true, count: 40_000 });
    expect(count(accesses, ALSO.IRQS)).toBeGreaterThan(200);
    expect(count(accesses, ALSO.RESET)).toBeGreaterThan(0);
    // Which has unmapped the BARs.
    const after = accesses.findIndex(({ op }) => op === ALSO.RESET) + 2;
    expect(accesses.slice(after, after + setup.accesses.length)).toEqual(setup.accesses);
  });

  test('reach a pair by accesses as wide as its registers', () => {
    const { accesses, reached } = generated(['ioapic0']);
    expect(new Set(accesses.map(({ size }) => size))).toEqual(new Set([4]));
    expect(reached.filter((found) => found?.text().startsWith('ioapic0.IOREDTBL')).length).toBeGreaterThan(COUNT / 5);
  });

  test('move the clock only where both can', () => {
    const steps = (all: readonly Access[]): number => all.filter(({ op }) => op === OP.STEP).length;
    expect(steps(generated(['rtc0']).accesses)).toBe(0);
    expect(steps(generated(['rtc0'], { steps: true }).accesses)).toBeGreaterThan(10);
  });

  test('to nothing', () => {
    const { side, registry } = sideOf((machine) => void machine.add('isa-bus'));
    const setup = setupOf(side, [0]);
    const ignored = Ignored.of([], side.bound, registry);
    const options = { bound: side.bound, registry, setup, devices: [0], ignored, steps: false, resets: false, irqs: 0 };
    expect(new Generator(options).isEmpty).toBe(true);
    expect(setup).toEqual({ accesses: [], functions: [] });
  });
});

describe('a PCI function', () => {
  test('answers after the setup, on a fresh machine', () => {
    const { setup, side } = generated(['edu0']);
    expect(setup.functions.map(({ select }) => select)).toEqual([0x8000_1000]);
    side.renew();
    expect(side.vcpu.readl(0xe000_0000)).toBe(0xffff_ffff);
    side.run(Sequence.of(setup.accesses), new Uint32Array(setup.accesses.length));
    expect(side.vcpu.readl(0xe000_0000)).toBe(0x0100_00ed);
  });

  test('is accessed in both spaces, wherever its BAR is', () => {
    const { accesses, setup, side } = generated(['edu0']);
    const toBar = accesses.filter(
      ({ op }, i) => op === OP.OUT && accesses[i - 1]?.value === 0x8000_1010 && accesses[i - 1]?.op === OP.OUT,
    );
    expect(new Set(toBar.map(({ value }) => value))).toEqual(new Set([0xffff_ffff, 0xe000_0000, 0xf000_0000]));
    const sequence = Sequence.of([...setup.accesses, ...accesses]);
    const answers = new Uint32Array(sequence.length);
    side.renew();
    side.run(sequence, answers);
    const answered = accesses.filter(
      ({ op, address }, i) =>
        op === OP.READ && (address & 0xfff) === 0 && answers[setup.accesses.length + i] === 0x0100_00ed,
    );
    expect(new Set(answered.map(({ address }) => address))).toEqual(new Set([0xe000_0000, 0xf000_0000]));
    side.vcpu.outl(0xcf8, 0x8000_1010);
    expect([0xe000_0000, 0xf000_0000]).toContain(side.vcpu.inl(0xcfc));
  });
});
