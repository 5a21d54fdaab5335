import { constants, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { isObject, type Json, type JsonObject } from '../qmp/json.ts';
import { readBounded, codeOf, messageOf } from '@qtest/sdk/support';
import { UserError } from './settings.ts';

/**
 * Block nodes and drives: what `-drive`, `-blockdev` and `blockdev-add` make. They are opened and listed as QEMU does it; no device here has a
 * drive, so nobody reads them.
 */

interface BlockNode {
  readonly driver: string;
  /** As `query-named-block-nodes` shows it. */
  readonly filename: string;
  readonly size: number;
  readonly readOnly: boolean;
  /** Whether it was made by itself; others go with the last one that is above them. */
  readonly isOwned: boolean;
  /** Names of the nodes below it. */
  readonly children: readonly string[];
}

/** Drivers that there are, with the options of each. */
const OPTIONS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    'null-co': ['size', 'latency-ns', 'read-zeroes'],
    'null-aio': ['size', 'latency-ns', 'read-zeroes'],
    file: ['filename', 'locking', 'aio', 'drop-cache'],
    host_device: ['filename', 'locking', 'aio'],
    raw: ['file', 'offset', 'size'],
    blkdebug: ['image', 'config'],
  }),
);
const COMMON = [
  'driver',
  'node-name',
  'read-only',
  'auto-read-only',
  'discard',
  'cache',
  'detect-zeroes',
  'force-share',
];
/** Other formats and protocols that QEMU's schema names. */
const ABSENT =
  /^(?:blklogwrites|blkreplay|blkverify|bochs|cloop|compress|copy-before-write|copy-on-read|dmg|ftps?|gluster|host_cdrom|https?|iscsi|luks|nbd|nfs|nvme|parallels|preallocate|qcow2?|qed|quorum|rbd|replication|ssh|throttle|vdi|vhdx|vmdk|vpc|vvfat)$/;
const NULL_SIZE = 2 ** 30;
const NAME = /^[A-Za-z][\w.-]*$/;
const MAX_NAME = 31;
const SECTOR = 512;
/** Bytes of what configures a node. */
const MAX_CONFIG = 2 ** 20;

export class BlockNodes {
  readonly #nodes = new Map<string, BlockNode>();
  /** By id: the name of the node that is in it, if one is. */
  readonly #drives = new Map<string, string | undefined>();
  #anonymous = 0;

  /**
   * `blockdev-add`: opens a node, and those below it.
   * @throws UserError in QEMU's words; nothing has been added then.
   */
  add(options: JsonObject): void {
    const name = options['node-name'];
    const opened = new Map<string, BlockNode>();
    this.#open(options, opened, { isOwned: true });
    if (name === undefined) throw new UserError("'node-name' must be specified for the root node");
    for (const [key, node] of opened) this.#nodes.set(key, node);
  }

  /** Reads what a node is to be configured by, which may take any time; then adds it. */
  async addConfigured(options: JsonObject, config: string): Promise<void> {
    let text: string;
    try {
      text = await readConfig(config);
    } catch (error) {
      const why = codeOf(error) === 'ENOENT' ? 'No such file or directory' : messageOf(error);
      throw new UserError(`Could not open '${config}': ${why}`);
    }
    for (const [n, line] of text.split('\n').entries())
      if (!/^\s*(?:#.*|\[[\w-]+(?: "[^"]*")?\]|[\w-]+\s*=\s*"[^"]*")?\s*$/.test(line))
        throw new UserError(`Could not parse blkdebug config file '${config}': line ${n + 1}`);
    this.add(options);
  }

  /** @throws UserError */
  remove(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new UserError(`Failed to find node with node-name='${name}'`);
    if ([...this.#drives.values()].includes(name)) throw new UserError(`Node ${name} is in use`);
    if (!node.isOwned) throw new UserError(`Node ${name} is not owned by the monitor`);
    if (this.#hasParent(name)) throw new UserError(`Block device ${name} is in use`);
    this.#drop(name);
  }

  /**
   * `-drive if=none`: a drive, with what is in it, if a file or a driver is given.
   * @throws UserError
   */
  addDrive(id: string, options: ReadonlyMap<string, string>): void {
    if (this.#drives.has(id)) throw new UserError(`Duplicate ID '${id}' for drive`);
    const given = options.get('file') ?? options.get('file.filename');
    const format = options.get('format') ?? options.get('driver');
    const named = options.get('node-name');
    if (given === undefined && format === undefined) {
      if (named !== undefined) throw new UserError('Must specify either driver or file');
      if (this.#nodes.has(id)) throw new UserError(`Device name '${id}' conflicts with an existing node name`);
      this.#drives.set(id, undefined);
      return;
    }
    const [, protocol = 'file', path = given ?? ''] = /^(null-co|null-aio|file):(?:\/\/)?(.*)$/.exec(given ?? '') ?? [];
    const file: JsonObject =
      protocol === 'file' ? { driver: isDevice(path) ? 'host_device' : 'file', filename: path } : { driver: protocol };
    const driver = format ?? 'raw';
    if (!OPTIONS.has(driver)) throw new UserError(`Unknown driver '${driver}'`);
    const opened = new Map<string, BlockNode>();
    const name = this.#open(
      {
        driver,
        ...(!driver.startsWith('null-') && { file }),
        ...(named !== undefined && { 'node-name': named }),
      },
      opened,
    );
    if (this.#nodes.has(id) || opened.has(id))
      throw new UserError(`Device name '${id}' conflicts with an existing node name`);
    for (const [key, node] of opened) this.#nodes.set(key, node);
    this.#drives.set(id, name);
  }

  /** @returns whether there was one. */
  removeDrive(id: string): boolean {
    const name = this.#drives.get(id);
    const isThere = this.#drives.delete(id);
    if (name !== undefined) this.#drop(name);
    return isThere;
  }

  /** What `query-named-block-nodes` gives. */
  nodes(): JsonObject[] {
    return Array.from(this.#nodes, ([name, node]) => describe(name, node));
  }

  /** What `query-block` gives. */
  drives(): JsonObject[] {
    return Array.from(this.#drives, ([device, name]): JsonObject => {
      const node = name === undefined ? undefined : this.#nodes.get(name);
      return {
        device,
        type: 'unknown',
        removable: true,
        locked: false,
        ...(name !== undefined && node !== undefined && { inserted: describe(name, node) }),
      };
    });
  }

  #hasParent(name: string): boolean {
    return [...this.#nodes.values()].some(({ children }) => children.includes(name));
  }

  /** Takes a node out, and what has been made below it, unless another is above that as well. */
  #drop(name: string): void {
    const children = this.#nodes.get(name)?.children ?? [];
    this.#nodes.delete(name);
    for (const child of children)
      if (this.#nodes.get(child)?.isOwned === false && !this.#hasParent(child)) this.#drop(child);
  }

  /**
   * Opens a node into `opened`; gives its name.
   * @param path what is before the keys' names in an error.
   */
  #open(
    options: JsonObject,
    opened: Map<string, BlockNode>,
    { isOwned = false, path = '' }: { isOwned?: boolean; path?: string } = {},
  ): string {
    const { driver, 'node-name': named, 'read-only': readOnly } = options;
    if (driver === undefined) throw new UserError(`Parameter '${path}driver' is missing`);
    if (typeof driver !== 'string') throw new UserError(`Invalid parameter type for '${path}driver', expected: string`);
    const known = OPTIONS.get(driver);
    if (known === undefined)
      throw new UserError(
        ABSENT.test(driver) ? `Unknown driver '${driver}'` : `Parameter 'driver' does not accept value '${driver}'`,
      );
    for (const key of Object.keys(options))
      if (!known.includes(key) && !COMMON.includes(key)) throw new UserError(`Parameter '${path}${key}' is unexpected`);
    if (named !== undefined && typeof named !== 'string')
      throw new UserError("Invalid parameter type for 'node-name', expected: string");
    if (named !== undefined && !NAME.test(named)) throw new UserError(`Invalid node-name: '${named}'`);
    const name = named ?? `#block${this.#anonymous++}`;
    if (this.#nodes.has(name) || opened.has(name) || this.#drives.has(name))
      throw new UserError(
        this.#drives.has(name)
          ? `node-name=${name} is conflicting with a device id`
          : `Duplicate nodes with node-name='${name}'`,
      );
    if (name.length > MAX_NAME) throw new UserError('Node name too long');
    const below = this.#below(driver, options, opened, path);
    const filename = below?.node.filename ?? filenameOf(driver, options);
    opened.set(name, {
      driver,
      filename,
      size: below?.node.size ?? sizeOf(driver, filename, options),
      readOnly: readOnly === true,
      isOwned,
      children: below === undefined ? [] : [below.name],
    });
    return name;
  }

  /** The node below one that has one: opened with it, or one that is there. */
  #below(
    driver: string,
    options: JsonObject,
    opened: Map<string, BlockNode>,
    path: string,
  ): { readonly name: string; readonly node: BlockNode } | undefined {
    const key = { raw: 'file', blkdebug: 'image' }[driver];
    if (key === undefined) return undefined;
    const child = options[key];
    if (child === undefined) throw new UserError(`Parameter '${path}${key}' is missing`);
    if (typeof child !== 'string' && !isObject(child))
      throw new UserError(`Invalid parameter type for '${path}${key}', expected: object`);
    const name = typeof child === 'string' ? child : this.#open(child, opened, { path: `${path}${key}.` });
    const node = opened.get(name) ?? this.#nodes.get(name);
    if (node === undefined) throw new UserError(`Cannot find device='${name}' nor node-name='${name}'`);
    return { name, node };
  }
}

function filenameOf(driver: string, { filename }: JsonObject): string {
  if (driver !== 'file' && driver !== 'host_device') return `${driver}://`;
  if (filename === undefined) throw new UserError("Parameter 'filename' is missing");
  if (typeof filename !== 'string') throw new UserError("Invalid parameter type for 'filename', expected: string");
  return filename;
}

function sizeOf(driver: string, filename: string, { size }: JsonObject): number {
  if (driver !== 'file' && driver !== 'host_device') {
    if (size === undefined) return NULL_SIZE;
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
    throw new UserError("Invalid parameter type for 'size', expected: integer");
  }
  const stat = statSync(filename, { throwIfNoEntry: false });
  if (stat === undefined) throw new UserError(`Could not open '${filename}': No such file or directory`);
  if (isDevice(filename) !== (driver === 'host_device') || stat.isDirectory())
    throw new UserError(
      `'${driver}' driver requires '${filename}' to be ${driver === 'file' ? 'a regular file' : 'either a character or block device'}`,
    );
  return Math.ceil(stat.size / SECTOR) * SECTOR;
}

function isDevice(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isBlockDevice() === true || stat?.isCharacterDevice() === true;
}

function describe(name: string, { driver, filename, size, readOnly }: BlockNode): JsonObject {
  const none: Record<string, Json> = {};
  for (const limit of ['bps', 'bps_rd', 'bps_wr', 'iops', 'iops_rd', 'iops_wr']) none[limit] = 0;
  return {
    file: filename,
    'node-name': name,
    ro: readOnly,
    drv: driver,
    encrypted: false,
    detect_zeroes: 'off',
    ...none,
    image: { filename, format: driver, 'virtual-size': size },
    cache: { writeback: true, direct: false, 'no-flush': false },
    write_threshold: 0,
  };
}

/** A FIFO is at its end when somebody has written to it and gone; the process can end before. */
async function readConfig(path: string): Promise<string> {
  if (!statSync(path).isFIFO()) return Buffer.from(readBounded(path, MAX_CONFIG)).toString('latin1');
  let text = '';
  const stream = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) });
  for await (const chunk of stream.setEncoding('latin1')) {
    text += String(chunk);
    if (text.length > MAX_CONFIG) throw new Error(`it has more than ${MAX_CONFIG} bytes`);
  }
  return text;
}
