import { describe, expect, it } from 'vitest';
import { peer } from '../testing/qemu-peer.ts';
import { Lines } from './channel.ts';
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
    ['OK', { kind: 'ok', words: [] }],
    ['OK 0x0026', { kind: 'ok', words: ['0x0026'] }],
    [`FAIL Unknown command 'x'`, { kind: 'fail', reason: `Unknown command 'x'` }],
    ['IRQ raise 8', { kind: 'irq', pin: 8, level: true }],
    ['IRQ lower 23', { kind: 'irq', pin: 23, level: false }],
    ['IRQ toggle 8', undefined],
    ['OKAY', undefined],
    ['', undefined],
  ])('%j', (line, message) => expect(parseMessage(line)).toEqual(message));
});

describe('a request', () => {
  it('is answered, with the IRQs before and after it', () => {
    const { qtest, irqs, asking, answer, asked } = client();
    answer('IRQ raise 8\nIRQ lower 8\nOK 0x0026\nIRQ raise 0\n');
    expect(qtest.number('inb 0x71')).toBe(0x26);
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
    expect(qtest.tryAsk('clock_step')).toBeUndefined();
    answer('OK\n');
    expect(qtest.ask('outb 1 2')).toEqual([]);
  });

  it('gets an answer of many reads', () => {
    const { qtest, answer, channel } = client();
    const long = 'x'.repeat(60_000);
    answer(`OK ${long}`);
    const lines = new Lines(channel, 'qtest');
    expect(lines.poll()).toBeUndefined();
    answer(`${long}\n`);
    expect(lines.poll()).toBe(`OK ${long}${long}`);
    answer('OK 1\n');
    expect(qtest.number('x')).toBe(1);
  });
});

describe('after what is no answer, every request fails in the same way', () => {
  it.each([
    ['garbage', 'hello\n', /answers 'inb 1' with 'hello', which is not the qtest protocol/],
    ['no number', 'OK x\n', /answers 'inb 1' with 'OK x', and not with a number/],
    ['nothing for a number', 'OK\n', /and not with a number/],
  ])('%s', (_what, text, message) => {
    const { qtest, answer } = client();
    answer(text);
    expect(() => qtest.number('inb 1')).toThrow(message);
    answer('OK 0x01\n');
    expect(() => qtest.number('inb 2')).toThrow(message);
    expect(() => qtest.poll()).toThrow(message);
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

describe('QMP', () => {
  it('greets, skips events, and keeps them', () => {
    const { channel, answer, asked } = peer();
    const qmp = new Qmp(new Lines(channel, 'QMP'));
    answer('{"QMP": {"version": {}, "capabilities": []}}\r\n{"return": {}}\r\n');
    answer('{"event": "STOP"}\r\n{"return": {"running": true}}\r\n{"event": "RESET", "data": {"guest": false}}\r\n');
    expect(qmp.execute('query-status')).toEqual({ running: true });
    expect(asked()).toBe('{"execute":"qmp_capabilities","arguments":{}}\n{"execute":"query-status","arguments":{}}\n');
    expect(qmp.waitEvent('RESET')).toEqual({ event: 'RESET', data: { guest: false } });
  });

  it.each([
    [
      '{"QMP": {}}\n{"return": {}}\n{"error": {"class": "CommandNotFound"}}\n',
      /refuses 'x': \{"class":"CommandNotFound"\}/,
    ],
    ['{"return": {}}\n', /does not greet as QMP does/],
    ['OK\n', /'OK', which is not QMP/],
  ])('%j is an error', (text, message) => {
    const { channel, answer } = peer();
    answer(text);
    expect(() => new Qmp(new Lines(channel, 'QMP')).execute('x')).toThrow(message);
  });
});
