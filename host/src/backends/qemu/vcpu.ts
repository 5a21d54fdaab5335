import type { ClockKind } from '@qtest/sdk';
import { hostError } from '@qtest/sdk/support';
import { LAST_INSTANT } from '@qtest/machine';
import { EmulatedVcpu, type EmulatedBus, type EmulatedTime, type EmulatedVcpuOptions } from '../emulated-vcpu.ts';
import type { Irqs } from '../irqs.ts';
import { RealTime } from '../real-time.ts';
import type { Qtest } from './protocol.ts';

export interface QemuVcpuOptions extends Omit<EmulatedVcpuOptions, 'bus' | 'time' | 'noAcknowledge'> {
  readonly qtest: Qtest;
  readonly clock: ClockKind;
}

/**
 * In virtual time, while a handler watches a line: how far the time moves between two looks, ns. QEMU does not say when its next timer is
 * due. Two looks in the RTC's shortest period, 1/8192 s.
 */
const WATCHED_STEP = 61_035n;

/** Bytes of a bulk access in one request. */
const BULK = 2 ** 18;

const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };

/** Why a case that takes interrupts by their vectors cannot run. */
export const NO_ACKNOWLEDGE =
  'qtest has no interrupt acknowledge cycle: over it, QEMU gives no vector (use vcpu.onIrq(), or poll the 8259A by OCW3)';

/** The VCPU of a QEMU: every access is a request over the qtest protocol. */
export function qemuVcpu({ qtest, clock, ...options }: QemuVcpuOptions): EmulatedVcpu {
  // In virtual time nothing happens by itself.
  const look = (): void => {
    if (clock === 'realtime') qtest.poll();
  };
  const time =
    clock === 'virtual'
      ? new QemuTime(qtest, options.irqs)
      : new RealTime({ irqs: options.irqs, look, emulator: 'QEMU' });
  return new EmulatedVcpu({ ...options, bus: qemuBus(qtest, look), time, noAcknowledge: NO_ACKNOWLEDGE });
}

function qemuBus(qtest: Qtest, look: () => void): EmulatedBus {
  return {
    in: (port, size) => qtest.value(`in${SUFFIX[size]} ${port}`, size),
    out: (port, value, size) => qtest.ask(`out${SUFFIX[size]} ${port} ${value}`),
    read: (address, size) => qtest.value(`read${SUFFIX[size]} ${address}`, size),
    write: (address, value, size) => qtest.ask(`write${SUFFIX[size]} ${address} ${value}`),
    readBlock: (address, target) => {
      for (let done = 0; done < target.length; done += BULK) {
        const length = Math.min(BULK, target.length - done);
        target.set(qtest.bytes(`b64read ${address + done} ${length}`, length), done);
      }
    },
    writeBlock: (address, data) => {
      for (let done = 0; done < data.length; done += BULK) {
        const part = data.subarray(done, done + BULK);
        const text = Buffer.from(part.buffer, part.byteOffset, part.length).toString('base64');
        qtest.ask(`b64write ${address + done} ${part.length} ${text}`);
      }
    },
    fill: (address, size, value) => qtest.ask(`memset ${address} ${size} ${value}`),
    look,
  };
}

/** QEMU's virtual time, which moves by `clock_step`. */
class QemuTime implements EmulatedTime {
  readonly #qtest: Qtest;
  readonly #irqs: Irqs;
  #now = 0n;

  constructor(qtest: Qtest, irqs: Irqs) {
    this.#qtest = qtest;
    this.#irqs = irqs;
  }

  now(): bigint {
    return this.#now;
  }

  step(duration: bigint | undefined): void {
    if (duration === undefined) {
      this.#advance();
      return;
    }
    const end = this.#now + duration;
    while (this.#now < end) {
      const left = end - this.#now;
      const by = this.#irqs.watched && left > WATCHED_STEP ? WATCHED_STEP : left;
      const now = this.#qtest.time(`clock_step ${by}`, this.#now + 1n, this.#now + by);
      if (now === undefined) throw hostError('QEMU', `QEMU refuses 'clock_step ${by}'`);
      this.#now = now;
      this.#irqs.take();
    }
  }

  moveUntil(end: bigint, isOver: () => boolean): void {
    while (!isOver() && this.#now < end) {
      this.#advance();
      this.#irqs.take();
    }
  }

  /** To the next deadline. */
  #advance(): void {
    const now = this.#qtest.time('clock_step', this.#now, LAST_INSTANT);
    if (now === undefined)
      throw hostError('DEADLOCK', 'the time cannot go on to the next deadline: no timer of QEMU is armed');
    this.#now = now;
  }
}
