import { type Duration, type Vcpu, register, reserved, ro, rw, wo, type Register } from '@qtest/sdk';

/**
 * Registers and a small driver of the 16550A UART (National Semiconductor, PC16550D data sheet, "Registers") at its place in a PC.
 *
 * Offsets 0 and 1 are the divisor latch while LCR.DLAB is set. `RBR`, `IER` and `IIR` are what offsets 0 to 2 read as otherwise; `THR` and
 * `FCR` are what is written there.
 */

/** Receiver buffer register, or the oldest character in the receiver's FIFO. */
export const RBR = register('RBR', { offset: 0, access: 'ro', effect: 'reading takes a character; writing is THR' });
/** Transmitter holding register, or the end of the transmitter's FIFO. */
export const THR = register('THR', { offset: 0, access: 'wo', effect: 'sends a character; clears the THRE interrupt' });
/** Divisor latch, its low and its high byte; with DLAB. */
export const DLL = register('DLL', { offset: 0 });
export const DLM = register('DLM', { offset: 1 });
export const IER = register('IER', {
  offset: 1,
  reset: 0,
  fields: { ZERO: reserved(7, 4), EDSSI: rw(3), ELSI: rw(2), ETBEI: rw(1), ERBFI: rw(0) },
});
/** Interrupt identification. PENDING_N is 0 when an interrupt is pending; ID is one of `INTERRUPT`. */
export const IIR = register('IIR', {
  offset: 2,
  reset: 0x01,
  fields: { FIFOS: ro(7, 6), ZERO: reserved(5, 4), ID: ro(3, 1), PENDING_N: ro(0) },
  effect: 'reading clears the THRE interrupt when it is the one that is read; writing is FCR',
  volatile: ['FIFOS'],
});
/** FIFO control. Without FE the other bits do nothing. */
export const FCR = register('FCR', {
  offset: 2,
  fields: { TRIGGER: wo(7, 6), ZERO: reserved(5, 4), DMA: wo(3), XFR: wo(2), RFR: wo(1), FE: wo(0) },
  effect: 'XFR and RFR empty the FIFOs, as does a change of FE',
});
export const LCR = register('LCR', {
  offset: 3,
  reset: 0,
  fields: { DLAB: rw(7), SB: rw(6), SP: rw(5), EPS: rw(4), PEN: rw(3), STB: rw(2), WLS: rw(1, 0) },
});
export const MCR = register('MCR', {
  offset: 4,
  reset: 0,
  fields: { ZERO: reserved(7, 5), LOOP: rw(4), OUT2: rw(3), OUT1: rw(2), RTS: rw(1), DTR: rw(0) },
});
/** FIFO_ERROR: a character in the FIFO has PE, FE or BI. */
export const LSR = register('LSR', {
  offset: 5,
  reset: 0x60,
  fields: { FIFO_ERROR: ro(7), TEMT: ro(6), THRE: ro(5), BI: ro(4), FE: ro(3), PE: ro(2), OE: ro(1), DR: ro(0) },
  effect: 'reading clears OE, PE, FE and BI',
});
export const MSR = register('MSR', {
  offset: 6,
  fields: { DCD: ro(7), RI: ro(6), DSR: ro(5), CTS: ro(4), DDCD: ro(3), TERI: ro(2), DDSR: ro(1), DCTS: ro(0) },
  effect: 'reading clears DDCD, TERI, DDSR and DCTS',
});
/** Scratch. */
export const SCR = register('SCR', { offset: 7 });

/** What answers a read at each port without DLAB, by its offset. */
export const REGISTERS: readonly Register[] = [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR];

/** ID of IIR, from the highest priority to the lowest. RECEIVED_DATA and TIMEOUT share theirs. */
export const INTERRUPT = {
  LINE_STATUS: 0b011,
  RECEIVED_DATA: 0b010,
  TIMEOUT: 0b110,
  THR_EMPTY: 0b001,
  MODEM_STATUS: 0b000,
} as const;

/** Characters in the receiver's FIFO at which it interrupts, by FCR.TRIGGER. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

export const FIFO_SIZE = 16;
export const BASE = 0x3f8;
export const IRQ = 4;
/** Hz of the crystal in a PC. */
export const CRYSTAL = 1_843_200;
/** Ticks of the crystal in a bit, for a divisor of 1. */
export const TICKS_PER_BIT = 16;

/** Ticks of the crystal that a character takes by LCR and divisor, from its start bit to its last stop bit. */
export function frameTicks(lcr: number, divisor: number): number {
  const data = 5 + LCR.WLS.get(lcr);
  const stopHalves = !LCR.STB.test(lcr) ? 2 : data === 5 ? 3 : 4;
  const halves = 2 * (1 + data + LCR.PEN.get(lcr)) + stopHalves;
  return (halves * divisor * TICKS_PER_BIT) / 2;
}

/** Nanoseconds that a character takes by LCR and divisor, rounded up. */
export function frameNs(lcr: number, divisor: number, crystal = CRYSTAL): bigint {
  const hz = BigInt(crystal);
  return (BigInt(frameTicks(lcr, divisor)) * 1_000_000_000n + hz - 1n) / hz;
}

/**
 * The divisor whose rate comes closest to `baud`.
 * @throws RangeError when it is not 1 to 65535.
 */
export function divisorFor(baud: number, crystal = CRYSTAL): number {
  const divisor = Math.round(crystal / (TICKS_PER_BIT * baud));
  if (divisor >= 1 && divisor <= 0xffff) return divisor;
  throw new RangeError(
    `${baud} baud: give a rate from ${Math.ceil(crystal / TICKS_PER_BIT / 0xffff)} to ${crystal / TICKS_PER_BIT}`,
  );
}

/** The format of a character. */
export interface UartFormat {
  /** Data bits. Default 8. */
  readonly bits?: 5 | 6 | 7 | 8;
  /** Default `none`. `mark` and `space` are the stick parities, whose bit is always 1 or 0. */
  readonly parity?: 'none' | 'odd' | 'even' | 'mark' | 'space';
  /** Stop bits. With five data bits, 2 means 1.5. Default 1. */
  readonly stop?: 1 | 2;
}

/** LCR for a format, without DLAB and SB. */
export function lcrFor({ bits = 8, parity = 'none', stop = 1 }: UartFormat = {}): number {
  const even = parity === 'even' || parity === 'space';
  const stick = parity === 'mark' || parity === 'space';
  let lcr = LCR.WLS.set(0, bits - 5);
  lcr = LCR.STB.set(lcr, stop - 1);
  lcr = LCR.PEN.set(lcr, Number(parity !== 'none'));
  return LCR.SP.set(LCR.EPS.set(lcr, Number(even)), Number(stick));
}

/** How a UART is set up. */
export interface UartInit extends UartFormat {
  /** Default 115200. */
  readonly baud?: number;
  /** Trigger level of the FIFO; 0 leaves the FIFOs off. Default 1. */
  readonly trigger?: 0 | 1 | 4 | 8 | 14;
  /** What MCR is set to. Default DTR, RTS and OUT2, which lets interrupts pass on a PC. */
  readonly mcr?: number;
  /** What IER is set to. Default none. */
  readonly ier?: number;
}

/** How long the driver waits for a character. */
export interface UartWait {
  /** Machine time to wait for each character. Default 1 s. */
  readonly timeout?: Duration;
  /** How far the time moves between two looks. Default 10 us. */
  readonly step?: Duration;
}

/** A driver of the UART. It uses only `inb`, `outb` and `poll`, so it works on every backend. */
export interface Uart {
  /** Its first port. */
  readonly base: number;
  /** Reads a register, with the effects of that. */
  read(register: Register): number;
  write(register: Register, value: number): void;
  /** Reads the divisor latch. DLAB is afterwards as before. */
  readDivisor(): number;
  writeDivisor(divisor: number): void;
  /** Sets rate and format, empties the FIFOs, and reads LSR, RBR, IIR and MSR to clear them. */
  init(options?: UartInit): void;
  /** Sends bytes, or a text as UTF-8. It waits until LSR says that there is room for each. */
  send(data: Uint8Array | string, options?: UartWait): void;
  /** Waits until the last character has left the shift register. */
  drain(options?: UartWait): void;
  /** Waits for `count` characters. */
  receive(count: number, options?: UartWait): Uint8Array;
  /** Takes the characters that are there. It does not wait. */
  receiveNow(): Uint8Array;
  /** Runs `run` with MCR.LOOP set, and puts MCR back. */
  loopback<T>(run: () => T): T;
  /** Sends bytes in loopback mode, one at a time, and gives what comes back. */
  echo(data: Uint8Array | string, options?: UartWait): Uint8Array;
}

/** Makes a driver of the 16550A on a VCPU. That alone changes nothing on the part. */
export function uart(vcpu: Vcpu, base = BASE, crystal = CRYSTAL): Uart {
  const read = (target: Register): number => vcpu.inb(base + target.offset);
  const write = (target: Register, value: number): void => vcpu.outb(base + target.offset, value);
  const withDlab = <T>(run: () => T): T => {
    const lcr = read(LCR);
    write(LCR, lcr | LCR.DLAB.mask);
    try {
      return run();
    } finally {
      write(LCR, lcr);
    }
  };
  const writeDivisor = (divisor: number): void => {
    if (!(Number.isInteger(divisor) && divisor >= 0 && divisor <= 0xffff)) {
      throw new RangeError(`${divisor} is no divisor of the 16550A: give an integer from 0 to 65535`);
    }
    withDlab(() => {
      write(DLL, divisor & 0xff);
      write(DLM, divisor >> 8);
    });
  };
  const until = (bit: { test(value: number): boolean }, { timeout = '1s', step = '10us' }: UartWait): void => {
    vcpu.poll(() => bit.test(read(LSR)), { timeout, step });
  };
  const send = (data: Uint8Array | string, options: UartWait = {}): void => {
    for (const byte of bytesOf(data)) {
      until(LSR.THRE, options);
      write(THR, byte);
    }
  };
  const receive = (count: number, options: UartWait = {}): Uint8Array =>
    Uint8Array.from({ length: count }, () => {
      until(LSR.DR, options);
      return read(RBR);
    });
  const receiveNow = (): Uint8Array => {
    const found: number[] = [];
    while (LSR.DR.test(read(LSR))) found.push(read(RBR));
    return Uint8Array.from(found);
  };
  const loopback = <T>(run: () => T): T => {
    const mcr = read(MCR);
    write(MCR, mcr | MCR.LOOP.mask);
    try {
      return run();
    } finally {
      write(MCR, mcr);
    }
  };

  return {
    base,
    read,
    write,
    readDivisor: () => withDlab(() => read(DLL) | (read(DLM) << 8)),
    writeDivisor,

    init(options = {}) {
      const { baud = 115_200, trigger = 1, mcr = MCR.DTR.mask | MCR.RTS.mask | MCR.OUT2.mask, ier = 0 } = options;
      write(LCR, 0);
      write(IER, 0);
      writeDivisor(divisorFor(baud, crystal));
      write(LCR, lcrFor(options));
      const level = TRIGGER_LEVELS.findIndex((count) => count === trigger);
      const fcr = FCR.FE.mask | FCR.RFR.mask | FCR.XFR.mask;
      write(FCR, trigger === 0 ? 0 : FCR.TRIGGER.set(fcr, level));
      for (const stale of [LSR, RBR, IIR, MSR]) read(stale);
      write(MCR, mcr);
      write(IER, ier);
    },

    send,
    drain: (options = {}) => until(LSR.TEMT, options),
    receive,
    receiveNow,
    loopback,

    echo: (data, options = {}) =>
      loopback(() =>
        Uint8Array.from(bytesOf(data), (byte) => {
          send(Uint8Array.of(byte), options);
          return receive(1, options)[0] ?? 0;
        }),
      ),
  };
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? new TextEncoder().encode(data) : data;
}
