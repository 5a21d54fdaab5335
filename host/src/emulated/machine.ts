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
import { hostError, own } from '@qtest/sdk/support';
import { type Blueprint, outputLine } from '@qtest/machine';
import { Skipped } from '../runner/case-context.ts';
import type { Connection, Mapping } from '@qtest/sdk/backend';
import { EmulatedIrqLine, pinOf, type Irqs } from './irqs.ts';
import type { EmulatedVcpu } from './vcpu.ts';

export interface EmulatedMachineOptions {
  readonly blueprint: Blueprint;
  readonly mapping: Omit<Mapping, 'settings'>;
  readonly irqs: Irqs;
  readonly connection: Connection;
  /** As errors call the emulator. */
  readonly emulator: string;
  /** Why a case that takes snapshots cannot run. */
  readonly noSnapshot: string | undefined;
}

/** An emulator's machine as a case sees it: the devices of the plugin's machine that the emulator has. */
export class EmulatedMachine implements Machine {
  readonly devices: readonly DeviceInfo[];
  readonly #options: EmulatedMachineOptions;

  constructor(options: EmulatedMachineOptions) {
    this.devices = options.mapping.devices;
    this.#options = options;
  }

  get(id: string): DeviceInfo {
    const device = this.devices.find((candidate) => candidate.id === id);
    if (device !== undefined) return device;
    this.#checkMissing(id);
    throw hostError(
      'MACHINE',
      `machine.get('${id}'): there is no such device; the machine has ${this.devices.map((d) => d.id).join(', ') || 'none'}`,
    );
  }

  readonly irq = (id: string, output?: string | number, pin?: number): IrqLine => {
    this.#checkMissing(id);
    return this.line(outputLine(this.#options.blueprint, id, output, pin));
  };

  /** The line of an index; the case is skipped when the emulator does not show it. */
  line(index: number): EmulatedIrqLine {
    const { blueprint, irqs, connection, emulator } = this.#options;
    const name = blueprint.lines[index]?.name ?? '?';
    const pin = pinOf(blueprint, index);
    if (pin === undefined) throw new Skipped(`${emulator} tells of the ISA bus's IRQs, and not of the line ${name}`);
    return new EmulatedIrqLine(name, pin, irqs, () => connection.look());
  }

  chardev(id: string): Chardev {
    const found = this.#options.connection.chardev?.(this.get(id));
    if (found !== undefined && 'lacks' in found) throw new Skipped(found.lacks);
    if (found !== undefined) return found;
    throw hostError('MACHINE', `machine.chardev('${id}'): this device has no character backend`);
  }

  reset(kind: 'cold' | 'warm' = 'warm'): void {
    const { connection, irqs } = this.#options;
    const lack = connection.reset(kind);
    if (lack !== undefined) throw new Skipped(lack.lacks);
    irqs.forget();
  }

  snapshot(): Snapshot {
    throw this.#noSnapshot();
  }

  restore(): void {
    throw this.#noSnapshot();
  }

  #noSnapshot(): Skipped {
    const { noSnapshot, emulator } = this.#options;
    return new Skipped(noSnapshot ?? `this host takes no snapshots of ${emulator}`);
  }

  #checkMissing(id: string): void {
    const reason = own(this.#options.mapping.missing, id);
    if (reason !== undefined) throw new Skipped(reason);
  }
}

/** An emulator's clock as a case sees it. */
export class EmulatedClock implements Clock {
  readonly kind: ClockKind;
  /** No emulator tells it. */
  readonly deadline = undefined;
  readonly #vcpu: EmulatedVcpu;

  constructor(kind: ClockKind, vcpu: EmulatedVcpu) {
    this.kind = kind;
    this.#vcpu = vcpu;
  }

  get now(): bigint {
    return this.#vcpu.now();
  }

  step(duration?: Duration): bigint {
    return this.#vcpu.step(duration === undefined ? undefined : nanoseconds(duration));
  }
}
