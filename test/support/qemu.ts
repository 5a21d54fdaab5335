import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Whether there is a QEMU on the PATH. Tests that need one are skipped without, and say so in their names. */
export const HAS_QEMU: boolean = spawnSync('qemu-system-x86_64', ['-version']).status === 0;

export const NEEDS_QEMU = 'needs qemu-system-x86_64';

/** Command lines of all processes that contain `text`. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(text));
}

/** Processes of a name that have ended, and whose parent has not waited for them. */
export function zombiesOf(name: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && procFile(pid, 'stat').includes(`(${name}) Z`));
}

function commandLine(pid: string): string {
  return procFile(pid, 'cmdline').replaceAll('\0', ' ');
}

function procFile(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    // It has ended meanwhile.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
