import { setImmediate } from 'node:timers/promises';
import {
  noAnswer,
  OPERATION,
  operationAt,
  requestOf,
  type AccessSize,
  type Batch,
  type Connection,
  type Connector,
  type IrqListener,
  type Operation,
  type Pipeline,
} from '@qtest/sdk/backend';
import { isQtestError } from '@qtest/sdk';
import { connectionProblem } from '../emulated/check.ts';
import { hostError, messageOf } from '@qtest/sdk/support';

/** How long other work is kept waiting, ms. */
const SLICE = 20;

const { IN, OUT, READ, WRITE, STEP, RESET } = OPERATION;

/** The levels of the IRQs, a bit each. */
class Levels implements IrqListener {
  bits = 0;

  change(irq: number, level: boolean): void {
    if (level) this.bits |= 1 << irq;
    else this.bits &= ~(1 << irq);
  }

  update(irq: number, level: boolean): void {
    this.change(irq, level);
  }
}

/** Makes a batch's operations one after another, on an emulator that has no pipeline of its own. */
export class Serial implements Pipeline {
  readonly #connection: Connection;
  readonly #levels = new Levels();

  /** @param bound how long one operation may take, ms. */
  constructor({ connect }: Connector, handle: unknown, bound: number) {
    this.#connection = connect(handle, { irqs: this.#levels, bound });
    const problem = connectionProblem(this.#connection);
    if (problem !== undefined) throw hostError('EMULATOR', `connect() gave something wrong: ${problem}`);
    this.#connection.begin?.();
  }

  async run(batch: Batch, answers: Uint32Array): Promise<void> {
    let sliceEnd = performance.now() + SLICE;
    for (let i = 0; i < batch.length; i++) {
      const operation = operationAt(batch, i);
      try {
        answers[i] = this.#make(operation);
      } catch (error) {
        const message = `${messageOf(error)}, of '${requestOf(operation)}'`;
        if (isQtestError(error) && error.code === 'NO_ANSWER') throw noAnswer(message, { cause: error });
        throw hostError('EMULATOR', message, { cause: error });
      }
      if (performance.now() < sliceEnd) continue;
      await setImmediate();
      sliceEnd = performance.now() + SLICE;
    }
  }

  async sync(): Promise<void> {}

  #make({ op, size, address, value }: Operation): number {
    const connection = this.#connection;
    switch (op) {
      case IN:
        return connection.in(address, sizeOf(size));
      case OUT:
        connection.out(address, value, sizeOf(size));
        return 0;
      case READ:
        return connection.read(address, sizeOf(size));
      case WRITE:
        connection.write(address, value, sizeOf(size));
        return 0;
      case STEP:
        connection.clock?.step((BigInt(address) << 32n) | BigInt(value));
        return 0;
      case RESET:
        connection.reset('warm');
        return 0;
      default:
        connection.look();
        return this.#levels.bits & value;
    }
  }
}

function sizeOf(size: number): AccessSize {
  return size === 1 || size === 2 ? size : 4;
}
