import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError, parseJson, writeJson, type Json } from './json.ts';
import { MessageReader } from './message-reader.ts';

function read(...chunks: readonly (string | Uint8Array)[]): (Json | string)[] {
  const messages: (Json | string)[] = [];
  const reader = new MessageReader((message) =>
    messages.push(message instanceof JsonError ? message.message : message),
  );
  for (const chunk of chunks) reader.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
  return messages;
}

describe('parseJson()', () => {
  it('parses what JSON.parse parses, and writes what that reads back', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        // A string of QMP has no zero in it; integers that a double does not hold are below.
        fc.pre(!text.includes('\\u0000') && !/\d{16}/.test(text));
        expect(parseJson(text)).toEqual(value);
        // JSON has a negative zero, and QMP's integers none.
        expect(JSON.parse(writeJson(parseJson(text)))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('takes single quotes, and keeps integers of 64 bits whole', () => {
    expect(parseJson(`{'a': "it's", 'b': '"', 'c': '\\''}`)).toEqual({ a: "it's", b: '"', c: "'" });
    for (const text of ['18446744073709551615', '-9223372036854775808', '9007199254740993'])
      expect(writeJson(parseJson(text))).toBe(text);
    expect(parseJson('18446744073709551616')).toBe(2 ** 64);
    expect(parseJson('{"__proto__": 1}')).toEqual(JSON.parse('{"__proto__": 1}'));
  });

  it.each([
    ['', 'expecting value'],
    ['{]', 'expecting value'],
    ['[1 2]', 'expected separator in list'],
    ['[1,]', 'expecting value'],
    ['{"a" 1}', 'missing : in object pair'],
    ['{"a": 1 "b": 2}', 'expected separator in dict'],
    ['{1: 2}', 'key is not a string in object'],
    ['{"a": 1, "a": 2}', 'duplicate key'],
    ['nul', "invalid keyword 'nul'"],
    ['01', 'expecting value'],
    ['+1', 'expecting value'],
    ['1 1', 'expecting value'],
    ['"\\x"', "invalid escape sequence '\\x' in string"],
    ['"\\u12"', "invalid hex escape '\\u12\"' in string"],
    ['"\\u0000"', "invalid Unicode sequence '\\u0000' in string"],
    ['"', 'expecting value'],
    ['['.repeat(1100), 'nesting too deep'],
  ])('refuses %.20s', (text, why) => expect(() => parseJson(text)).toThrow(new JsonError(why)));

  it("writes in QEMU's way", () => {
    expect(writeJson({ a: [1, true, null, 'é\n"'], b: {} })).toBe('{"a": [1, true, null, "\\u00E9\\n\\""], "b": {}}');
  });
});

describe('MessageReader', () => {
  it('cuts a stream into messages, however it comes', () => {
    const text = ` {"a": [1, {"b": "}"}]}{'c':'\\''}\r\n[ ]12 true"x" {"d": 1}`;
    const whole = [{ a: [1, { b: '}' }] }, { c: "'" }, [], 12, true, 'x', { d: 1 }];
    expect(read(text)).toEqual(whole);
    expect(read(...text.split(''))).toEqual(whole);
  });

  it.each([
    ['{]\n', 'JSON parse error, expecting value'],
    ['{\xff', "JSON parse error, stray '\ufffd'"],
    ['{\x01', "JSON parse error, stray '\x01'"],
    ["{'bad \xff", "JSON parse error, stray '\ufffd'"],
    ["{'execute': 'nonexistent', 'id':'\n", "JSON parse error, stray '\n'"],
    ['%p\n', "JSON parse error, stray '%'"],
    ['}', 'JSON parse error, expecting value'],
    ['["\xc3\x28"]', 'JSON parse error, invalid UTF-8 sequence in string'],
    [',', 'JSON parse error, expecting value'],
  ])('tells of %j once, and goes on with what follows', (text, error) => {
    expect(read(text, '{"execute": "x"}')).toEqual([error, { execute: 'x' }]);
  });

  it('bounds what it keeps of a message, and how deep it goes', () => {
    const long = read(`{"a": "${'x'.repeat(2 ** 21)}"}\n{"b": 1}`);
    expect(long[0]).toBe('JSON parse error, the message is too long');
    expect(long.at(-1)).toEqual({ b: 1 });
    const deep = read('['.repeat(5000), '\n', '{"b": 1}');
    expect(deep[0]).toBe('JSON parse error, nesting too deep');
  });
});
