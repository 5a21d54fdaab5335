/**
 * What a terminal acts upon, or a reader cannot see: control characters but tab and line feed, what changes the direction of text and other
 * format characters (but the two joiners that scripts and emoji need), separators of lines, and halves of surrogate pairs.
 */
const HIDDEN = /[[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]--[\t\n\u200c\u200d]]/gv;

/** Something else than what nearly all texts are made of, of which nothing is hidden: to look for this first takes a tenth of the time. */
const UNUSUAL = /[^\t\n -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u2bff]/;

/** A text of others for a reader: what is hidden in it is seen, as JavaScript would write it, `\x1b`. Ends of lines stay. */
export function printable(text: string): string {
  if (!UNUSUAL.test(text)) return text;
  return text.replaceAll(HIDDEN, (found) => {
    const code = found.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code > 0xffff) return `\\u{${hex}}`;
    return code > 0xff ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`;
  });
}

/** The same of a name, or of whatever else has no second line. */
export function onOneLine(text: string): string {
  return printable(text).replaceAll('\n', String.raw`\n`);
}

/** JSON that says the same, and in which nothing is hidden and no runner of GitHub Actions finds a command. */
export function printableJson(json: string): string {
  const shown = UNUSUAL.test(json)
    ? json.replaceAll(HIDDEN, (found) =>
        Array.from({ length: found.length }, (_, n) => unit(found.charCodeAt(n))).join(''),
      )
    : json;
  return shown.replaceAll(BRACKET_COMMAND, (_found, before: string) => before + unit(0x5b));
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * Where the runner of GitHub Actions finds a command: `::` at the start of a line but for white space, and `##[` anywhere. It compares by
 * the rules of a language, so characters that have no weight there may stand between. Colours of our own may come first.
 */
const COLON_COMMAND =
  /^((?:[^\S\n]|\p{Default_Ignorable_Code_Point}|\p{Cc}\[[\d;]*m)*:\p{Default_Ignorable_Code_Point}*):/gmu;
const BRACKET_COMMAND = /(#\p{Default_Ignorable_Code_Point}*#\p{Default_Ignorable_Code_Point}*)\[/gu;

/** A text in which that runner finds no command: the last character of what begins one is written by `escape`. */
export function withoutCommands(text: string, escape = (character: '[' | ':'): string => hexOf(character)): string {
  return text
    .replaceAll(COLON_COMMAND, (_found, before: string) => before + escape(':'))
    .replaceAll(BRACKET_COMMAND, (_found, before: string) => before + escape('['));
}

function hexOf(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16)}`;
}

/** Text in which Markdown, and the HTML in it, sees nothing of its own; on one line. */
export function markdownText(text: string): string {
  return onOneLine(text).replaceAll(/[\\`*_~|[\]!<>&]|^[-+=#]/g, String.raw`\$&`);
}
