import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { AnyDeviceDefinition, MachineBuilder } from '@qtest/sdk';
import { codeOf, hostError, messageOf, isDeviceDefinition } from '@qtest/sdk/support';
import type { ModuleRef } from './blueprint.ts';

/** A device type that may be added, and where its definition comes from. */
export interface KnownDevice {
  /** Of a device package: its module is loaded at the first look. */
  readonly definition: AnyDeviceDefinition;
  readonly module: ModuleRef;
}

/** Builds a whole machine, and gives what it has built. */
export type Board = (machine: MachineBuilder, options: object) => object;

/** A package of device models, as its manifest says: `"qtest": { "devices": { type: subpath }, "boards": { name: subpath } }`. */
export interface DevicePackage {
  readonly name: string;
  /** Its package.json. */
  readonly manifest: string;
  /** Modules by the types that they define, and by the boards that they export, as paths below the package: `./pc/i8254`. */
  readonly devices: Readonly<Record<string, string>>;
  readonly boards: Readonly<Record<string, string>>;
}

/** What a plugin brings: definitions of its own. */
interface DevicePlugin {
  readonly name: string;
  readonly url: string;
  readonly devices: readonly AnyDeviceDefinition[];
}

/**
 * The device types that machines may have, by name, and the boards. Modules of device packages are loaded when a machine has one of
 * their devices.
 */
export class Catalog extends Map<string, KnownDevice> {
  readonly boards: ReadonlyMap<string, Board>;

  /**
   * @param plugins their definitions go before those of packages.
   * @throws DEVICE_DUPLICATE where two packages have one type, or one board.
   */
  constructor(packages: readonly DevicePackage[], plugins: readonly DevicePlugin[] = []) {
    super();
    const boards = new Map<string, Board>();
    const owners = new Map<string, DevicePackage>();
    const own = (what: string, key: string, owner: DevicePackage): void => {
      const other = owners.get(`${what} ${key}`);
      if (other !== undefined) throw twice(what, key, other, owner);
      owners.set(`${what} ${key}`, owner);
    };
    for (const from of packages) {
      for (const [type, subpath] of Object.entries(from.devices)) {
        own('the device type', type, from);
        this.set(type, new PackageDevice(from, type, subpath));
      }
      for (const [name, subpath] of Object.entries(from.boards)) {
        own('the board', name, from);
        boards.set(name, (machine, options) => boardOf(from, name, subpath)(machine, options));
      }
    }
    for (const { name, url, devices } of plugins) {
      for (const definition of devices)
        this.set(definition.schema.type, { definition, module: { kind: 'plugin', plugin: name, url } });
    }
    this.boards = boards;
  }
}

type PackageModule = Extract<ModuleRef, { readonly kind: 'package' }>;

/** The definitions of a catalog, each loaded when it is asked for. */
export function registryOf(known: Catalog): { get(type: string): AnyDeviceDefinition | undefined } {
  return { get: (type) => known.get(type)?.definition };
}

/** A device of a package, whose module is loaded when it is asked for. */
class PackageDevice implements KnownDevice {
  readonly module: PackageModule;
  readonly #type: string;

  constructor(from: DevicePackage, type: string, subpath: string) {
    this.#type = type;
    this.module = { kind: 'package', package: from.name, manifest: from.manifest, subpath };
  }

  get definition(): AnyDeviceDefinition {
    return definitionOf(this.#type, this.module);
  }
}

/** Definitions of packages that this thread has loaded, by manifest, subpath and type. */
const loaded = new Map<string, AnyDeviceDefinition>();

/** The definition of a type in a module of a device package. It is loaded synchronously, and once a thread. */
export function definitionOf(type: string, { package: name, manifest, subpath }: PackageModule): AnyDeviceDefinition {
  const key = `${manifest}\0${subpath}\0${type}`;
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const exported = loadFrom(name, manifest, subpath, `device type '${type}'`);
  const definition = exported.find((value) => isDeviceDefinition(value) && value.schema.type === type);
  if (!isDeviceDefinition(definition)) {
    throw hostError(
      'DEVICE',
      `device type '${type}': the module '${subpath}' of ${name} exports no definition of it; expected one made with defineDevice(), as ${manifest} says in "qtest.devices"`,
    );
  }
  loaded.set(key, definition);
  return definition;
}

function boardOf(from: DevicePackage, board: string, subpath: string): Board {
  const what = `board '${board}'`;
  const build = loadFrom(from.name, from.manifest, subpath, what, board)[0];
  if (typeof build !== 'function') {
    throw hostError(
      'MACHINE',
      `${what}: the module '${subpath}' of ${from.name} exports no function '${board}', as ${from.manifest} says in "qtest.boards"`,
    );
  }
  return (machine, options): object => {
    const built: unknown = build(machine, options);
    return typeof built === 'object' && built !== null ? built : {};
  };
}

/** What a module of a device package exports; only the export of a name where one is given. */
function loadFrom(name: string, manifest: string, subpath: string, what: string, wanted?: string): readonly unknown[] {
  const load = createRequire(manifest);
  let exported: unknown;
  try {
    exported = load(`${name}/${subpath.replace(/^\.\//, '')}`);
  } catch (error) {
    throw hostError('DEVICE', `${what}: the module '${subpath}' of ${name} (${manifest}) ${whyNotLoaded(error)}`, {
      cause: error,
    });
  }
  if (typeof exported !== 'object' || exported === null) return [];
  const entries = Object.entries(exported);
  return entries.filter(([key]) => wanted === undefined || key === wanted).map(([, value]) => value);
}

const MISSING: readonly string[] = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'];

function whyNotLoaded(error: unknown): string {
  const code = codeOf(error) ?? '';
  if (code === 'ERR_REQUIRE_ASYNC_MODULE')
    return 'has an await at its top level, and a device module is loaded synchronously: leave that out';
  if (MISSING.includes(code)) return `is not there: ${messageOf(error)}`;
  return `failed to load: ${messageOf(error)}`;
}

/**
 * Reads the manifest of a device package.
 * @param manifest its package.json.
 * @throws DEVICE_PACKAGE where it is none, or lists nothing.
 */
export function devicePackage(manifest: string): DevicePackage {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(manifest, 'utf8'));
  } catch (error) {
    throw hostError('DEVICE_PACKAGE', `device package: ${manifest} can't be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const name = entry(read, 'name');
  const qtest = entry(read, 'qtest');
  const devices = subpaths(entry(qtest, 'devices'), 'qtest.devices', manifest);
  const boards = subpaths(entry(qtest, 'boards'), 'qtest.boards', manifest);
  if (typeof name !== 'string' || Object.keys(devices).length + Object.keys(boards).length === 0) {
    throw hostError(
      'DEVICE_PACKAGE',
      `device package: ${manifest} lists no devices; expected "qtest": { "devices": { "my-type": "./my-type" } } and the package's name`,
    );
  }
  return { name, manifest, devices, boards };
}

/** The manifest of a package that a module depends on. */
export function dependencyManifest(name: string, from: string): string {
  return createRequire(from.startsWith('file:') ? from : pathToFileURL(from)).resolve(`${name}/package.json`);
}

function entry(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

function subpaths(value: unknown, key: string, manifest: string): Record<string, string> {
  if (value === undefined) return {};
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const wrong = entries.find(([, path]) => typeof path !== 'string' || !path.startsWith('./'));
  if (typeof value !== 'object' || value === null || Array.isArray(value) || wrong !== undefined) {
    const at = wrong === undefined ? key : `${key}['${wrong[0]}']`;
    throw hostError(
      'DEVICE_PACKAGE',
      `device package: ${manifest}: ${at}: expected a path below the package, such as './lamp'`,
    );
  }
  return Object.fromEntries(entries.map(([name, path]) => [name, String(path)]));
}

function twice(what: string, key: string, one: DevicePackage, other: DevicePackage): Error {
  return hostError(
    'DEVICE_DUPLICATE',
    `${what} '${key}' is in two packages: ${one.name} (${one.manifest}) and ${other.name} (${other.manifest}); leave one of them out`,
  );
}
