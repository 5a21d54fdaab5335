import type { Blueprint } from '@qtest/machine';
import { own } from '@qtest/sdk/support';

/** How QEMU calls our device types; those that are not here have the same name in both. */
const QEMU_TYPES: Readonly<Record<string, string>> = {
  i8259: 'isa-i8259',
  i8254: 'isa-pit',
  pcspk: 'isa-pcspk',
  fw_cfg: 'fw_cfg_io',
  ns16550a: 'isa-serial',
  'i440fx-pcihost': 'i440FX-pcihost',
  i440fx: 'i440FX',
  piix3: 'PIIX3',
};

/** The name of a device type as QEMU has it. */
export function qemuType(type: string): string {
  return own(QEMU_TYPES, type) ?? type;
}

/** An object of the tree: a device of the machine, or what holds others. */
export interface Node {
  readonly name: string;
  readonly type: string;
  /** Index in the blueprint; undefined when it is no device. */
  readonly device: number | undefined;
  readonly children: Map<string, Node>;
}

/** What the tree is made of, beside the machine. */
export interface TreeOptions {
  /** Type of the machine, as `pc-i440fx-machine`. */
  readonly machineType: string;
  /** Type of its CPUs, and how many there are. */
  readonly cpuType: string;
  readonly cpus: number;
  /** Devices that the user has added, and the ids that they were given. */
  readonly added: ReadonlyMap<string, { readonly given: string | undefined; readonly number: number }>;
  /** What else the user has made, by id, and the type of each. */
  readonly objects?: ReadonlyMap<string, string>;
}

const container = (name: string): Node => ({ name, type: 'container', device: undefined, children: new Map() });

/**
 * The machine's devices as a tree of QEMU's object model: `/machine/peripheral/ID` for those that the user has added,
 * `/machine/peripheral-anon/device[N]` for those without an id, `/machine/unattached/device[N]` for the CPUs and the board's own, except
 * the few to which the board of QEMU gives a name.
 */
export function buildTree(blueprint: Blueprint, { machineType, cpuType, cpus, added, objects }: TreeOptions): Node {
  const root = container('');
  const machine: Node = { name: 'machine', type: machineType, device: undefined, children: new Map() };
  const unattached = container('unattached');
  const peripheral = container('peripheral');
  const anonymous = container('peripheral-anon');
  for (const child of [unattached, peripheral, anonymous]) machine.children.set(child.name, child);
  const made = container('objects');
  for (const child of [container('backend'), made, machine, container('chardevs')])
    root.children.set(child.name, child);
  const put = (parent: Node, name: string, type: string, device?: number): Node => {
    const node: Node = { name, type, device, children: new Map() };
    parent.children.set(name, node);
    return node;
  };
  for (const [id, type] of objects ?? []) put(made, id, type);
  for (let cpu = 0; cpu < cpus; cpu++) put(unattached, `device[${cpu}]`, cpuType);
  let bridge: Node | undefined;
  for (const [index, { id, type }] of blueprint.devices.entries()) {
    const name = qemuType(type);
    const user = added.get(id);
    if (user?.given !== undefined) put(peripheral, user.given, name, index);
    else if (user !== undefined) put(anonymous, `device[${user.number}]`, name, index);
    else if (type === 'i440fx-pcihost') bridge = put(machine, 'i440fx', name, index);
    else if (type === 'ioapic' && bridge !== undefined) put(bridge, 'ioapic', name, index);
    else put(unattached, `device[${unattached.children.size}]`, name, index);
  }
  return root;
}

/** Finds devices by what clients call them. */
export class Paths {
  /** The tree as it is now. */
  readonly tree: () => Node;
  readonly #blueprint: () => Blueprint;

  constructor(tree: () => Node, blueprint: () => Blueprint) {
    this.tree = tree;
    this.#blueprint = blueprint;
  }

  /** The object at a path: absolute, or the end of exactly one. */
  node(path: string): Node | undefined {
    const parts = path.split('/').filter((part) => part !== '');
    if (path.startsWith('/')) return descend(this.tree(), parts);
    if (parts.length === 0) return undefined;
    const found = [...endings(this.tree(), parts)];
    return found.length === 1 ? found[0] : undefined;
  }

  /** The id of the device at a path; by its id, too, or by its type where there is one such device. */
  device(path: string): string | undefined {
    const { devices } = this.#blueprint();
    const node = this.node(path);
    if (node !== undefined) return devices[node.device ?? -1]?.id;
    const byType = devices.filter(({ type }) => type === path || qemuType(type) === path);
    return (devices.find(({ id }) => id === path) ?? (byType.length === 1 ? byType[0] : undefined))?.id;
  }

  /** The absolute path of a device. */
  pathOf(device: number): string | undefined {
    const search = (node: Node, path: string): string | undefined => {
      if (node.device === device) return path;
      for (const child of node.children.values()) {
        const found = search(child, `${path}/${child.name}`);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return search(this.tree(), '');
  }
}

function descend(from: Node, parts: readonly string[]): Node | undefined {
  let node: Node | undefined = from;
  for (const part of parts) node = node?.children.get(part);
  return node;
}

/** Every object to which a partial path leads, wherever it begins. */
function* endings(from: Node, parts: readonly string[]): Generator<Node> {
  const here = descend(from, parts);
  if (here !== undefined) yield here;
  for (const child of from.children.values()) yield* endings(child, parts);
}
