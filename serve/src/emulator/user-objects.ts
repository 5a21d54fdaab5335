import type { Json, JsonObject } from '../qmp/json.ts';
import { UserError } from './settings.ts';

/**
 * Objects for devices to have at their back, which the user makes with `-object` or `object-add`: memory, of which the machine's RAM is one, and
 * a source of random numbers. No device takes others.
 */

interface UserObject {
  readonly type: string;
  readonly properties: JsonObject;
}

export const MEMORY_BACKEND = 'memory-backend-ram';

/** Properties of each type. */
const TYPES: ReadonlyMap<string, ReadonlyMap<string, 'int' | 'bool'>> = new Map([
  [
    MEMORY_BACKEND,
    new Map([
      ['size', 'int'],
      ['dump', 'bool'],
      ['merge', 'bool'],
      ['prealloc', 'bool'],
      ['reserve', 'bool'],
      ['share', 'bool'],
    ]),
  ],
  ['rng-builtin', new Map()],
]);
/** The size has none: it must be given. */
const DEFAULTS: JsonObject = { dump: true, merge: true, prealloc: false, reserve: true, share: false };
/** Other types that QEMU's schema names. */
const ABSENT =
  /^(?:authz-\w+|can-\w+|colo-compare|cryptodev-\w+|dbus-vmstate|filter-[\w-]+|input-\w+|iothread|main-loop|memory-backend-\w+|pef-guest|pr-manager-helper|qtest|rng-\w+|secret(?:_keyring)?|sev-guest|throttle-group|tls-[\w-]+|x-remote-object)$/;
const ID = /^[A-Za-z][\w.-]*$/;

export class UserObjects {
  readonly #objects = new Map<string, UserObject>();

  /** By id. */
  get all(): ReadonlyMap<string, UserObject> {
    return this.#objects;
  }

  /** What `query-memdev` gives. */
  memory(): JsonObject[] {
    return [...this.#objects]
      .filter(([, { type }]) => type === MEMORY_BACKEND)
      .map(([id, { properties }]) => ({ id, ...properties, 'host-nodes': [], policy: 'default' }));
  }

  /** @throws UserError in QEMU's words. */
  add(given: JsonObject): void {
    const { 'qom-type': type, id, ...properties } = given;
    if (typeof type !== 'string') throw wrong('qom-type', type, 'string');
    const known = TYPES.get(type);
    if (known === undefined)
      throw new UserError(
        ABSENT.test(type) ? `invalid object type: ${type}` : `Parameter 'qom-type' does not accept value '${type}'`,
      );
    if (typeof id !== 'string') throw wrong('id', id, 'string');
    for (const [key, kind] of known) checkProperty(key, kind, properties[key]);
    for (const key of Object.keys(properties))
      if (!known.has(key)) throw new UserError(`Parameter '${key}' is unexpected`);
    if (!ID.test(id)) throw new UserError("Parameter 'id' expects an identifier");
    const size = Number(properties['size'] ?? 1);
    if (size <= 0) throw new UserError(`property 'size' of ${type} doesn't take value '${size}'`);
    if (this.#objects.has(id))
      throw new UserError(`attempt to add duplicate property '${id}' to object (type 'container')`);
    this.#objects.set(id, { type, properties: { ...(type === MEMORY_BACKEND && DEFAULTS), ...properties } });
  }

  /** @throws UserError */
  remove(id: string): void {
    if (!this.#objects.delete(id)) throw new UserError(`object '${id}' not found`);
  }
}

function checkProperty(key: string, kind: 'int' | 'bool', value: Json | undefined): void {
  if (value === undefined && DEFAULTS[key] !== undefined) return;
  if (kind === 'bool' ? typeof value === 'boolean' : Number.isInteger(value)) return;
  if (kind === 'int' && typeof value === 'string') throw new UserError(`Parameter '${key}' expects uint64`);
  throw wrong(key, value, kind === 'bool' ? 'boolean' : 'integer');
}

function wrong(key: string, value: Json | undefined, expected: string): UserError {
  return new UserError(
    value === undefined
      ? `Parameter '${key}' is missing`
      : `Invalid parameter type for '${key}', expected: ${expected}`,
  );
}
