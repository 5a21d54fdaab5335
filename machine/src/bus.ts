import type { AccessSize, Initiator, Shadow, ShadowSpec, Space } from '@qtest/sdk';
import { messageOf, isError, nameOf, stackOf } from '@qtest/sdk/support';
import { hex } from './added.ts';
import { type Blueprint, PAGE_BYTES } from './blueprint.ts';
import { WORD } from './control.ts';
import { EVENT, type EventKind, type EventRing } from './events.ts';
import type { Binding } from './lines.ts';
import { IO_PORTS, IoMap, MemoryMap, unmapped, type Stretch, type Target } from './map.ts';
import { ShadowedRam } from './shadow.ts';
import type { Notice } from './notice.ts';
import { inDevice } from './under-way.ts';

/** A fault of a device: it threw, entered itself, or its timer fired without end. */
export interface Fault {
  readonly device: string;
  /** What it did, to go on from its name: `threw, …`. */
  readonly did: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** A bus on the way of a device's DMA. */
export interface DmaGate {
  /** Its id. */
  readonly bus: string;
  passes(address: number, size: number): boolean;
}

const ALL_ONES = 0xffff_ffff;
/** Accesses that devices make inside one access, nested, before they are refused. */
const MAX_DEPTH = 16;

/** Bytes of a bulk write from which on `fill` is faster than `set`. */
const FILLED = 512;

const NO_MEMORY: readonly Stretch[] = [];

const PARTS: Readonly<Record<number, AccessSize>> = { 1: 1, 2: 2, 4: 4 };

/**
 * The machine's address spaces as one thread sees them: finds who answers an access and calls it. Everything that reaches a
 * device is called with the lock held.
 */
export class Bus {
  readonly io: IoMap;
  /** Where reads of physical memory go. */
  readonly memory: MemoryMap;
  /** Where writes go: the same map, unless a device can turn one kind of access away from RAM. */
  writes: MemoryMap;
  /** PCI configuration space. */
  readonly #config: MemoryMap;
  readonly #configTargets: Target[] = [];
  /** All regions, in every space. */
  readonly targets: Target[] = [];
  /** First fault that happened on this thread. */
  fault: Fault | undefined;
  generation = -1;
  readonly #control: Int32Array;
  readonly #blueprint: Blueprint;
  readonly #events: EventRing;
  readonly #now: () => bigint;
  readonly #notice: Notice;
  readonly #ports: readonly Target[];
  readonly #ioTargets: Target[] = [];
  readonly #memoryTargets: Target[] = [];
  readonly #ram: ShadowedRam;
  readonly #bytes: Buffer;
  readonly #dirty: Uint8Array;
  readonly #ramStart: number;
  /** Devices that are making accesses of their own, outermost first: those whose code this thread is inside of. */
  readonly #masters = new Int32Array(MAX_DEPTH);
  #depth = 0;
  /** Buses between each device and the memory that may stop its DMA. */
  readonly #gates: (readonly DmaGate[] | undefined)[] = [];
  /** What answers in memory where no region lies, and reports it. */
  readonly #nobody: Target;

  constructor({ memory, control, blueprint, events, now, notice }: Binding) {
    const { layout } = blueprint;
    this.#control = control.words;
    this.#blueprint = blueprint;
    this.#events = events;
    this.#now = now;
    this.#notice = notice;
    this.#bytes = Buffer.from(memory.buffer);
    this.#dirty = new Uint8Array(memory.buffer, layout.dirty, layout.ramBytes / PAGE_BYTES);
    this.#ramStart = layout.ram;
    const report = (address: number, size: number, what: 'read' | 'write'): void =>
      this.#report(EVENT.GUEST_ERROR, -1, `${what} of ${size} bytes at ${hex(address)}: no device answers`);
    this.#nobody = unmapped(blueprint.emptyMemory === 0 ? 0 : ALL_ONES, report);
    this.io = new IoMap(unmapped(ALL_ONES, report));
    this.#ports = this.io.ports;
    this.memory = new MemoryMap(this.#nobody);
    this.writes = this.memory;
    // A function that is not there is looked for on purpose, and nothing to report.
    this.#config = new MemoryMap(unmapped(ALL_ONES, () => {}));
    this.#ram = new ShadowedRam(blueprint.ram);
  }

  add(space: Space, target: Target): void {
    ({ io: this.#ioTargets, memory: this.#memoryTargets, config: this.#configTargets })[space].push(target);
    target.index = this.targets.push(target) - 1;
  }

  /** An area of RAM from which a device can turn accesses away. */
  addShadow(area: ShadowSpec, shadow: () => Shadow): void {
    if (this.writes === this.memory) this.writes = new MemoryMap(this.#nobody);
    this.#ram.add(area, shadow);
  }

  /** Whether every access has to come here, those to RAM too. */
  get isTraced(): boolean {
    return false;
  }

  /** Who answers at a port: not a region that lets the access through. */
  portTarget(port: number, size: number): Target {
    const target = this.io.find(port);
    return target.transparent && size < target.min ? this.io.below(target, port) : target;
  }

  /** A device's regions, in every space, wherever they lie and whether they do. */
  targetsOf(device: number): readonly { readonly space: Space; readonly target: Target }[] {
    const spaces = { io: this.#ioTargets, memory: this.#memoryTargets, config: this.#configTargets };
    return (['io', 'memory', 'config'] as const).flatMap((space) =>
      spaces[space].filter((target) => target.device === device).map((target) => ({ space, target })),
    );
  }

  /** Makes this thread's map anew if it has changed. */
  refresh(): void {
    const generation = Atomics.load(this.#control, WORD.GENERATION);
    if (generation === this.generation) return;
    this.generation = generation;
    this.io.rebuild(this.#ioTargets);
    this.#ram.refresh();
    this.memory.rebuild(this.#ram.reads, this.#memoryTargets);
    if (this.writes !== this.memory) this.writes.rebuild(this.#ram.writes, this.#memoryTargets);
    this.#config.rebuild(NO_MEMORY, this.#configTargets);
  }

  /** The map is a function of state that has changed. Every thread rebuilds its own before its next access. */
  remap(): void {
    Atomics.add(this.#control, WORD.GENERATION, 1);
    Atomics.add(this.#control, WORD.ATTENTION, 1);
    this.#notice.raised = true;
  }

  /** Reads a byte from a port for a VCPU: what `ioRead` does, without what only nested and wider accesses need. */
  inb(port: number, initiator: Initiator): number {
    const target = this.#ports[port];
    if (target === undefined || target.takesBytes !== true) return this.ioRead(port, 1, initiator);
    try {
      // A port is 16 bits: `| 0` spares a check for overflow.
      return target.read(target.bound, (port - target.base) | 0, 1, initiator) & 0xff;
    } catch (error) {
      this.#faulted(target.device, error);
      return 0xff;
    }
  }

  /** Writes a byte to a port for a VCPU. */
  outb(port: number, value: number, initiator: Initiator): void {
    const target = this.#ports[port];
    if (target === undefined || target.takesBytes !== true) {
      this.ioWrite(port, value, 1, initiator);
      return;
    }
    try {
      target.write(target.bound, (port - target.base) | 0, value, 1, initiator);
    } catch (error) {
      this.#faulted(target.device, error);
    }
  }

  /** Reads what one target answers, for a VCPU: without what only nested accesses need. */
  readTarget(target: Target, address: number, size: AccessSize, initiator: Initiator): number {
    if ((target.sizes & size) === 0 || (address & (size - 1)) !== 0)
      return this.#read(target, address, size, initiator);
    try {
      return cut(target.read(target.bound, address - target.base, size, initiator), size);
    } catch (error) {
      this.#faulted(target.device, error);
      return cut(ALL_ONES, size);
    }
  }

  writeTarget(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if ((target.sizes & size) === 0 || (address & (size - 1)) !== 0) {
      this.#write(target, address, value, size, initiator);
      return;
    }
    try {
      target.write(target.bound, address - target.base, value, size, initiator);
    } catch (error) {
      this.#faulted(target.device, error);
    }
  }

  /** Reads `size` bytes from a port: 1, 2 or 4. */
  ioRead(port: number, size: AccessSize, initiator: Initiator): number {
    const target = this.io.find(port);
    const end = port + size;
    if (end <= IO_PORTS && this.io.borderAfter(port, end) === end) return this.#read(target, port, size, initiator);
    let value = 0;
    for (let at = port; at < end;) {
      const part = partSize(at, Math.min(this.io.borderAfter(at, end), end));
      value += this.#read(this.io.find(at), at, part, initiator) * 2 ** (8 * (at - port));
      at += part;
    }
    return value;
  }

  ioWrite(port: number, value: number, size: AccessSize, initiator: Initiator): void {
    const end = port + size;
    if (size === 1 || (end <= IO_PORTS && this.io.borderAfter(port, end) === end)) {
      this.#write(this.io.find(port), port, value, size, initiator);
      return;
    }
    for (let at = port; at < end;) {
      const part = partSize(at, Math.min(this.io.borderAfter(at, end), end));
      this.#write(this.io.find(at), at, cut(value / 2 ** (8 * (at - port)), part), part, initiator);
      at += part;
    }
  }

  /** What lies at an address of PCI configuration space. */
  configAt(address: number): Stretch {
    return this.#config.find(address);
  }

  /** Reads 1, 2 or 4 bytes of PCI configuration space; those beyond the end of a function's are all ones. */
  configRead(address: number, size: AccessSize, initiator: Initiator): number {
    const { target, end } = this.#config.find(address);
    if (target === undefined) return cut(ALL_ONES, size);
    if (address + size <= end) return this.#read(target, address, size, initiator);
    let value = 0;
    for (let i = 0; i < size; i++) value += this.configRead(address + i, 1, initiator) * 2 ** (8 * i);
    return value;
  }

  configWrite(address: number, value: number, size: AccessSize, initiator: Initiator): void {
    const { target, end } = this.#config.find(address);
    if (target === undefined) return;
    if (address + size <= end) {
      this.#write(target, address, value, size, initiator);
      return;
    }
    for (let i = 0; i < size; i++) this.configWrite(address + i, cut(value / 2 ** (8 * i), 1), 1, initiator);
  }

  /** Reads 1, 2 or 4 bytes of physical memory. */
  memoryRead(address: number, size: AccessSize, initiator: Initiator): number {
    const stretch = this.memory.find(address);
    const end = address + size;
    if (end <= stretch.end) {
      if (stretch.target !== undefined) return this.#read(stretch.target, address, size, initiator);
      return this.#ramRead(address + stretch.delta, size);
    }
    let value = 0;
    for (let at = address; at < end;) {
      const part = partSize(at, Math.min(this.memory.find(at).end, end));
      value += this.memoryRead(at, part, initiator) * 2 ** (8 * (at - address));
      at += part;
    }
    return value;
  }

  memoryWrite(address: number, value: number, size: AccessSize, initiator: Initiator): void {
    const stretch = this.writes.find(address);
    const end = address + size;
    if (end <= stretch.end) {
      if (stretch.target !== undefined) this.#write(stretch.target, address, value, size, initiator);
      else if (stretch.writable) this.#ramWrite(address + stretch.delta, value, size);
      else this.#report(EVENT.GUEST_ERROR, -1, `write of ${hex(value)} to the ROM at ${hex(address)}`);
      return;
    }
    for (let at = address; at < end;) {
      const part = partSize(at, Math.min(this.writes.find(at).end, end));
      this.memoryWrite(at, cut(value / 2 ** (8 * (at - address)), part), part, initiator);
      at += part;
    }
  }

  /** Whether any byte of physical memory from `address` is in a region of the device. */
  isOwn(device: number, address: number, size: number): boolean {
    return liesIn(this.memory, device, address, size) || liesIn(this.writes, device, address, size);
  }

  /** Fills `target` from physical memory: RAM at once, regions in 32-bit accesses where they are aligned. */
  memoryReadBulk(address: number, target: Uint8Array, initiator: Initiator): void {
    for (let done = 0; done < target.length;) {
      const at = address + done;
      const stretch = this.memory.find(at);
      const run = Math.min(target.length - done, stretch.end - at);
      if (stretch.target === undefined) {
        const from = at + stretch.delta;
        this.#bytes.copy(target, done, from, from + run);
        done += run;
      } else if (stretch.target.device < 0) {
        this.#report(EVENT.GUEST_ERROR, -1, `read of ${run} bytes at ${hex(at)}: no device answers`);
        target.fill(this.#blueprint.emptyMemory, done, done + run);
        done += run;
      } else {
        const size = (at & 3) === 0 && run >= 4 ? 4 : 1;
        const value = this.memoryRead(at, size, initiator);
        for (let i = 0; i < size; i++) target[done + i] = value >>> (8 * i);
        done += size;
      }
    }
  }

  memoryWriteBulk(address: number, data: Uint8Array, initiator: Initiator): void {
    for (let done = 0; done < data.length;) {
      const at = address + done;
      const stretch = this.writes.find(at);
      const run = Math.min(data.length - done, stretch.end - at);
      if (stretch.target === undefined && stretch.writable) {
        const to = at + stretch.delta;
        this.#copyIn(data, done, run, to);
        this.#touch(to, run);
        done += run;
      } else if (stretch.target === undefined) {
        this.#report(EVENT.GUEST_ERROR, -1, `write of ${run} bytes to the ROM at ${hex(at)}`);
        done += run;
      } else if (stretch.target.device < 0) {
        this.#report(EVENT.GUEST_ERROR, -1, `write of ${run} bytes at ${hex(at)}: no device answers`);
        done += run;
      } else {
        const size = (at & 3) === 0 && run >= 4 ? 4 : 1;
        let value = 0;
        for (let i = 0; i < size; i++) value += (data[done + i] ?? 0) * 2 ** (8 * i);
        this.memoryWrite(at, value, size, initiator);
        done += size;
      }
    }
  }

  /** Has buses be asked about each DMA of a device. */
  gateDma(device: number, gates: readonly DmaGate[]): void {
    this.#gates[device] = gates;
  }

  /** The bus that keeps a device's DMA from where it goes; undefined when none does. */
  dmaStop(device: number, address: number, size: number): string | undefined {
    return this.#gates[device]?.find((gate) => !gate.passes(address, size))?.bus;
  }

  /** Runs a device's callback (timer, input pin, reset) and takes its fault. */
  guard(device: number, run: () => void): void {
    try {
      inDevice(this.#blueprint.devices[device]?.id ?? '?', run);
    } catch (error) {
      this.#faulted(device, error);
    }
  }

  report(kind: EventKind, device: number, message: string): void {
    this.#report(kind, device, message);
  }

  /** A device's code threw. */
  threw(device: number, error: unknown): void {
    this.#faulted(device, error);
  }

  /** A fault that no exception tells of. */
  faulted(device: number, message: string): void {
    this.#faulted(device, new Error(message));
  }

  /**
   * Copies `run` bytes of `data`, from `first` on, into the machine's memory. V8's `set` writes to shared memory word by word, at a quarter
   * of the speed of what Node's `fill` does with bytes that are as many as there is to fill.
   */
  #copyIn(data: Uint8Array, first: number, run: number, to: number): void {
    const bytes = run === data.length ? data : data.subarray(first, first + run);
    if (run < FILLED) this.#bytes.set(bytes, to);
    else this.#bytes.fill(bytes, to, to + run);
  }

  #ramRead(at: number, size: AccessSize): number {
    const u8 = this.#bytes;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (u8[at + i] ?? 0);
    return value;
  }

  #ramWrite(at: number, value: number, size: AccessSize): void {
    const u8 = this.#bytes;
    for (let i = 0; i < size; i++) u8[at + i] = value >>> (8 * i);
    this.#touch(at, size);
  }

  #touch(at: number, size: number): void {
    const first = Math.floor((at - this.#ramStart) / PAGE_BYTES);
    const last = Math.floor((at + size - 1 - this.#ramStart) / PAGE_BYTES);
    if (first === last) this.#dirty[first] = 1;
    else this.#dirty.fill(1, first, last + 1);
  }

  /** An access within one target; split or widened as its region asks. */
  #read(target: Target, address: number, size: AccessSize, initiator: Initiator): number {
    if (size >= target.min && size <= target.max && (target.unaligned || (address & (size - 1)) === 0)) {
      return this.#call(target, address, size, initiator);
    }
    const part = this.#partFor(target, address, size);
    if (part === undefined) {
      if (size < target.min && target.widen) {
        const shift = (address - target.base) & (target.min - 1);
        if (shift + size > target.min) return this.#readBytes(target, address, size, initiator);
        const wide = this.#call(target, address - shift, PARTS[target.min] ?? 4, initiator);
        return cut(wide / 2 ** (8 * shift), size);
      }
      if (target.transparent) return this.#readBelow(target, address, size, initiator);
      this.#refuse(target, 'read', address, size);
      return cut(ALL_ONES, size);
    }
    let value = 0;
    for (let done = 0; done < size; done += part) {
      value += this.#call(target, address + done, part, initiator) * 2 ** (8 * done);
    }
    return value;
  }

  /** A port access that a transparent region does not take. */
  #readBelow(target: Target, port: number, size: AccessSize, initiator: Initiator): number {
    const whole = this.#wholeBelow(target, port, size);
    if (whole !== undefined) return this.#read(whole, port, size, initiator);
    let value = 0;
    for (let i = 0; i < size; i++) {
      value += this.#read(this.io.below(target, port + i), port + i, 1, initiator) * 2 ** (8 * i);
    }
    return value;
  }

  #writeBelow(target: Target, port: number, value: number, size: AccessSize, initiator: Initiator): void {
    const whole = this.#wholeBelow(target, port, size);
    if (whole !== undefined) {
      this.#write(whole, port, value, size, initiator);
      return;
    }
    for (let i = 0; i < size; i++) {
      this.#write(this.io.below(target, port + i), port + i, cut(value / 2 ** (8 * i), 1), 1, initiator);
    }
  }

  /** What lies below all of an access; undefined where that is not one region. */
  #wholeBelow(target: Target, port: number, size: AccessSize): Target | undefined {
    const first = this.io.below(target, port);
    for (let i = 1; i < size; i++) if (this.io.below(target, port + i) !== first) return undefined;
    return first;
  }

  /** A narrow access that lies in two of the region's units. */
  #readBytes(target: Target, address: number, size: AccessSize, initiator: Initiator): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#read(target, address + i, 1, initiator) * 2 ** (8 * i);
    return value;
  }

  #write(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (size >= target.min && size <= target.max && (target.unaligned || (address & (size - 1)) === 0)) {
      this.#callWrite(target, address, value, size, initiator);
      return;
    }
    const part = this.#partFor(target, address, size);
    if (part === undefined) {
      if (target.transparent) this.#writeBelow(target, address, value, size, initiator);
      else this.#refuse(target, 'write', address, size);
      return;
    }
    for (let done = 0; done < size; done += part) {
      this.#callWrite(target, address + done, cut(value / 2 ** (8 * done), part), part, initiator);
    }
  }

  /** Size of the parts into which an access is split; undefined when the region refuses it. */
  #partFor(target: Target, address: number, size: AccessSize): AccessSize | undefined {
    if (target.strict || size < target.min) return undefined;
    const aligned = (address & (Math.min(size, target.max) - 1)) === 0;
    const part = aligned || target.unaligned ? Math.min(size, target.max) : target.min;
    return (address & (part - 1)) === 0 || target.unaligned ? PARTS[part] : undefined;
  }

  #refuse(target: Target, what: 'read' | 'write', address: number, size: number): void {
    const { device, region, base } = target;
    this.#report(EVENT.GUEST_ERROR, device, `${what} of ${size} bytes at ${region}+${hex(address - base)} refused`);
  }

  #call(target: Target, address: number, size: AccessSize, initiator: Initiator): number {
    if (initiator.kind === 'device' && !this.#enter(target, initiator.index, 'read', address))
      return cut(ALL_ONES, size);
    try {
      return cut(target.read(target.bound, address - target.base, size, initiator), size);
    } catch (error) {
      this.#faulted(target.device, error);
      return cut(ALL_ONES, size);
    } finally {
      if (initiator.kind === 'device') this.#depth--;
    }
  }

  #callWrite(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (initiator.kind === 'device' && !this.#enter(target, initiator.index, 'write', address)) return;
    try {
      target.write(target.bound, address - target.base, value, size, initiator);
    } catch (error) {
      this.#faulted(target.device, error);
    } finally {
      if (initiator.kind === 'device') this.#depth--;
    }
  }

  /** Notes that a device makes an access from inside its own code; false, and reported, when that leads back into a device that does so too. */
  #enter(target: Target, master: number, what: 'read' | 'write', address: number): boolean {
    if (this.#depth < MAX_DEPTH) this.#masters[this.#depth++] = master;
    else return this.#refuseEntry(target, what, address);
    for (let i = 0; i < this.#depth; i++) {
      if (this.#masters[i] !== target.device) continue;
      this.#depth--;
      return this.#refuseEntry(target, what, address);
    }
    return true;
  }

  #refuseEntry({ device, region, base }: Target, what: 'read' | 'write', address: number): false {
    const access = `${what} at ${region}+${hex(address - base)} from inside its own access refused`;
    this.#report(EVENT.GUEST_ERROR, device, access);
    // QEMU goes on from here. A device that lets it come to this would do anything on other hosts: that is a fault of it.
    this.#fail(device, 'entered itself by an access of its own', access, undefined);
    return false;
  }

  #faulted(device: number, error: unknown): void {
    const isOne = isError(error);
    const message = isOne ? `${nameOf(error)}: ${messageOf(error)}` : messageOf(error);
    this.#report(EVENT.GUEST_ERROR, device, `the device threw: ${message}`);
    this.#fail(device, 'threw, which is a bug of the device', message, isOne ? stackOf(error) : undefined);
  }

  /** Notes the first fault: it fails the case, and the machine is not used again. */
  #fail(device: number, did: string, message: string, stack: string | undefined): void {
    this.fault ??= { device: this.#blueprint.devices[device]?.id ?? '?', did, message, stack };
    Atomics.compareExchange(this.#control, WORD.FAULT, 0, device + 1);
  }

  #report(kind: EventKind, device: number, message: string): void {
    this.#events.push(kind, device, 0, this.#now(), message);
  }
}

/** Whether any of the bytes from `address` is, on a map, in a region of the device. */
function liesIn(map: MemoryMap, device: number, address: number, size: number): boolean {
  for (let at = address; at < address + size;) {
    const { target, end } = map.find(at);
    if (target?.device === device) return true;
    at = end;
  }
  return false;
}

/** The largest aligned part of an access that starts at `at` and ends before `end`. */
function partSize(at: number, end: number): AccessSize {
  const left = end - at;
  if (left >= 4 && (at & 3) === 0) return 4;
  return left >= 2 && (at & 1) === 0 ? 2 : 1;
}

/** The low `size` bytes of a number, unsigned. */
function cut(value: number, size: AccessSize): number {
  return size === 4 ? value >>> 0 : value & (size === 1 ? 0xff : 0xffff);
}
