/** A command of a transcript and what it prints. */
export interface Command {
  readonly command: string;
  /** Empty when the page shows nothing of it. */
  readonly output: readonly string[];
}

/** A fenced block of a page. */
export type Block =
  /** A file that the reader writes: ` ```ts title="clock.ts" `. */
  | { readonly kind: 'file'; readonly line: number; readonly title: string; readonly text: string }
  /** What the reader types, and what comes back: ` ```console `; with `at=repository`, in a clone of this repository. */
  | {
      readonly kind: 'console';
      readonly line: number;
      readonly repository: boolean;
      readonly commands: readonly Command[];
    }
  /** A part of something, to be read alone. */
  | { readonly kind: 'text'; readonly line: number };

const FENCE = /^(\s*)(`{3,}|~{3,})(.*)$/;

/**
 * The fenced blocks of a page, in order.
 * @throws an error for a block that is none of these kinds: it would be left unchecked.
 */
export function parseBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent, fence, info = ''] = FENCE.exec(lines[at] ?? '') ?? [];
    if (fence === undefined) continue;
    const line = at + 1;
    if (indent !== '') throw new Error(`line ${line}: a fence starts in the first column`);
    const end = lines.indexOf(fence, at + 1);
    if (end < 0) throw new Error(`line ${line}: the block has no end`);
    blocks.push(toBlock(info, lines.slice(at + 1, end), line));
    at = end;
  }
  return blocks;
}

function toBlock(info: string, lines: readonly string[], line: number): Block {
  const [, title] = /^(?:ts|js|json) title="([^"]+)"$/.exec(info) ?? [];
  if (title !== undefined) return { kind: 'file', line, title, text: `${lines.join('\n')}\n` };
  if (info === 'text') return { kind: 'text', line };
  if (info === 'console' || info === 'console at=repository') {
    return { kind: 'console', line, repository: info !== 'console', commands: toCommands(lines, line) };
  }
  throw new Error(`line ${line}: a block is ts, js or json with a title, console, or text, but this is '${info}'`);
}

function toCommands(lines: readonly string[], line: number): Command[] {
  const commands: { command: string; output: string[] }[] = [];
  for (const text of lines) {
    const last = commands.at(-1);
    if (text.startsWith('$ ')) commands.push({ command: text.slice(2), output: [] });
    else if (last === undefined) throw new Error(`line ${line}: a console block starts with '$ '`);
    else last.output.push(text);
  }
  return commands;
}
