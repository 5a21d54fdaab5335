import { isQtestError } from '@qtest/sdk';
import type { DetectOptions, Emulator, RunningEmulator } from '@qtest/sdk/backend';

import type { UsableBackend } from '../emulated/backend.ts';
import { hostError, type ErrorCode, stackOf, within } from '@qtest/sdk/support';
import { emulatorProblem, handleProblem, mappingProblem, runningProblem, show } from '../emulated/check.ts';
import { resolveBackend } from './find.ts';
import { loadBackend, type LoadedBackend } from './load.ts';

/** How long a backend may take to find its emulator, ms. */
const DETECT_BOUND = 60_000;
/** How long an emulator may take to start, ms; a backend has a bound of its own, and knows more. */
const START_BOUND = 60_000;
/** How long it may take to end, and to tell what it has died of, ms. */
const END_BOUND = 15_000;

/** What a backend is looked for by. */
export interface BackendRequest {
  /** As the user wrote it. */
  readonly spec: string;
  /** Folders in which it is looked for, the nearest first. Absolute. */
  readonly folders: readonly [string, ...string[]];
  /** The project's folder. */
  readonly folder: string;
  /** Commands of emulators that the user names, by the names of their backends. */
  readonly commands: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds a backend and its emulator.
 * @throws BACKEND when there is none that can be used.
 */
export async function usableBackend({ spec, folders, folder, commands }: BackendRequest): Promise<UsableBackend> {
  const loaded = await loadBackend(resolveBackend(spec, folders), spec);
  const { name, title } = loaded.spec;
  const emulator = await detected(loaded, { folder, command: commands[name] }, `backend '${spec}' (${loaded.file})`);
  const usable: UsableBackend = {
    name,
    title,
    version: emulator.version,
    ...(emulator.about !== undefined && { about: emulator.about }),
    clocks: emulator.clocks,
    connector: loaded.connector,
    connectorUrl: loaded.connectorUrl,
    resetsAll: emulator.resetsAll ?? true,
    lacks(capability) {
      const reason: unknown = guarded(title, 'lacks', () => emulator.lacks(capability));
      if (reason === undefined || typeof reason === 'string') return reason;
      throw wrong(title, 'lacks', `expected a reason or undefined, but found ${show(reason)}`);
    },
    map(machine) {
      const mapping = guarded(title, 'map', () => emulator.map(machine));
      const problem = mappingProblem(mapping);
      if (problem !== undefined) throw wrong(title, 'map', problem);
      return mapping;
    },
    async start(settings, options) {
      const late = (): Error => new Error(`it has not started within ${START_BOUND / 1000} s`);
      const starting = guarded(title, 'start', () => emulator.start(settings, options));
      const running = await within(Promise.resolve(starting), START_BOUND, late).catch((error: unknown) => {
        throw thrown(title, 'start', error, 'EMULATOR');
      });
      const problem = runningProblem(running);
      if (problem !== undefined) throw wrong(title, 'start', problem);
      const started = bounded(title, running);
      const unfit = handleProblem(running.handle);
      if (unfit === undefined) return started;
      started.kill();
      await started.end();
      throw wrong(title, 'start', unfit);
    },
    ...(emulator.script !== undefined && {
      script: (...given: Parameters<NonNullable<Emulator['script']>>) => emulator.script?.(...given) ?? '',
    }),
    createLane: async (options) => {
      const { EmulatedLane } = await import('../emulated/lane.ts');
      return await EmulatedLane.create(usable, options);
    },
  };
  return usable;
}

async function detected({ spec }: LoadedBackend, options: DetectOptions, place: string): Promise<Emulator> {
  const late = (): Error => new Error(`it has not found out within ${DETECT_BOUND / 1000} s`);
  const finding = guarded(place, 'detect', () => spec.detect(options));
  const emulator = await within(Promise.resolve(finding), DETECT_BOUND, late).catch((error: unknown) => {
    throw thrown(place, 'detect', error);
  });
  const problem = emulatorProblem(emulator);
  if (problem !== undefined) throw wrong(place, 'detect', problem);
  return emulator;
}

/** An emulator that runs, whose calls settle within a bound, and tell of what they throw. */
function bounded(title: string, running: RunningEmulator): RunningEmulator {
  const settled = async <T>(call: string, run: () => Promise<T>): Promise<T> => {
    const late = (): Error => new Error(`it has not settled within ${END_BOUND / 1000} s`);
    try {
      return await within(Promise.resolve(run()), END_BOUND, late);
    } catch (error) {
      throw thrown(title, call, error, 'EMULATOR');
    }
  };
  return {
    handle: running.handle,
    kill: () => guarded(title, 'kill', () => running.kill(), 'EMULATOR'),
    end: async () => await settled('end', async () => await running.end()),
    death: async (expected) => await settled('death', async () => await running.death(expected)),
    explain: (message) => String(guarded(title, 'explain', () => running.explain(message), 'EMULATOR')),
    pending: () => guarded(title, 'pending', () => running.pending?.(), 'EMULATOR'),
  };
}

/** Calls a backend; what it throws is told with the call. */
function guarded<T>(place: string, call: string, run: () => T, code?: ErrorCode): T {
  try {
    return run();
  } catch (error) {
    throw thrown(place, call, error, code);
  }
}

/** What a backend throws on purpose says all; anything else is a mistake in it. */
function thrown(place: string, call: string, error: unknown, code: ErrorCode = 'BACKEND'): Error {
  if (isQtestError(error) && (code !== 'BACKEND' || error.code === code)) return error;
  return hostError(code, `${place}: ${call}() threw ${stackOf(error)}`, { cause: error });
}

function wrong(place: string, call: string, problem: string): Error {
  return hostError('BACKEND', `${place}: ${call}() gave something wrong: ${problem}`);
}
