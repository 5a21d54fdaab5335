import type { TraceEvent } from '@qtest/sdk';
import { expect, test } from 'vitest';
import { readScript } from '../../replay/script.ts';
import { perfettoTrace } from './perfetto.ts';
import { qtestScript } from './qtest-script.ts';
import { vcdTrace } from './vcd.ts';

const YEAR = 31_557_600_000_000_000n;
const access = {
  type: 'access',
  vcpu: 0,
  op: 'out',
  size: 1,
  address: 0x80,
  value: 1,
  text: 'outb 0x80 ← 0x01',
} as const;
const edge = (seq: number, time: bigint, level: 0 | 1): TraceEvent => ({
  seq,
  time,
  type: 'irq',
  line: 'rtc0.irq',
  level,
});

const traced = (events: readonly TraceEvent[], lost = 0) => ({
  plugin: 'p',
  name: 'a $end b',
  clock: 'virtual' as const,
  vcpus: 1,
  status: 'pass' as const,
  trace: { events, lost },
});

test('vcd: what happens at one instant is a picosecond apart', () => {
  const text = vcdTrace(traced([{ ...access, seq: 0, time: 0n }, { ...access, seq: 1, time: 0n }, edge(2, 5n, 1)]));
  expect(text).toContain('$timescale 1 ps $end');
  expect(text.match(/^#.*$/gm)).toEqual(['#0', '#1', '#5000']);
});

test('vcd: of years, which picoseconds do not hold, whole nanoseconds', () => {
  const text = vcdTrace(traced([{ ...access, seq: 0, time: 0n }, { ...access, seq: 1, time: 0n }, edge(2, YEAR, 1)]));
  expect(text).toContain('$timescale 1 ns $end');
  expect(text.match(/^#.*$/gm)).toEqual(['#0', `#${YEAR}`]);
});

test('vcd: no text ends what it stands in, and a line is before its first edge what that edge leaves', () => {
  const text = vcdTrace(traced([edge(0, 1n, 0)]));
  expect(text).toContain('$comment p › a end b $end');
  const [, code = '?'] = /\$var wire 1 (\S+) irq \$end/.exec(text) ?? [];
  expect(text.split('\n')).toEqual(expect.arrayContaining([`1${code}`, `0${code}`]));
  expect(text.indexOf(`\n1${code}`)).toBeLessThan(text.indexOf(`\n0${code}`));
});

test('perfetto: a line that is still up ends with the trace, one that was up before it is not told', () => {
  const { traceEvents }: { traceEvents: { ph: string; ts: number }[] } = JSON.parse(
    perfettoTrace(traced([edge(0, 1000n, 0), edge(1, 2000n, 1), { ...access, seq: 2, time: 9000n }])),
  );
  expect(traceEvents.filter(({ ph }) => ph === 'B' || ph === 'E').map(({ ph, ts }) => [ph, ts])).toEqual([
    ['B', 2],
    ['E', 9],
  ]);
});

test('perfetto: a line that falls ends its slice there', () => {
  const { traceEvents }: { traceEvents: { ph: string; ts: number }[] } = JSON.parse(
    perfettoTrace(traced([edge(0, 2000n, 1), edge(1, 5000n, 0), { ...access, seq: 2, time: 9000n }])),
  );
  expect(traceEvents.filter(({ ph }) => ph === 'B' || ph === 'E').map(({ ph, ts }) => [ph, ts])).toEqual([
    ['B', 2],
    ['E', 5],
  ]);
});

test('qtest: time goes on before the access that comes later, and by a step that nothing follows', () => {
  const dma: TraceEvent = { ...access, seq: 2, time: 7n, op: 'read', by: 'edu0', text: 'edu0 DMA' };
  const clock: TraceEvent = { seq: 3, time: 20n, type: 'clock', by: 13n, vcpu: 0 };
  const script = qtestScript(traced([{ ...access, seq: 0, time: 0n }, { ...access, seq: 1, time: 7n }, dma, clock]));
  expect(script.split('\n').slice(1)).toEqual([
    'outb 0x80 0x1',
    '# OK',
    'clock_step 7',
    '# OK 7',
    'outb 0x80 0x1',
    '# OK',
    '# edu0 DMA',
    'clock_step 13',
    '# OK 20',
    '',
  ]);
});

test('qtest: what is not whole says so', () => {
  const bulk: TraceEvent = { ...access, seq: 9, time: 3n, op: 'write', size: 5000, text: 'write' };
  expect(
    qtestScript(traced([bulk], 9))
      .split('\n')
      .slice(1),
  ).toEqual(['# incomplete: 9 events before these were not kept', '# its bytes were not kept: write', '']);
});

test.each([
  ['\0\u0001\u001b[2J\u007f\u0085', String.raw`# log \x00\x01\x1b[2J\x7f\x85`],
  ['a\r\nb\nOK 0x1\n# OK 0x1\u2028FAIL', '# log a b OK 0x1 # OK 0x1 FAIL'],
  ['\ud800 \udc00 😀', String.raw`# log \ud800 \udc00 😀`],
  ['[R +0.1] inb 0x70', '# log [R +0.1] inb 0x70'],
  ['x'.repeat(100_000), `# log ${'x'.repeat(100_000)}`],
])('qtest: a log of %j leaves a script that can be replayed', (text, line) => {
  const script = qtestScript(
    traced([
      { ...access, seq: 0, time: 0n },
      { seq: 1, time: 0n, type: 'log', text },
    ]),
  );
  expect(script.split('\n').slice(1)).toEqual(['outb 0x80 0x1', '# OK', line, '']);
  expect(readScript(script)).toEqual([{ line: 2, column: 1, text: 'outb 0x80 0x1', reply: 'OK' }]);
});

test('qtest: what a device is called is not taken for a reply', () => {
  const dma: TraceEvent = { ...access, seq: 1, time: 0n, op: 'read', by: 'OK', text: 'OK DMA readb 0x0 → 0x00' };
  const script = qtestScript(traced([{ ...access, seq: 0, time: 0n }, dma]));
  expect(readScript(script)).toEqual([{ line: 2, column: 1, text: 'outb 0x80 0x1', reply: 'OK' }]);
});
