import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { afterAll } from 'vitest';

import { BIN } from './run.ts';

/** `qtest --watch`, as one who sits before it sees it. */
export interface Watching {
  /** Waits for text that comes after what has been waited for; gives all up to its end. */
  readonly until: (text: string | RegExp) => Promise<string>;
  /** Types. */
  readonly press: (keys: string) => void;
  readonly signal: (name: NodeJS.Signals) => void;
  /** The exit code. */
  readonly ended: Promise<number | null>;
  /** Whether it, or what it has started, is still there. */
  readonly isAlive: () => boolean;
}

const BOUND = 40_000;
const groups = new Set<number>();
afterAll(() => {
  for (const group of groups) send(group, 'SIGKILL');
});

/** @param terminal whether on a terminal of its own, by script(1); else through pipes. */
export function startWatching(cwd: string, args: readonly string[], terminal = false): Watching {
  const words = [process.execPath, BIN, '--watch', ...args];
  const [command = '', ...rest] = terminal
    ? ['script', '-qefc', words.map((word) => `'${word}'`).join(' '), '/dev/null']
    : words;
  const child = spawn(command, rest, { cwd, detached: true, env: { ...process.env, NO_COLOR: '1' } });
  const { pid = 0 } = child;
  groups.add(pid);
  let output = '';
  let read = 0;
  const news = new EventTarget();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      news.dispatchEvent(new Event('text'));
    });
  }
  return {
    until: async (text) => {
      const signal = AbortSignal.timeout(BOUND);
      for (;;) {
        const rest = output.slice(read);
        const found = typeof text === 'string' ? rest.indexOf(text) : rest.search(text);
        if (found >= 0) {
          const length = typeof text === 'string' ? text.length : (text.exec(rest)?.[0].length ?? 0);
          read += found + length;
          return rest.slice(0, found + length);
        }
        try {
          await once(news, 'text', { signal });
        } catch {
          throw new Error(`'${String(text)}' has not come; there was: ${rest}`);
        }
      }
    },
    press: (keys) => void child.stdin.write(keys),
    signal: (name) => void send(pid, name),
    ended: once(child, 'exit').then(([code]: (number | null)[]) => code ?? null),
    isAlive: () => send(pid, 0),
  };
}

function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
