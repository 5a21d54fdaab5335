import type { AccessSize, Chardev, RegisterBank, Space } from '@qtest/sdk';
import { layoutState, resolveProperties } from '@qtest/sdk/support';
import { pci } from '@qtest/parts/pc';
import {
  BoundMachine,
  type EventRing,
  type Registry,
  OWNER,
  TAP,
  VCPU_STATUS,
  WORD,
  createMachine,
  type Target,
  restore,
  restorePristine,
  save,
  type SavedState,
  setStatus,
  NativeClock,
  NativeMachine,
  NativeVcpu,
} from '@qtest/machine';
import { bounded, neverEnded } from '../foreign/bounded.ts';
import { buildAround, type Parts, type Subject } from './machine.ts';
import { ContractError } from './problem.ts';
import { watched, Watch } from './watch.ts';

/** One thread's binding, as a VCPU among others has it: lock, attention and map are looked at with each access. */
export interface Binding {
  readonly bound: BoundMachine;
  readonly vcpu: NativeVcpu;
  readonly clock: NativeClock;
  readonly machine: NativeMachine;
  /** The device's regions, in the rig's order. */
  readonly targets: readonly Target[];
  readonly chardev: Chardev | undefined;
}

/** A region of the device. */
export interface Region {
  /** Index in every binding's targets. */
  readonly index: number;
  readonly name: string;
  readonly space: Space;
  readonly size: number;
  readonly bank: RegisterBank | undefined;
}

/** A machine around the device, bound twice: what the device keeps outside the machine's bytes is missing in the other binding. */
export class Rig {
  readonly subject: Subject;
  readonly watch = new Watch();
  /** The device's name in the machine. */
  readonly id: string;
  readonly bindings: readonly [Binding, Binding];
  readonly regions: readonly Region[];
  /** Lines that no output drives: a test's to drive. */
  readonly freeLines: readonly number[];
  readonly #registry: Registry;
  /** The machine after `setup`. */
  readonly #ready: SavedState;

  private constructor(subject: Subject, parts: Parts) {
    this.subject = subject;
    const { definition } = subject;
    const { builder, known, device } = buildAround(subject, watched(definition, this.watch), parts);
    this.id = device.id;
    const registry: Registry = new Map([...known].map(([type, found]) => [type, found.definition]));
    const { handle, control, blueprint, bus } = createMachine(builder, registry);
    const tested = blueprint.devices.flatMap(({ id, type }, index) =>
      id === device.id || subject.whole === true ? [{ index, id, type }] : [],
    );
    control.words[WORD.VCPUS] = 1;
    control.words[WORD.TAPS] = TAP.IRQ;
    setStatus(control, 0, VCPU_STATUS.READY);
    const bind = (n: number): Binding => {
      const bound = new BoundMachine(handle, registry, OWNER.THREAD0 + n);
      // Among others, so that it takes the lock for each access: there are two on this thread.
      const options = { index: 0, count: 2, schedule: 'free', stallLimit: Infinity, announceTick: () => {} } as const;
      const vcpu = new NativeVcpu(bound, options);
      return {
        bound,
        vcpu,
        clock: new NativeClock('virtual', vcpu),
        machine: new NativeMachine(bound, vcpu),
        targets: tested.flatMap(({ index }) => bound.bus.targetsOf(index).map(({ target }) => target)),
        chardev: parts === 'present' ? bound.chardev(device.id) : undefined,
      };
    };
    this.bindings = [bind(0), bind(1)];
    const found = tested.flatMap(({ index, id, type }) =>
      bus.targetsOf(index).map((region) => ({ ...region, id, type })),
    );
    this.regions = found.map(({ space, target, id, type }, at) => {
      const name = target.region.slice(id.length + 1);
      const bank = registry.get(type)?.schema.registers?.[name];
      return { index: at, name: id === device.id ? name : target.region, space, size: target.size, bank };
    });
    this.#registry = registry;
    const driven = new Set([
      ...blueprint.lines.flatMap(({ feeds }) => feeds),
      ...blueprint.devices
        .filter(({ type }) => type !== 'contract-pins')
        .flatMap(({ outputs }) =>
          Object.values(outputs).flatMap(({ line, count }) => Array.from({ length: count }, (_, n) => line + n)),
        ),
    ]);
    this.freeLines = parts === 'present' ? blueprint.lines.flatMap((_, line) => (driven.has(line) ? [] : [line])) : [];
    // What went wrong at power-on is found again by a reset of the checks.
    this.renew('reset');
    this.setup(this.bindings[0]);
    this.#ready = this.locked(({ bound }) => save(bound));
  }

  static make(subject: Subject, parts: Parts): Rig {
    let rig: Rig | undefined;
    const { seconds } = subject;
    if (!bounded(() => (rig = new Rig(subject, parts)), seconds) || rig === undefined)
      throw new ContractError(
        `'${subject.definition.schema.type}' at power-on or in its contract's setup ${neverEnded(seconds)}`,
      );
    return rig;
  }

  /** As the machine was at its power-on, or after the setup that followed. Nothing is left of what went wrong since. */
  renew(to: 'reset' | 'ready'): void {
    this.locked(({ bound }) => (to === 'reset' ? restorePristine(bound) : restore(bound, this.#ready)));
    this.forget();
  }

  /** What the machine has told: both bindings write to one ring, which has one reader. */
  get events(): EventRing {
    return this.bindings[0].bound.events;
  }

  /** Forgets events, faults, and what the watch has seen. */
  forget(): void {
    this.events.discard();
    this.events.takeLost();
    for (const { bound, vcpu } of this.bindings) {
      bound.bus.fault = undefined;
      vcpu.interrupts.forget();
    }
    this.watch.clear();
  }

  /** Runs what may never come back, within the bound. @param doing what that is, for the error. */
  within(run: () => void, doing?: string): void {
    const { seconds } = this.subject;
    if (!bounded(run, seconds))
      throw new ContractError(
        `device '${this.id}' ${neverEnded(seconds)}${doing === undefined ? '' : `, while ${doing}`}`,
      );
  }

  /** What a guest does after a reset: gives the BARs of a function their places, and what the schema's `contract` says. */
  setup({ vcpu, bound }: Binding): void {
    const { schema } = this.subject.definition;
    const device = bound.blueprint.devices.find(({ id }) => id === this.id);
    if (schema.bus === 'pci') {
      const slot = Number(device?.properties['slot'] ?? 0);
      const host = pci.host(vcpu);
      host.enumerate();
      host.assign();
      const found = host.at({ slot, function: Number(device?.properties['function'] ?? 0) });
      for (const { bar } of found?.bars() ?? []) found?.map(bar);
      found?.enable({ io: true, memory: true, master: true });
    }
    schema.contract?.setup?.(vcpu, resolveProperties(schema.properties ?? {}, device?.properties ?? {}));
  }

  locked<T>(run: (binding: Binding) => T): T {
    const [binding] = this.bindings;
    return binding.vcpu.locked(() => run(binding));
  }

  /** Where a region lies now; undefined while it does not answer. */
  baseOf(region: Region, { targets }: Binding = this.bindings[0]): number | undefined {
    const place = targets[region.index]?.locate();
    // What lies behind a bridge that forwards nothing is not seen.
    return place === undefined || place.seen.length === 0 ? undefined : place.base;
  }

  read(region: Region, offset: number, size: AccessSize, binding: Binding = this.bindings[0]): number {
    const at = this.baseOf(region, binding);
    const { vcpu, bound } = binding;
    if (at === undefined || !reaches(region.space, at + offset)) return 0;
    const address = at + offset;
    if (region.space === 'config') return vcpu.locked(() => bound.bus.configRead(address, size, GUEST));
    if (region.space === 'io')
      return size === 1 ? vcpu.inb(address) : size === 2 ? vcpu.inw(address) : vcpu.inl(address);
    return size === 1 ? vcpu.readb(address) : size === 2 ? vcpu.readw(address) : vcpu.readl(address);
  }

  write(region: Region, offset: number, value: number, size: AccessSize, binding: Binding = this.bindings[0]): void {
    const at = this.baseOf(region, binding);
    const { vcpu, bound } = binding;
    if (at === undefined || !reaches(region.space, at + offset)) return;
    const address = at + offset;
    if (region.space === 'config') return vcpu.locked(() => bound.bus.configWrite(address, value, size, GUEST));
    if (region.space === 'io')
      return size === 1
        ? vcpu.outb(address, value)
        : size === 2
          ? vcpu.outw(address, value)
          : vcpu.outl(address, value);
    return size === 1
      ? vcpu.writeb(address, value)
      : size === 2
        ? vcpu.writew(address, value)
        : vcpu.writel(address, value);
  }

  /** What the machine or the watch has found since `renew`: in words, with what was thrown. */
  problem(): { readonly what: string; readonly options?: ErrorOptions } | undefined {
    const { fault } = this.bindings[0].bound.bus;
    if (fault !== undefined) {
      const cause = Object.assign(new Error(fault.message), fault.stack !== undefined && { stack: fault.stack });
      return { what: `device '${fault.device}' ${fault.did}: ${fault.message}`, options: { cause } };
    }
    const { problem } = this.watch;
    return problem === undefined ? undefined : { what: `device '${this.id}' goes wrong: ${problem}` };
  }

  /** The whole state, devices', lines' and clock's; with RAM behind it. */
  state(withRam: boolean): Uint8Array {
    const { handle, blueprint } = this.bindings[0].bound;
    const { layout } = blueprint;
    const { buffer } = handle.memory;
    const bytes = new Uint8Array(layout.stateBytes + (withRam ? layout.ramBytes : 0));
    bytes.set(new Uint8Array(buffer, layout.state, layout.stateBytes));
    if (withRam) bytes.set(new Uint8Array(buffer, layout.ram, layout.ramBytes), layout.stateBytes);
    return bytes;
  }

  /** What a byte of the state belongs to, `lamp0.state.count`. */
  nameOf(at: number): string {
    const { bound } = this.bindings[0];
    const { layout, devices, timers, lines } = bound.blueprint;
    if (at >= layout.stateBytes) return `RAM at 0x${(at - layout.stateBytes).toString(16)}`;
    const offset = layout.state + at;
    const device = devices.findLast(({ stateOffset }) => offset >= stateOffset);
    if (device === undefined || offset < Math.min(...devices.map(({ stateOffset }) => stateOffset))) {
      if (offset >= layout.lines) return `IRQ line ${lines[Math.floor((offset - layout.lines) / 16)]?.name}`;
      const timer = timers[Math.floor((offset - layout.deadlines) / 8)];
      return offset < layout.deadlines ? 'the clock' : `timer ${devices[timer?.device ?? -1]?.id}.${timer?.name}`;
    }
    const field = layoutState(this.#registry.get(device.type)?.schema.state ?? {}).fields.findLast(
      (found) => offset - device.stateOffset >= found.offset,
    );
    const inField = field !== undefined && offset - device.stateOffset < field.offset + field.size;
    return inField ? `${device.id}.state.${field.name}` : `the state of ${device.id}`;
  }
}

const GUEST = { kind: 'vcpu', index: 0 } as const;

/** Whether an address is one: what lies beside a region at an end of its space may be none. */
function reaches(space: Space, address: number): boolean {
  return address >= 0 && address <= (space === 'io' ? 0xffff : 2 ** 53 - 8);
}
