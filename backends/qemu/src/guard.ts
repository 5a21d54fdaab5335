import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { onOneLine } from '@qtest/sdk/support';

/** Of what it writes to standard error, the last so many characters are kept. */
const STDERR_KEPT = 4_000;
/** Of these, the first so many lines are shown: a QEMU that aborts adds its CPU's registers. */
const SHOWN_LINES = 8;
/** How long its end is waited for once it has been killed, ms. */
const END_BOUND = 2_000;

/**
 * Runs a command and cleans up after it, whatever becomes of this process. Standard input is a pipe whose other end this process alone
 * has: when that is closed, or this process ends, by whatever signal, `read` returns, and the folder and the command go. A shell has,
 * which Node has not, mkfifo; and it waits for both of its children, as where process 1 is no init nobody else would.
 * Arguments: the folder, the number of FIFO pairs, their names, the command line.
 */
const GUARD = `
dir=$1; count=$2; shift 2
exec 3<&0 </dev/null
while [ "$count" -gt 0 ]; do mkfifo "$dir/$1.in" "$dir/$1.out" || exit 1; shift; count=$((count - 1)); done
exec 4>&2 2>/dev/null
"$@" 2>&4 3<&- 4>&- &
command=$!
{ read -r _ <&3; if [ -n "$dir" ]; then rm -rf "$dir"; fi; kill -KILL $command; } >/dev/null 4>&- &
guard=$!
exec 3<&- 4>&-
wait $command
status=$?
kill $guard
wait $guard
exit $status
`;

/** A shell's exit status for a command that it did not find, or could not run; from 128 it is a signal's. */
export const SHELL = { NOT_EXECUTABLE: 126, NOT_FOUND: 127, SIGNAL: 128 } as const;

/** Signals that a program dies of, by their numbers on Linux and macOS. */
const SIGNALS: Readonly<Record<number, string>> = {
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
};

const living = new Set<Guarded>();
process.on('exit', () => {
  for (const guarded of living) guarded.killAll();
});

export interface GuardedOptions {
  /** Its folder, removed with it. */
  readonly dir?: string;
  /** Pairs of FIFOs, `<name>.in` and `<name>.out`, made in the folder before it starts. */
  readonly fifos?: readonly string[];
  /** What it writes to standard output. */
  readonly output?: (text: string) => void;
}

/** A command in a session of its own, so that a terminal's Ctrl-C is for this process alone to deal with. */
export class Guarded {
  readonly commandLine: string;
  /** Settles when it has ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #dir: string;
  #status: number | undefined;
  #hasEnded = false;
  #killed = false;
  #stderr = '';

  constructor(command: string, args: readonly string[], { dir = '', fifos = [], output }: GuardedOptions = {}) {
    this.commandLine = [command, ...args].map(shellQuote).join(' ');
    this.#dir = dir;
    const words = ['-c', GUARD, 'qtest', dir, String(fifos.length), ...fifos, command, ...args];
    const child = spawn('/bin/sh', words, {
      detached: true,
      stdio: ['pipe', output === undefined ? 'ignore' : 'pipe', 'pipe'],
    });
    this.#child = child;
    living.add(this);
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        living.delete(this);
        resolve();
      };
      child.once('error', (error) => {
        this.#stderr += error.message;
        end();
      });
      // Not `close`: what it has started may keep its output open.
      child.once('exit', (status) => {
        this.#status = status ?? undefined;
        // What it wrote before has arrived by then.
        setImmediate(end);
      });
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => output?.(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    // Nothing is written to it, and that it is closed is no news.
    child.stdin?.on('error', () => {});
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Its exit status, 128 and more for a signal; undefined while it runs, and when it was killed. */
  get status(): number | undefined {
    return this.#status;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** `exited with status 1`, `died of SIGSEGV`, `was running, and was killed`. */
  get state(): string {
    const status = this.#status;
    if (this.#killed) return 'was running, and was killed';
    if (status === undefined) return 'is running';
    if (status <= SHELL.SIGNAL) return `exited with status ${status}`;
    return `died of ${SIGNALS[status - SHELL.SIGNAL] ?? `signal ${status - SHELL.SIGNAL}`}`;
  }

  /** Has it killed, and its folder removed. */
  kill(): void {
    if (!this.#hasEnded) this.#killed = true;
    this.#child.stdin?.destroy();
    this.removeFolder();
  }

  /** Kills it and all that it has started, at once. */
  killAll(): void {
    this.kill();
    const { pid } = this.#child;
    if (pid !== undefined) killGroup(pid);
  }

  /** What is in it is not needed any more. */
  removeFolder(): void {
    if (this.#dir !== '') rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Waits until it ends by itself, at most `ms`; gives whether it has. */
  async endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.ended, late]);
    clearTimeout(timer);
    return this.#hasEnded;
  }

  /** `kill()`, and waits, within a bound, until it is gone; and with it what it has started. */
  async end(): Promise<void> {
    this.kill();
    await this.endsWithin(END_BOUND);
    this.killAll();
    await this.endsWithin(END_BOUND);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** A message with everything that helps to see what was wrong with it. */
  explain(message: string): string {
    const lines = this.#stderr.trim().split('\n').map(onOneLine);
    const more = lines.length - SHOWN_LINES;
    const said = [...lines.slice(0, SHOWN_LINES), ...(more > 0 ? [`… and ${more} more lines`] : [])].join('\n    ');
    return [
      message,
      `  command line: ${this.commandLine}`,
      `  it ${this.state}`,
      `  standard error: ${said === '' ? 'nothing' : said}`,
    ].join('\n');
  }
}

/** As a shell reads it. */
export function shellQuote(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** The group outlives its leader, and has the leader's id. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
