import { EmulatedVcpu, type EmulatedBus, type EmulatedVcpuOptions } from '../emulated-vcpu.ts';
import type { Irqs } from '../irqs.ts';
import { RealTime } from '../real-time.ts';
import { BLOCK, IRQS, REQUEST, type Mailbox } from './mailbox.ts';

export interface V86VcpuOptions extends Omit<EmulatedVcpuOptions, 'bus' | 'time' | 'noAcknowledge'> {
  readonly mailbox: Mailbox;
}

/** The VCPU of a v86: every access is a request to the emulator's thread. */
export function v86Vcpu({ mailbox, ...options }: V86VcpuOptions): EmulatedVcpu {
  const look = looking(mailbox, options.irqs);
  const time = new RealTime({ irqs: options.irqs, look, emulator: 'v86' });
  return new EmulatedVcpu({ ...options, bus: v86Bus(mailbox, look), time });
}

/** Takes in the levels and rises that the emulator's thread has counted. */
export function looking(mailbox: Mailbox, irqs: Irqs): () => void {
  return () => {
    for (let irq = 0; irq < IRQS; irq++) irqs.update(irq, mailbox.level(irq), mailbox.rises(irq));
  };
}

function v86Bus(mailbox: Mailbox, look: () => void): EmulatedBus {
  /** Its answer is a value of 32 bits. */
  const ask = (kind: number, size: number, address: number, value = 0): number => {
    const answer = mailbox.ask({ kind, size, address, value });
    look();
    return answer >>> 0;
  };
  return {
    in: (port, size) => ask(REQUEST.IN, size, port),
    out: (port, value, size) => void ask(REQUEST.OUT, size, port, value),
    read: (address, size) => ask(REQUEST.READ, size, address),
    write: (address, value, size) => void ask(REQUEST.WRITE, size, address, value),
    readBlock: (address, target) => {
      for (let done = 0; done < target.length; done += BLOCK) {
        const size = Math.min(BLOCK, target.length - done);
        ask(REQUEST.READ_BLOCK, size, address + done);
        target.set(mailbox.bytes.subarray(0, size), done);
      }
    },
    writeBlock: (address, data) => {
      for (let done = 0; done < data.length; done += BLOCK) {
        const part = data.subarray(done, done + BLOCK);
        mailbox.bytes.set(part);
        ask(REQUEST.WRITE_BLOCK, part.length, address + done);
      }
    },
    fill: (address, size, value) => {
      for (let done = 0; done < size; done += BLOCK) {
        const length = Math.min(BLOCK, size - done);
        mailbox.bytes.fill(value, 0, length);
        ask(REQUEST.WRITE_BLOCK, length, address + done);
      }
    },
    look,
  };
}
