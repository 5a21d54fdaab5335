import { closeSync, openSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Lines, readAvailable } from './channel.ts';
import { peer } from '../testing/qemu-peer.ts';
import { parseMessage, Qtest } from './protocol.ts';
import { Qmp } from './qmp.ts';

/** A client, the IRQs that it was told of, and what it said to be asking. */
function client() {
  const { channel, ...other } = peer();
  const irqs: string[] = [];
  const asking: string[] = [];
  const qtest = new Qtest(
    new Lines(channel, 'qtest'),
    (pin, level) => irqs.push(`${pin}${level ? '+' : '-'}`),
    (request) => asking.push(request),
  );
  return { qtest, irqs, asking, channel, ...other };
}

describe('a line of QEMU', () => {
  it.each([
    ['OK', { kind: 'ok', text: '' }],
    ['OK 0x0026', { kind: 'ok', text: '0x0026' }],
    ['OK  5', { kind: 'ok', text: ' 5' }],
    [`FAIL Unknown command 'x'`, { kind: 'fail', reason: `Unknown command 'x'` }],
    ['IRQ raise 8', { kind: 'irq', pin: 8, level: true }],
    ['IRQ lower 23', { kind: 'irq', pin: 23, level: false }],
    ['IRQ toggle 8', undefined],
    ['IRQ raise 24', undefined],
    ['IRQ raise -1', undefined],
    ['IRQ raise 99999999999999999999', undefined],
    ['IRQ raise 0x8', undefined],
    ['OKAY', undefined],
    ['', undefined],
  ])('%j', (line, message) => expect(parseMessage(line)).toEqual(message));
});

describe('a request', () => {
  it('is answered, with the IRQs before and after it', () => {
    const { qtest, irqs, asking, answer, asked } = client();
    answer('IRQ raise 8\nIRQ lower 8\nOK 0x0026\nIRQ raise 0\n');
    expect(qtest.value('inb 0x71', 1)).toBe(0x26);
    expect(asked()).toBe('inb 0x71\n');
    expect(asking).toEqual(['inb 0x71', '']);
    expect(irqs).toEqual(['8+', '8-']);
    qtest.poll();
    expect(irqs).toEqual(['8+', '8-', '0+']);
    qtest.poll();
    expect(irqs).toHaveLength(3);
  });

  it('may be refused, and the next one is answered', () => {
    const { qtest, answer } = client();
    answer('FAIL no such thing\n');
    expect(() => qtest.ask('irq_intercept_in x')).toThrow(`QEMU refuses 'irq_intercept_in x': no such thing`);
    answer('FAIL\n');
    expect(qtest.time('clock_step', 0n, 9n)).toBeUndefined();
    answer('OK\n');
    qtest.ask('outb 1 2');
    answer('OK little\n');
    qtest.ask('endianness', 'little');
  });

  it('gets an answer of many reads', () => {
    const { qtest, answer, channel } = client();
    const long = 'x'.repeat(60_000);
    answer(`OK ${long}`);
    const lines = new Lines(channel, 'qtest');
    expect(lines.poll()).toBeUndefined();
    answer(`${long}\n`);
    expect(lines.poll()).toBe(`OK ${long}${long}`);
    answer('OK 0x01\n');
    expect(qtest.value('x', 1)).toBe(1);
  });
});

describe('after what is no answer, every request fails in the same way', () => {
  it.each([
    ['garbage', 'hello\n', /answers 'inb 1' with 'hello', which is not the qtest protocol/],
    ['no number', 'OK x\n', /answers 'inb 1' with 'OK x': expected a value of 8 bits, 0x…/],
    ['nothing for a number', 'OK\n', /with 'OK': expected/],
    ['a negative number', 'OK -5\n', /with 'OK -5': expected a value of 8 bits/],
    ['a negative number in hexadecimal', 'OK -0x5\n', /expected a value of 8 bits/],
    ['a decimal number', 'OK 5\n', /expected a value of 8 bits/],
    ['more than a byte', 'OK 0x0000000000000100\n', /expected a value of 8 bits/],
    ['more than any access has', 'OK 0x00000000000000001\n', /expected a value of 8 bits/],
    ['a fraction', 'OK 1e0\n', /expected a value of 8 bits/],
    ['a word behind it', 'OK 0x01 0x02\n', /expected a value of 8 bits/],
    ['a blank before it', 'OK  0x01\n', /expected a value of 8 bits/],
    ['an IRQ that there is not', 'IRQ raise 4294967304\n', /'IRQ raise 4294967304', which is not the qtest protocol/],
    ['a sequence for the terminal', '\x1b[2J\n', /with '\\x1b\[2J', which is not/],
  ])('%s', (_what, text, message) => {
    const { qtest, answer } = client();
    answer(text);
    expect(() => qtest.value('inb 1', 1)).toThrow(message);
    answer('OK 0x01\n');
    expect(() => qtest.value('inb 2', 1)).toThrow(message);
    expect(() => qtest.poll()).toThrow(message);
  });

  it.each<[string, string, (qtest: Qtest) => void, RegExp]>([
    [
      'a value for a write',
      'OK 0x01\n',
      (qtest) => qtest.ask('outb 1 2'),
      /'outb 1 2' with 'OK 0x01': expected a bare OK/,
    ],
    ['another byte order', 'OK big\n', (qtest) => qtest.ask('endianness', 'little'), /expected OK little/],
    ['a block too short', 'OK AAAA\n', (qtest) => void qtest.bytes('b64read 0 4', 4), /expected 4 bytes in base64/],
    ['a block too long', 'OK AAAAAAAA\n', (qtest) => void qtest.bytes('b64read 0 4', 4), /expected 4 bytes in base64/],
    ['no base64', 'OK A*AAAA==\n', (qtest) => void qtest.bytes('b64read 0 4', 4), /expected 4 bytes in base64/],
    [
      'a negative time',
      'OK -1\n',
      (qtest) => void qtest.time('clock_step 5', 1n, 5n),
      /expected a time from 1 to 5 ns/,
    ],
    ['a time that stands', 'OK 0\n', (qtest) => void qtest.time('clock_step 5', 1n, 5n), /expected a time from 1/],
    ['a time beyond', 'OK 6\n', (qtest) => void qtest.time('clock_step 5', 1n, 5n), /expected a time from 1/],
    [
      'a time without end',
      `OK ${'9'.repeat(400)}\n`,
      (qtest) => void qtest.time('x', 1n, 5n),
      /'OK 9{77}…': expected a time/,
    ],
  ])('%s', (_what, text, ask, message) => {
    const { qtest, answer } = client();
    answer(text);
    expect(() => ask(qtest)).toThrow(message);
    expect(() => qtest.poll()).toThrow(message);
  });

  it('takes the bytes of a block, whatever its length', () => {
    const { qtest, answer } = client();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (bytes) => {
        answer(`OK ${Buffer.from(bytes).toString('base64')}\n`);
        expect(Uint8Array.from(qtest.bytes('b64read', bytes.length))).toEqual(bytes);
      }),
      { numRuns: 50 },
    );
  });

  it('takes a value of the access alone, whatever a word looks like', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 4),
        fc.oneof(
          fc.string({ maxLength: 20 }),
          fc.maxSafeNat().map((n) => `0x${n.toString(16)}`),
          fc.integer().map(String),
        ),
        (size, word) => {
          const line = `OK ${word.replaceAll(/[\r\n]/g, '')}`;
          const message = parseMessage(line);
          const { qtest, answer } = client();
          answer(`${Buffer.from(line, 'latin1').toString('latin1')}\n`);
          let value: number | undefined;
          try {
            value = qtest.value('read', size);
          } catch {
            return;
          }
          expect(message?.kind).toBe('ok');
          expect(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a line that does not end', () => {
    const { channel, answer } = peer();
    const early = 'x'.repeat(2 ** 24);
    for (const read of [(lines: Lines) => lines.poll(), (lines: Lines) => lines.receive('inb 1')]) {
      answer('x');
      expect(() => read(new Lines({ ...channel, early }, 'qtest'))).toThrow(/a line that does not end: 'x{80}…'/);
    }
  });

  it('an answer that nobody asked for', () => {
    const { qtest, answer } = client();
    answer('OK\n');
    expect(() => qtest.poll()).toThrow(`answers 'OK' without having been asked`);
  });

  it('the end of QEMU, in its answer or before the request', () => {
    const { qtest, answer, hangUp } = client();
    answer('OK 0x');
    hangUp();
    expect(() => qtest.ask('inb 1')).toThrow(/QEMU has closed its qtest pipe/);
    const other = client();
    other.hangUp();
    expect(() => other.qtest.poll()).toThrow(/QEMU has closed its qtest pipe$/);
  });
});

it('is not read from without end', () => {
  const flood = openSync('/dev/zero', 'r');
  onTestFinished(() => closeSync(flood));
  expect(readAvailable(flood)?.length).toBeLessThan(2 ** 21);
});

describe('QMP', () => {
  it('greets, skips events, and keeps them', () => {
    const { channel, answer, asked } = peer();
    const qmp = new Qmp(new Lines(channel, 'QMP'));
    answer('{"QMP": {"version": {}, "capabilities": []}}\r\n{"return": {}}\r\n');
    answer('{"event": "STOP"}\r\n{"return": {"running": true}}\r\n{"event": "RESET", "data": {"guest": false}}\r\n');
    expect(qmp.execute('query-status')).toEqual({ running: true });
    expect(asked()).toBe('{"execute":"qmp_capabilities","arguments":{}}\n{"execute":"query-status","arguments":{}}\n');
    qmp.waitEvent('RESET');
  });

  it.each([
    [
      '{"QMP": {}}\n{"return": {}}\n{"error": {"class": "CommandNotFound"}}\n',
      /refuses 'x': \{"class":"CommandNotFound"\}/,
    ],
    ['{"return": {}}\n', /does not greet as QMP does/],
    ['OK\n', /'OK', which is not QMP/],
    ['[{"QMP": {}}]\n', /which is not QMP/],
    ['{"QMP": {}}\n{"event": 7}\n', /an event without a name/],
    [`{"QMP": {}}\n${'{"event": "A"}\n'.repeat(1001)}`, /tells of more than 1000 events/],
    [`{"QMP": {}}\n{"return": {}}\n{"error": "\\u001b[2J${'x'.repeat(500)}"}\n`, /refuses 'x': "\\u001b\[2Jx{60,80}…$/],
  ])('%j is an error', (text, message) => {
    const { channel, answer } = peer();
    answer(text);
    expect(() => new Qmp(new Lines(channel, 'QMP')).execute('x')).toThrow(message);
  });
});
