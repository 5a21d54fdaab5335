import { register, ro, rw, type Vcpu } from '@qtest/sdk';
import { bus, type Bus, type Context, type PciFunction } from './support.ts';

/** QEMU's educational device (QEMU, docs/specs/edu.rst): its registers, behind BAR 0. */

export const ID = 0x00;
export const LIVENESS = 0x04;
export const FACTORIAL = 0x08;
export const STATUS = register('STATUS', { offset: 0x20, width: 32, fields: { IRQFACT: rw(7), COMPUTING: ro(0) } });
export const IRQ_STATUS = 0x24;
export const IRQ_RAISE = 0x60;
export const IRQ_ACK = 0x64;
export const DMA_SRC = 0x80;
export const DMA_DST = 0x88;
export const DMA_COUNT = 0x90;
export const DMA_COMMAND = register('DMA_COMMAND', {
  offset: 0x98,
  width: 32,
  fields: { IRQ: rw(2), TO_RAM: rw(1), RUN: rw(0) },
});

/** Where the buffer is, as DMA sees it, and its bytes. */
export const BUFFER = 0x4_0000;
export const BUFFER_BYTES = 4096;

/** Values of IRQ_STATUS that the device raises itself. */
export const FACTORIAL_DONE = 0x0000_0001;
export const DMA_DONE = 0x0000_0100;

export interface Edu {
  readonly fn: PciFunction;
  read(offset: number): number;
  write(offset: number, value: number): void;
  raise(causes?: number): void;
  acknowledge(causes?: number): void;
  /** Starts a transfer and waits for its end. */
  dma(transfer: Transfer): void;
}

export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** From the buffer to RAM; default from RAM to the buffer. */
  readonly toRam?: boolean;
  /** With an interrupt at its end. */
  readonly irq?: boolean;
}

/** A driver of one edu. It gives the BAR an address and lets the device answer there. */
export function driver(vcpu: Vcpu, fn: PciFunction): Edu {
  const { address } = fn.map(0);
  const read = (offset: number): number => vcpu.readl(address + offset);
  const write = (offset: number, value: number): void => vcpu.writel(address + offset, value);
  return {
    fn,
    read,
    write,
    raise: (causes = 1) => write(IRQ_RAISE, causes),
    acknowledge: (causes = 0xffff_ffff) => write(IRQ_ACK, causes),
    dma({ from, to, count, toRam = false, irq = false }) {
      write(DMA_SRC, from);
      write(DMA_DST, to);
      write(DMA_COUNT, count);
      const { RUN, TO_RAM, IRQ } = DMA_COMMAND;
      write(DMA_COMMAND.offset, RUN.mask | (toRam ? TO_RAM.mask : 0) | (irq ? IRQ.mask : 0));
      vcpu.poll(() => !RUN.test(read(DMA_COMMAND.offset)), { timeout: '2s', step: '10ms' });
    },
  };
}

/** The machine's first edu, and its bus. */
export function edu(context: Context): { dev: Edu; on: Bus } {
  const on = bus(context);
  return { on, dev: driver(context.vcpu, on.one('edu')) };
}

/** All of the machine's edus, at least so many. */
export function edus(context: Context, least: number): { devs: Edu[]; on: Bus } {
  const on = bus(context);
  return { on, devs: on.all('edu', least).map((fn) => driver(context.vcpu, fn)) };
}
