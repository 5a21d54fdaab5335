import { Unprefixed, UserError } from '../emulator/settings.ts';
import { readBounded, codeOf, messageOf } from '@qtest/sdk/support';
import { isOption, type OptionName } from './option-table.ts';

/** An option that a file has in place of the command line. */
interface ConfigOption {
  readonly option: OptionName;
  readonly value: string;
  /** Where it ends. */
  readonly line: number;
}

/** Groups whose option has another name; the others have the option's own. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['memory', 'm'],
  ['smp-opts', 'smp'],
  ['boot-opts', 'boot'],
]);

/** Bytes of a file. */
const MAX_FILE = 2 ** 20;

/**
 * What `-readconfig` reads: `[device "id"]`, and a line `key = "value"` for each of its keys.
 * @throws UserError in QEMU's words.
 */
export function readConfigFile(path: string): ConfigOption[] {
  let text: string;
  try {
    text = Buffer.from(readBounded(path, MAX_FILE)).toString('utf8');
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'No such file or directory' : messageOf(error);
    throw new UserError(`Could not open '${path}': ${why}`);
  }
  const options: { option: OptionName; value: string; line: number }[] = [];
  for (const [n, line] of text.split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Unprefixed(`${path}:${n + 1}: ${why}`);
    };
    if (/^\s*(?:#.*)?$/.test(line)) continue;
    const [, group, id] = /^\[([^\]"]{1,63}?)(?: "([^"]{1,63})")?\]/.exec(line) ?? [];
    if (group !== undefined) {
      const option = NAMES.get(group) ?? group;
      if (!isOption(option) || option === 'readconfig') return fail(`There is no option group '${group}'`);
      options.push({ option, value: id === undefined ? '' : `id=${id}`, line: n + 1 });
      continue;
    }
    const [, key, value = ''] = /^\s*([\w.-]{1,63})\s*=\s*"([^"]{0,1023})"/.exec(line) ?? [];
    if (key === undefined) return fail('parse error');
    const last = options.at(-1);
    if (last === undefined) return fail('no group defined');
    last.value += `${last.value === '' ? '' : ','}${key}=${value.replaceAll(',', ',,')}`;
    last.line = n + 1;
  }
  return options;
}
