import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader } from './line-reader.ts';

function linesOf(reader: LineReader, ...chunks: readonly string[]): (string | undefined)[] {
  const lines: (string | undefined)[] = [];
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk, 'latin1'));
    for (let line; (line = reader.next()) !== null;) lines.push(line);
  }
  return lines;
}

describe('LineReader', () => {
  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 12, unit: fc.constantFrom('a', '\0', '\xff', '\r', ' ') })),
        fc.array(fc.nat({ max: 9 })),
        (lines, cuts) => {
          const text = lines.map((line) => `${line}\n`).join('');
          const chunks: string[] = [];
          let at = 0;
          for (const cut of cuts) chunks.push(text.slice(at, (at += cut)));
          expect(linesOf(new LineReader(100), ...chunks, text.slice(at))).toEqual(lines);
        },
      ),
    );
  });

  it('keeps chunks that come before the last one is used up', () => {
    const reader = new LineReader(100);
    for (const chunk of ['a\nb', 'c\n', 'd\n']) reader.push(Buffer.from(chunk));
    expect(reader.waiting).toBe(7);
    expect([reader.next(), reader.next(), reader.next(), reader.next()]).toEqual(['a', 'bc', 'd', null]);
    expect(reader.waiting).toBe(0);
  });

  it('takes lines up to its limit, whole or in pieces, and tells of one byte more', () => {
    expect(linesOf(new LineReader(4), '1234\n12345\n', '12', '34\n', '12', '345\n', 'ok\n')).toEqual([
      '1234',
      undefined,
      '1234',
      undefined,
      'ok',
    ]);
  });

  it('keeps nothing of a line that is too long', () => {
    const reader = new LineReader(1000);
    const chunk = Buffer.alloc(2 ** 20, 'x');
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 256; i++) {
      reader.push(chunk);
      expect(reader.next()).toBe(null);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
    expect(linesOf(reader, '\nnext\n')).toEqual([undefined, 'next']);
  });

  it('forgets the part of a line that nobody ends', () => {
    const reader = new LineReader(100);
    expect(linesOf(reader, 'outb 0x70 0x')).toEqual([]);
    expect(reader.hasPart).toBe(true);
    reader.forget();
    expect(linesOf(reader, 'inb 0x70\n')).toEqual(['inb 0x70']);
  });
});
