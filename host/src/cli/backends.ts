import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { BackendName } from '@qtest/sdk';

import type { Backend } from '../backends/backend.ts';
import type { Settings } from '../config/settings.ts';
import type { HookSet } from '../hooks.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import type { Prepared } from './prepare.ts';

/**
 * A backend by its name. Each is loaded when it is asked for.
 * @throws BACKEND when its emulator cannot be used.
 */
export async function backendNamed(
  name: BackendName,
  { qemu }: Pick<Settings, 'qemu'>,
  { file }: Pick<Prepared, 'file'>,
  options: Pick<CliOptions, 'qemu'>,
  { cwd }: Pick<Io, 'cwd'>,
): Promise<Backend> {
  const configDir = file === undefined ? cwd : dirname(file);
  switch (name) {
    case 'native':
      return (await import('../runner/lane.ts')).native;
    case 'v86':
      return await (await import('../backends/v86/backend.ts')).v86Backend(configDir);
    case 'qemu': {
      const { qemuBackend } = await import('../backends/qemu/backend.ts');
      return await qemuBackend(qemuCommand(qemu, file, options, cwd));
    }
  }
}

/** Modules, URLs, of which one would find v86: the host's own, or one of the project. */
export function v86Places(file: string | undefined, cwd: string): readonly string[] {
  const configDir = file === undefined ? cwd : dirname(file);
  return [import.meta.url, pathToFileURL(join(configDir, 'package.json')).href];
}

/** How a QEMU is started. A path of the config's is relative to the config, a name is looked for on the PATH. */
export function qemuCommand(
  qemu: string,
  file: string | undefined,
  options: Pick<CliOptions, 'qemu'>,
  cwd: string,
): string {
  const configDir = file === undefined ? cwd : dirname(file);
  return qemu.includes('/') ? resolve(options.qemu === undefined ? configDir : cwd, qemu) : qemu;
}

/** The hooks, tapped by the plugins. tapable is loaded here, as `qtest list` does without. */
export async function tappedHooks(plugins: readonly LoadedPlugin[]): Promise<HookSet> {
  const { applyPlugin, createHooks } = await import('../hooks.ts');
  const hooks = createHooks();
  for (const plugin of plugins) applyPlugin(hooks, plugin);
  return hooks;
}
