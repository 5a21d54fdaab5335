import { describe, expect, it } from 'vitest';
import type { DeviceInfo } from './hardware.ts';
import {
  allCases,
  findDevice,
  findDevices,
  first,
  hex,
  random,
  states,
  statementsIn,
  statementsOf,
  withDifferences,
} from './cases.ts';
import { definePlugin } from './plugin.ts';

const noop = (): void => {};

describe('states()', () => {
  it('makes a case of a statement', () => {
    expect(states('it is so', noop)).toEqual({ description: 'it is so', run: noop });
    expect(states('it is so', noop, { requires: ['snapshot'], timeout: '1s' })).toEqual({
      description: 'it is so',
      run: noop,
      requires: ['snapshot'],
      timeout: '1s',
    });
  });
});

describe('withDifferences()', () => {
  const cases = { 'a/b': states('it is so', noop), c: states('and so', noop, { expect: { v86: 'not there' } }) };

  it('tells the cases, and leaves the others', () => {
    const changed = withDifferences(cases, { qemu: { 'a/b': 'late; hw/x.c', c: 'early' }, v86: {} });
    expect(Object.keys(changed)).toEqual(['a/b', 'c']);
    expect(changed['a/b']).toEqual({ ...cases['a/b'], expect: { qemu: 'late; hw/x.c' } });
    expect(changed['c']?.expect).toEqual({ qemu: 'early', v86: 'not there' });
    expect(cases['a/b']).not.toHaveProperty('expect');
  });

  it('refuses a case that is not there', () => {
    expect(() => withDifferences(cases, { qemu: { 'a/c': 'so' } })).toThrow(
      "a difference is known of the case 'a/c', which is not there",
    );
  });
});

describe('statements', () => {
  const plugin = definePlugin({
    name: 'lamp',
    description: '',
    run: { 'on/at-reset': states('It is off.', noop), 'on/twice': states('It is on.', noop), bare: noop },
  });

  it('of a plugin are its cases and their descriptions', () => {
    expect(statementsOf(plugin)).toEqual([
      ['on/at-reset', 'It is off.'],
      ['on/twice', 'It is on.'],
      ['bare', ''],
    ]);
    expect(statementsOf({})).toEqual([]);
  });

  it('in a README are the rows whose first cell is a path', () => {
    const readme = [
      '| case | what it says | clock |',
      '|---|---|---|',
      '| `on/at-reset` | It is off. | any |',
      '| `on/twice` | It is `on`, a \\| too. | virtual |',
      '| `option` | not a path | |',
      'See `on/else` | not | a row',
    ].join('\n');
    expect(statementsIn(readme)).toEqual([
      ['on/at-reset', 'It is off.'],
      ['on/twice', 'It is `on`, a \\| too.'],
    ]);
  });
});

describe('small things', () => {
  it('gives the first, and tells when there is none', () => {
    expect(first([3, 4])).toBe(3);
    expect(() => first([])).toThrow(RangeError);
  });

  it('shows numbers in hexadecimal', () => {
    expect([hex(10), hex(10, 4), hex(0x1_0000)]).toEqual(['0x0a', '0x000a', '0x10000']);
  });

  it('has a random stream that repeats, and differs by its seed', () => {
    const take = (seed: number): number[] => Array.from({ length: 5 }, random(seed));
    expect(take(1)).toEqual(take(1));
    expect(take(1)).not.toEqual(take(2));
    expect(take(1).every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true);
  });
});

describe('allCases', () => {
  const pass = states('does nothing', () => {});

  it('keeps the order of the files', () => {
    expect(Object.keys(allCases({ 'b/1': pass, 'b/2': pass }, {}, { 'a/1': pass }))).toEqual(['b/1', 'b/2', 'a/1']);
  });

  it('refuses two cases of one name', () => {
    const message = "two cases have the name 'a/1'";
    expect(() => allCases({ 'a/1': pass, 'a/2': pass }, { 'a/1': pass })).toThrow(new RangeError(message));
  });
});

describe('findDevices', () => {
  const devices = [
    { id: 'rtc0', type: 'rtc', properties: { irq: 8, calendar: 'own' } },
    { id: 'uart0', type: 'uart', properties: {} },
    { id: 'rtc1', type: 'rtc', properties: { calendar: 'gregorian' } },
  ];
  const context = {
    machine: {
      devices,
      get: () => expect.fail(),
      irq: () => expect.fail(),
      chardev: () => expect.fail(),
      reset: () => expect.fail(),
      snapshot: () => expect.fail(),
      restore: () => expect.fail(),
    },
    skip: (reason: string): never => {
      throw new Error(reason);
    },
  };
  const ids = (...given: [needs?: DeviceInfo['properties'], otherwise?: DeviceInfo['properties']]): string[] =>
    findDevices(context, 'rtc', ...given).map(({ id }) => id);

  it('gives those of a type that have the properties', () => {
    expect(ids()).toEqual(['rtc0', 'rtc1']);
    expect(ids({ calendar: 'gregorian' })).toEqual(['rtc1']);
    expect(ids({ irq: 8 })).toEqual(['rtc0']);
    expect(ids({ irq: '8' }, { irq: 9 })).toEqual(['rtc0']);
    expect(ids({ irq: 9 }, { irq: 9 })).toEqual(['rtc1']);
    expect(ids({ irq: 9 })).toEqual([]);
  });

  it('takes the first, or skips the case', () => {
    expect(findDevice(context, 'rtc')).toBe(devices[0]);
    expect(() => findDevice(context, 'pit')).toThrow('this machine has no pit');
    expect(() => findDevice(context, 'rtc', { irq: 9, calendar: 'own' })).toThrow(
      'this machine has no rtc with irq 9 and calendar own',
    );
  });
});
