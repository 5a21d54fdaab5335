import { printable, withoutCommands } from '@qtest/sdk/support';

/** What XML 1.0 has no way to write, beside what is hidden. */
const NO_CHARACTER = /[\ufffe\uffff]/g;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // A parser turns those of an attribute into spaces, and a bare carriage return of a text into a line feed.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** A text as XML. What XML can't hold, and what is hidden in it, is written as JavaScript would, `\x1b`. */
export function xmlText(text: string): string {
  return escaped(text, /[&<>\r]/g);
}

/** Attributes as XML, each with a space before it; undefined ones are left out. */
export function xmlAttributes(attributes: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(String(value), /[&<>"\t\n\r]/g)}"`)
    .join('');
}

function escaped(text: string, special: RegExp): string {
  // An end of line of a Mac's is one of a Windows' without its second half: XML has a word for it.
  const shown = text.split('\r').map(printable).join('\r');
  const legal = shown.replaceAll(NO_CHARACTER, (found) => `\\u${found.charCodeAt(0).toString(16)}`);
  const entities = legal.replaceAll(special, (found) => ENTITIES[found] ?? found);
  // A report may be written to the output that the runner of GitHub Actions reads.
  return withoutCommands(entities, (character) => `&#${character.charCodeAt(0)};`);
}
