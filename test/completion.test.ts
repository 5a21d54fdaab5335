import { spawnSync } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { project } from './support/project.ts';
import { run } from './support/run.ts';

const { path, qtest, write } = project('command');
write({
  'lamp.ts': `import { defineDevice, definePlugin } from '@qtest/sdk';
const lamp = defineDevice({ type: 'lamp', description: 'it shines' }, {});
export default definePlugin({ name: 'lamp', description: '', devices: [lamp] });
`,
  'noisy.ts': `console.log('noise');\nexport default {};\n`,
});

const env = { PATH: [join(path, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter) };

/** What a shell, in which the script has been sourced, would offer after a line. */
async function offered(shell: string, script: string): Promise<readonly string[]> {
  const quiet = { bash: ['--norc', '--noprofile'], zsh: ['-f'], fish: ['--no-config'] }[shell] ?? [];
  const { code, stdout, stderr } = await run(shell, [...quiet, '-c', script], { cwd: path, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}

const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

const SHELLS = {
  // As readline calls it: the words are the line's, cut at '=' too.
  bash: (...words: readonly string[]) =>
    offered(
      'bash',
      `source <(qtest completion bash); complete -p qtest | grep -q -- '-F _qtest ' || exit 3
       COMP_WORDS=(qtest ${quoted(words)}); COMP_CWORD=${words.length}; _qtest; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ),
  // zsh's completion needs a terminal; what the script hands to it does not.
  zsh: (...words: readonly string[]) =>
    offered(
      'zsh',
      `compdef() { :; }; _files() { :; }; _describe() { print -rl -- "\${(@)\${(@P)2}%%:*}"; }
       source <(qtest completion zsh); words=(qtest ${quoted(words)}); CURRENT=${words.length + 1}; _qtest`,
    ),
  fish: async (...words: readonly string[]) => {
    const lines = await offered(
      'fish',
      `qtest completion fish | source; complete --do-complete ${quoted([`qtest ${words.join(' ')}`])}`,
    );
    return lines.map((line) => line.split('\t', 1)[0] ?? '');
  },
};

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

for (const shell of ['bash', 'zsh', 'fish'] as const)
  describe.skipIf(!has(shell))(`needs ${shell}`, () => {
    const complete = SHELLS[shell];

    test('a sub-command', async () => {
      expect(await complete('ma')).toEqual(['machine']);
      expect(await complete('')).toEqual(expect.arrayContaining(['run', 'list', 'doctor', 'init', 'completion']));
      expect(await complete('')).not.toContain('complete');
    });

    test('an option, of all and of one sub-command', async () => {
      expect(await complete('list', '--clo')).toEqual(['--clock']);
      expect(await complete('contract', '--see')).toEqual(['--seed']);
    });

    test('the choices of an option and of an argument', async () => {
      expect(await complete('--clock', 'r')).toEqual(['realtime']);
      expect(await complete('completion', 'z')).toEqual(['zsh']);
    });

    test('the plugins and the cases of the config', async () => {
      expect(await complete('--plugin', './w')).toEqual(['./wall.ts']);
      expect([...(await complete('-t', 'ram/'))].toSorted()).toEqual(['ram/keeps', 'ram/leaves-a-timer']);
    });

    test('the cases of the plugin that the line names', async () => {
      expect(await complete('list', '-p', './wall.ts', '-t', '')).toEqual(['run']);
    });
  });

/** What `qtest complete` says. */
async function candidates(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await qtest(['complete', '--', ...words]);
  expect(code).toBe(0);
  expect(stderr === '' || stderr === 'noise\n').toBe(true);
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t', 1)[0] ?? '']));
}

test('a value after an =, as one word and as the three that bash makes of it', async () => {
  expect(await candidates('--clock=v')).toEqual(['--clock=virtual']);
  expect(await candidates('--clock', '=', 'v')).toEqual(['virtual']);
  expect(await candidates('--clock', '=')).toEqual(['virtual', 'realtime']);
});

test('the types of devices: the host has some, and a plugin', async () => {
  expect(await candidates('contract', '--device', 'i82')).toEqual(['i8259', 'i8254']);
  expect(await candidates('contract', '-p', './lamp.ts', '--device', 'la')).toEqual(['lamp']);
  expect(await candidates('serve', '--no-config', '--device', 'ed')).toEqual(['edu']);
});

test('backends, reporters and traces', async () => {
  expect(await candidates('--backend', '')).toEqual(['native', 'qemu', 'v86']);
  expect(await candidates('--add-reporter=ju')).toEqual(['--add-reporter=junit']);
  expect(await candidates('--trace-export', 'v')).toEqual(['vcd']);
  expect(await candidates('--trace=f')).toEqual(['--trace=fail']);
});

test('nothing, where the shell completes files', async () => {
  expect(await candidates('--config', 'q')).toEqual([]);
  expect(await candidates('init', 'f')).toEqual([]);
});

test('an error is not told of, and what a plugin writes is no candidate', async () => {
  expect(await candidates('-p', './absent.ts', '-t', '')).toEqual([]);
  expect(await candidates('-p', './noisy.ts', '-t', '')).toEqual([]);
  expect(await candidates('--config', 'absent.ts', '-p', '')).toEqual([]);
});

test('a shell that it does not know', async () => {
  const { code, stderr } = await qtest(['completion', 'tcsh']);
  expect(stderr).toContain('Allowed choices are bash, zsh, fish');
  expect(code).toBe(2);
});
