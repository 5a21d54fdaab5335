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
