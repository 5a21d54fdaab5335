/** What a debugger hears of a thread that has stopped. */
export interface Paused {
  readonly callFrames: readonly {
    readonly callFrameId: string;
    readonly location: { readonly scriptId: string; readonly lineNumber: number };
  }[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A debugger, as VS Code and Chrome are: it speaks the protocol of Chrome's DevTools over a WebSocket. */
export class Debugger {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>();
  readonly #listeners = new Set<(message: Message) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.onEvent<{ scriptId: string; url: string }>('Debugger.scriptParsed', ({ scriptId, url }) => {
      this.#scripts.set(scriptId, url);
    });
    socket.addEventListener('message', ({ data }) => {
      const message: Message = JSON.parse(String(data));
      for (const listener of this.#listeners) listener(message);
      if (message.id === undefined) return;
      const { error, result = {} } = message;
      const waiting = this.#waiting.get(message.id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    });
  }

  readonly #scripts = new Map<string, string>();

  /** File and line, from 0, of where it has stopped. */
  placeOf({ callFrames: [frame] }: Paused): readonly [file: string | undefined, line: number | undefined] {
    const url = this.#scripts.get(frame?.location.scriptId ?? '');
    return [url?.split('/').at(-1), frame?.location.lineNumber];
  }

  static async attach(url: string): Promise<Debugger> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new Debugger(socket);
  }

  send(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#last;
    const waiting = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise;
  }

  /** Resolves at the next event of this name; to be called before what brings it about. */
  next<T>(method: string): Promise<T> {
    return new Promise((resolve) => {
      const listener = (message: Message): void => {
        if (message.method !== method) return;
        this.#listeners.delete(listener);
        resolve(message.params as T);
      };
      this.#listeners.add(listener);
    });
  }

  onEvent<T>(method: string, hear: (params: T) => void): void {
    this.#listeners.add((message) => {
      if (message.method === method) hear(message.params as T);
    });
  }

  /** The value of an expression where it has stopped. */
  async evaluate({ callFrames: [frame] }: Paused, expression: string): Promise<unknown> {
    const { result } = await this.send('Debugger.evaluateOnCallFrame', {
      callFrameId: frame?.callFrameId,
      expression,
      returnByValue: true,
    });
    return typeof result === 'object' && result !== null && 'value' in result ? result.value : undefined;
  }

  close(): void {
    this.#socket.close();
  }
}
