import type { Duplex } from 'node:stream';
import type { Address } from './address.ts';
import { Connection, type RequestLog } from './connection.ts';
import { listen, type Listener } from './listen.ts';
import type { Paths } from './paths.ts';
import type { ServedMachine } from './served-machine.ts';
import { Session } from './session.ts';

const REFUSAL = 'FAIL another client is connected: this machine takes one at a time\n';

/** Serves a machine to one client after the other: each finds it as the one before has left it. */
export class Server {
  readonly #session: Session;
  readonly #log: RequestLog | undefined;
  #connection: Connection | undefined;
  #stream: Duplex | undefined;

  constructor(machine: ServedMachine, paths: Paths, log?: RequestLog) {
    this.#log = log;
    this.#session = new Session(machine, paths, (line) => this.#connection?.tell(line));
  }

  /** Takes a client; false when there is one already. */
  attach(stream: Duplex): boolean {
    if (this.#connection !== undefined) return false;
    this.#session.open = true;
    this.#stream = stream;
    this.#connection = new Connection(stream, this.#session, this.#log);
    stream.once('close', () => {
      this.#session.open = false;
      this.#connection = undefined;
    });
    return true;
  }

  /** Lets go of the client that there is. */
  close(): void {
    this.#stream?.destroy();
  }

  async listen(address: Address): Promise<Listener> {
    return await listen(address, (stream) => this.attach(stream), REFUSAL);
  }
}
