import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Mailbox, REQUEST } from './mailbox.ts';

/** A thread that answers: with the address and value of a request added, or by throwing. */
const ANSWERING = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ Mailbox, REQUEST }) => {
    const mailbox = new Mailbox(workerData.buffer);
    parentPort.postMessage('ready');
    for (;;) {
      const request = mailbox.receive(1000);
      if (request === undefined) continue;
      if (request.kind === REQUEST.RESET) mailbox.fail('Error: on fire');
      else mailbox.answer((request.address + request.value) | 0);
    }
  });
`;

async function answering(): Promise<{ mailbox: Mailbox; thread: Worker }> {
  const buffer = Mailbox.buffer();
  const mailbox = new Mailbox(buffer);
  const module = new URL('./mailbox.ts', import.meta.url).href;
  const thread = new Worker(ANSWERING, { eval: true, workerData: { buffer, module } });
  await new Promise((resolve) => void thread.once('message', resolve));
  return { mailbox, thread };
}

describe('a mailbox', () => {
  it('carries requests and answers, of 32 bits', async () => {
    const { mailbox, thread } = await answering();
    for (let n = 0; n < 1000; n++) expect(mailbox.ask({ kind: REQUEST.IN, address: n, value: 1 })).toBe(n + 1);
    expect(mailbox.ask({ kind: REQUEST.READ, address: 0xffff_fff0, value: 0xf }) >>> 0).toBe(0xffff_ffff);
    await thread.terminate();
  });

  it('tells what the other side threw, and goes on', async () => {
    const { mailbox, thread } = await answering();
    expect(() => mailbox.ask({ kind: REQUEST.RESET })).toThrow('v86 threw: Error: on fire');
    expect(mailbox.ask({ kind: REQUEST.IN, address: 1 })).toBe(1);
    await thread.terminate();
  });

  it('is told of the end', () => {
    const mailbox = new Mailbox(Mailbox.buffer());
    mailbox.end();
    expect(() => mailbox.ask({ kind: REQUEST.IN })).toThrow('the thread of v86 has ended');
  });

  it('does not go on with answers that cannot be right', () => {
    const buffer = Mailbox.buffer();
    new Int32Array(buffer)[1] = 1000;
    expect(() => new Mailbox(buffer).ask({ kind: REQUEST.IN })).toThrow('its answers are 1000, where 1 are expected');
  });

  it.each([-1, 16, 32, 1e9, 0.5, Number.NaN])('has no IRQ %d', (irq) => {
    const mailbox = new Mailbox(Mailbox.buffer());
    const before = mailbox.words.slice();
    expect(() => mailbox.drive(irq, true)).toThrow(`it drives IRQ ${irq}, which is none`);
    expect(mailbox.words).toEqual(before);
  });

  it('counts rises of levels', () => {
    const mailbox = new Mailbox(Mailbox.buffer());
    for (const level of [true, true, false, true]) mailbox.drive(8, level);
    expect([mailbox.level(8), mailbox.rises(8), mailbox.rises(9)]).toEqual([true, 2, 0]);
    mailbox.drive(8, false);
    expect([mailbox.level(8), mailbox.rises(8)]).toEqual([false, 2]);
  });
});
