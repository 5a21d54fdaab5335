import { expect, test } from 'vitest';

import { parseInspect } from './inspect.ts';

test.each([
  ['9230', '127.0.0.1', 9230],
  ['localhost:1', 'localhost', 1],
  ['0.0.0.0:65535', '0.0.0.0', 65535],
  ['[::1]:9229', '::1', 9229],
])('%s', (text, host, port) => {
  expect(parseInspect(text, true)).toEqual({ host, port, breaks: true });
});

test.each(['', 'localhost', '0', '65536', ':9229', '::1:9229', '9229x', '-1', '1e3', 'a:b:1', '[]:1', '999999'])(
  "'%s' is no address",
  (text) => {
    expect(parseInspect(text, false)).toBeUndefined();
  },
);
