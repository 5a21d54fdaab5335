import { fork, type ChildProcess } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { count } from '../report/format.ts';
import { print, styleFor } from '../report/style.ts';
import { WatchedFiles } from '../watch/files.ts';
import { Keys } from '../watch/keys.ts';
import type { Order, Report, Wanted } from '../watch/messages.ts';
import { explain } from './fail.ts';
import { INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { onOneLine } from '@qtest/sdk/support';

/** How long a run that is ended may take to report what it has, ms. */
const GRACE = 2_000;

const HELP = [
  ['a', 'run all cases'],
  ['Enter', 'run again, with the filters'],
  ['f', 'run the cases that did not pass'],
  ['p', 'filter by the name of a plugin'],
  ['t', 'filter by the names of cases, as -t'],
  ['q', 'quit'],
] as const;

// tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
const WORKER = new URL(`./watch-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** `qtest --watch`: runs the cases, and again whenever a file of theirs changes, until it is told to quit. */
export function watch(options: CliOptions, io: Io): Promise<number> {
  return new Promise((resolve) => new Watch(options, io, resolve).start());
}

/** A process for one run. It loads the host before it is told what to run. */
interface Runner {
  readonly process: ChildProcess;
  /** What it has loaded. */
  files: readonly string[];
  /** What it was told to run. */
  wanted?: Wanted;
  /** It has loaded all that it was to run. */
  isWhole: boolean;
  isInterrupted: boolean;
}

class Watch {
  readonly #options: CliOptions;
  readonly #io: Io;
  readonly #quit: (code: number) => void;
  readonly #files: WatchedFiles;
  readonly #keys: Keys;
  readonly #failed = new Set<string>();
  /** Filters; those of the command line until others are typed. */
  #tests: readonly string[];
  #plugin: string | undefined;
  /** The runner that waits at the door, while none runs. */
  #next: Runner | undefined;
  #current: Runner | undefined;
  /** What has not been run, or not to its end. */
  #owed: Wanted | undefined;
  #code: number | undefined;

  constructor(options: CliOptions, io: Io, quit: (code: number) => void) {
    this.#options = options;
    this.#io = io;
    this.#quit = quit;
    this.#tests = options.test;
    this.#files = new WatchedFiles((files) => this.#onChange(files));
    this.#keys = new Keys(process.stdin, {
      echo: (text) => void io.stdout.write(text),
      onKey: (key) => void this.#onKey(key),
      onInterrupt: () => this.#end(INTERRUPTED),
    });
    this.#next = this.#fork();
  }

  start(): void {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
    this.#run({});
  }

  readonly #onSignal = (): void => this.#end(INTERRUPTED);

  #onChange(files: readonly string[]): void {
    if (this.#code !== undefined) return;
    // What it has loaded is not what is there now.
    const waiting = this.#next;
    if (waiting !== undefined && files.some((file) => waiting.files.includes(file))) {
      waiting.process.kill('SIGKILL');
      this.#next = this.#fork();
    }
    const names = onOneLine(files.map((file) => relative(this.#io.cwd, file)).join(', '));
    this.#say(`${names} ${files.length === 1 ? 'has' : 'have'} changed`);
    const owed = this.#owed;
    const isPart = owed === undefined || owed.changed !== undefined;
    this.#run(isPart ? { changed: [...new Set([...(owed?.changed ?? []), ...files])] } : {});
  }

  async #onKey(key: string): Promise<void> {
    switch (key) {
      case 'a':
        this.#plugin = undefined;
        this.#tests = this.#options.test;
        return this.#run({});
      case 'Enter':
        return this.#run({});
      case 'f':
        if (this.#failed.size === 0) return this.#say('every case that was run has passed');
        return this.#run({ titles: [...this.#failed] });
      case 'p': {
        const typed = await this.#keys.line('plugin (empty: all): ');
        if (typed === undefined) return;
        this.#plugin = typed.trim() === '' ? undefined : typed.trim();
        return this.#run({});
      }
      case 't': {
        const typed = await this.#keys.line('cases (empty: all): ');
        if (typed === undefined) return;
        this.#tests = typed.trim() === '' ? [] : typed.trim().split(/\s+/);
        return this.#run({});
      }
      case 'q':
        return this.#end(0);
      case '?':
        return this.#say(HELP.map(([name, what]) => `  ${name.padEnd(5)}  ${what}`).join('\n'));
      default:
    }
  }

  /** Runs cases; when others are running, these end first. */
  #run(wanted: Wanted): void {
    this.#owed = wanted;
    if (this.#current !== undefined) {
      interrupt(this.#current);
      return;
    }
    const runner = this.#next ?? this.#fork();
    this.#next = undefined;
    this.#current = runner;
    runner.wanted = wanted;
    const { watch: _, ...options } = { ...this.#options, test: this.#tests };
    const order: Order<CliOptions> = {
      options,
      cwd: this.#io.cwd,
      wanted: { ...wanted, ...(this.#plugin !== undefined && { plugin: this.#plugin }) },
    };
    runner.process.send(order);
  }

  #fork(): Runner {
    const child = fork(fileURLToPath(WORKER), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const runner: Runner = { process: child, files: [], isWhole: false, isInterrupted: false };
    child.on('message', (report: Report) => {
      try {
        this.#onReport(runner, report);
      } catch (error) {
        this.#end(explain(error, this.#io));
      }
    });
    // Not `exit`, which may come before what it told last.
    child.on('close', () => this.#onExit(runner));
    // What is sent to one that dies meanwhile is lost with it, and its end is told.
    child.on('error', () => {});
    return runner;
  }

  #onReport(runner: Runner, report: Report): void {
    // What it watched from now on would keep the process.
    if (this.#code !== undefined) return;
    switch (report.type) {
      case 'ready':
        runner.files = report.files;
        this.#files.add(report.files, report.since);
        break;
      case 'loaded':
        runner.isWhole = report.isWhole;
        this.#files.add(report.files, report.since);
        break;
      case 'cases':
        // One that is there no more, or has another name now, can't pass any more.
        for (const title of this.#failed) if (!report.titles.includes(title)) this.#failed.delete(title);
        break;
      case 'case':
        if (report.isBad) this.#failed.add(report.title);
        else this.#failed.delete(report.title);
        break;
    }
  }

  #onExit(runner: Runner): void {
    if (runner === this.#next) this.#next = undefined;
    if (runner !== this.#current) return;
    this.#current = undefined;
    if (this.#code !== undefined) return this.#quit(this.#code);
    this.#next = this.#fork();
    const isOver = runner.wanted === this.#owed && !runner.isInterrupted;
    if (isOver && runner.isWhole) this.#owed = undefined;
    if (isOver) this.#say(`watching ${count(this.#files.size, 'file')}; ? for the keys`);
    else this.#run(this.#owed ?? {});
  }

  /** Ends all that it has started, and then itself. */
  #end(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    this.#files.close();
    this.#keys.close();
    this.#next?.process.kill('SIGKILL');
    if (this.#current === undefined) this.#quit(code);
    else interrupt(this.#current);
  }

  #say(text: string): void {
    const style = styleFor(this.#io.stdout);
    const lines = text.split('\n').map((line) => style('dim', line));
    print(this.#io.stdout, `${lines.join('\n')}\n`);
  }
}

/** Ends a run as Ctrl-C does. */
function interrupt(runner: Runner): void {
  if (runner.isInterrupted) return;
  runner.isInterrupted = true;
  runner.process.kill('SIGTERM');
  const timer = setTimeout(() => runner.process.kill('SIGKILL'), GRACE);
  runner.process.once('exit', () => clearTimeout(timer));
}
