import { describe, expect, test } from 'vitest';
import { sideOf } from '../../testing/diff.ts';
import { Random } from '../contract/random.ts';
import { Decoder } from '../vcpu/decode.ts';
import { OP } from '../vcpu/trace.ts';
import type { Access } from './access.ts';
import { Generator } from './generate.ts';
import { Ignored } from './ignored.ts';
import { setupOf } from './setup.ts';

const COUNT = 5000;

/** Accesses to devices of a `pc`, by their ids. */
function generated(ids: readonly string[], { seed = 1, steps = false, ignore = new Array<string>() } = {}) {
  const { side, registry } = sideOf((machine) => void machine.pc({ edu: true }));
  const { bound } = side;
  const devices = ids.map((id) => bound.blueprint.devices.findIndex((device) => device.id === id));
  const setup = setupOf(side, (config) => ids.includes('edu0') && config === 2 << 15);
  const ignored = Ignored.of(ignore, bound, registry);
  const generator = new Generator({ bound, registry, setup, devices, ignored, steps });
  const accesses = generator.next(new Random(seed), COUNT);
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
    expect(ids).toEqual(new Set(['rtc0', 'uart0']));
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

  test('stay in their region, in sizes that it takes', () => {
    const { accesses } = generated(['pic0']);
    expect(accesses.every(({ size }) => size === 1)).toBe(true);
    expect(new Set(accesses.map(({ address }) => address))).toEqual(new Set([0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1]));
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
    const setup = setupOf(side, () => true);
    const ignored = Ignored.of([], side.bound, registry);
    const options = { bound: side.bound, registry, setup, devices: [0], ignored, steps: false };
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
    side.run(setup.accesses, new Uint32Array(setup.accesses.length));
    expect(side.vcpu.readl(0xe000_0000)).toBe(0x0100_00ed);
  });

  test('is accessed in both spaces, and keeps its BAR', () => {
    const { accesses, setup, side } = generated(['edu0']);
    expect(accesses.some(({ op, address }) => op === OP.READ && address === 0xe000_0000)).toBe(true);
    const toBar = accesses.filter(
      ({ op }, i) => op === OP.OUT && accesses[i - 1]?.value === 0x8000_1010 && accesses[i - 1]?.op === OP.OUT,
    );
    expect(toBar.length).toBeGreaterThan(5);
    expect(toBar.every(({ value }) => value === 0xffff_ffff)).toBe(true);
    side.renew();
    side.run([...setup.accesses, ...accesses], new Uint32Array(setup.accesses.length + accesses.length));
    side.vcpu.outl(0xcf8, 0x8000_1010);
    expect(side.vcpu.inl(0xcfc)).toBe(0xe000_0000);
  });
});
