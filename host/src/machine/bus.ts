import type { AccessSize, Initiator } from '@qtest/sdk';
import type { Blueprint } from './blueprint.ts';
import { PAGE_BYTES } from './blueprint.ts';
import { WORD, type Control } from './control.ts';
import { EVENT, type EventKind, type EventRing } from './events.ts';
import { IO_PORTS, IoMap, MemoryMap, type Stretch, type Target } from './map.ts';

/** A fault of a device: it threw, or its timer fired without end. */
export interface Fault {
  readonly device: string;
  readonly message: string;
  readonly stack: string | undefined;
}

/** Accesses that devices make inside one access, nested, before they are refused. */
const MAX_DEPTH = 16;

const hex = (value: number): string => `0x${value.toString(16)}`;

const PARTS: Readonly<Record<number, AccessSize>> = { 1: 1, 2: 2, 4: 4 };

/**
 * The machine's address spaces as one thread sees them: finds who answers an access and calls it. Everything that reaches a
 * device is called with the lock held.
 */
export class Bus {
  readonly io = new IoMap();
  readonly memory = new MemoryMap();
  /** First fault that happened on this thread. */
  fault: Fault | undefined;
  generation = -1;
  readonly #control: Int32Array;
  readonly #blueprint: Blueprint;
  readonly #events: EventRing;
  readonly #now: () => bigint;
  readonly #ioTargets: Target[] = [];
  readonly #memoryTargets: Target[] = [];
  readonly #ram: readonly Stretch[];
  readonly #u8: Uint8Array;
  readonly #dirty: Uint8Array;
  readonly #ramStart: number;
  /** Devices inside whose code this thread is, outermost first. */
  readonly #chain = new Int32Array(MAX_DEPTH).fill(-1);
  #depth = 0;

  constructor(memory: WebAssembly.Memory, control: Control, blueprint: Blueprint, events: EventRing, now: () => bigint) {
    const { layout } = blueprint;
    this.#control = control.words;
    this.#blueprint = blueprint;
    this.#events = events;
    this.#now = now;
    this.#u8 = new Uint8Array(memory.buffer);
    this.#dirty = new Uint8Array(memory.buffer, layout.dirty, layout.ramBytes / PAGE_BYTES);
    this.#ramStart = layout.ram;
    this.#ram = blueprint.ram.map(
      ({ kind, base, size, offset }): Stretch => ({
        start: base,
        end: base + size,
        target: undefined,
        delta: offset - base,
        writable: kind === 'ram',
      }),
    );
  }

  add(space: 'io' | 'memory', target: Target): void {
    (space === 'io' ? this.#ioTargets : this.#memoryTargets).push(target);
  }

  /** Makes this thread's map anew if it has changed. */
  refresh(): void {
    const generation = Atomics.load(this.#control, WORD.GENERATION);
    if (generation === this.generation) return;
    this.generation = generation;
    this.io.rebuild(this.#ioTargets);
    this.memory.rebuild(this.#ram, this.#memoryTargets);
  }

  /** The map is a function of state that has changed. Every thread rebuilds its own before its next access. */
  remap(): void {
    Atomics.add(this.#control, WORD.GENERATION, 1);
    Atomics.add(this.#control, WORD.ATTENTION, 1);
  }

  /** Reads `size` bytes from a port: 1, 2 or 4. */
  ioRead(port: number, size: AccessSize, initiator: Initiator): number {
    const target = this.io.find(port);
    if (size === 1) return this.#call(target, port, 1, initiator);
    const end = port + size;
    if (end <= IO_PORTS && this.io.borderAfter(port, end) === end) return this.#read(target, port, size, initiator);
    let value = 0;
    for (let at = port; at < end; ) {
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
    for (let at = port; at < end; ) {
      const part = partSize(at, Math.min(this.io.borderAfter(at, end), end));
      this.#write(this.io.find(at), at, cut(value / 2 ** (8 * (at - port)), part), part, initiator);
      at += part;
    }
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
    for (let at = address; at < end; ) {
      const part = partSize(at, Math.min(this.memory.find(at).end, end));
      value += this.memoryRead(at, part, initiator) * 2 ** (8 * (at - address));
      at += part;
    }
    return value;
  }

  memoryWrite(address: number, value: number, size: AccessSize, initiator: Initiator): void {
    const stretch = this.memory.find(address);
    const end = address + size;
    if (end <= stretch.end) {
      if (stretch.target !== undefined) this.#write(stretch.target, address, value, size, initiator);
      else if (stretch.writable) this.#ramWrite(address + stretch.delta, value, size);
      else this.#report(EVENT.GUEST_ERROR, -1, `write of ${hex(value)} to the ROM at ${hex(address)}`);
      return;
    }
    for (let at = address; at < end; ) {
      const part = partSize(at, Math.min(this.memory.find(at).end, end));
      this.memoryWrite(at, cut(value / 2 ** (8 * (at - address)), part), part, initiator);
      at += part;
    }
  }

  /** Fills `target` from physical memory: RAM at once, regions in 32-bit accesses where they are aligned. */
  memoryReadBulk(address: number, target: Uint8Array, initiator: Initiator): void {
    for (let done = 0; done < target.length; ) {
      const at = address + done;
      const stretch = this.memory.find(at);
      const run = Math.min(target.length - done, stretch.end - at);
      if (stretch.target === undefined) {
        const from = at + stretch.delta;
        target.set(this.#u8.subarray(from, from + run), done);
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
    for (let done = 0; done < data.length; ) {
      const at = address + done;
      const stretch = this.memory.find(at);
      const run = Math.min(data.length - done, stretch.end - at);
      if (stretch.target === undefined && stretch.writable) {
        const to = at + stretch.delta;
        this.#u8.set(data.subarray(done, done + run), to);
        this.#touch(to, run);
        done += run;
      } else if (stretch.target === undefined) {
        this.#report(EVENT.GUEST_ERROR, -1, `write of ${run} bytes to the ROM at ${hex(at)}`);
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

  /** Runs a device's callback (timer, input pin, reset) and takes its fault. */
  guard(device: number, run: () => void): void {
    const depth = this.#enter(device);
    try {
      run();
    } catch (error) {
      this.#faulted(device, error);
    } finally {
      this.#depth = depth;
    }
  }

  report(kind: EventKind, device: number, message: string): void {
    this.#report(kind, device, message);
  }

  /** A fault that no exception tells of. */
  faulted(device: number, message: string): void {
    this.#faulted(device, new Error(message));
  }

  #ramRead(at: number, size: AccessSize): number {
    const u8 = this.#u8;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (u8[at + i] ?? 0);
    return value;
  }

  #ramWrite(at: number, value: number, size: AccessSize): void {
    const u8 = this.#u8;
    for (let i = 0; i < size; i++) u8[at + i] = value >>> (8 * i);
    this.#touch(at, size);
  }

  #touch(at: number, size: number): void {
    const first = Math.floor((at - this.#ramStart) / PAGE_BYTES);
    const last = Math.floor((at + size - 1 - this.#ramStart) / PAGE_BYTES);
    this.#dirty.fill(1, first, last + 1);
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
        const wide = this.#call(target, address - shift, PARTS[target.min] ?? 4, initiator);
        return cut(wide / 2 ** (8 * shift), size);
      }
      this.#refuse(target, 'read', address, size);
      return cut(0xffff_ffff, size);
    }
    let value = 0;
    for (let done = 0; done < size; done += part) {
      value += this.#call(target, address + done, part, initiator) * 2 ** (8 * done);
    }
    return value;
  }

  #write(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (size >= target.min && size <= target.max && (target.unaligned || (address & (size - 1)) === 0)) {
      this.#callWrite(target, address, value, size, initiator);
      return;
    }
    const part = this.#partFor(target, address, size);
    if (part === undefined) {
      this.#refuse(target, 'write', address, size);
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
    if (this.#depth > 0 && this.#isInside(target.device)) {
      this.#report(EVENT.GUEST_ERROR, target.device, `read at ${target.region}+${hex(address - target.base)} from inside its own access refused`);
      return cut(0xffff_ffff, size);
    }
    if (target.device < 0) {
      this.#report(EVENT.GUEST_ERROR, -1, `read of ${size} bytes at ${hex(address)}: no device answers`);
      return cut(0xffff_ffff, size);
    }
    const depth = this.#depth;
    this.#chain[depth] = target.device;
    this.#depth = depth + 1;
    try {
      return cut(target.read(target.bound, address - target.base, size, initiator), size);
    } catch (error) {
      this.#faulted(target.device, error);
      return cut(0xffff_ffff, size);
    } finally {
      this.#depth = depth;
    }
  }

  #callWrite(target: Target, address: number, value: number, size: AccessSize, initiator: Initiator): void {
    if (this.#depth > 0 && this.#isInside(target.device)) {
      this.#report(EVENT.GUEST_ERROR, target.device, `write at ${target.region}+${hex(address - target.base)} from inside its own access refused`);
      return;
    }
    if (target.device < 0) {
      this.#report(EVENT.GUEST_ERROR, -1, `write of ${hex(value)} (${size} bytes) at ${hex(address)}: no device answers`);
      return;
    }
    const depth = this.#depth;
    this.#chain[depth] = target.device;
    this.#depth = depth + 1;
    try {
      target.write(target.bound, address - target.base, value, size, initiator);
    } catch (error) {
      this.#faulted(target.device, error);
    } finally {
      this.#depth = depth;
    }
  }

  #enter(device: number): number {
    const depth = this.#depth;
    if (depth < MAX_DEPTH) this.#chain[depth] = device;
    this.#depth = Math.min(depth + 1, MAX_DEPTH);
    return depth;
  }

  /** Whether this thread is inside the device's code, or too deep for another access. */
  #isInside(device: number): boolean {
    if (this.#depth >= MAX_DEPTH) return true;
    for (let i = 0; i < this.#depth; i++) if (this.#chain[i] === device) return true;
    return false;
  }

  #faulted(device: number, error: unknown): void {
    const id = this.#blueprint.devices[device]?.id ?? '?';
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.fault ??= { device: id, message, stack: error instanceof Error ? error.stack : undefined };
    Atomics.compareExchange(this.#control, WORD.FAULT, 0, device + 1);
    this.#report(EVENT.GUEST_ERROR, device, `the device threw: ${message}`);
  }

  #report(kind: EventKind, device: number, message: string): void {
    this.#events.push(kind, device, 0, this.#now(), message);
  }
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
