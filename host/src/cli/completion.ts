import type { Io } from './io.ts';
import type { CliOptions, Shell } from './options.ts';

/**
 * Each asks `qtest complete` for what may come next, with the words up to the cursor, of which the last is being typed. An answer is
 * a line: the word, a tab and what it is. Where there is none, the shell completes files.
 */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: String.raw`_qtest() {
  local line word
  COMPREPLY=()
  while IFS= read -r line; do
    printf -v word %q "${'$'}{line%%$'\t'*}"
    COMPREPLY+=("$word")
  done < <("${'$'}{COMP_WORDS[0]}" complete -- "${'$'}{COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _qtest qtest
`,
  zsh: String.raw`#compdef qtest
_qtest() {
  local line
  local -a candidates
  while IFS= read -r line; do
    candidates+=("${'$'}{${'$'}{line%%$'\t'*}//:/\\:}:${'$'}{line#*$'\t'}")
  done < <("${'$'}{words[1]}" complete -- "${'$'}{(@Q)words[2,CURRENT]}" 2>/dev/null)
  if (( ${'$'}{#candidates} )); then _describe qtest candidates; else _files; fi
}
compdef _qtest qtest
`,
  fish: String.raw`function __qtest_complete
  set -l words (commandline --tokenize --cut-at-cursor --current-process)
  set -l current (commandline --current-token --cut-at-cursor)
  set -l candidates ($words[1] complete -- $words[2..] "$current" 2>/dev/null)
  if set -q candidates[1]
    printf '%s\n' $candidates
  else
    __fish_complete_path "$current"
  end
end
complete --command qtest --no-files --arguments '(__qtest_complete)'
`,
};

/** `qtest completion`: a script by which a shell completes this command. */
export async function completion({ shell = 'bash' }: CliOptions, { stdout }: Io): Promise<number> {
  stdout.write(SCRIPTS[shell]);
  return 0;
}

/** The script for a shell; undefined where it is none that we know. */
export function completionScript(shell: string): string | undefined {
  return Object.entries(SCRIPTS).find(([name]) => name === shell)?.[1];
}
