import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { x } from 'tinyexec';
import { afterAll } from 'vitest';

/** How a process ended. */
export interface Ended {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  /** Added to the environment; undefined takes a variable out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds after which the process and all that it has started are killed, and `ended` rejects. */
  readonly timeout?: number;
}

/** A process, with those that it starts in a group of their own. */
export interface Running {
  readonly pid: number | undefined;
  /** Settles when it has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  /** Sends a signal to the whole group, as a terminal's Ctrl-C does. */
  signal(name: NodeJS.Signals): void;
  /** Whether any process of the group is left. */
  isAlive(): boolean;
}

/** This repository, absolute. */
export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The command, which runs what has been built. */
export const BIN: string = fileURLToPath(new URL('../../host/bin/qtest.js', import.meta.url));

const TIMEOUT = 30_000;

const groups = new Set<number>();
afterAll(() => {
  for (const group of groups) signalGroup(group, 'SIGKILL');
});

/** Runs a process to its end. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  return start(command, args, options).ended;
}

/** Starts a process. */
export function start(command: string, args: readonly string[], options: RunOptions): Running {
  const { cwd, env, timeout = TIMEOUT } = options;
  const child = x(command, args, {
    nodePath: false,
    nodeOptions: { cwd, env: { ...environment(), ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);
  const settle = async (): Promise<Ended> => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      signalGroup(group, 'SIGKILL');
    }, timeout);
    const { exitCode, stdout, stderr } = await child;
    clearTimeout(timer);
    if (!isLate) return { code: exitCode, stdout, stderr };
    throw new Error(`'${[command, ...args].join(' ')}' did not end within ${timeout} ms:\n${stdout}\n${stderr}`);
  };
  return {
    pid: group,
    ended: settle(),
    signal: (name) => void signalGroup(group, name),
    isAlive: () => signalGroup(group, 0),
  };
}

/** Whether there was a process to get the signal. */
function signalGroup(group: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (group === undefined) return false;
  try {
    return process.kill(-group, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** What npm, vitest and a CI, in which the tests run, add to the environment. npm's registry and cache are the user's, and so are certificates. */
const ADDED =
  /^(?:npm_(?!config_(?:registry|cache|userconfig|.*proxy|cafile|strict_ssl)$)|vitest|github_|node_(?!extra_ca_certs$)|force_color|init_cwd)/i;

/** A user's environment, with this Node and without colours. */
function environment(): Record<string, string | undefined> {
  const inherited = Object.keys(process.env).filter((name) => ADDED.test(name));
  return {
    ...Object.fromEntries(inherited.map((name) => [name, undefined])),
    PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
    NO_COLOR: '1',
  };
}
