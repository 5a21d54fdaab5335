import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { InOrder } from './in-order.ts';

test('whatever order items come in, they are handed on in theirs', () => {
  const permutation = fc.integer({ min: 0, max: 20 }).chain((n) => {
    const keys = Array.from({ length: n }, (_, i) => `k${i}`);
    return fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: 0 }));
  });
  fc.assert(
    fc.property(permutation, ([keys, coming]) => {
      const seen: string[] = [];
      const order = new InOrder<{ key: string }>(keys, ({ key }) => seen.push(key));
      for (const key of coming) {
        order.add(key, { key });
        expect(seen).toEqual(keys.slice(0, seen.length));
      }
      order.flush();
      expect(seen).toEqual(keys.filter((key) => coming.includes(key)));
    }),
  );
});

test('what was not announced is handed on at once', () => {
  const seen: object[] = [];
  new InOrder(['a'], (item) => seen.push(item)).add('b', { b: 1 });
  expect(seen).toEqual([{ b: 1 }]);
});
