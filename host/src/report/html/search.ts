/** Tells whether a text has every word of what is looked for, in any case and order. */
export function matcherOf(wanted: string): (text: string) => boolean {
  const words = wordsIn(wanted);
  if (words.length === 0) return () => true;
  return (text) => {
    const lower = text.toLowerCase();
    return words.every((word) => lower.includes(word));
  };
}

/** A text in parts, with which of them are what is looked for. */
export function partsOf(text: string, wanted: string): readonly { readonly text: string; readonly isFound: boolean }[] {
  const words = wordsIn(wanted).map((word) => word.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`));
  if (words.length === 0) return [{ text, isFound: false }];
  return text
    .split(new RegExp(`(${words.join('|')})`, 'i'))
    .map((part, index) => ({ text: part, isFound: index % 2 === 1 }))
    .filter((part) => part.text !== '');
}

function wordsIn(wanted: string): string[] {
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}
