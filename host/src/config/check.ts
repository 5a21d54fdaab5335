import type { Config, PluginEntry } from '@qtest/sdk';

import { hostError, didYouMean, inspected, isRecord } from '@qtest/sdk/support';
import { COVERAGE_FILE_EXPECTED, isCoverageFile, isPercentage } from './coverage.ts';
import { parseReporter, REPORTER_EXPECTED } from './reporters.ts';
import { SCHEDULE_EXPECTED, scheduleOf } from './schedule.ts';
import { TIMEOUT_EXPECTED, timeoutNanoseconds } from './duration.ts';

/** Most machines in parallel. */
export const MAX_JOBS = 64;

/** What one key must hold: its words for an error, and its test. */
interface Rule {
  readonly expected: string;
  test(value: unknown): boolean;
}

const FAIL_ON: readonly unknown[] = ['guestError', 'unimplemented'];

const RULES: { readonly [K in keyof Required<Config>]: Rule } = {
  plugins: {
    expected: `a list of plugins, each a name, a path or [name, options]`,
    test: Array.isArray,
  },
  devices: {
    expected: `a list of packages of device models, each a name or the path of a folder`,
    test: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && item.trim() !== ''),
  },
  backend: {
    expected: `the name or path of a backend, such as 'native' or 'qemu'`,
    test: (value) => typeof value === 'string' && value.trim() !== '',
  },
  qemu: {
    expected: `the name or path of a QEMU, such as 'qemu-system-x86_64'`,
    test: (value) => typeof value === 'string' && value.trim() !== '',
  },
  clock: {
    expected: `'virtual' or 'realtime'`,
    test: (value) => value === 'virtual' || value === 'realtime',
  },
  timeout: {
    expected: TIMEOUT_EXPECTED,
    test: (value) => timeoutNanoseconds(value) !== undefined,
  },
  jobs: {
    expected: `an integer from 1 to ${MAX_JOBS}`,
    test: (value) => isInteger(value, 1, MAX_JOBS),
  },
  schedule: {
    expected: SCHEDULE_EXPECTED,
    test: (value) => scheduleOf(value) !== undefined,
  },
  reporters: {
    expected: REPORTER_EXPECTED,
    test: (value) => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string'),
  },
  trace: {
    expected: `'on', 'fail' or 'off'`,
    test: (value) => value === 'on' || value === 'fail' || value === 'off',
  },
  stallLimit: {
    expected: 'an integer from 1',
    test: (value) => isInteger(value, 1, Number.MAX_SAFE_INTEGER),
  },
  coverage: {
    expected: `true, false or a file, ${COVERAGE_FILE_EXPECTED}`,
    test: (value) => typeof value === 'boolean' || (typeof value === 'string' && isCoverageFile(value)),
  },
  coverageMin: {
    expected: `a percentage from 0 to 100, or an object of them by types of devices, such as { mc146818rtc: 80 }`,
    test: (value) => (isRecord(value) ? Object.values(value) : [value]).every(isPercentage),
  },
  failOn: {
    expected: `a list of 'guestError' and 'unimplemented'`,
    test: (value) => Array.isArray(value) && value.every((item: unknown) => FAIL_ON.includes(item)),
  },
};

/**
 * Checks what a config file gave.
 * @param place the file, for errors; with the key's path when the config lies deeper in it.
 * @throws CONFIG, with every problem: key path, what was expected, what was found.
 */
export function checkConfig(value: unknown, place: string): Config {
  if (!isRecord(value)) {
    throw hostError('CONFIG', `${place}: expected an object, such as { plugins: ['rtc'] }, but found ${show(value)}`);
  }
  const problems: string[] = [];
  if (isConfig(value, problems)) return value;
  const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('');
  throw hostError('CONFIG', `${place}:${list}`);
}

/** Whether every key is right; what is not is added to `problems`. */
function isConfig(
  value: Readonly<Record<string, unknown>>,
  problems: string[],
): value is Readonly<Record<string, unknown>> & Config {
  problems.push(...problemsOf(value));
  return problems.length === 0;
}

function* problemsOf(config: Readonly<Record<string, unknown>>): Iterable<string> {
  const rules: Readonly<Record<string, Rule>> = RULES;
  for (const [key, found] of Object.entries(config)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) {
      yield `unknown key '${key}'.${didYouMean(key, Object.keys(RULES))} The keys are ${Object.keys(RULES).join(', ')}`;
    } else if (found !== undefined && !rule.test(found)) {
      yield `${key}: expected ${rule.expected}, but found ${show(found)}`;
    }
  }
  for (const [path, text] of textsOf(config))
    if (text.includes('\0')) yield `${path}: expected a text without a NUL character, but found ${show(text)}`;
  const { plugins, reporters } = config;
  if (Array.isArray(plugins)) {
    for (const [index, entry] of plugins.entries()) yield* entryProblems(`plugins[${index}]`, entry);
  }
  if (Array.isArray(reporters)) {
    for (const [index, entry] of reporters.entries()) {
      const parsed = typeof entry === 'string' ? parseReporter(entry) : undefined;
      if (typeof parsed === 'string') yield `reporters[${index}]: ${parsed}`;
    }
  }
}

/** Every text of a config but the options of plugins, which are the plugins' own, and where it is. */
function* textsOf(config: Readonly<Record<string, unknown>>): Iterable<readonly [path: string, text: string]> {
  for (const [key, value] of Object.entries(config)) {
    if (typeof value === 'string') yield [key, value];
    if (!Array.isArray(value)) continue;
    for (const [index, item] of value.entries()) {
      const text: unknown = Array.isArray(item) ? item[0] : item;
      if (typeof text === 'string') yield [`${key}[${index}]`, text];
    }
  }
}

function* entryProblems(path: string, entry: unknown): Iterable<string> {
  if (typeof entry === 'string') {
    if (entry.trim() === '') yield `${path}: expected the name or path of a plugin, but found ${show(entry)}`;
  } else if (!Array.isArray(entry)) {
    const why = isRecord(entry) ? `: a plugin is named and not imported, as VCPUs load it in threads of their own` : '';
    yield `${path}: expected a name, a path or [name, options], but found ${show(entry)}${why}`;
  } else if (typeof entry[0] !== 'string' || entry[0].trim() === '') {
    yield `${path}[0]: expected the name or path of a plugin, but found ${show(entry[0])}`;
  } else if (entry.length !== 2) {
    yield `${path}: expected [name, options], but found a list of ${entry.length}`;
  } else if (!isRecord(entry[1])) {
    yield `${path}[1]: expected an object of options for '${entry[0]}', but found ${show(entry[1])}`;
  }
}

/** A plugin of the config, taken apart. */
export function entryParts(entry: PluginEntry): {
  spec: string;
  options: Readonly<Record<string, unknown>> | undefined;
} {
  return typeof entry === 'string' ? { spec: entry, options: undefined } : { spec: entry[0], options: entry[1] };
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

/** A value on one line, for "but found". */
function show(value: unknown): string {
  return inspected(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 60 });
}
