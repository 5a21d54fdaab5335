import { isObject, JsonError, parseJson, type JsonObject } from '../qmp/json.ts';
import { UserError } from './settings.ts';

const ID = /^[A-Za-z][\w.-]*$/;

/** `key=value,key=value` as QEMU has it: `,,` is a comma in a value, and the first word may be the value of a key that is not said. */
export function parseKeyValues(text: string, implied?: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [n, word] of splitWords(text).entries()) {
    const equals = word.indexOf('=');
    if (equals >= 0) pairs.set(word.slice(0, equals), word.slice(equals + 1));
    else if (n === 0 && implied !== undefined) pairs.set(implied, word);
    else if (word !== '') pairs.set(...shortForm(word));
  }
  return pairs;
}

/** Whether an option is given as JSON, where QEMU takes that as well. */
export function isJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

/** An option that is given as JSON. @throws UserError in QEMU's words. */
export function parseJsonOption(text: string): JsonObject {
  try {
    const parsed = parseJson(text);
    if (isObject(parsed)) return parsed;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new UserError(error.message);
  }
  throw new UserError('JSON parse error, expecting value');
}

/** `key=value,…`, or a flat JSON object, as keys and values. */
export function parseFlat(text: string, implied: string): Map<string, string> {
  return isJson(text) ? flattened(parseJsonOption(text)) : parseKeyValues(text, implied);
}

/** The members of a JSON object as a command line would have them. */
export function flattened(object: JsonObject): Map<string, string> {
  return new Map(
    Object.entries(object).map(([key, value]) => {
      if (typeof value === 'object') throw new UserError(`Invalid parameter type for '${key}', expected: string`);
      return [key, typeof value === 'boolean' ? (value ? 'on' : 'off') : value.toString()];
    }),
  );
}

/** Words between single commas; a doubled one is a comma. */
function splitWords(text: string): string[] {
  const words: string[] = [''];
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char !== ',') words[words.length - 1] += char;
    else if (text.charAt(at + 1) === ',') {
      words[words.length - 1] += ',';
      at++;
    } else words.push('');
  }
  return words;
}

/** A word without a value: `server` is `server=on`, `nowait` is `wait=off`. */
function shortForm(word: string): [string, string] {
  return word.startsWith('no') ? [word.slice(2), 'off'] : [word, 'on'];
}

/** @throws UserError for a key that is none of those that there are. */
export function checkKeys(pairs: ReadonlyMap<string, string>, known: readonly string[]): void {
  for (const key of pairs.keys()) if (!known.includes(key)) throw new UserError(`Invalid parameter '${key}'`);
}

/** @throws UserError where an option of the command line has no id, or none that is well formed. */
export function checkId(id: string | undefined): void {
  if (id === undefined) throw new UserError("Parameter 'id' is missing");
  if (!ID.test(id))
    throw new UserError(
      "Parameter 'id' expects an identifier\nIdentifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
    );
}
