import { setImmediate } from 'node:timers/promises';
import { Mailbox, REQUEST } from '../backends/v86/mailbox.ts';
import type { V86Package } from '../backends/v86/package.ts';
import type { V86Settings } from '../backends/v86/mapping.ts';
import { V86Thread } from '../backends/v86/thread.ts';
import { hostError, messageOf } from '@qtest/sdk/support';
import { OP } from '@qtest/machine';
import { ALSO } from './access.ts';
import { requestOf } from './pipeline.ts';
import type { Rival } from './rival.ts';
import type { Sequence } from './sequence.ts';

/** How long v86 may take for one access, ms. */
const BOUND = 10_000;
/** How long other work is kept waiting, ms. */
const SLICE = 20;

const REQUESTS: Readonly<Record<number, number>> = {
  [OP.IN]: REQUEST.IN,
  [OP.OUT]: REQUEST.OUT,
  [OP.READ]: REQUEST.READ,
  [OP.WRITE]: REQUEST.WRITE,
};

/** A v86, another one for each sequence: while one is in use, the next one starts. */
export class V86Rival implements Rival {
  readonly name = 'v86';
  readonly realtime = true;
  readonly #v86: V86Package;
  readonly #settings: V86Settings;
  #now: V86Thread | undefined;
  #next: Promise<V86Thread> | undefined;
  #began = 0n;

  constructor(v86: V86Package, settings: V86Settings) {
    this.#v86 = v86;
    this.#settings = settings;
  }

  async begin(): Promise<void> {
    await this.#now?.end();
    this.#now = undefined;
    const next = this.#next ?? V86Thread.start(this.#v86, this.#settings);
    this.#next = undefined;
    this.#now = await next;
    this.#began = process.hrtime.bigint();
    new Mailbox(this.#now.mailbox).ask({ kind: REQUEST.BEGIN }, BOUND);
    this.#next = V86Thread.start(this.#v86, this.#settings);
    // It is awaited when it is its turn; until then its failure is nobody's.
    this.#next.catch(() => {});
  }

  async run(sequence: Sequence, answers: Uint32Array): Promise<void> {
    const thread = this.#now;
    if (thread === undefined) throw new Error('begin() has not started a v86');
    const mailbox = new Mailbox(thread.mailbox);
    let sliceEnd = performance.now() + SLICE;
    for (let i = 0; i < sequence.length; i++) {
      const access = sequence.at(i);
      const { op, size, address, value } = access;
      if (op === ALSO.IRQS) {
        answers[i] = mailbox.levels & value;
        continue;
      }
      try {
        const answer = mailbox.ask({ kind: REQUESTS[op] ?? 0, size, address, value }, BOUND);
        answers[i] = op === OP.IN || op === OP.READ ? answer : 0;
      } catch (error) {
        const message = `${messageOf(error)}, of '${requestOf(access)}'`;
        throw hostError('V86', thread.death ?? thread.explain(message), { cause: error });
      }
      if (performance.now() < sliceEnd) continue;
      await setImmediate();
      sliceEnd = performance.now() + SLICE;
    }
  }

  elapsed(): bigint {
    return process.hrtime.bigint() - this.#began;
  }

  async end(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    await this.#now?.end();
    await (await next?.catch(() => undefined))?.end();
  }
}
