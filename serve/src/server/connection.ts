import type { Duplex } from 'node:stream';
import { LineReader } from './line-reader.ts';
import { MAX_LINE } from './limits.ts';

/** Bytes of replies that wait for a client to read them, from which on its requests wait too. */
const MAX_PENDING = 2 ** 20;

/** What executes requests: see `Session`. */
export interface Executor {
  execute(line: string): string | undefined;
  goOn(): string | undefined;
}

/** What a session is told of the requests and replies: the log of `-qtest-log`. */
export interface RequestLog {
  request(line: string): void;
  reply(line: string): void;
}

/**
 * A client's stream and a session: lines in, replies out. Replies to requests that came together leave together; a client that does not
 * read its replies is not read from.
 */
export class Connection {
  readonly #stream: Duplex;
  readonly #session: Executor;
  readonly #log: RequestLog | undefined;
  readonly #after: () => void;
  readonly #lines = new LineReader(MAX_LINE);
  #replies = '';
  #working = false;
  /** A request is being executed that takes longer than a moment. */
  #isLong = false;

  /** @param after is called when all requests that there were have been executed, or others come first. */
  constructor(stream: Duplex, session: Executor, log?: RequestLog, after: () => void = () => {}) {
    this.#stream = stream;
    this.#session = session;
    this.#log = log;
    this.#after = after;
    stream.on('data', (chunk: Buffer) => {
      this.#lines.push(chunk);
      if (!this.#isLong) this.#work();
      // Read on, to see the client's end, but not without end.
      else if (this.#lines.waiting > MAX_PENDING) stream.pause();
    });
    stream.on('drain', () => this.#goOn());
    // Half a line is no request: the machine stays as it was.
    stream.on('close', () => this.#lines.forget());
  }

  /** A line that comes before the reply to the request that is being executed. */
  tell(line: string): void {
    this.#log?.reply(line);
    this.#replies += line;
    // Outside of a request, say by an event of the monitor, nobody else sends it.
    if (!this.#working) this.#flush();
  }

  /** Executes what there is of whole lines, as far as the client reads the replies. */
  #work(): void {
    this.#working = true;
    try {
      while (this.#step()) if (this.#replies.length >= MAX_PENDING && !this.#flush()) return;
      if (this.#flush() && this.#isLong) {
        // Others come first: the monitor, a signal, this client's end.
        setImmediate(() => this.#goOn());
      }
    } finally {
      this.#working = false;
    }
    this.#after();
  }

  /** Executes a line, or goes on with one. False when there is none, or it takes longer. */
  #step(): boolean {
    let reply: string | undefined;
    if (this.#isLong) {
      reply = this.#session.goOn();
    } else {
      const line = this.#lines.next();
      if (line === null) return false;
      if (line !== undefined) this.#log?.request(line);
      reply = line === undefined ? `FAIL the line is longer than ${MAX_LINE} bytes\n` : this.#session.execute(line);
    }
    this.#isLong = reply === undefined;
    if (reply === undefined) return false;
    this.#log?.reply(reply);
    this.#replies += reply;
    return true;
  }

  #goOn(): void {
    if (this.#stream.destroyed || this.#working) return;
    this.#stream.resume();
    this.#work();
  }

  /** Sends the replies. False when too many wait for the client: it is not read from until it has taken them. */
  #flush(): boolean {
    const stream = this.#stream;
    if (this.#replies !== '') {
      const replies = this.#replies;
      this.#replies = '';
      if (!stream.destroyed) stream.write(replies, 'latin1');
    }
    if (stream.writableLength < MAX_PENDING) return true;
    stream.pause();
    return false;
  }
}
