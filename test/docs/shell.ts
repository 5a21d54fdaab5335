import { realpath } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { x } from 'tinyexec';

/** This repository, absolute. */
export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** What a command of a transcript did. */
export interface Ran {
  readonly command: string;
  /** Both outputs, as a terminal shows them. */
  readonly output: string;
  readonly code: number;
}

const MARK = 'that was';

/**
 * `npm install` without a registry: it links packages of this repository, as workspaces are linked; those that a package.json
 * names, when none is given. `npx` runs what has been installed in this way, and `npm create` the package of this repository.
 */
const FUNCTIONS = `
  exec 2>&1
  npm() {
    case $1 in
      ci) return ;;
      create)
        shift 2
        "$REPOSITORY/create-plugin/bin/create-plugin.js" $(printf '%s\\n' "$@" | grep -vx -e --); return ;;
      install) shift; [ $# -gt 0 ] || set -- $(command npm --loglevel=error pkg get dependencies devDependencies | grep -o '"[^"]*": "' | tr -d '": ') ;;
      *) command npm --loglevel=error "$@"; return ;;
    esac
    mkdir -p node_modules/.bin
    for name in "$@"; do
      name=\${name%@^*}
      case $name in
        -*) continue ;;
        .*) target=$(cd "$name" && pwd); name=$(cd "$name" && command npm --loglevel=error pkg get name | tr -d '"') ;;
        *) target=$REPOSITORY/node_modules/$name ;;
      esac
      [ -d "$target" ] || { echo "there is no package $name in this repository"; return 1; }
      mkdir -p "$(dirname "node_modules/$name")" && ln -sfn "$target" "node_modules/$name"
      case $name in
        @qtest/host)
          ln -sf "$REPOSITORY/host/bin/qtest.js" node_modules/.bin/qtest ;;
        @qtest/serve)
          ln -sf "$REPOSITORY/serve/bin/qtest-system-x86_64.cjs" node_modules/.bin/qtest-system-x86_64 ;;
        vitest) ln -sf "$REPOSITORY/node_modules/.bin/vitest" node_modules/.bin/vitest ;;
        typescript) ln -sf "$REPOSITORY/node_modules/.bin/tsc" node_modules/.bin/tsc ;;
      esac
    done
  }
  # What a CI installs is of this machine.
  sudo() { :; }
  npx() {
    [ -e "node_modules/.bin/$1" ] || { echo "$1 has not been installed here"; return 1; }
    "node_modules/.bin/$@"
  }
`;

/**
 * Runs commands one after another in one shell, in the folder `cwd`.
 * @returns what each did, and the folder in which the last one left the shell.
 */
export async function runCommands(commands: readonly string[], cwd: string): Promise<{ ran: Ran[]; cwd: string }> {
  const script = [
    FUNCTIONS,
    ...commands.flatMap((command) => [command, `code=$?; echo; echo "${MARK} $code"; (exit $code)`]),
    'pwd -P',
  ].join('\n');
  const { stdout } = await x('sh', ['-c', script], { nodePath: false, nodeOptions: { cwd, env: environment() } });
  const parts = stdout.split(new RegExp(`\\n${MARK} (\\d+)\\n`));
  const ran = commands.map((command, i) => ({
    command,
    output: parts[2 * i] ?? '',
    code: Number(parts[2 * i + 1] ?? -1),
  }));
  return { ran, cwd: await realpath(parts.at(-1)?.trim() || cwd) };
}

/** A reader's environment: this Node, no colours, and nothing of the npm or vitest in which the tests run. */
function environment(): Record<string, string | undefined> {
  const inherited = Object.keys(process.env).filter((name) => /^(?:npm_|vitest|node_|force_color)/i.test(name));
  return {
    ...Object.fromEntries(inherited.map((name) => [name, undefined])),
    PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
    NO_COLOR: '1',
    REPOSITORY,
  };
}
