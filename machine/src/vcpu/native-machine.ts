import {
  type Chardev,
  type Clock,
  type ClockKind,
  type DeviceInfo,
  type Duration,
  type IrqLine,
  type Machine,
  type Snapshot,
  nanoseconds,
} from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import type { BoundMachine } from '../bound-machine.ts';
import { restore, save, type SavedState } from '../snapshot.ts';
import { TRACED } from '../tracer.ts';
import { findLine } from './irq-lines.ts';
import type { NativeVcpu } from './native-vcpu.ts';

/** The machine as a case of it sees it. Every call is an access of the VCPU that makes it. */
export class NativeMachine implements Machine {
  readonly devices: readonly DeviceInfo[];
  readonly #machine: BoundMachine;
  readonly #vcpu: NativeVcpu;
  readonly #snapshots = new WeakMap<object, SavedState>();

  constructor(machine: BoundMachine, vcpu: NativeVcpu) {
    this.devices = machine.devices;
    this.#machine = machine;
    this.#vcpu = vcpu;
  }

  get(id: string): DeviceInfo {
    const device = this.devices.find((candidate) => candidate.id === id);
    if (device !== undefined) return device;
    throw hostError(
      'MACHINE',
      `machine.get('${id}'): there is no such device; the machine has ${this.devices.map((d) => d.id).join(', ') || 'none'}`,
    );
  }

  readonly irq = (id: string, output?: string | number, pin?: number): IrqLine =>
    findLine(this.#machine, id, output, pin);

  chardev(id: string): Chardev {
    this.get(id);
    const chardev = this.#machine.chardev(id);
    if (chardev === undefined)
      throw hostError('MACHINE', `machine.chardev('${id}'): this device has no character backend`);
    return {
      write: (data) => this.#vcpu.locked(() => chardev.write(data)),
      read: () => this.#vcpu.locked(() => chardev.read()),
    };
  }

  reset(kind: 'cold' | 'warm' = 'warm'): void {
    this.#vcpu.locked(() => {
      this.#vcpu.interrupts.forget();
      this.#machine.reset(kind);
    });
  }

  snapshot(): Snapshot {
    const saved = this.#vcpu.locked(() => {
      this.#machine.tracer?.event(TRACED.SAVE);
      return save(this.#machine);
    });
    const snapshot = Object.freeze({ size: saved.size }) as Snapshot;
    this.#snapshots.set(snapshot, saved);
    return snapshot;
  }

  restore(snapshot: Snapshot): void {
    const saved = this.#snapshots.get(snapshot);
    if (saved === undefined) throw new TypeError('machine.restore(): give what machine.snapshot() of this case gave');
    this.#vcpu.locked(() => {
      this.#vcpu.interrupts.forget();
      restore(this.#machine, saved);
      this.#machine.tracer?.event(TRACED.RESTORE);
    });
  }
}

/** The machine's clock as a case sees it. */
export class NativeClock implements Clock {
  readonly kind: ClockKind;
  readonly #vcpu: NativeVcpu;

  constructor(kind: ClockKind, vcpu: NativeVcpu) {
    this.kind = kind;
    this.#vcpu = vcpu;
  }

  get now(): bigint {
    return this.#vcpu.now();
  }

  get deadline(): bigint | undefined {
    const next = this.#vcpu.nextDeadline;
    return next < 0n ? undefined : next;
  }

  step(duration?: Duration): bigint {
    return this.#vcpu.step(duration === undefined ? undefined : nanoseconds(duration));
  }
}
