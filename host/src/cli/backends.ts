import { dirname, resolve } from 'node:path';

import { installedBackends, NATIVE } from '../backends/find.ts';
import type { UsableBackend } from '../emulated/backend.ts';
import type { Settings } from '../config/settings.ts';
import { hostError } from '@qtest/sdk/support';
import type { HookSet } from '../hooks.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { Backend } from '../runner/backend.ts';
import type { CliOptions } from './options.ts';

/** Where a backend is looked for. */
export interface BackendPlaces {
  readonly settings: Pick<Settings, 'qemu'>;
  /** The config's file, if there is one. */
  readonly file: string | undefined;
  readonly options: Pick<CliOptions, 'backend' | 'backends' | 'qemu'>;
  readonly cwd: string;
}

/**
 * A backend by its name or its path. Each is loaded when it is asked for.
 * @throws BACKEND when there is none, or when its emulator cannot be used.
 */
export async function backendNamed(spec: string, places: BackendPlaces): Promise<Backend> {
  return spec === NATIVE ? (await import('../runner/lane.ts')).native : await emulatorNamed(spec, places);
}

/** A backend that is an emulator. */
export async function emulatorNamed(spec: string, places: BackendPlaces): Promise<UsableBackend> {
  const { settings, file, options, cwd } = places;
  const { usableBackend } = await import('../backends/usable.ts');
  const folder = folderOf(file, cwd);
  const isGiven = options.backend !== undefined || options.backends !== undefined;
  return await usableBackend({
    spec,
    // A path of the config's is relative to the config.
    folders: isGiven ? [cwd, folder] : [folder],
    folder,
    commands: { qemu: commandOf(settings.qemu, options.qemu === undefined ? folder : cwd) },
  });
}

/** The backends that are there: the host's own devices first. */
export function backendsThere(file: string | undefined, cwd: string): readonly string[] {
  return [NATIVE, ...installedBackends([cwd, folderOf(file, cwd)])];
}

/** Several backends, in the order in which they were named. @throws BACKEND for two of one name. */
export function checkNames(backends: readonly Backend[], specs: readonly string[]): void {
  for (const [index, { name }] of backends.entries()) {
    const first = backends.findIndex((other) => other.name === name);
    if (first === index) continue;
    throw hostError(
      'BACKEND',
      `--backend ${specs.join(',')}: '${specs[first]}' and '${specs[index]}' are both named '${name}': leave one out, or rename it in its defineBackend()`,
    );
  }
}

function folderOf(file: string | undefined, cwd: string): string {
  return file === undefined ? cwd : dirname(file);
}

/** A path of the config's is relative to the config, a name is looked for on the PATH. */
function commandOf(command: string | undefined, from: string): string | undefined {
  return command?.includes('/') === true ? resolve(from, command) : command;
}

/** The hooks, tapped by the plugins. tapable is loaded here, as `qtest list` does without. */
export async function tappedHooks(plugins: readonly LoadedPlugin[]): Promise<HookSet> {
  const { applyPlugin, createHooks } = await import('../hooks.ts');
  const hooks = createHooks();
  for (const plugin of plugins) applyPlugin(hooks, plugin);
  return hooks;
}
