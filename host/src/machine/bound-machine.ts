import type { AnyDeviceDefinition, Device, DeviceInfo, ResetKind } from '@qtest/sdk';
import { resolveProperties } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import type { Blueprint, MachineHandle } from './blueprint.ts';
import { Bus } from './bus.ts';
import { controlOf, LONG, TAP, WORD, type Control } from './control.ts';
import { bindDevice, type Parts } from './device-context.ts';
import { EventRing } from './events.ts';
import { Lines } from './lines.ts';
import { Lock } from './lock.ts';
import { lockCode, type LockCode } from './lock-wasm.ts';
import { Target } from './map.ts';
import { Timekeeper } from './timekeeper.ts';
import { readyWaiters, rouseForTimer } from './waiters.ts';

/** Device definitions by type. */
export type Registry = ReadonlyMap<string, AnyDeviceDefinition>;

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
  readonly time: Timekeeper;
  readonly lines: Lines;
  readonly events: EventRing;
  readonly bus: Bus;
  readonly devices: readonly DeviceInfo[];
  readonly #bound: readonly BoundDevice[];
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
    this.time = new Timekeeper(memory, this.control, blueprint);
    const now = (): bigint => this.time.now();
    this.lines = new Lines(memory, this.control, blueprint, this.events, now);
    this.bus = new Bus(memory, this.control, blueprint, this.events, now);
    const parts: Parts = { memory, bus: this.bus, lines: this.lines, time: this.time };
    this.#bound = blueprint.devices.map((device, index) => {
      const definition = registry.get(device.type);
      if (definition === undefined) {
        throw hostError('DEVICE', `device '${device.id}': no definition of the type '${device.type}' has been loaded in this thread`);
      }
      return { definition, context: bindDevice(index, definition, device, parts) };
    });
    this.devices = blueprint.devices.map(({ id, type, properties }) => ({ id, type, properties }));
    this.#bindRegions();
    this.#bindSinks();
    const timers = blueprint.timers.map(({ device, name }) => ({ device, name, ...this.#timerHandler(device, name) }));
    this.#fire = (index, deadline) => {
      const timer = timers[index];
      if (timer !== undefined) this.bus.guard(timer.device, () => timer.handler(timer.context, deadline));
    };
    this.#storm = (index) => {
      const timer = timers[index];
      if (timer !== undefined) {
        this.bus.faulted(timer.device, `timer '${timer.name}' is armed again and again for the same instant, without end`);
      }
    };
    this.lines.onRise = () => readyWaiters(this.control);
    this.time.onEarlier = () => rouseForTimer(this.control);
    this.bus.refresh();
  }

  /** Fires what is due; lock held. In real time it counts the instants for the hook `tick`. Gives whether anything fired. */
  fireDue(): boolean {
    const instants = this.time.fireDue(this.#fire, this.#storm);
    if (instants > 0 && this.time.kind === 'realtime' && this.tickTapped) {
      this.control.longs[LONG.TICK_NOW] = this.time.now();
      Atomics.add(this.control.words, WORD.TICKS, instants);
    }
    return instants > 0;
  }

  /** Whether the host listens to `tick`. */
  get tickTapped(): boolean {
    return ((this.control.words[WORD.TAPS] ?? 0) & TAP.TICK) !== 0;
  }

  /** Resets every device: local state first, lines second. At power-on all state is zero before it. Lock held. */
  reset(kind: ResetKind): void {
    if (kind === 'cold') {
      const { layout, devices } = this.blueprint;
      const first = Math.min(layout.state + layout.stateBytes, ...devices.map(({ stateOffset }) => stateOffset));
      new Uint8Array(this.handle.memory.buffer, first, layout.state + layout.stateBytes - first).fill(0);
      this.time.cancelAll();
      this.lines.clear();
      this.forgetEdges();
    }
    for (const [index, { definition, context }] of this.#bound.entries()) {
      this.bus.guard(index, () => definition.behaviour.reset?.(context, kind));
    }
    for (const [index, { definition, context }] of this.#bound.entries()) {
      this.bus.guard(index, () => definition.behaviour.updateIrq?.(context));
    }
    this.bus.remap();
    this.bus.refresh();
  }

  /** Tells every VCPU that edge counts have changed without an edge. */
  forgetEdges(): void {
    const { words } = this.control;
    words[WORD.RESTORES] = ((words[WORD.RESTORES] ?? 0) + 1) | 0;
  }

  /** The interrupt-acknowledge cycle of whatever drives INTR; undefined when INTR is low. Lock held. */
  acknowledge(): number | undefined {
    const { intr, lines } = this.blueprint;
    if (intr < 0 || lines[intr] === undefined || !this.lines.level(intr)) return undefined;
    const index = this.blueprint.devices.findIndex((device) =>
      Object.values(device.outputs).some(({ line, count }) => intr >= line && intr < line + count),
    );
    const bound = this.#bound[index];
    if (bound?.definition.behaviour.acknowledge === undefined) return undefined;
    const { acknowledge } = bound.definition.behaviour;
    let vector = 0xff;
    this.bus.guard(index, () => {
      vector = acknowledge(bound.context) & 0xff;
    });
    return vector;
  }

  /** A device of this thread's, for tests of the framework. */
  context(id: string): Device | undefined {
    return this.#bound.find(({ context }) => context.id === id)?.context;
  }

  #bindRegions(): void {
    for (const [index, { definition, context }] of this.#bound.entries()) {
      const { schema, behaviour } = definition;
      const properties = resolveProperties(schema.properties ?? {}, this.blueprint.devices[index]?.properties ?? {});
      for (const [name, spec] of Object.entries(schema.regions?.(properties) ?? {})) {
        const handlers = behaviour.regions?.[name];
        if (handlers === undefined) {
          throw hostError('DEVICE', `device type '${schema.type}': its behaviour has no handlers for the region '${name}'`);
        }
        const { base } = handlers;
        const locate = (): number | undefined => {
          let at = spec.base;
          if (base !== undefined) this.bus.guard(index, () => (at = base(context)));
          return at;
        };
        this.bus.add(spec.space, new Target(index, `${context.id}.${name}`, spec, context, handlers, locate));
      }
    }
  }

  #bindSinks(): void {
    for (const [index, line] of this.blueprint.lines.entries()) {
      for (const { device, input, pin } of line.sinks) {
        const bound = this.#bound[device];
        const handler = bound?.definition.behaviour.inputs?.[input];
        if (bound === undefined || handler === undefined) {
          throw hostError('DEVICE', `device '${bound?.context.id ?? device}' has no handler for its input '${input}'`);
        }
        this.lines.attach(index, pin, (n, level) => this.bus.guard(device, () => handler(bound.context, n, level)));
      }
    }
  }

  #timerHandler(device: number, name: string): { context: Device; handler: (context: Device, deadline: bigint) => void } {
    const bound = this.#bound[device];
    const handler = bound?.definition.behaviour.timers?.[name];
    if (bound === undefined || handler === undefined) {
      throw hostError('DEVICE', `device '${bound?.context.id ?? device}' has no handler for its timer '${name}'`);
    }
    return { context: bound.context, handler };
  }
}
