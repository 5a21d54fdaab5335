import { expect, test } from 'vitest';
import { isSameReply, readScript } from './script.ts';

test('a trace: requests with the replies that stand below them', () => {
  expect(
    readScript('# about it\noutb 0x70 0xb\n# OK\n# irq rtc0.irq 1\ninb 0x71\n# OK 0x0002\nclock_step 5\n'),
  ).toEqual([
    { line: 2, column: 1, text: 'outb 0x70 0xb', reply: 'OK' },
    { line: 5, column: 1, text: 'inb 0x71', reply: 'OK 0x0002' },
    { line: 7, column: 1, text: 'clock_step 5' },
  ]);
});

test("a log: QEMU's, with IRQs between, and replies that ours has cut", () => {
  const log = `[I 1764096000.123456] OPENED
[R +0.012345] inb 0x71
[S +0.012399] IRQ raise 8
[S +0.012401] OK 0x0002
[R +0.012410] b64read 0x0 600\r
[S +0.012450] OK AAAA...
[I +0.1] CLOSED
`;
  expect(readScript(log)).toEqual([
    { line: 2, column: 15, text: 'inb 0x71', reply: 'OK 0x0002' },
    { line: 5, column: 15, text: 'b64read 0x0 600' },
  ]);
});

test('two replies to one request', () => {
  expect(readScript('inb 0x71\n# OK 0x0002\n# OK 0x0003\n')).toEqual({
    line: 3,
    column: 1,
    message: "'OK 0x0003' is a second reply to line 1",
  });
});

test.each([
  ['OK 0x0002', 'OK 0x02', true],
  ['OK 18446744073709551615', 'OK 0xffffffffffffffff', true],
  ['OK 18446744073709551614', 'OK 0xffffffffffffffff', false],
  ['OK', 'OK', true],
  ['OK', 'OK 0x0000', false],
  ['FAIL could not advance time', 'FAIL because', true],
  ['OK', 'FAIL because', false],
  ['OK aGk=', 'OK aGk=', true],
])('%s and %s: %s', (one, other, same) => {
  expect(isSameReply(one, other)).toBe(same);
});
