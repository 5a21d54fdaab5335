/**
 * JSON as QMP has it: strings in double or single quotes, no duplicate keys, integers of 64 bits kept whole, and errors in QEMU's words.
 * Other than `JSON.parse`, which takes neither single quotes nor tells of duplicate keys.
 */

export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Deepest nesting of a message. */
export const MAX_DEPTH = 1024;

/** What is wrong with a message. */
export class JsonError extends Error {
  constructor(what: string) {
    super(`JSON parse error, ${what}`);
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Parses one message.
 * @throws JsonError
 */
export function parseJson(text: string): Json {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const WORD = /[A-Za-z_]\w*/y;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Json {
    if (depth > MAX_DEPTH) throw new JsonError('nesting too deep');
    this.#space();
    const char = this.#text.charAt(this.#at);
    switch (char) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
      case "'":
        return this.#string(char);
      default:
        return this.#scalar();
    }
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw new JsonError('expecting value');
  }

  #object(depth: number): Json {
    this.#at++;
    const entries: [string, Json][] = [];
    const keys = new Set<string>();
    this.#space();
    if (this.#take('}')) return {};
    do {
      this.#space();
      const quote = this.#text.charAt(this.#at);
      if (quote !== '"' && quote !== "'") {
        this.value(depth + 1);
        throw new JsonError('key is not a string in object');
      }
      const key = this.#string(quote);
      this.#space();
      if (!this.#take(':')) throw new JsonError('missing : in object pair');
      if (keys.has(key)) throw new JsonError('duplicate key');
      keys.add(key);
      entries.push([key, this.value(depth + 1)]);
      this.#space();
    } while (this.#take(','));
    if (!this.#take('}')) throw new JsonError('expected separator in dict');
    return Object.fromEntries(entries);
  }

  #array(depth: number): Json {
    this.#at++;
    const items: Json[] = [];
    this.#space();
    if (this.#take(']')) return items;
    do {
      items.push(this.value(depth + 1));
      this.#space();
    } while (this.#take(','));
    if (!this.#take(']')) throw new JsonError('expected separator in list');
    return items;
  }

  #string(quote: string): string {
    this.#at++;
    let string = '';
    for (;;) {
      const from = this.#at;
      while (isPlain(this.#text.charCodeAt(this.#at))) this.#at++;
      string += this.#text.slice(from, this.#at);
      const char = this.#text.charAt(this.#at++);
      if (char === quote) return string;
      if (char === '"' || char === "'") string += char;
      else if (char === '\\') string += this.#escape();
      else throw new JsonError(char === '' ? 'expecting value' : `stray '${char}'`);
    }
  }

  #escape(): string {
    const char = this.#text.charAt(this.#at++);
    if (char === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + 4);
      if (!/^[\da-fA-F]{4}$/.test(digits)) throw new JsonError(`invalid hex escape '\\u${digits}' in string`);
      if (digits === '0000') throw new JsonError(`invalid Unicode sequence '\\u0000' in string`);
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meant = ESCAPES[char];
    if (meant === undefined) throw new JsonError(`invalid escape sequence '\\${char}' in string`);
    return meant;
  }

  #scalar(): Json {
    NUMBER.lastIndex = WORD.lastIndex = this.#at;
    const number = NUMBER.exec(this.#text);
    if (number !== null) {
      this.#at += number[0].length;
      const [text, fraction, exponent] = number;
      const value = Number(text);
      if (fraction === undefined && exponent === undefined && !Number.isSafeInteger(value)) {
        const whole = BigInt(text);
        // What 64 bits do not hold is a float, as in QEMU.
        if (whole >= -(2n ** 63n) && whole < 2n ** 64n) return whole;
      }
      return value;
    }
    const word = WORD.exec(this.#text)?.[0];
    if (word === undefined) throw new JsonError('expecting value');
    this.#at += word.length;
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
    throw new JsonError(`invalid keyword '${word}'`);
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length) this.#at++;
  }

  #take(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at++;
    return true;
  }
}

/** Whether a character stands for itself in a string; not at the end of the text, where the code is NaN. */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== QUOTE && code !== APOSTROPHE && code !== BACKSLASH;
}

/** Writes a value in QEMU's way: a blank after `:` and `,`, and what is no printable ASCII escaped. */
export function writeJson(value: Json): string {
  if (typeof value === 'string') return writeString(value);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '0' : String(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(', ')}]`;
  const entries = Object.entries<Json>(value).map(([key, item]) => `${writeString(key)}: ${writeJson(item)}`);
  return `{${entries.join(', ')}}`;
}

function writeString(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
}
