import { OPERATION, requestOf, type Operation } from '@qtest/sdk/backend';
import { expect, test } from 'vitest';
import { Requests } from './pipeline.ts';
import { batchOf, inb, lookAt, outb, outl, readl, RESET, stepBy } from '../testing/batch.ts';
import { peer } from '../testing/qemu-peer.ts';

const BOUND = 300;

test('requests, as QEMU reads them', () => {
  expect([inb(0x71), outb(0x70, 0x0c), outl(0xcf8, 0x8000_0000), readl(0xfed0_0000)].map(requestOf)).toEqual([
    'inb 0x71',
    'outb 0x70 0xc',
    'outl 0xcf8 0x80000000',
    'readl 0xfed00000',
  ]);
  expect(requestOf(stepBy(5_000_000_000))).toBe('clock_step 5000000000');
});

test('takes answers in whatever pieces they come', async () => {
  const qemu = peer();
  const answers = new Uint32Array(5);
  qemu.answer('OK\nOK 0x00');
  const made = new Requests(qemu.channel, BOUND).run(
    batchOf([outb(0x70, 1), inb(0x71), readl(0xe000_0000), stepBy(7), inb(0x60)]),
    answers,
  );
  // It has waited for the rest by now.
  setTimeout(() => qemu.answer('26\r\nOK 0x00000000deadbeef\nOK 1234\nOK 0x00ff\n'), 5);
  await made;
  expect([...answers]).toEqual([0, 0x26, 0xdead_beef, 0, 0xff]);
  expect(qemu.asked()).toBe('outb 0x70 0x1\ninb 0x71\nreadl 0xe0000000\nclock_step 7\ninb 0x60\n');
});

test('has no more requests on the way than any pipe takes', async () => {
  const qemu = peer();
  const accesses = Array.from({ length: 2000 }, (_, n): Operation => ({
    op: OPERATION.OUT,
    size: 4,
    address: 0xcfc,
    value: n,
  }));
  const made = new Requests(qemu.channel, BOUND).run(batchOf(accesses), new Uint32Array(2000));
  const asked: string[] = [];
  let longest = 0;
  const serve = setInterval(() => {
    const text = qemu.asked();
    longest = Math.max(longest, text.length);
    const lines = text.split('\n').slice(0, -1);
    asked.push(...lines);
    qemu.answer('OK\n'.repeat(lines.length));
    if (asked.length === accesses.length) clearInterval(serve);
  }, 1);
  await made;
  expect(asked).toEqual(accesses.map(requestOf));
  expect(longest).toBeGreaterThan(3900);
  expect(longest).toBeLessThanOrEqual(4096);
});

test.each([
  ['FAIL Unknown command', /^QEMU refuses 'inb 0x71': FAIL Unknown command$/],
  ['0x26', /^QEMU answers 'inb 0x71' with '0x26', which is not the qtest protocol$/],
  ['OK 0xzz', /^QEMU answers 'inb 0x71' with 'OK 0xzz', which is not the qtest protocol$/],
  ['OK -5', /with 'OK -5', which is not the qtest protocol$/],
  ['OK 5', /with 'OK 5', which is not the qtest protocol$/],
  ['OK', /with 'OK', which is not the qtest protocol$/],
  ['OK 0x', /with 'OK 0x', which is not the qtest protocol$/],
  ['OK 0x100', /with 'OK 0x100', which is not the qtest protocol$/],
  ['OK 0x00000000000000001', /which is not the qtest protocol$/],
  ['IRQ raise 32', /with 'IRQ raise 32', which is not the qtest protocol$/],
  ['FAIL \x1b[2J', /FAIL \\x1b\[2J$/],
  ['x'.repeat(300), /^QEMU answers 'inb 0x71' with 'x{80}…', which is not the qtest protocol$/],
])('refuses %s', async (answer, message) => {
  const qemu = peer();
  qemu.answer(`OK\n${answer}\n`);
  await expect(
    new Requests(qemu.channel, BOUND).run(batchOf([outb(0x70, 0), inb(0x71)]), new Uint32Array(2)),
  ).rejects.toThrow(message);
});

test('says what was not answered, by a QEMU that hangs and by one that has gone', async () => {
  const qemu = peer();
  qemu.answer('OK\n');
  const run = async (): Promise<void> =>
    await new Requests(qemu.channel, BOUND).run(batchOf([outb(0x70, 0), inb(0x71)]), new Uint32Array(2));
  await expect(run()).rejects.toThrow("QEMU has not answered 'inb 0x71' within 0.3 s, after 'outb 0x70 0x0'");
  // What has been answered before is told too.
  qemu.answer('OK\n');
  const requests = new Requests(qemu.channel, BOUND);
  await requests.run(batchOf([outb(0x70, 7), lookAt(1)]), new Uint32Array(2));
  await expect(requests.ask('endianness')).rejects.toThrow(
    "QEMU has not answered 'endianness' within 0.3 s, after 'outb 0x70 0x7'",
  );
  qemu.hangUp();
  await expect(run()).rejects.toThrow(/^QEMU has closed its qtest pipe/);
});

test('looks at the levels of the IRQs as they are told of', async () => {
  const qemu = peer();
  const answers = new Uint32Array(6);
  const ALL = 0xffff;
  const accesses = [lookAt(ALL), outb(0x70, 1), lookAt(ALL), lookAt(0x0100), inb(0x71), lookAt(ALL)];
  const requests = new Requests(qemu.channel, BOUND);
  qemu.answer('IRQ raise 8\nIRQ raise 4\nOK\nIRQ lower 8\r\nOK 0x0026\n');
  await requests.run(batchOf(accesses), answers);
  expect([...answers]).toEqual([0, 0, 0x0110, 0x0100, 0x26, 0x0010]);
  expect(qemu.asked()).toBe('outb 0x70 0x1\ninb 0x71\n');
  // They are kept from one batch to the next.
  await requests.run(batchOf([lookAt(ALL)]), answers);
  expect(answers[0]).toBe(0x0010);
});

test('resets the machine when all before has been answered, and goes on when it has been', async () => {
  const qemu = peer();
  const answers = new Uint32Array(4);
  const said: string[] = [];
  const requests = new Requests(qemu.channel, BOUND, async () => {
    said.push(qemu.asked());
    qemu.answer('IRQ lower 8\nOK little\nOK 0x0012\n');
  });
  qemu.answer('IRQ raise 8\nOK\n');
  await requests.run(batchOf([outb(0x70, 1), RESET, lookAt(0x0100), inb(0x71)]), answers);
  expect(said).toEqual(['outb 0x70 0x1\n']);
  expect(qemu.asked()).toBe('endianness\ninb 0x71\n');
  expect([...answers]).toEqual([0, 0, 0, 0x12]);
});
