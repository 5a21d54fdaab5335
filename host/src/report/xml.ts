/** What XML 1.0 has no way to write: most control characters, halves of surrogate pairs, and two that are no characters. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

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

/** A text as XML; what XML can't hold is written as JavaScript would, `\x1b`. */
export function xmlText(text: string): string {
  return legal(text).replaceAll(/[&<>\r]/g, (found) => ENTITIES[found] ?? found);
}

/** Attributes as XML, each with a space before it; undefined ones are left out. */
export function xmlAttributes(attributes: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${legal(String(value)).replaceAll(/[&<>"\t\n\r]/g, (c) => ENTITIES[c] ?? c)}"`)
    .join('');
}

function legal(text: string): string {
  return text.replaceAll(FORBIDDEN, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
