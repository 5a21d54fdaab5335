import { hostError } from '../../errors.ts';
import { Guarded, SHELL } from './guard.ts';

/** A QEMU, as it tells of itself. */
export interface DetectedQemu {
  /** As it is started. */
  readonly command: string;
  /** `7.2.22`. */
  readonly version: string;
  /** What it adds in parentheses: the distribution's package. */
  readonly build: string | undefined;
  /** `tcg`, `kvm`, `qtest` … */
  readonly accelerators: readonly string[];
}

/** The oldest QEMU that takes `-machine hpet=` and `-action`. */
const OLDEST = [6, 0] as const;

/** How long it may take to tell, ms. */
const BOUND = 10_000;

const NO_MACHINE = ['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'];

/** Of what is no answer, so many characters are shown. */
const SHOWN = 400;

const INSTALL =
  'Install it (Debian, Ubuntu: apt install qemu-system-x86; Fedora: dnf install qemu-system-x86; macOS: brew install qemu), ' +
  'or name one with --qemu';

/**
 * Asks a QEMU for its version and its accelerators.
 * @throws BACKEND when it cannot be started, does not answer as a QEMU does within a bound, or is too old.
 */
export async function detectQemu(
  command: string,
  { bound = BOUND }: { readonly bound?: number } = {},
): Promise<DetectedQemu> {
  if (process.platform === 'win32')
    throw hostError('BACKEND', 'the backend qemu needs named pipes and a shell as POSIX has them, and Windows has not');
  const told = await ask(command, ['-version'], bound);
  const [, version, build] = /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)(?: \((.*)\))?/m.exec(told) ?? [];
  if (version === undefined) {
    throw hostError('BACKEND', `${command} -version: expected 'QEMU emulator version …', but it wrote ${quoted(told)}`);
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw hostError(
      'BACKEND',
      `${command} is QEMU ${version}, which is too old: expected ${OLDEST.join('.')} or later. ${INSTALL}`,
    );
  }
  const listed = await ask(command, ['-accel', 'help'], bound);
  const accelerators = listed.split('\n').filter((line) => /^[a-z0-9]+$/.test(line) && line !== 'qtest');
  if (await hasQtest(command, bound)) accelerators.push('qtest');
  if (!accelerators.includes('tcg') && !accelerators.includes('qtest')) {
    throw hostError(
      'BACKEND',
      `${command} -accel help: expected the accelerator tcg or qtest among them, but it wrote ${quoted(listed)}`,
    );
  }
  return { command, version, build, accelerators };
}

/**
 * Whether it has the accelerator `qtest`. QEMU leaves that out of what `-accel help` lists (softmmu/vl.c, qemu_init). One that has it comes as far as
 * its monitor's greeting; one that has not ends.
 */
async function hasQtest(command: string, bound: number): Promise<boolean> {
  let text = '';
  const asked = new Guarded(command, ['-accel', 'qtest', ...NO_MACHINE, '-qmp', 'stdio'], {
    output(more) {
      text += more;
      if (text.includes('"QMP"')) asked.kill();
    },
  });
  const isLate = !(await asked.endsWithin(bound));
  await asked.end();
  if (!isLate) return text.includes('"QMP"');
  throw hostError('BACKEND', asked.explain(`${command} has neither started nor ended within ${bound / 1000} s`));
}

/** What a command writes to standard output until it ends. */
async function ask(command: string, args: readonly string[], bound: number): Promise<string> {
  let text = '';
  const asked = new Guarded(command, args, { output: (more) => (text += more) });
  const isLate = !(await asked.endsWithin(bound));
  await asked.end();
  if (isLate) throw hostError('BACKEND', asked.explain(`${command} has not ended within ${bound / 1000} s`));
  if (asked.status === 0) return text;
  if (asked.status === SHELL.NOT_FOUND)
    throw hostError('BACKEND', asked.explain(`${command}: there is no such command. ${INSTALL}`));
  if (asked.status === SHELL.NOT_EXECUTABLE)
    throw hostError('BACKEND', asked.explain(`${command}: it is not executable. ${INSTALL}`));
  throw hostError('BACKEND', asked.explain(`${command} does not tell its version`));
}

function quoted(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'nothing';
  return `'${trimmed.length > SHOWN ? `${trimmed.slice(0, SHOWN)}…` : trimmed}'`;
}
