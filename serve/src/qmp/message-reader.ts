import { JsonError, MAX_DEPTH, parseJson, type Json } from './json.ts';

/** Bytes of a message. */
const MAX_MESSAGE = 2 ** 20;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const isOpening = (byte: number): boolean => byte === OPEN_BRACE || byte === 0x5b;
const isClosing = (byte: number): boolean => byte === CLOSE_BRACE || byte === 0x5d;
const isQuote = (byte: number): boolean => byte === 0x22 || byte === 0x27;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const isSeparator = (byte: number): boolean => byte === 0x2c || byte === 0x3a;
const BACKSLASH = 0x5c;

/** What may stand outside of strings: letters, digits, `-`, `+`, `.` and `_`. */
function isWordByte(byte: number): boolean {
  const letter = byte | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x5f
  );
}

/**
 * Cuts a stream of bytes into JSON messages, which need no line ends: a message is over with its last bracket, a bare value with what
 * comes after it. What no JSON can have ends a message with an error at once; from the next bracket, quote or control character on another
 * one is looked for.
 */
export class MessageReader {
  readonly #take: (message: Json | JsonError) => void;
  #bytes: number[] = [];
  /** Braces and brackets that are open. */
  #braces = 0;
  #brackets = 0;
  #quote = 0;
  #escaped = false;
  /** Inside of a bare value: a number or a word. */
  #bare = false;
  /** After an error: nothing is taken until something begins. */
  #recovering = false;

  constructor(take: (message: Json | JsonError) => void) {
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    for (const byte of chunk) this.#byte(byte);
  }

  #byte(byte: number): void {
    if (this.#recovering) {
      if (byte > 0x20 && !isOpening(byte) && !isQuote(byte)) return;
      this.#recovering = false;
    }
    if (this.#quote !== 0) {
      this.#inString(byte);
      return;
    }
    if (this.#bare && (isSpace(byte) || isOpening(byte) || isClosing(byte) || isSeparator(byte) || isQuote(byte))) {
      this.#bare = false;
      if (this.#depth === 0) this.#finish();
    }
    if (isSpace(byte)) {
      if (this.#bytes.length > 0) this.#keep(byte);
    } else if (isQuote(byte)) {
      this.#quote = byte;
      this.#keep(byte);
    } else if (isOpening(byte)) {
      if (byte === OPEN_BRACE) this.#braces++;
      else this.#brackets++;
      if (this.#depth > MAX_DEPTH) this.#fail('nesting too deep');
      else this.#keep(byte);
    } else if (isClosing(byte)) {
      if (byte === CLOSE_BRACE) this.#braces--;
      else this.#brackets--;
      // With one that closes what is not open, as `{]`, no more can make it right.
      if (this.#keep(byte) && (this.#depth === 0 || this.#braces < 0 || this.#brackets < 0)) this.#finish();
    } else if (isSeparator(byte)) {
      this.#keep(byte);
      if (this.#depth === 0) this.#finish();
    } else if (isWordByte(byte)) {
      this.#bare = true;
      this.#keep(byte);
    } else {
      this.#fail(`stray '${shown(byte)}'`);
    }
  }

  #inString(byte: number): void {
    if (byte < 0x20 || byte >= 0xfe) {
      this.#fail(`stray '${shown(byte)}'`);
      return;
    }
    // A failure has dropped the string that this byte was in.
    if (!this.#keep(byte)) return;
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === this.#quote) {
      this.#quote = 0;
      if (this.#depth === 0) this.#finish();
    }
  }

  get #depth(): number {
    return this.#braces + this.#brackets;
  }

  #keep(byte: number): boolean {
    if (this.#bytes.length < MAX_MESSAGE) {
      this.#bytes.push(byte);
      return true;
    }
    this.#fail('the message is too long');
    return false;
  }

  #finish(): void {
    const bytes = Uint8Array.from(this.#bytes);
    this.#reset();
    let message: Json | JsonError;
    try {
      message = parseJson(decode(bytes));
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      message = error;
    }
    this.#take(message);
  }

  #fail(what: string): void {
    this.#reset();
    this.#recovering = true;
    this.#take(new JsonError(what));
  }

  #reset(): void {
    this.#bytes = [];
    this.#braces = 0;
    this.#brackets = 0;
    this.#quote = 0;
    this.#escaped = false;
    this.#bare = false;
  }
}

function shown(byte: number): string {
  return byte < 0x80 ? String.fromCharCode(byte) : '\ufffd';
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new JsonError('invalid UTF-8 sequence in string');
  }
}
