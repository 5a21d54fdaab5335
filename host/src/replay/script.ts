/** A request of a recorded script. */
export interface Request {
  /** From 1. */
  readonly line: number;
  /** Where in the line the request begins, from 1. */
  readonly column: number;
  readonly text: string;
  /** The reply that was recorded: `OK 0x0026`. */
  reply?: string;
}

/** What is no script. */
export interface ScriptProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A line of a log, QEMU's or ours: `[R +0.012345] inb 0x71`, `[S +0.012399] OK 0x0026`, `[I 0.000000] OPENED`. */
const LOGGED = /^\[([RSI]) ?[+\d.]*\] ?/;
/** A line that a log has cut. */
const CUT = /\.\.\.$/;

/**
 * Reads a recorded script: requests of the qtest protocol, a line each, with the replies as comments, as a trace is written; or the log of
 * a QEMU, or of `qtest serve --qtest-log`. Interrupts that were told of are passed over.
 */
export function readScript(text: string): readonly Request[] | ScriptProblem {
  const requests: Request[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.replace(/\r$/, '');
    const [prefix = '', kind] = LOGGED.exec(content) ?? [];
    const rest = content.slice(prefix.length);
    const comment = /^#\s*(OK\b.*|FAIL\b.*)?/.exec(content);
    if (content.trim() === '' || kind === 'I') continue;
    const isReply = kind === 'S' || comment !== null;
    if (!isReply) {
      requests.push({ line, column: prefix.length + 1, text: rest });
      continue;
    }
    const reply = kind === 'S' ? rest : comment?.[1];
    if (reply === undefined || reply.startsWith('IRQ ') || CUT.test(reply)) continue;
    const request = requests.at(-1);
    if (request === undefined)
      return { line, column: prefix.length + 1, message: `'${reply}' is a reply, and no request stands before it` };
    if (request.reply !== undefined)
      return { line, column: prefix.length + 1, message: `'${reply}' is a second reply to line ${request.line}` };
    request.reply = reply.trimEnd();
  }
  return requests;
}

/** Whether two replies say the same: numbers may be written with more digits or fewer, and why something failed is not compared. */
export function isSameReply(one: string, other: string): boolean {
  if (one === other) return true;
  if (one.startsWith('FAIL') && other.startsWith('FAIL')) return true;
  const [a, b] = [one, other].map((reply) => /^OK (0x[\da-f]+|\d+)$/i.exec(reply.trim())?.[1]);
  return a !== undefined && b !== undefined && BigInt(a) === BigInt(b);
}
