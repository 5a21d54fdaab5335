import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { array, bytes, layoutState, stateBinder, type ArrayType, type ScalarType } from './state.ts';

describe('scalars', () => {
  const schema = { flag: 'bool', byte: 'u8', word: 'u16', long: 'u32', signed: 'i32', ns: 'i64' } as const;
  const bind = stateBinder(schema);
  const made = () => bind(new SharedArrayBuffer(64), 8);

  test('all zero at first: binding writes nothing', () => {
    const buffer = new SharedArrayBuffer(64);
    new Uint8Array(buffer).fill(0xff);
    const state = bind(buffer, 8);
    expect(new Uint8Array(buffer).every((value) => value === 0xff)).toBe(true);
    const { flag, byte, word, long, signed, ns } = made();
    expect([flag, byte, word, long, signed, ns]).toEqual([false, 0, 0, 0, 0, 0n]);
    expect([state.flag, state.byte, state.word, state.long, state.signed, state.ns]).toEqual([
      true,
      0xff,
      0xffff,
      0xffff_ffff,
      -1,
      -1n,
    ]);
  });

  test('each keeps its width, as hardware does', () => {
    const state = made();
    state.byte = 0x1ff;
    state.word = -1;
    state.long = 2 ** 32 + 5;
    state.signed = 0x8000_0000;
    state.ns = 2n ** 63n;
    state.flag = true;
    expect([state.byte, state.word, state.long, state.signed, state.ns, state.flag]).toEqual([
      0xff,
      0xffff,
      5,
      -(2 ** 31),
      -(2n ** 63n),
      true,
    ]);
    state.byte += 1;
    state.word |= 0x1_0000;
    state.flag = false;
    expect([state.byte, state.word, state.flag]).toEqual([0, 0xffff, false]);
  });

  test('a number is no time, and a time no number', () => {
    const state = made();
    expect(() => {
      state.ns = 5 as never;
    }).toThrow(TypeError);
    expect(() => {
      state.byte = 5n as never;
    }).toThrow(TypeError);
  });

  test('two bindings of the same bytes see the same; of others they do not', () => {
    const buffer = new SharedArrayBuffer(128);
    const [one, two, other] = [bind(buffer, 8), bind(buffer, 8), bind(buffer, 64)];
    one.ns = 123n;
    one.flag = true;
    two.byte = 7;
    expect([two.ns, two.flag, one.byte]).toEqual([123n, true, 7]);
    expect([other.ns, other.flag, other.byte]).toEqual([0n, false, 0]);
  });

  test('accessors sit on one prototype, whatever the number of instances', () => {
    const [one, two] = [made(), made()];
    expect(Object.getPrototypeOf(one)).toBe(Object.getPrototypeOf(two));
    expect(Object.hasOwn(one, 'byte')).toBe(false);
  });
});

describe('arrays', () => {
  const bind = stateBinder({ ram: bytes(3), words: array('u16', 2), longs: array('u32', 2), last: 'u8' });

  test('get, set, fill and length', () => {
    const { ram, words, longs } = bind(new SharedArrayBuffer(64), 0);
    ram.set(2, 0x1ff);
    words.set(1, 0x1_2345);
    longs.set(0, -1);
    expect([ram.get(0), ram.get(2), words.get(1), longs.get(0), longs.get(1)]).toEqual([
      0, 0xff, 0x2345, 0xffff_ffff, 0,
    ]);
    ram.fill(5);
    expect([ram.get(0), ram.get(1), ram.get(2), words.get(0)]).toEqual([5, 5, 5, 0]);
    expect([ram.length, words.length, longs.length]).toEqual([3, 2, 2]);
  });

  test.each([3, -1, 1.5, NaN, Infinity, 2 ** 32, -0.5])('an index of %s throws, and writes nothing', (index) => {
    const buffer = new SharedArrayBuffer(64);
    const { ram, words, longs } = bind(buffer, 0);
    for (const [name, one] of Object.entries({ ram, words, longs })) {
      const message = `state array '${name}' has no element ${index}: its length is ${one.length}`;
      expect(() => one.get(index)).toThrow(message);
      expect(() => one.set(index, 1)).toThrow(message);
    }
    expect(new Uint8Array(buffer).every((value) => value === 0)).toBe(true);
  });

  test('an index that is no number', () => {
    const { ram, words, longs } = bind(new SharedArrayBuffer(64), 0);
    for (const index of ['x', undefined, null, {}]) {
      for (const one of [ram, words, longs]) {
        expect(() => one.set(index as never, 1)).toThrow(RangeError);
        expect(() => one.get(index as never)).toThrow(RangeError);
      }
    }
  });

  test('cannot be replaced', () => {
    const state = bind(new SharedArrayBuffer(64), 0);
    expect(() => {
      (state as { ram: unknown }).ram = 5;
    }).toThrow(TypeError);
  });

  test.each([0, -1, 1.5, NaN])('a length of %s', (length) => {
    expect(() => bytes(length)).toThrow(RangeError);
    expect(() => array('u32', length)).toThrow(RangeError);
  });

  test('bytes move as ranges, whole or not at all', () => {
    const buffer = new SharedArrayBuffer(32);
    const { ram, last } = bind(buffer, 0);
    ram.write(1, Uint8Array.of(0x11, 0x22));
    const copy = ram.read(0, 3);
    expect(copy).toEqual(Uint8Array.of(0, 0x11, 0x22));
    expect(copy.buffer).not.toBe(buffer);
    copy.fill(0xff);
    ram.write(3, new Uint8Array());
    expect(ram.read(3, 0)).toEqual(new Uint8Array());
    expect([...ram.read(1, 2), last]).toEqual([0x11, 0x22, 0]);
  });

  test.each([
    [-1, 1],
    [0, 4],
    [3, 1],
    [4, 0],
    [0.5, 1],
    [Number.NaN, 1],
    [2 ** 53, 1],
  ])('refuse a range outside them: from %d, %d bytes', (start, length) => {
    const { ram } = bind(new SharedArrayBuffer(32), 0);
    const message = `state array 'ram' has no ${length} bytes from ${start}: its length is 3`;
    expect(() => ram.read(start, length)).toThrow(new RangeError(message));
    expect(() => ram.write(start, new Uint8Array(length).fill(1))).toThrow(new RangeError(message));
    expect(ram.read(0, 3)).toEqual(Uint8Array.of(0, 0, 0));
  });

  test.each([-1, 0.5, Number.NaN])('refuse to read %d bytes', (length) => {
    const { ram } = bind(new SharedArrayBuffer(32), 0);
    expect(() => ram.read(0, length)).toThrow(RangeError);
  });
});

describe('layout', () => {
  const WIDTH = { bool: 1, u8: 1, u16: 2, u32: 4, i32: 4, i64: 8 } as const;

  test('wide fields first, a multiple of 8 in all', () => {
    expect(layoutState({ a: 'u8', b: 'i64', c: bytes(3), d: 'u16', e: 'u32' })).toEqual({
      fields: [
        { name: 'b', type: 'i64', offset: 0, size: 8 },
        { name: 'e', type: 'u32', offset: 8, size: 4 },
        { name: 'd', type: 'u16', offset: 12, size: 2 },
        { name: 'a', type: 'u8', offset: 14, size: 1 },
        { name: 'c', type: bytes(3), offset: 15, size: 3 },
      ],
      size: 24,
    });
    expect(layoutState({})).toEqual({ fields: [], size: 0 });
    expect(stateBinder({})(new SharedArrayBuffer(8), 8)).toBeDefined();
  });

  const scalar = fc.constantFrom<ScalarType[]>('bool', 'u8', 'u16', 'u32', 'i32', 'i64');
  const arrays = fc.record({
    of: fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const),
    length: fc.integer({ min: 1, max: 9 }),
  });
  const schemas = fc
    .array(fc.oneof(scalar, arrays), { maxLength: 12 })
    .map((types): Record<string, ScalarType | ArrayType> =>
      Object.fromEntries(types.map((type, n) => [`f${n}`, type])),
    );

  test('property: fields are aligned and do not overlap', () => {
    fc.assert(
      fc.property(schemas, (schema) => {
        const { fields, size } = layoutState(schema);
        const used = new Set<number>();
        for (const { type, offset, size: length } of fields) {
          expect(offset % WIDTH[typeof type === 'string' ? type : type.of]).toBe(0);
          for (let at = offset; at < offset + length; at++) {
            expect(used.has(at)).toBe(false);
            used.add(at);
          }
        }
        expect(size % 8).toBe(0);
        expect(Math.max(-1, ...used)).toBeLessThan(size);
      }),
      { seed: 1 },
    );
  });

  test('property: what is written to one field is in that field alone', () => {
    fc.assert(
      fc.property(schemas, fc.nat(), (schema, pick) => {
        const names = Object.keys(schema);
        const name = names[pick % Math.max(1, names.length)];
        if (name === undefined) return;
        const { size } = layoutState(schema);
        const state = stateBinder(schema)(new SharedArrayBuffer(size + 16), 8) as Record<string, unknown>;
        const type = schema[name];
        if (typeof type === 'object') (state[name] as { fill(value: number): void }).fill(1);
        else state[name] = type === 'bool' ? true : type === 'i64' ? 1n : 1;
        for (const other of names) {
          const value = state[other];
          const set =
            typeof value === 'object' && value !== null ? (value as { get(n: number): number }).get(0) : Number(value);
          expect(set).toBe(other === name ? 1 : 0);
        }
      }),
      { seed: 1 },
    );
  });
});
