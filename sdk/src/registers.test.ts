import { describe, expect, test } from 'vitest';
import { decodeRegister, rc, register, reserved, ro, rw, w0c, w1c, w1s, wo } from './registers.ts';

const A = register('A', { offset: 0x0a, reset: 0x26, fields: { UIP: ro(7), DV: rw(6, 4), RS: rw(3, 0) } });

describe('fields', () => {
  test('mask, test, get and set', () => {
    expect([A.UIP.mask, A.DV.mask, A.RS.mask]).toEqual([0x80, 0x70, 0x0f]);
    expect([A.DV.get(0x26), A.RS.get(0x26), A.UIP.get(0xff)]).toEqual([2, 6, 1]);
    expect([A.DV.test(0x8f), A.DV.test(0x10)]).toEqual([false, true]);
    expect([A.DV.set(0xff, 2), A.RS.set(0x20, 0x1f), A.UIP.set(0, 1)]).toEqual([0xaf, 0x2f, 0x80]);
    expect([A.name, A.offset, A.width, A.reset, A.writable]).toEqual(['A', 0x0a, 8, 0x26, 0x7f]);
    expect(A.fields.map(({ name, access, msb, lsb }) => [name, access, msb, lsb])).toEqual([
      ['UIP', 'ro', 7, 7],
      ['DV', 'rw', 6, 4],
      ['RS', 'rw', 3, 0],
    ]);
  });

  test('volatile: some fields, all of the register, or nothing', () => {
    const spec = { offset: 0, width: 32, fields: { TOP: rw(31), REST: rw(7, 0) } } as const;
    expect(register('R', { ...spec, volatile: ['TOP'] }).volatile).toBe(0x8000_0000);
    expect(register('R', { ...spec, volatile: true }).volatile).toBe(0xffff_ffff);
    expect(register('R', { ...spec, volatile: false }).volatile).toBe(0);
    expect(register('R', { offset: 0 }).volatile).toBe(0);
  });

  test('all 32 bits, unsigned throughout', () => {
    const wide = register('WIDE', { offset: 0, width: 32, fields: { TOP: rw(31), REST: rw(30, 0) } });
    expect([wide.TOP.mask, wide.REST.mask, wide.writable]).toEqual([0x8000_0000, 0x7fff_ffff, 0xffff_ffff]);
    expect(wide.TOP.get(0xffff_ffff)).toBe(1);
    expect(wide.TOP.set(0, 1)).toBe(0x8000_0000);
    expect(wide.REST.set(0xffff_ffff, 0)).toBe(0x8000_0000);
    expect(wide.write(0, 0xdead_beef)).toBe(0xdead_beef);
    const whole = register('WHOLE', { offset: 0, width: 32, fields: { ALL: rw(31, 0) } });
    expect([whole.ALL.mask, whole.ALL.get(0x8765_4321), whole.ALL.set(5, 0xffff_ffff)]).toEqual([
      0xffff_ffff, 0x8765_4321, 0xffff_ffff,
    ]);
  });

  test('a register without fields is one field of its own name', () => {
    const data = register('DATA', { offset: 4, width: 16 });
    expect(data.fields.map(({ name, mask, access }) => [name, mask, access])).toEqual([['DATA', 0xffff, 'rw']]);
    expect(register('ID', { offset: 0, access: 'ro' }).write(0x7d, 0xff)).toBe(0x7d);
    expect(data.reset).toBeUndefined();
  });

  test('nothing of it can be changed', () => {
    expect(Object.isFrozen(A)).toBe(true);
  });
});

describe('write: what each access does with old 0101 and written 0011', () => {
  test.each([
    ['rw', rw(3, 0), 0b0011],
    ['ro', ro(3, 0), 0b0101],
    ['wo', wo(3, 0), 0b0011],
    ['w1c', w1c(3, 0), 0b0100],
    ['w1s', w1s(3, 0), 0b0111],
    ['w0c', w0c(3, 0), 0b0001],
    ['rc', rc(3, 0), 0b0101],
    ['reserved', reserved(3, 0), 0b0101],
  ] as const)('%s', (_access, field, after) => {
    const single = register('R', { offset: 0, fields: { F: field } });
    expect(single.write(0b0101, 0b0011)).toBe(after);
    // Bits that no field has stay.
    expect(single.write(0b1111_0101, 0b0000_0011)).toBe(0b1111_0000 | after);
    expect(single.write(0b0000_0101, 0b1111_0011)).toBe(after);
  });

  test('side by side', () => {
    const mixed = register('M', {
      offset: 0,
      fields: { RW: rw(7), W1C: w1c(6), W1S: w1s(5), W0C: w0c(4), RO: ro(3), WO: wo(2), RC: rc(1), R: reserved(0) },
    });
    expect(mixed.write(0b0101_1001, 0b1111_0100)).toBe(0b1011_1101);
    expect(mixed.write(0b0101_1001, 0b0000_0000)).toBe(0b0100_1001);
    expect(mixed.writable).toBe(0b1000_0100);
  });
});

describe('decodeRegister', () => {
  test('the fields that are set, several bits as a number', () => {
    const b = register('B', {
      offset: 0,
      fields: { SET: rw(7), PIE: rw(6), ZERO: reserved(5, 4), RS: rw(3, 1), H24: rw(0) },
    });
    expect(decodeRegister(b, 0x41)).toBe('{PIE, H24}');
    expect(decodeRegister(b, 0x0e)).toBe('{RS=7}');
    expect(decodeRegister(b, 0xff)).toBe('{SET, PIE, RS=7, H24}');
    expect(decodeRegister(b, 0)).toBe('');
    expect(decodeRegister(b, 0x30)).toBe('');
    expect(decodeRegister(register('DATA', { offset: 0 }), 0x42)).toBe('');
  });
});

describe('what a table cannot say', () => {
  test.each([
    [() => rw(32), RangeError],
    [() => rw(-1), RangeError],
    [() => rw(3, 4), RangeError],
    [() => rw(1.5), RangeError],
    [() => rw(NaN), RangeError],
    [() => w1c(3, -1), RangeError],
    [() => register('R', { offset: 0, fields: { F: rw(8) } }), RangeError],
    [() => register('R', { offset: 0, width: 16, fields: { F: rw(16, 15) } }), RangeError],
    [() => register('R', { offset: 0, fields: { F: rw(4, 2), G: rw(2, 0) } }), RangeError],
    [() => register('R', { offset: 0, fields: { offset: rw(1) } as never }), TypeError],
    [() => register('write', { offset: 0 }), TypeError],
  ])('%s', (make, error) => {
    expect(make).toThrow(error);
  });

  test('the message names the register and its field', () => {
    expect(() => register('B', { offset: 0, fields: { PIE: rw(8) } })).toThrow(
      'register B: field PIE lies beyond its 8 bits',
    );
    expect(() => register('B', { offset: 0, fields: { PIE: rw(6), AIE: rw(6) } })).toThrow(
      'register B: field AIE overlaps another field',
    );
    expect(() => rw(3, 4)).toThrow('rw(3, 4): give the highest and the lowest bit, 31 ≥ msb ≥ lsb ≥ 0');
  });
});
