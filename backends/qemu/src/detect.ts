import type { QtestError } from '@qtest/sdk';
import { Guarded, SHELL, shellQuote } from './guard.ts';
import { unusable } from '@qtest/sdk/backend';
import { onOneLine, printable } from '@qtest/sdk/support';

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

/** Characters of an answer. */
const MAX_TOLD = 2 ** 16;
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
    throw unusable('the backend qemu needs named pipes and a shell as POSIX has them, and Windows has not');
  const name = shellQuote(command);
  const told = await ask(command, ['-version'], bound);
  const [, version, build] = /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)(?: \((.*)\))?/m.exec(told.text) ?? [];
  if (version === undefined)
    throw told.error(`${name} -version: expected 'QEMU emulator version …', but it wrote ${quoted(told.text)}`);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw told.error(`${name} is QEMU ${version}, which is too old: expected ${OLDEST.join('.')} or later. ${INSTALL}`);
  const listed = await ask(command, ['-accel', 'help'], bound);
  const accelerators = listed.text.split('\n').filter((line) => /^[a-z0-9]+$/.test(line) && line !== 'qtest');
  if (await hasQtest(command, bound)) accelerators.push('qtest');
  if (!accelerators.includes('tcg') && !accelerators.includes('qtest'))
    throw listed.error(
      `${name} -accel help: expected the accelerator tcg or qtest among them, but it wrote ${quoted(listed.text)}`,
    );
  return { command, version, build: build === undefined ? undefined : onOneLine(build), accelerators };
}

/**
 * Whether it has the accelerator `qtest`. QEMU leaves that out of what `-accel help` lists (softmmu/vl.c, qemu_init). One that has it comes as far as
 * its monitor's greeting; one that has not ends.
 */
async function hasQtest(command: string, bound: number): Promise<boolean> {
  let text = '';
  const asked = new Guarded(command, ['-accel', 'qtest', ...NO_MACHINE, '-qmp', 'stdio'], {
    output(more) {
      text = (text + more).slice(0, MAX_TOLD);
      if (text.includes('"QMP"')) asked.kill();
    },
  });
  const isLate = !(await asked.endsWithin(bound));
  await asked.end();
  if (!isLate) return text.includes('"QMP"');
  throw unusable(asked.explain(`${shellQuote(command)} has neither started nor ended within ${bound / 1000} s`));
}

/** What a command has written to standard output; and an error, with its command line, its status and its standard error. */
interface Told {
  readonly text: string;
  error(message: string): QtestError;
}

async function ask(command: string, args: readonly string[], bound: number): Promise<Told> {
  let text = '';
  const asked = new Guarded(command, args, { output: (more) => (text = (text + more).slice(0, MAX_TOLD)) });
  const error = (message: string): QtestError => unusable(asked.explain(message));
  const name = shellQuote(command);
  const isLate = !(await asked.endsWithin(bound));
  await asked.end();
  if (isLate) throw error(`${name} has not ended within ${bound / 1000} s`);
  if (asked.status === 0) return { text, error };
  if (asked.status === SHELL.NOT_FOUND) throw error(`${name}: there is no such command. ${INSTALL}`);
  if (asked.status === SHELL.NOT_EXECUTABLE) throw error(`${name}: it is not executable. ${INSTALL}`);
  throw error(`${name} does not tell its version`);
}

function quoted(text: string): string {
  const trimmed = printable(text.trim());
  if (trimmed === '') return 'nothing';
  return `'${trimmed.length > SHOWN ? `${trimmed.slice(0, SHOWN)}…` : trimmed}'`;
}
