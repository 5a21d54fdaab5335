import { statSync } from 'node:fs';
import { readBounded, messageOf } from '@qtest/sdk/support';
import { BlockNodes } from './block-nodes.ts';
import { parseSwitch } from './property-values.ts';
import { UserError, type BackendOption } from './settings.ts';
import { UserObjects } from './user-objects.ts';
import type { Json, JsonObject } from '../qmp/json.ts';
import { checkId, parseKeyValues, isJson, parseFlat, parseJsonOption } from './key-values.ts';

/** What devices would have at their back, by the command line: drives, block nodes, networks and objects. */

const INTERFACES = ['none', 'ide', 'scsi', 'floppy', 'pflash', 'mtd', 'sd', 'virtio', 'xen'];
/** How many of them a bus has, where that is bounded. */
const UNITS: Readonly<Record<string, number>> = { ide: 2, scsi: 7 };
/** As a PC has them, and how much they hold together. */
const FLASHES = 2;
const FLASH_SECTOR = 0x1000;
const MAX_FLASH = 8 * 2 ** 20;
/** QEMU's network types that are here, and which options each of them needs. */
const NETWORKS = ['socket', 'user', 'hubport'];
/** Keys whose values are numbers. */
const SIZES = ['size', 'offset', 'latency-ns'];
const WAYS = ['fd', 'listen', 'connect', 'mcast', 'udp'];

export class Backends {
  readonly block = new BlockNodes();
  readonly objects = new UserObjects();
  readonly #flashes = new Map<number, { readonly id: string; readonly path: string }>();
  readonly #networks = new Set<string>();
  readonly #units = new Map<string, number>();

  /** @throws UserError in QEMU's words. */
  constructor(options: readonly BackendOption[], isPc: boolean) {
    // Wherever they are given, drives come last.
    const isDrive = ({ option }: BackendOption): number => Number(option === 'drive');
    for (const { option, value } of options.toSorted((a, b) => isDrive(a) - isDrive(b))) {
      try {
        if (option === 'drive') this.#drive(value, isPc);
        else if (option === 'blockdev') this.#blockdev(value);
        else if (option === 'netdev') this.#netdev(value);
        else this.#object(value);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        throw new UserError(`-${option} ${value}: ${error.message}`);
      }
    }
  }

  #drive(value: string, isPc: boolean): void {
    const pairs = parseKeyValues(value);
    const kind = pairs.get('if') ?? 'ide';
    if (!INTERFACES.includes(kind)) throw new UserError(`unsupported bus type '${kind}'`);
    const media = pairs.get('media') ?? 'disk';
    if (media !== 'disk' && media !== 'cdrom') throw new UserError(`'${media}' invalid media`);
    const { bus, unit } = this.#place(kind, pairs);
    if (pairs.has('id')) checkId(pairs.get('id'));
    const id = pairs.get('id') ?? nameOf(kind, media, bus, unit);
    this.block.addDrive(id, pairs);
    if (kind === 'none') return;
    if (kind === 'virtio') throw new UserError(`'virtio-blk' is not a valid device model name`);
    if (kind !== 'pflash' || !isPc || unit >= FLASHES)
      throw new UserError(`machine type does not support if=${kind},bus=${bus},unit=${unit}`);
    this.#flashes.set(unit, { id, path: pairs.get('file') ?? '' });
  }

  #blockdev(value: string): void {
    this.block.add(isJson(value) ? parseJsonOption(value) : nested(parseKeyValues(value, 'driver')));
  }

  #object(value: string): void {
    const given = isJson(value) ? parseJsonOption(value) : nested(parseKeyValues(value, 'qom-type'));
    const { id } = given;
    if (typeof id === 'string' && this.objects.all.has(id)) throw new UserError(`Duplicate ID '${id}' for object`);
    this.objects.add(given);
  }

  #netdev(value: string): void {
    const pairs = parseFlat(value, 'type');
    const type = pairs.get('type') ?? '';
    if (!NETWORKS.includes(type)) throw new UserError(`Parameter 'type' does not accept value '${type}'`);
    const id = pairs.get('id');
    if (id === undefined) throw new UserError("Parameter 'id' is missing");
    if (this.#networks.has(id)) throw new UserError(`Duplicate ID '${id}' for netdev`);
    if (type === 'hubport' && !pairs.has('hubid')) throw new UserError("Parameter 'hubid' is missing");
    if (type === 'socket' && WAYS.filter((way) => pairs.has(way)).length !== 1)
      throw new UserError('exactly one of listen=, connect=, mcast= or udp= is required');
    this.#networks.add(id);
  }

  /** The flash chips, the one that ends at 4 GiB first. */
  flashes(): readonly Uint8Array[] {
    const flashes = [...this.#flashes].toSorted(([a], [b]) => a - b);
    for (const [at, [unit]] of flashes.entries())
      if (unit !== at) throw new UserError(`pflash${unit} requires pflash${unit - 1}`);
    const images = flashes.map(([, { id, path }]) => readFlash(id, path));
    if (images.reduce((sum, { length }) => sum + length, 0) > MAX_FLASH)
      throw new UserError(`combined size of system firmware exceeds ${MAX_FLASH} bytes`);
    return images;
  }

  /** No device is there that could be at the other end. */
  warnings(): readonly string[] {
    return Array.from(this.#networks, (id) => `warning: netdev ${id} has no peer`);
  }

  /** Where a drive goes: where it is told to, or the next place. */
  #place(kind: string, pairs: ReadonlyMap<string, string>): { readonly bus: number; readonly unit: number } {
    const number = (key: string): number | undefined => {
      const text = pairs.get(key);
      if (text === undefined) return undefined;
      if (!/^\d{1,9}$/.test(text)) throw new UserError(`Parameter '${key}' expects a number`);
      return Number(text);
    };
    const [index, bus, unit] = [number('index'), number('bus'), number('unit')];
    if (index !== undefined && (bus !== undefined || unit !== undefined))
      throw new UserError('index cannot be used with bus and unit');
    const units = UNITS[kind] ?? Number.POSITIVE_INFINITY;
    if (unit !== undefined && unit >= units) throw new UserError(`unit ${unit} too big (max is ${units - 1})`);
    if (unit !== undefined || bus !== undefined) return { bus: bus ?? 0, unit: unit ?? 0 };
    const next = index ?? this.#units.get(kind) ?? 0;
    this.#units.set(kind, next + 1);
    return units === Number.POSITIVE_INFINITY
      ? { bus: 0, unit: next }
      : { bus: Math.floor(next / units), unit: next % units };
  }
}

/** What QEMU calls a drive without an id. */
function nameOf(kind: string, media: string, bus: number, unit: number): string {
  if (UNITS[kind] === undefined) return `${kind}${unit}`;
  return `${kind}${bus}-${media === 'cdrom' ? 'cd' : 'hd'}${unit}`;
}

function readFlash(id: string, path: string): Uint8Array {
  let image: Uint8Array;
  try {
    // A device has no size, as QEMU says it.
    image = statSync(path).isFile() ? readBounded(path, MAX_FLASH) : new Uint8Array(0);
  } catch (error) {
    throw new UserError(`can't get size of block device ${id}: '${path}': ${messageOf(error)}`);
  }
  if (image.length === 0 || image.length % FLASH_SECTOR !== 0)
    throw new UserError(
      `system firmware block device ${id} has invalid size ${image.length}\n` +
        `qtest-system-x86_64: info: its size must be a non-zero multiple of 0x${FLASH_SECTOR.toString(16)}`,
    );
  return image;
}

/** Dotted keys as the objects that they stand for: `file.driver=null-co`. */
function nested(pairs: ReadonlyMap<string, string>): JsonObject {
  const top = new Map<string, Json>();
  const below = new Map<string, Map<string, string>>();
  for (const [key, value] of pairs) {
    const dot = key.indexOf('.');
    if (dot < 0) {
      top.set(key, SIZES.includes(key) ? sizeOf(key, value) : key === 'id' ? value : (parseSwitch(value) ?? value));
      continue;
    }
    const inner = below.get(key.slice(0, dot)) ?? new Map<string, string>();
    below.set(key.slice(0, dot), inner.set(key.slice(dot + 1), value));
  }
  for (const [key, inner] of below) top.set(key, nested(inner));
  return Object.fromEntries(top);
}

/** Bytes, with a unit or without. */
function sizeOf(key: string, text: string): number {
  const [, digits, unit = ''] = /^(\d+)([KMGTPE]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new UserError(`Parameter '${key}' expects a size value`);
  return Number(digits) * 1024 ** Math.max(0, ' KMGTPE'.indexOf(unit.toUpperCase()));
}
