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

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch (error) {
    // It has ended meanwhile.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
