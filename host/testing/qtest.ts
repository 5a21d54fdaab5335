import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How the command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

/** Runs the command from its sources, in a process of its own: modules are loaded by Node and not by vitest. */
export function qtest(cwd: string, ...args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=@qtest/source', MAIN, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, NODE_OPTIONS: '' },
    timeout: 30_000,
  });
  return { code: status, stdout, stderr };
}
