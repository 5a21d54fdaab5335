import { guardStandardStreams } from '@qtest/sdk/support';
import { PACKAGE, versionText, type QemuVersion } from '../qmp/version.ts';
import type { Request } from './command-line.ts';
import { MACHINES } from '../emulator/settings.ts';
import { OPTIONS } from './option-table.ts';

/** Prints what an option asks for in place of a run. */
export async function show(request: Exclude<Request, { kind: 'run' }>, version: QemuVersion): Promise<void> {
  guardStandardStreams('qtest-system-x86_64');
  process.stdout.write(`${(await textOf(request, version)).join('\n')}\n`);
}

async function textOf(request: Exclude<Request, { kind: 'run' }>, version: QemuVersion): Promise<readonly string[]> {
  if (request.kind === 'properties') return await properties(request.driver);
  switch (request.what) {
    case 'version':
      return [
        `QEMU emulator version ${versionText(version)} (${PACKAGE})`,
        'This is not QEMU: it takes its command line and speaks its protocols.',
      ];
    case 'help':
      return [
        `QEMU emulator version ${versionText(version)} (${PACKAGE})`,
        'usage: qtest-system-x86_64 [options]',
        '',
        ...Object.entries(OPTIONS).map(([name, { arg, help }]) => `-${`${name} ${arg}`.trim().padEnd(23)} ${help}`),
      ];
    case 'machines':
      return ['Supported machines are:', ...machines()];
    case 'accels':
      return ['Accelerators supported in QEMU binary:', 'qtest'];
    case 'cpus':
      return ['Available CPUs:', 'any name is taken: no CPU executes anything'];
    case 'devices':
      return await devices();
  }
}

function machines(): string[] {
  return Object.entries(MACHINES).flatMap(([kind, { name, alias, description }]) => [
    ...(alias === undefined ? [] : [`${alias.padEnd(20)} ${description} (alias of ${name})`]),
    `${name.padEnd(20)} ${description}${kind === 'pc' ? ' (default)' : ''}`,
  ]);
}

async function devices(): Promise<string[]> {
  const { QEMU_DEVICES } = await import('../emulator/device-types.ts');
  const pluggable = [...QEMU_DEVICES.values()].filter((device) => device.pluggable);
  return [...new Set(pluggable.map(({ category }) => category))].flatMap((category, n) => [
    ...(n > 0 ? [''] : []),
    `${category} devices:`,
    ...pluggable
      .filter((device) => device.category === category)
      .map(({ name, bus, description }) => `name "${name}", bus ${bus}, desc "${description}"`)
      .toSorted(),
  ]);
}

async function properties(driver: string): Promise<string[]> {
  const { QEMU_DEVICES } = await import('../emulator/device-types.ts');
  const device = QEMU_DEVICES.get(driver);
  if (device === undefined) {
    process.exitCode = 1;
    return [`'${driver}' is not a valid device model name`];
  }
  const lines = Object.entries(device.properties).map(([name, { type, description, default: value }]) => {
    const notes = [description ?? '', value === undefined ? '' : `(default: ${value})`].filter((text) => text !== '');
    return `  ${`${name}=<${type}>`.padEnd(23)}${notes.length === 0 ? '' : `- ${notes.join(' ')}`}`.trimEnd();
  });
  return lines.length === 0 ? [`There are no options for ${driver}.`] : [`${driver} options:`, ...lines.toSorted()];
}
