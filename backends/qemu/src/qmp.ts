import { emulatorError } from '@qtest/sdk/backend';
import { shorten, type Lines } from './channel.ts';

/** Events that nobody has waited for yet. */
const MAX_EVENTS = 1000;

/** The machine protocol of QEMU's monitor (docs/interop/qmp-spec), one command at a time. */
export class Qmp {
  readonly #lines: Lines;
  readonly #events: string[] = [];
  #greeted = false;

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  /**
   * Executes a command and gives what it returns.
   * @throws QEMU when it is refused.
   */
  execute(command: string, args: object = {}): unknown {
    if (!this.#greeted) {
      this.#greeted = true;
      if (!('QMP' in this.#receive('greeting'))) throw this.#lines.fail('QEMU does not greet as QMP does');
      this.execute('qmp_capabilities');
    }
    this.#lines.send(JSON.stringify({ execute: command, arguments: args }));
    for (;;) {
      const message = this.#receive(command);
      if ('event' in message) this.#keep(message);
      else if ('return' in message) return message['return'];
      else throw emulatorError(`QEMU refuses '${command}': ${shorten(JSON.stringify(message['error'] ?? message))}`);
    }
  }

  /** Waits for an event, and forgets those before it. */
  waitEvent(name: string): void {
    for (;;) {
      const event = this.#events.shift();
      if (event === name) return;
      if (event === undefined) this.#keep(this.#receive(`event ${name}`));
    }
  }

  #keep(message: Readonly<Record<string, unknown>>): void {
    const { event } = message;
    if (typeof event !== 'string') throw this.#lines.fail('QEMU tells of an event without a name');
    if (this.#events.length >= MAX_EVENTS) throw this.#lines.fail(`QEMU tells of more than ${MAX_EVENTS} events`);
    this.#events.push(event);
  }

  #receive(request: string): Readonly<Record<string, unknown>> {
    const line = this.#lines.receive(request);
    try {
      const message: unknown = JSON.parse(line);
      if (typeof message === 'object' && message !== null && !Array.isArray(message)) return { ...message };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.#lines.fail(`QEMU answers '${request}' with '${shorten(line)}', which is not QMP`);
  }
}
