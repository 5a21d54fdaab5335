import type { Readable } from 'node:stream';

/** A terminal's input, or any other. */
export type KeyInput = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown; unref?(): unknown };

const CTRL_C = '\u0003';
const ESCAPE = '\u001B';
const BACKSPACES = new Set(['\b', '\u007F']);
const ENTERS = new Set(['\r', '\n']);

/**
 * Reads keys one by one, and lines where they are asked for. On a terminal it takes Ctrl-C too, and shows what is typed of a line. That the input ends
 * is nothing special: then there are no keys.
 */
export class Keys {
  readonly #input: KeyInput;
  readonly #echo: (text: string) => void;
  readonly #onKey: (key: string) => void;
  readonly #onInterrupt: () => void;
  #line: { text: string; readonly done: (text: string | undefined) => void } | undefined;

  constructor(
    input: KeyInput,
    {
      echo,
      onKey,
      onInterrupt,
    }: {
      readonly echo: (text: string) => void;
      readonly onKey: (key: string) => void;
      readonly onInterrupt: () => void;
    },
  ) {
    this.#input = input;
    this.#echo = echo;
    this.#onKey = onKey;
    this.#onInterrupt = onInterrupt;
    if (input.isTTY === true) input.setRawMode?.(true);
    input.setEncoding('utf8');
    input.on('data', this.#onData);
  }

  /** Asks for a line; undefined when it was given up with Escape. */
  line(prompt: string): Promise<string | undefined> {
    this.#echo(prompt);
    return new Promise((resolve) => {
      this.#line = { text: '', done: resolve };
    });
  }

  close(): void {
    this.#input.off('data', this.#onData);
    if (this.#input.isTTY === true) this.#input.setRawMode?.(false);
    this.#input.pause();
    // An open pipe would keep the process.
    this.#input.unref?.();
  }

  readonly #onData = (text: string): void => {
    for (const key of text) this.#take(key);
  };

  #take(key: string): void {
    const line = this.#line;
    if (key === CTRL_C) {
      this.#onInterrupt();
    } else if (line === undefined) {
      this.#onKey(ENTERS.has(key) ? 'Enter' : key);
    } else if (ENTERS.has(key) || key === ESCAPE) {
      this.#line = undefined;
      this.#echo('\n');
      line.done(key === ESCAPE ? undefined : line.text);
    } else if (BACKSPACES.has(key)) {
      if (line.text !== '') this.#echo('\b \b');
      line.text = line.text.slice(0, -1);
    } else if (key >= ' ') {
      line.text += key;
      this.#echo(key);
    }
  }
}
