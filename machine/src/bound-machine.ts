import type {
  AddressRange,
  AnyDeviceDefinition,
  Chardev,
  Device,
  DeviceInfo,
  RegionSpec,
  ResetKind,
  Shadow,
} from '@qtest/sdk';
import { hostError, resolveProperties } from '@qtest/sdk/support';
import type { Blueprint, MachineHandle } from './blueprint.ts';
import { Bus, type DmaGate } from './bus.ts';
import { controlOf, LONG, TAP, WORD, type Control } from './control.ts';
import { bindDevice, chardevOf, type Parts } from './device-context.ts';
import { EventRing } from './events.ts';
import { Lines } from './lines.ts';
import { Lock } from './lock.ts';
import { lockCode, type LockCode } from './lock-wasm.ts';
import { Target, type Place } from './map.ts';
import { Notice } from './notice.ts';
import { Timekeeper } from './timekeeper.ts';
import { TracedBus, TracedLines } from './traced.ts';
import { TRACED, Tracer } from './tracer.ts';
import { inDevice } from './under-way.ts';
import { isHeld } from './taking.ts';
import { readyWaiters, rouseForTimer } from './waiters.ts';

/** Device definitions by type. */
export type Registry = Pick<ReadonlyMap<string, AnyDeviceDefinition>, 'get'>;

/** In place of a device, in the trace of a reset. */
export const WHOLE_MACHINE = 0xffff_ffff;

/** An area whose device has nothing to say. */
const RAM_ALONE: Shadow = { read: true, write: true };

interface BoundDevice {
  readonly definition: AnyDeviceDefinition;
  readonly context: Device;
}

/**
 * A machine as one thread has bound it: the same bytes, its own objects. Binding writes nothing, so that a thread may attach to
 * a machine that is running.
 */
export class BoundMachine {
  readonly handle: MachineHandle;
  readonly blueprint: Blueprint;
  readonly control: Control;
  readonly code: LockCode;
  readonly lock: Lock;
  readonly notice = new Notice();
  readonly time: Timekeeper;
  readonly lines: Lines;
  readonly events: EventRing;
  readonly bus: Bus;
  /** Of a machine that is traced. */
  readonly tracer: Tracer | undefined;
  readonly devices: readonly DeviceInfo[];
  readonly #bound: readonly BoundDevice[];
  /** The acknowledge cycle of each interrupt controller. */
  readonly #acknowledge: readonly ((vcpu: number) => number | undefined)[];
  readonly #fire: (timer: number, deadline: bigint) => void;
  readonly #storm: (timer: number) => void;

  /** @param owner this thread's id in the lock's word, one of `OWNER`. */
  constructor(handle: MachineHandle, registry: Registry, owner: number) {
    const { blueprint, memory } = handle;
    this.handle = handle;
    this.blueprint = blueprint;
    this.control = controlOf(memory);
    this.code = lockCode(memory);
    this.lock = new Lock(this.control, this.code, owner);
    this.events = new EventRing(this.control);
    this.time = new Timekeeper(memory, this.control, blueprint, this.notice);
    const now = (): bigint => this.time.now();
    const { control, events, notice } = this;
    const binding = { memory, control, blueprint, events, now, notice };
    const { trace } = handle;
    const tracer =
      trace === undefined ? undefined : new Tracer(trace, { now, clock: this.time.words, lock: this.lock });
    this.tracer = tracer;
    this.lines = tracer === undefined ? new Lines(binding) : new TracedLines(binding, tracer);
    this.bus = tracer === undefined ? new Bus(binding) : new TracedBus(binding, tracer);
    const parts: Parts = { memory, bus: this.bus, lines: this.lines, time: this.time };
    this.#bound = blueprint.devices.map((device, index) => {
      const definition = registry.get(device.type);
      if (definition === undefined) {
        throw hostError(
          'DEVICE',
          `device '${device.id}': no definition of the type '${device.type}' has been loaded in this thread`,
        );
      }
      return { definition, context: inDevice(device.id, () => bindDevice(index, definition, device, parts)) };
    });
    this.devices = blueprint.devices.map(({ id, type, properties }) => ({ id, type, properties }));
    this.#acknowledge = blueprint.controllers.map((index) => this.#acknowledgeOf(index));
    this.#bindRegions();
    this.#bindShadows();
    this.#bindDma();
    this.#bindSinks();
    const timers = blueprint.timers.map(({ device, name }) => ({ device, name, ...this.#timerHandler(device, name) }));
    const fire = (index: number, deadline: bigint): void => {
      const timer = timers[index];
      if (timer === undefined) return;
      try {
        timer.handler(timer.context, deadline);
      } catch (error) {
        this.bus.threw(timer.device, error);
      }
    };
    this.#fire =
      tracer === undefined
        ? fire
        : (index, deadline) => {
            tracer.event(TRACED.TIMER, index);
            fire(index, deadline);
          };
    this.#storm = (index) => {
      const timer = timers[index];
      if (timer !== undefined) {
        this.bus.faulted(
          timer.device,
          `timer '${timer.name}' is armed again and again for the same instant, without end`,
        );
      }
    };
    this.lines.onLoop = (line) => {
      const { name, sinks } = blueprint.lines[line] ?? { name: '?', sinks: [] };
      const ends = sinks.map(({ device, input }) => `${blueprint.devices[device]?.id}.${input}`).join(', ');
      this.bus.faulted(
        sinks[0]?.device ?? 0,
        `the IRQ line ${name} changes without end, each change inside the one before; it leads to ${ends || 'no input'}. ` +
          `A device that sets an output in the handler of an input must come to rest`,
      );
    };
    this.lines.onRise = () => readyWaiters(this.control);
    this.time.onEarlier = () => rouseForTimer(this.control);
  }

  /**
   * Fires what is due; lock held. Gives whether anything fired. In real time it is one instant, and none while a VCPU that waits or that
   * handles an interrupt has not taken what the last one has raised.
   * @param by the VCPU that this thread is; −1 for none.
   */
  fireDue(by = -1): boolean {
    if (this.time.kind === 'virtual') return this.time.fireDue(this.#fire, this.#storm) > 0;
    if (isHeld(this.control, by)) return false;
    const instants = this.time.fireDue(this.#fire, this.#storm);
    if (instants === 0) return false;
    const { words, longs } = this.control;
    words[WORD.FIRED] = words[WORD.IRQ_SEQUENCE] ?? 0;
    if (this.tickTapped) {
      longs[LONG.TICK_NOW] = this.time.now();
      Atomics.add(words, WORD.TICKS, instants);
    }
    return true;
  }

  /** Whether the host listens to `tick`. */
  get tickTapped(): boolean {
    return ((this.control.words[WORD.TAPS] ?? 0) & TAP.TICK) !== 0;
  }

  /** Resets every device: local state first, lines second. At power-on all state is zero before it. Lock held. */
  reset(kind: ResetKind): void {
    this.tracer?.event(TRACED.RESET, WHOLE_MACHINE);
    if (kind === 'cold') {
      const { layout, devices } = this.blueprint;
      const first = Math.min(layout.state + layout.stateBytes, ...devices.map(({ stateOffset }) => stateOffset));
      new Uint8Array(this.handle.memory.buffer, first, layout.state + layout.stateBytes - first).fill(0);
      this.time.cancelAll();
      this.lines.clear();
    }
    this.#resetEach(kind, () => true);
    Atomics.store(this.control.words, WORD.RESET, 0);
    this.bus.remap();
    this.bus.refresh();
  }

  /** Both phases of a reset, each for all of the devices that are meant. */
  #resetEach(kind: ResetKind, isMeant: (index: number) => boolean): void {
    for (const [index, { definition, context }] of this.#bound.entries()) {
      if (isMeant(index)) this.bus.guard(index, () => definition.behaviour.reset?.(context, kind));
    }
    for (const [index, { definition, context }] of this.#bound.entries()) {
      if (isMeant(index)) this.bus.guard(index, () => definition.behaviour.updateIrq?.(context));
    }
  }

  /** The reset of a bus: of every device behind it. */
  #resetBehind(bus: number): void {
    const isMeant = (index: number): boolean => this.#busesAbove(index).includes(bus);
    for (const index of this.#bound.keys()) if (isMeant(index)) this.tracer?.event(TRACED.RESET, index);
    this.#resetEach('warm', isMeant);
  }

  /** Does the reset that a device has asked for; lock held, and no device's code on the way. */
  resetIfAsked(): void {
    if (Atomics.load(this.control.words, WORD.RESET) !== 0) this.reset('warm');
  }

  /** The interrupt-acknowledge cycle of whatever drives a VCPU's INTR; undefined when that is low. Lock held. */
  acknowledge(vcpu: number): number | undefined {
    const line = this.blueprint.intr[vcpu];
    if (line === undefined || !this.lines.level(line)) return undefined;
    for (let n = 0; n < this.#acknowledge.length; n++) {
      const vector = this.#acknowledge[n]?.(vcpu);
      if (vector !== undefined) return vector & 0xff;
    }
    return undefined;
  }

  /** The test's end of a device's character backend; undefined when it has none. Lock held when it is used. */
  chardev(id: string): Chardev | undefined {
    const index = this.blueprint.devices.findIndex((device) => device.id === id);
    const [bound, device] = [this.#bound[index], this.blueprint.devices[index]];
    if (bound === undefined || device === undefined) return undefined;
    const { definition, context } = bound;
    return chardevOf(definition, device, this.handle.memory)?.frontend(() =>
      this.bus.guard(index, () => definition.behaviour.received?.(context)),
    );
  }

  /** A device of this thread's, for tests of the framework. */
  context(id: string): Device | undefined {
    return this.#bound.find(({ context }) => context.id === id)?.context;
  }

  #bindRegions(): void {
    for (const [index, { definition, context }] of this.#bound.entries()) {
      const { schema, behaviour } = definition;
      const buses = this.#busesAbove(index);
      const properties = resolveProperties(schema.properties ?? {}, this.blueprint.devices[index]?.properties ?? {});
      for (const [name, spec] of Object.entries(inDevice(context.id, () => schema.regions?.(properties)) ?? {})) {
        const handlers = behaviour.regions?.[name];
        if (handlers === undefined) {
          throw hostError(
            'DEVICE',
            `device type '${schema.type}': its behaviour has no handlers for the region '${name}'`,
          );
        }
        const { base } = handlers;
        const locate = (): Place | undefined => {
          let at = spec.base;
          if (base !== undefined) {
            this.bus.guard(index, () => {
              const now = base(context);
              // What is no address would be painted anywhere, or wipe the map out.
              if (now !== undefined && !(Number.isSafeInteger(now) && now >= 0)) {
                throw new RangeError(
                  `base() of region '${name}' gave ${String(now)}; expected an address, or undefined`,
                );
              }
              at = now;
            });
          }
          return at === undefined ? undefined : this.#seen(buses, spec, at);
        };
        this.bus.add(spec.space, new Target(index, `${context.id}.${name}`, spec, context, handlers, locate));
      }
    }
  }

  #bindShadows(): void {
    for (const [index, { definition, context }] of this.#bound.entries()) {
      const { schema, behaviour } = definition;
      for (const [n, area] of (schema.shadow ?? []).entries()) {
        this.bus.addShadow(area, () => {
          let shadow: Shadow = RAM_ALONE;
          this.bus.guard(index, () => (shadow = behaviour.shadow?.(context, n) ?? RAM_ALONE));
          return shadow;
        });
      }
    }
  }

  /** Where a region is seen by VCPUs: every bus on the way up may move it, let only a part of it be seen, or not forward it. */
  #seen(buses: readonly number[], { space, size }: RegionSpec, base: number): Place | undefined {
    let at: number | undefined = base;
    let seen: readonly AddressRange[] = [{ base, end: base + size }];
    for (const bus of buses) {
      const bound = this.#bound[bus];
      if (bound === undefined) continue;
      const { forward, windows } = bound.definition.behaviour;
      if (forward !== undefined) {
        const here: number = at;
        at = undefined;
        this.bus.guard(bus, () => (at = forward(bound.context, space, here, size)));
        if (at === undefined) return undefined;
        const by: number = at - here;
        if (by !== 0) seen = seen.map((part) => ({ base: part.base + by, end: part.end + by }));
      }
      if (windows !== undefined) {
        let open: readonly AddressRange[] | undefined = [];
        this.bus.guard(bus, () => (open = windows(bound.context, space)));
        if (open !== undefined) seen = clip(seen, open);
      }
      if (seen.length === 0) return undefined;
    }
    return { base: at, seen };
  }

  /** The buses behind which a device is, the one it is on first. */
  #busesAbove(device: number): number[] {
    const above: number[] = [];
    const busOf = (index: number): number => this.blueprint.devices[index]?.bus ?? -1;
    for (let bus = busOf(device); bus >= 0; bus = busOf(bus)) above.push(bus);
    return above;
  }

  /** Buses that may keep a device's DMA from where it goes, as what the bus is asked with. */
  #bindDma(): void {
    for (const device of this.#bound.keys()) {
      const gates = this.#busesAbove(device).flatMap((bus): DmaGate[] => {
        const bound = this.#bound[bus];
        const forwardDma = bound?.definition.behaviour.forwardDma;
        if (bound === undefined || forwardDma === undefined) return [];
        return [
          {
            bus: bound.context.id,
            passes: (address, size) => {
              let passes = false;
              this.bus.guard(bus, () => (passes = forwardDma(bound.context, address, size)));
              return passes;
            },
          },
        ];
      });
      if (gates.length > 0) this.bus.gateDma(device, gates);
    }
  }

  #bindSinks(): void {
    for (const line of this.blueprint.resets) this.lines.attach(line, 0, (_pin, level) => this.#askForReset(level));
    for (const [bus, { definition }] of this.#bound.entries()) {
      for (const [name, spec] of Object.entries(definition.schema.outputs ?? {})) {
        const line = this.blueprint.devices[bus]?.outputs[name]?.line;
        if (spec.busReset !== true || line === undefined) continue;
        this.lines.attach(line, 0, (_pin, level) => {
          if (level) this.#resetBehind(bus);
        });
      }
    }
    for (const [index, line] of this.blueprint.lines.entries()) {
      for (const { device, input, pin } of line.sinks) {
        const bound = this.#bound[device];
        const handler = bound?.definition.behaviour.inputs?.[input];
        if (bound === undefined || handler === undefined) {
          throw hostError('DEVICE', `device '${bound?.context.id ?? device}' has no handler for its input '${input}'`);
        }
        const { context } = bound;
        this.lines.attach(index, pin, (n, level) => {
          try {
            handler(context, n, level);
          } catch (error) {
            this.bus.threw(device, error);
          }
        });
      }
    }
  }

  #askForReset(level: boolean): void {
    if (!level) return;
    Atomics.store(this.control.words, WORD.RESET, 1);
    Atomics.add(this.control.words, WORD.ATTENTION, 1);
    this.notice.raised = true;
  }

  #acknowledgeOf(index: number): (vcpu: number) => number | undefined {
    const { context, definition } = this.#bound[index] ?? {};
    return (vcpu) => {
      try {
        return context === undefined ? undefined : definition?.behaviour.acknowledge?.(context, vcpu);
      } catch (error) {
        this.bus.threw(index, error);
        return 0xff;
      }
    };
  }

  #timerHandler(
    device: number,
    name: string,
  ): { context: Device; handler: (context: Device, deadline: bigint) => void } {
    const bound = this.#bound[device];
    const handler = bound?.definition.behaviour.timers?.[name];
    if (bound === undefined || handler === undefined) {
      throw hostError('DEVICE', `device '${bound?.context.id ?? device}' has no handler for its timer '${name}'`);
    }
    return { context: bound.context, handler };
  }
}

/** The parts of some ranges that lie in others. */
function clip(parts: readonly AddressRange[], windows: readonly AddressRange[]): AddressRange[] {
  const inside = parts.flatMap((part) =>
    windows.map(({ base, end }) => ({ base: Math.max(part.base, base), end: Math.min(part.end, end) })),
  );
  return inside.filter(({ base, end }) => base < end);
}
