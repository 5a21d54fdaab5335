import type { Chardev, Clock, ClockKind, DeviceInfo, Duration, IrqLine, Machine, Snapshot } from '@qtest/sdk';
import { nanoseconds } from '@qtest/sdk';
import { writeSync } from 'node:fs';
import { hostError } from '../../errors.ts';
import type { Blueprint } from '../../machine/blueprint.ts';
import { Skipped } from '../../vcpu/case-context.ts';
import { outputLine } from '../../vcpu/irq-lines.ts';
import { readAvailable, type Channel } from './channel.ts';
import type { Mapping } from './command-line.ts';
import { hiddenLine, pinOf, QemuIrqLine, type Irqs } from './irqs.ts';
import type { Qmp } from './qmp.ts';
import type { Qtest } from './protocol.ts';
import type { QemuVcpu } from './vcpu.ts';

/** Why a case that takes snapshots cannot run. */
export const NO_SNAPSHOT = 'QEMU saves its state to a disk image, which its machine has not';

interface Given {
  readonly blueprint: Blueprint;
  readonly mapping: Mapping;
  readonly qtest: Qtest;
  readonly qmp: Qmp;
  readonly irqs: Irqs;
  readonly chardevs: readonly Channel[];
}

/** QEMU's machine as a case sees it: the devices of the plugin's machine that QEMU has. */
export class QemuMachine implements Machine {
  readonly devices: readonly DeviceInfo[];
  readonly #given: Given;

  constructor(given: Given) {
    this.devices = given.mapping.devices;
    this.#given = given;
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
    return this.line(outputLine(this.#given.blueprint, id, output, pin));
  };

  /** The line of an index; the case is skipped when QEMU does not show it. */
  line(index: number): QemuIrqLine {
    const { blueprint, irqs, qtest } = this.#given;
    const name = blueprint.lines[index]?.name ?? '?';
    const pin = pinOf(blueprint, index);
    if (pin === undefined) throw hiddenLine(name);
    return new QemuIrqLine(name, pin, irqs, () => qtest.poll());
  }

  chardev(id: string): Chardev {
    const { type } = this.get(id);
    const { chardevs, mapping } = this.#given;
    const channel = chardevs[mapping.chardevs.indexOf(id)];
    if (channel === undefined) {
      if (type === 'i8042') throw new Skipped('QEMU presses keys by QMP, and not through a character backend');
      throw hostError('MACHINE', `machine.chardev('${id}'): this device has no character backend`);
    }
    return {
      write: (data) => writeSync(channel.write, typeof data === 'string' ? Buffer.from(data) : data),
      read: () => Buffer.from(readAvailable(channel.poll) ?? '', 'latin1'),
    };
  }

  reset(kind: 'cold' | 'warm' = 'warm'): void {
    if (kind === 'cold') throw new Skipped('QEMU has no power-on reset while it runs');
    const { qmp, qtest, irqs } = this.#given;
    qmp.execute('system_reset');
    // The command is answered before its effect.
    qmp.waitEvent('RESET');
    // The lines that fell by it are told of before the next answer.
    qtest.ask('endianness');
    irqs.forget();
  }

  snapshot(): Snapshot {
    throw new Skipped(NO_SNAPSHOT);
  }

  restore(): void {
    throw new Skipped(NO_SNAPSHOT);
  }

  #checkMissing(id: string): void {
    const reason = this.#given.mapping.missing[id];
    if (reason !== undefined) throw new Skipped(reason);
  }
}

/** QEMU's clock as a case sees it. */
export class QemuClock implements Clock {
  readonly kind: ClockKind;
  /** QEMU does not tell it. */
  readonly deadline = undefined;
  readonly #vcpu: QemuVcpu;

  constructor(kind: ClockKind, vcpu: QemuVcpu) {
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
