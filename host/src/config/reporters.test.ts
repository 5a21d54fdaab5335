import { expect, test } from 'vitest';

import { claimsStdout, conflictOf, parseReporter } from './reporters.ts';

test('a name, or a name and a file', () => {
  expect(parseReporter('dot')).toEqual({ name: 'dot' });
  expect(parseReporter('json=a=b.json')).toEqual({ name: 'json', file: 'a=b.json' });
  expect(parseReporter('jsn')).toMatch(/^Unknown reporter 'jsn'\. Did you mean 'json'\? The reporters are spec, dot, /);
  expect(parseReporter('toString')).toMatch(/^Unknown reporter 'toString'/);
  expect(parseReporter('json=')).toBe("Expected a file after 'json='.");
});

test('two that write to one place', () => {
  expect(conflictOf([{ name: 'spec' }, { name: 'json', file: 'a' }, { name: 'jsonl', file: 'b' }])).toBeUndefined();
  expect(conflictOf([{ name: 'spec' }, { name: 'json' }])).toContain(
    "the reporters 'spec' and 'json' both write to standard output",
  );
  expect(conflictOf([{ name: 'spec' }, { name: 'github' }])).toBeUndefined();
  expect(conflictOf([{ name: 'github' }, { name: 'tap' }])).toContain(
    "'github' and 'tap' both write to standard output",
  );
  expect(conflictOf([{ name: 'github' }, { name: 'github' }])).toBeDefined();
  expect(conflictOf([{ name: 'jsonl', file: 'a' }, { name: 'spec' }, { name: 'json', file: 'a' }])).toContain(
    "the reporters 'jsonl' and 'json' both write to a:",
  );
});

test('a document has standard output to itself', () => {
  expect(claimsStdout([{ name: 'spec' }, { name: 'json', file: 'a' }])).toBe(false);
  expect(claimsStdout([{ name: 'spec', file: 'a' }, { name: 'json' }])).toBe(true);
});
