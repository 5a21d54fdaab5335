import { inspect } from 'node:util';

import type { Connection, Emulator, Mapping, Pipeline, RunningEmulator } from '@qtest/sdk/backend';

import { messageOf } from '@qtest/sdk/support';

/** What is wrong with what a backend gives: one in JavaScript has had no compiler to say so. Each names the key, what was expected and what was found. */

/** The first of its methods that is none; those of `optional` may be left out. */
export function functionsProblem(
  value: object,
  required: readonly string[],
  optional: readonly string[] = [],
): string | undefined {
  for (const name of [...required, ...optional]) {
    const found: unknown = Reflect.get(value, name);
    if (typeof found === 'function' || (found === undefined && optional.includes(name))) continue;
    return `${name}: expected a function, but found ${show(found)}`;
  }
  return undefined;
}

export function emulatorProblem(emulator: Emulator): string | undefined {
  if (!isObject(emulator)) return `expected an emulator, but found ${show(emulator)}`;
  const { version, clocks, resetsAll, about } = emulator;
  if (typeof version !== 'string') return `version: expected a string, but found ${show(version)}`;
  if (!Array.isArray(clocks) || clocks.length === 0 || !clocks.every(isClock))
    return `clocks: expected a list of 'virtual' and 'realtime', but found ${show(clocks)}`;
  if (resetsAll !== undefined && typeof resetsAll !== 'boolean')
    return `resetsAll: expected true or false, but found ${show(resetsAll)}`;
  if (about !== undefined && !isObject(about)) return `about: expected an object, but found ${show(about)}`;
  return functionsProblem(emulator, ['lacks', 'map', 'start'], ['script']);
}

export function mappingProblem(mapping: Mapping): string | undefined {
  if (!isObject(mapping)) return `expected what it has of the machine, but found ${show(mapping)}`;
  const { devices, missing, holes } = mapping;
  if (
    !Array.isArray(devices) ||
    !devices.every((device) => isObject(device) && typeof Reflect.get(device, 'id') === 'string')
  )
    return `devices: expected a list of devices, but found ${show(devices)}`;
  if (!isObject(missing) || !Object.values(missing).every((reason) => typeof reason === 'string'))
    return `missing: expected reasons by ids of devices, but found ${show(missing)}`;
  if (!Array.isArray(holes) || !holes.every(isHole))
    return `holes: expected a list of { space, base, size, reason }, but found ${show(holes)}`;
  return undefined;
}

export function runningProblem(running: RunningEmulator): string | undefined {
  if (!isObject(running)) return `expected an emulator that runs, but found ${show(running)}`;
  return functionsProblem(running, ['kill', 'end', 'death', 'explain'], ['pending']);
}

/** Another thread must be able to have it. */
export function handleProblem(handle: unknown): string | undefined {
  try {
    structuredClone(handle);
    return undefined;
  } catch (error) {
    return `handle: expected data that can be cloned into another thread: ${messageOf(error)}`;
  }
}

export function connectionProblem(connection: Connection): string | undefined {
  if (!isObject(connection)) return `expected a connection, but found ${show(connection)}`;
  const { clock } = connection;
  if (clock !== undefined && !isObject(clock)) return `clock: expected an object, but found ${show(clock)}`;
  const lacking = clock === undefined ? undefined : functionsProblem(clock, ['step', 'stepToDeadline']);
  if (lacking !== undefined) return `clock.${lacking}`;
  return functionsProblem(
    connection,
    ['in', 'out', 'read', 'write', 'look', 'reset'],
    ['readBlock', 'writeBlock', 'fill', 'begin', 'acknowledge', 'chardev'],
  );
}

export function pipelineProblem(pipeline: Pipeline): string | undefined {
  return isObject(pipeline)
    ? functionsProblem(pipeline, ['run', 'sync'])
    : `expected a pipeline, but found ${show(pipeline)}`;
}

function isHole(hole: unknown): boolean {
  return (
    isObject(hole) &&
    ['io', 'memory'].includes(String(Reflect.get(hole, 'space'))) &&
    ['base', 'size'].every((key) => Number.isSafeInteger(Reflect.get(hole, key))) &&
    typeof Reflect.get(hole, 'reason') === 'string'
  );
}

function isClock(value: unknown): boolean {
  return value === 'virtual' || value === 'realtime';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A value on one line, for "but found". */
export function show(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 60 });
}
