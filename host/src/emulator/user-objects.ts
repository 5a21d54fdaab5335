import type { Json, JsonObject } from '../qmp/json.ts';
import { UserError } from './settings.ts';

/** Objects that the user makes, with `-object` or `object-add`: there is one type, memory for devices that take some, of which there is none. */

export const MEMORY_BACKEND = 'memory-backend-ram';

/** Properties, by the types of QMP. */
const PROPERTIES: Readonly<Record<string, 'int' | 'bool'>> = {
  size: 'int',
  dump: 'bool',
  merge: 'bool',
  prealloc: 'bool',
  reserve: 'bool',
  share: 'bool',
};
const DEFAULTS: JsonObject = { dump: true, merge: true, prealloc: false, reserve: true, share: false };
/** Other types that QEMU's schema names. */
const ABSENT =
  /^(?:authz-\w+|can-\w+|colo-compare|cryptodev-\w+|dbus-vmstate|filter-[\w-]+|input-\w+|iothread|main-loop|memory-backend-\w+|pef-guest|pr-manager-helper|qtest|rng-\w+|secret(?:_keyring)?|sev-guest|throttle-group|tls-[\w-]+|tls-cipher-suites|x-remote-object)$/;
const ID = /^[A-Za-z][\w.-]*$/;

export class UserObjects {
  readonly #objects = new Map<string, JsonObject>();

  /** Ids, and the properties of each. */
  get all(): ReadonlyMap<string, JsonObject> {
    return this.#objects;
  }

  /** @throws UserError in QEMU's words. */
  add(given: JsonObject): void {
    const { 'qom-type': type, id, ...properties } = given;
    if (typeof type !== 'string') throw wrong('qom-type', type, 'string');
    if (type !== MEMORY_BACKEND)
      throw new UserError(
        ABSENT.test(type) ? `invalid object type: ${type}` : `Parameter 'qom-type' does not accept value '${type}'`,
      );
    if (typeof id !== 'string') throw wrong('id', id, 'string');
    for (const [key, kind] of Object.entries(PROPERTIES)) {
      const value = properties[key];
      if (value === undefined && key !== 'size') continue;
      const isRight = kind === 'bool' ? typeof value === 'boolean' : Number.isInteger(value);
      if (!isRight && kind === 'int' && typeof value === 'string')
        throw new UserError(`Parameter '${key}' expects uint64`);
      if (!isRight) throw wrong(key, value, kind === 'bool' ? 'boolean' : 'integer');
    }
    for (const key of Object.keys(properties))
      if (PROPERTIES[key] === undefined) throw new UserError(`Parameter '${key}' is unexpected`);
    if (!ID.test(id)) throw new UserError("Parameter 'id' expects an identifier");
    const size = Number(properties['size']);
    if (size <= 0) throw new UserError(`property 'size' of ${type} doesn't take value '${size}'`);
    if (this.#objects.has(id))
      throw new UserError(`attempt to add duplicate property '${id}' to object (type 'container')`);
    this.#objects.set(id, { ...DEFAULTS, ...properties });
  }

  /** @throws UserError */
  remove(id: string): void {
    if (!this.#objects.delete(id)) throw new UserError(`object '${id}' not found`);
  }
}

function wrong(key: string, value: Json | undefined, expected: string): UserError {
  return new UserError(
    value === undefined
      ? `Parameter '${key}' is missing`
      : `Invalid parameter type for '${key}', expected: ${expected}`,
  );
}
