import type { Capability, CaseSpec, Plugin } from '@qtest/sdk';

import { TIMEOUT_EXPECTED, timeoutNanoseconds } from '../config/duration.ts';
import { didYouMean, inspected, isRecord, clipped, LIMITS, isDeviceDefinition } from '@qtest/sdk/support';

const PLUGIN_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const BACKEND_NAME = PLUGIN_NAME;
const MAX_VCPUS = 8;

const PLUGIN_KEYS: readonly string[] = Object.keys({
  name: true,
  description: true,
  api: true,
  init: true,
  run: true,
  vcpus: true,
  devices: true,
  apply: true,
  options: true,
} satisfies Record<keyof Plugin, true>);

const CASE_KEYS: readonly string[] = Object.keys({
  run: true,
  description: true,
  requires: true,
  clock: true,
  timeout: true,
  vcpus: true,
  expect: true,
} satisfies Record<keyof CaseSpec, true>);

const CAPABILITIES: readonly string[] = Object.keys({
  'virtual-clock': true,
  'realtime-clock': true,
  'interrupt-acknowledge': true,
  snapshot: true,
  'multi-vcpu': true,
} satisfies Record<Capability, true>);

const SHOWN_PROBLEMS = 50;

/**
 * What is wrong with the shape of a plugin: one that is written in JavaScript, or made by another version of the SDK,
 * has had no compiler to say so. Each problem names the key, what was expected and what was found.
 */
export function pluginProblems(plugin: object): readonly string[] {
  const problems: string[] = [];
  for (const problem of problemsOf(Object.fromEntries(Object.entries(plugin)))) {
    if (problems.length === SHOWN_PROBLEMS) return [...problems, 'and more'];
    problems.push(problem);
  }
  return problems;
}

function* problemsOf(plugin: Readonly<Record<string, unknown>>): Iterable<string> {
  const { name, description, api, init, run, vcpus, devices, apply, options } = plugin;
  yield* unknownKeys('', plugin, PLUGIN_KEYS);
  if (typeof name !== 'string' || !PLUGIN_NAME.test(name)) {
    yield wrong('name', 'lower case letters, digits and single hyphens', name);
  } else yield* lengthProblem('name', name, LIMITS.caseName);
  if (typeof description !== 'string') yield wrong('description', 'a string', description);
  else yield* lengthProblem('description', description, LIMITS.description);
  if (typeof api !== 'string') yield wrong('api', 'a version range', api);
  if (!isOptionalFunction(init)) yield wrong('init', 'a function', init);
  if (!isOptionalFunction(apply)) yield wrong('apply', 'a function', apply);
  yield* vcpusProblem('vcpus', vcpus);
  if (options !== undefined && !isStandardSchema(options)) {
    yield wrong('options', 'a Standard Schema (zod, valibot, arktype …)', options);
  }
  yield* deviceProblems(devices);
  yield* runProblems(run);
}

function* vcpusProblem(path: string, vcpus: unknown): Iterable<string> {
  if (vcpus !== undefined && !(Number.isInteger(vcpus) && Number(vcpus) >= 1 && Number(vcpus) <= MAX_VCPUS)) {
    yield wrong(path, `an integer from 1 to ${MAX_VCPUS}`, vcpus);
  }
}

function* deviceProblems(devices: unknown): Iterable<string> {
  if (devices === undefined) return;
  if (!Array.isArray(devices)) {
    yield wrong('devices', 'a list of devices', devices);
    return;
  }
  for (const [index, device] of devices.entries()) {
    if (!isDeviceDefinition(device)) yield wrong(`devices[${index}]`, 'what defineDevice() gives', device);
    else if (typeof device.schema.type !== 'string' || device.schema.type.trim() === '') {
      yield wrong(`devices[${index}].schema.type`, 'the name of its type', device.schema.type);
    }
  }
}

function* runProblems(run: unknown): Iterable<string> {
  if (run === undefined || typeof run === 'function') return;
  if (!isRecord(run)) {
    yield wrong('run', 'a function, or an object of cases by name', run);
    return;
  }
  if (Object.keys(run).length === 0) yield 'run: expected at least one case, but it is empty';
  for (const [name, given] of Object.entries(run)) yield* caseProblems(name, given);
}

function* caseProblems(name: string, given: unknown): Iterable<string> {
  const path = `run['${clipped(name, LIMITS.caseName)}']`;
  yield* lengthProblem(path, name, LIMITS.caseName);
  if (!isCaseName(name)) {
    yield `run: expected the name of a case to be words with '/' between them, as 'alarm/hour', but found ${show(name)}`;
  }
  if (typeof given === 'function') return;
  if (!isRecord(given)) {
    yield wrong(path, 'a function, or an object with run', given);
    return;
  }
  const { run, description, requires, clock, timeout, vcpus, expect } = given;
  yield* vcpusProblem(`${path}.vcpus`, vcpus);
  yield* unknownKeys(`${path}.`, given, CASE_KEYS);
  if (typeof run !== 'function') yield wrong(`${path}.run`, 'a function', run);
  if (typeof description === 'string') yield* lengthProblem(`${path}.description`, description, LIMITS.description);
  else if (description !== undefined) yield wrong(`${path}.description`, 'a string', description);
  if (requires !== undefined && !(Array.isArray(requires) && requires.every((item) => CAPABILITIES.includes(item)))) {
    yield wrong(`${path}.requires`, `a list of ${CAPABILITIES.join(', ')}`, requires);
  }
  if (clock !== undefined && clock !== 'virtual' && clock !== 'realtime') {
    yield wrong(`${path}.clock`, `'virtual' or 'realtime'`, clock);
  }
  if (timeout !== undefined && timeoutNanoseconds(timeout) === undefined) {
    yield wrong(`${path}.timeout`, TIMEOUT_EXPECTED, timeout);
  }
  yield* expectProblems(`${path}.expect`, expect);
}

function* expectProblems(path: string, expect: unknown): Iterable<string> {
  if (expect === undefined) return;
  if (!isRecord(expect)) {
    yield wrong(path, `an object of known differences by backend, as { qemu: 'PF is set only with PIE' }`, expect);
    return;
  }
  for (const [backend, reason] of Object.entries(expect)) {
    if (!BACKEND_NAME.test(backend)) yield `${path}: expected names of backends, such as qemu, but found '${backend}'`;
    if (typeof reason !== 'string' || reason.trim() === '')
      yield wrong(`${path}.${backend}`, 'a sentence that says what is different there', reason);
    else yield* lengthProblem(`${path}.${backend}`, reason, LIMITS.description);
  }
}

function* unknownKeys(path: string, object: object, known: readonly string[]): Iterable<string> {
  for (const key of Object.keys(object).filter((given) => !known.includes(given))) {
    yield `${path}${key}: unknown key.${didYouMean(key, known)}`;
  }
}

/** A path: segments of printable characters, none empty or with white space around it. A `!` leaves cases out in `-t`. */
function isCaseName(name: string): boolean {
  const isSegment = (text: string): boolean => text !== '' && text.trim() === text;
  return !name.startsWith('!') && name.split('/').every(isSegment) && !/\p{Cc}/u.test(name);
}

function* lengthProblem(path: string, { length }: string, most: number): Iterable<string> {
  if (length > most) yield `${path}: expected at most ${most} characters, but found ${length}`;
}

function isStandardSchema(value: unknown): boolean {
  // arktype's schemas are functions.
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value))
    return false;
  const { '~standard': standard } = value;
  return isRecord(standard) && standard['version'] === 1 && typeof standard['validate'] === 'function';
}

function isOptionalFunction(value: unknown): boolean {
  return value === undefined || typeof value === 'function';
}

function wrong(path: string, expected: string, found: unknown): string {
  return `${path}: expected ${expected}, but found ${show(found)}`;
}

function show(value: unknown): string {
  return inspected(value, { depth: 0, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 60 });
}
