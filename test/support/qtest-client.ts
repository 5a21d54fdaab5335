import { connect, type Socket } from 'node:net';

/**
 * A client of the qtest protocol and of QMP, written by their descriptions alone: it shares nothing with the server that it is pointed at.
 * Lines out; lines in, with a wait for each that is bounded.
 */

const PATIENCE = 20_000;

/** A connection whose other end sends lines. */
export class LineClient {
  readonly socket: Socket;
  #buffer = '';
  #lines: string[] = [];
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const parts = (this.#buffer + chunk.toString('latin1')).split('\n');
      this.#buffer = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Connects as soon as somebody listens. */
  static async to(path: string): Promise<LineClient> {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const socket = connect({ path });
      const isThere = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (isThere) return new LineClient(socket);
      if (Date.now() > end) throw new Error(`nobody listens on ${path}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  /** The next line; undefined when the other end has closed. */
  async line(): Promise<string | undefined> {
    const end = Date.now() + PATIENCE;
    while (this.#lines.length === 0 && !this.#isClosed) {
      const left = end - Date.now();
      if (left <= 0) throw new Error(`no line for ${PATIENCE} ms; there is ${JSON.stringify(this.#buffer)}`);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.push(resolve)),
        new Promise<void>((resolve) => (timer = setTimeout(resolve, left))),
      ]);
      clearTimeout(timer);
    }
    return this.#lines.shift();
  }

  /** Sends a request of the qtest protocol; gives its reply, and before it the lines that tell of IRQs. */
  async ask(request: string): Promise<string> {
    this.send(`${request}\n`);
    const told: string[] = [];
    for (;;) {
      const line = await this.line();
      if (line === undefined) throw new Error(`'${request.slice(0, 80)}': the other end has closed`);
      told.push(line);
      if (!line.startsWith('IRQ ')) return told.join('\n');
    }
  }

  /** Settles when the other end has closed. */
  async closed(): Promise<void> {
    while ((await this.line()) !== undefined);
  }

  close(): void {
    this.socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
