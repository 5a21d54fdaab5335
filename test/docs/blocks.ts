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
  /**
   * What the reader types, and what comes back: ` ```console `; with `at=repository`, in a clone of this repository, with
   * `needs=qemu` where there is a QEMU.
   */
  | {
      readonly kind: 'console';
      readonly line: number;
      readonly repository: boolean;
      readonly needs: string | undefined;
      readonly commands: readonly Command[];
    };

const FENCE = /^(\s*)(`{3,}|~{3,})(.*)$/;

/**
 * The blocks of a page, in order.
 * @throws an error for a block that is none of these kinds, or indented in place of fenced: it would be left unchecked; and for
 * a file that the text does not name: most who show Markdown do not show the title.
 */
export function parseBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  /** Where the text before the next block begins. */
  let text = 0;
  for (let at = 0; at < lines.length; at++) {
    const [, indent, fence, info = ''] = FENCE.exec(lines[at] ?? '') ?? [];
    const line = at + 1;
    if (fence === undefined) {
      if (/^ {4}\S/.test(lines[at] ?? '') && lines[at - 1] === '') throw new Error(`line ${line}: a block is fenced`);
      continue;
    }
    if (indent !== '') throw new Error(`line ${line}: a fence starts in the first column`);
    const end = lines.indexOf(fence, at + 1);
    if (end < 0) throw new Error(`line ${line}: the block has no end`);
    const block = toBlock(info, lines.slice(at + 1, end), line);
    if (block.kind === 'file' && !lines.slice(text, at).join('\n').includes(`\`${block.title}\``))
      throw new Error(`line ${line}: name the file before the block: \`${block.title}\``);
    blocks.push(block);
    at = end;
    text = end + 1;
  }
  return blocks;
}

function toBlock(info: string, lines: readonly string[], line: number): Block {
  const [, title] = /^(?:ts|js|json|yaml|groovy|md) title="([^"]+)"$/.exec(info) ?? [];
  if (title !== undefined) return { kind: 'file', line, title, text: `${lines.join('\n')}\n` };
  const [language, ...settings] = info.split(' ');
  const needs = settings.find((setting) => setting.startsWith('needs='))?.slice('needs='.length);
  const repository = settings.includes('at=repository');
  const isKnown = settings.every((setting) => ['at=repository', 'needs=qemu'].includes(setting));
  if (language === 'console' && isKnown) {
    return { kind: 'console', line, repository, needs, commands: toCommands(lines, line) };
  }
  throw new Error(`line ${line}: a block is a file with a title, or console, but this is '${info}'`);
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
