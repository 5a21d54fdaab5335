import { type Vcpu, register, reserved, ro, rw, type Register } from '@qtest/sdk';

/**
 * Registers and a driver of the local APIC in its xAPIC mode (Intel, 64 and IA-32 Architectures Software Developer's Manual, volume 3,
 * chapter "Advanced Programmable Interrupt Controller (APIC)"), and the interrupt messages that reach it ("Message Signalled
 * Interrupts"). Each CPU has one, and each CPU's is at the same address: who reads decides whose it is.
 */

/** Where a CPU has its local APIC. */
export const BASE = 0xfee0_0000;
/** Bytes of its registers. */
export const SIZE = 0x1000;
/** Bytes from `BASE` on in which what a device writes is an interrupt message. */
export const MESSAGE_SIZE = 0x10_0000;
/** A destination that is every local APIC. */
export const BROADCAST = 0xff;
/** Vectors below this one are reserved for the CPU's exceptions, and illegal. */
export const FIRST_VECTOR = 16;

/** Delivery modes by their code. */
export const DELIVERY = { fixed: 0, lowest: 1, smi: 2, nmi: 4, init: 5, sipi: 6, extint: 7 } as const;
/** Delivery mode of an interrupt. */
export type Delivery = keyof typeof DELIVERY;

const wide = { width: 32 } as const;

export const ID = register('ID', { ...wide, offset: 0x020, fields: { ID: rw(31, 24), ZERO: reserved(23, 0) } });
/** Version, and the number of the local vector table's last entry. */
export const VERSION = register('VERSION', {
  ...wide,
  offset: 0x030,
  reset: 0x0005_0014,
  fields: { ZERO_H: reserved(31, 24), MAX_LVT: ro(23, 16), ZERO_L: reserved(15, 8), VERSION: ro(7, 0) },
});
/** Task priority: interrupts of its class and below wait. */
export const TPR = register('TPR', {
  ...wide,
  offset: 0x080,
  reset: 0,
  fields: { ZERO: reserved(31, 8), CLASS: rw(7, 4), SUBCLASS: rw(3, 0) },
});
/** Arbitration priority. */
export const APR = register('APR', { ...wide, offset: 0x090, reset: 0, access: 'ro' });
/** Processor priority: of the task, or of the interrupt in service. */
export const PPR = register('PPR', { ...wide, offset: 0x0a0, reset: 0, access: 'ro' });
export const EOI = register('EOI', {
  ...wide,
  offset: 0x0b0,
  access: 'wo',
  effect: 'ends the service of the highest vector in service',
});
/** Logical destination: the sets that this CPU is in. */
export const LDR = register('LDR', {
  ...wide,
  offset: 0x0d0,
  reset: 0,
  fields: { LOGICAL_ID: rw(31, 24), ZERO: reserved(23, 0) },
});
/** Destination format: how a logical destination is compared. */
export const DFR = register('DFR', {
  ...wide,
  offset: 0x0e0,
  reset: 0xffff_ffff,
  fields: { MODEL: rw(31, 28), ONES: reserved(27, 0) },
});
/** What `DFR.MODEL` holds. */
export const MODEL = { FLAT: 0xf, CLUSTER: 0x0 } as const;
/** Spurious-interrupt vector, and the software enable. */
export const SVR = register('SVR', {
  ...wide,
  offset: 0x0f0,
  reset: 0xff,
  fields: { ZERO: reserved(31, 9), ENABLE: rw(8), VECTOR: rw(7, 0) },
  effect: 'without ENABLE every entry of the local vector table is masked',
});
/** Offsets of the first of eight registers each, 16 bytes apart: vectors in service, level-triggered ones, requests. */
export const ISR = 0x100;
export const TMR = 0x180;
export const IRR = 0x200;
/** Bytes from one register to the next. */
export const STRIDE = 0x10;
/** Vectors in a register of `ISR`, `TMR` and `IRR`. */
export const PER_WORD = 32;
/** Registers of `ISR`, `TMR` and `IRR` each. */
export const WORDS = 8;
/** Errors found up to the last write. */
export const ESR = register('ESR', {
  ...wide,
  offset: 0x280,
  reset: 0,
  fields: {
    ZERO_H: reserved(31, 8),
    ILLEGAL_REGISTER: ro(7),
    RECEIVED_ILLEGAL_VECTOR: ro(6),
    SENT_ILLEGAL_VECTOR: ro(5),
    ZERO_L: reserved(4, 0),
  },
  effect: 'a write, of anything, brings the errors since the last one',
});
/** Interrupt command. It may be an INIT of the CPU itself, and so be lost. */
export const ICR = register('ICR', {
  ...wide,
  offset: 0x300,
  reset: 0,
  volatile: true,
  fields: {
    ZERO_H: reserved(31, 20),
    SHORTHAND: rw(19, 18),
    ZERO_M: reserved(17, 16),
    TRIGGER: rw(15),
    LEVEL: rw(14),
    ZERO_L: reserved(13),
    DELIVS: ro(12),
    /** 1: logical. */
    DESTMOD: rw(11),
    DELMOD: rw(10, 8),
    VECTOR: rw(7, 0),
  },
  effect: 'sends an interprocessor interrupt',
});
/** What `ICR.SHORTHAND` holds. */
export const SHORTHAND = { none: 0, self: 1, all: 2, others: 3 } as const;
export const ICR_HIGH = register('ICR_HIGH', {
  ...wide,
  offset: 0x310,
  reset: 0,
  fields: { DEST: rw(31, 24), ZERO: reserved(23, 0) },
});

const lvt = (name: string, offset: number) =>
  register(name, {
    ...wide,
    offset,
    reset: 0x0001_0000,
    volatile: ['MASK'],
    fields: {
      ZERO_H: reserved(31, 17),
      MASK: rw(16),
      ZERO_M: reserved(15, 13),
      DELIVS: ro(12),
      ZERO_L: reserved(11),
      DELMOD: rw(10, 8),
      VECTOR: rw(7, 0),
    },
  });
const lint = (name: string, offset: number) =>
  register(name, {
    ...wide,
    offset,
    reset: 0x0001_0000,
    volatile: ['MASK'],
    fields: {
      ZERO_H: reserved(31, 17),
      MASK: rw(16),
      /** 1: level-triggered. */
      TRIGGER: rw(15),
      REMOTE_IRR: ro(14),
      /** 1: low active. */
      INTPOL: rw(13),
      DELIVS: ro(12),
      ZERO_L: reserved(11),
      DELMOD: rw(10, 8),
      VECTOR: rw(7, 0),
    },
  });

/** The local vector table. While the APIC is disabled MASK stays set. */
export const LVT_TIMER = register('LVT_TIMER', {
  ...wide,
  offset: 0x320,
  reset: 0x0001_0000,
  volatile: ['MASK'],
  fields: {
    ZERO_H: reserved(31, 18),
    PERIODIC: rw(17),
    MASK: rw(16),
    ZERO_M: reserved(15, 13),
    DELIVS: ro(12),
    ZERO_L: reserved(11, 8),
    VECTOR: rw(7, 0),
  },
});
export const LVT_THERMAL = lvt('LVT_THERMAL', 0x330);
export const LVT_PERF = lvt('LVT_PERF', 0x340);
export const LVT_LINT0 = lint('LVT_LINT0', 0x350);
export const LVT_LINT1 = lint('LVT_LINT1', 0x360);
export const LVT_ERROR = register('LVT_ERROR', {
  ...wide,
  offset: 0x370,
  reset: 0x0001_0000,
  volatile: ['MASK'],
  fields: {
    ZERO_H: reserved(31, 17),
    MASK: rw(16),
    ZERO_M: reserved(15, 13),
    DELIVS: ro(12),
    ZERO_L: reserved(11, 8),
    VECTOR: rw(7, 0),
  },
});
export const LVT: readonly Register<'MASK' | 'VECTOR'>[] = [
  LVT_TIMER,
  LVT_THERMAL,
  LVT_PERF,
  LVT_LINT0,
  LVT_LINT1,
  LVT_ERROR,
];

export const INITIAL_COUNT = register('INITIAL_COUNT', {
  ...wide,
  offset: 0x380,
  reset: 0,
  effect: 'starts the timer; 0 stops it',
});
export const CURRENT_COUNT = register('CURRENT_COUNT', { ...wide, offset: 0x390, reset: 0, access: 'ro' });
export const DIVIDE = register('DIVIDE', {
  ...wide,
  offset: 0x3e0,
  reset: 0,
  fields: { ZERO_H: reserved(31, 4), HIGH: rw(3), ZERO_L: reserved(2), LOW: rw(1, 0) },
});

const words = (name: string, offset: number): Register[] =>
  Array.from({ length: WORDS }, (_, n) =>
    register(`${name}${n}`, { ...wide, offset: offset + n * STRIDE, reset: 0, access: 'ro' }),
  );

/** All of them; `ISR0` is that of vectors 0 to 31. */
export const REGISTERS: readonly Register[] = [
  ...[ID, VERSION, TPR, APR, PPR, EOI, LDR, DFR, SVR],
  ...[...words('ISR', ISR), ...words('TMR', TMR), ...words('IRR', IRR)],
  ...[ESR, ICR, ICR_HIGH, ...LVT, INITIAL_COUNT, CURRENT_COUNT, DIVIDE],
];

/** What DIVIDE must hold for a divisor: a power of 2 from 1 to 128. */
export function divideBy(divisor: number): number {
  const power = Math.log2(divisor);
  if (!(Number.isInteger(power) && power >= 0 && power <= 7))
    throw new RangeError(`divisor ${divisor} of the local APIC's timer: give a power of 2 from 1 to 128`);
  const code = (power + 7) & 7;
  return DIVIDE.LOW.set(DIVIDE.HIGH.set(0, code >> 2), code);
}

/** The divisor that DIVIDE stands for. */
export function divisorOf(divide: number): number {
  return 1 << (((DIVIDE.HIGH.get(divide) << 2) + DIVIDE.LOW.get(divide) + 1) & 7);
}

/** An interrupt message as a write to memory: what a device's MSI must be programmed with. */
export const MESSAGE_ADDRESS = register('MESSAGE_ADDRESS', {
  ...wide,
  offset: 0,
  fields: {
    BASE: rw(31, 20),
    DEST: rw(19, 12),
    ZERO: reserved(11, 4),
    /** Redirection hint: to that of the destinations which has the lowest priority. */
    RH: rw(3),
    /** 1: logical. */
    DESTMOD: rw(2),
    ZERO_L: reserved(1, 0),
  },
});
export const MESSAGE_DATA = register('MESSAGE_DATA', {
  ...wide,
  offset: 4,
  fields: {
    ZERO_H: reserved(31, 16),
    /** 1: level-triggered. */
    TRIGGER: rw(15),
    /** Of a level-triggered one: 1 asserts, 0 deasserts. */
    LEVEL: rw(14),
    ZERO_L: reserved(13, 11),
    DELMOD: rw(10, 8),
    VECTOR: rw(7, 0),
  },
});

/** What an interrupt message says. */
export interface Message {
  readonly vector: number;
  /** ID of a local APIC, or a set of them when it is `logical`. Default 0. */
  readonly destination?: number;
  readonly logical?: boolean;
  /** Default `fixed`. */
  readonly delivery?: Delivery;
}

/** Address and data of a message: `fn.enableMsi(lapic.message({ vector: 0x40, destination: 1 }))`. */
export function message({ vector, destination = 0, logical = false, delivery = 'fixed' }: Message): {
  readonly address: number;
  readonly data: number;
} {
  return {
    address: MESSAGE_ADDRESS.DESTMOD.set(MESSAGE_ADDRESS.DEST.set(BASE, destination), Number(logical)),
    data: MESSAGE_DATA.DELMOD.set(MESSAGE_DATA.VECTOR.set(0, vector), DELIVERY[delivery]),
  };
}

/** An interprocessor interrupt. */
export interface Ipi extends Message {
  /** A group in place of a destination: this CPU, all CPUs, or all others. */
  readonly to?: Exclude<keyof typeof SHORTHAND, 'none'>;
}

/** How the timer of a local APIC is started. */
export interface LocalTimer {
  readonly vector: number;
  readonly count: number;
  /** A power of 2 from 1 to 128. Default 1. */
  readonly divisor?: number;
  readonly periodic?: boolean;
}

/** The local APIC of a VCPU as a driver sees it. */
export interface LocalApic {
  read(register: Register | number): number;
  write(register: Register | number, value: number): void;
  id(): number;
  /** Enables the local APIC, and sets the vector of spurious interrupts. Default 0xff. */
  enable(spuriousVector?: number): void;
  disable(): void;
  /** Ends the service of the highest vector in service. */
  eoi(): void;
  sendIpi(ipi: Ipi): void;
  /** Starts the timer. */
  startTimer(timer: LocalTimer): void;
  stopTimer(): void;
  /** Whether a vector is in a set of them: `ISR`, `TMR` or `IRR`. */
  has(set: number, vector: number): boolean;
  /** Gives the errors since the last call. */
  errors(): number;
}

/** A driver of a VCPU's own local APIC. */
export function lapic(vcpu: Vcpu, base: number = BASE): LocalApic {
  const read = (at: Register | number): number => vcpu.readl(base + offsetOf(at));
  const write = (at: Register | number, value: number): void => vcpu.writel(base + offsetOf(at), value);
  return {
    read,
    write,
    id: () => ID.ID.get(read(ID)),
    enable: (spuriousVector = 0xff) => write(SVR, SVR.VECTOR.set(SVR.ENABLE.mask, spuriousVector)),
    disable: () => write(SVR, SVR.ENABLE.set(read(SVR), 0)),
    eoi: () => write(EOI, 0),
    sendIpi({ vector, destination = 0, logical = false, delivery = 'fixed', to }) {
      write(ICR_HIGH, ICR_HIGH.DEST.set(0, destination));
      let command = ICR.LEVEL.mask | ICR.VECTOR.set(0, vector);
      command = ICR.DELMOD.set(command, DELIVERY[delivery]);
      command = ICR.DESTMOD.set(command, Number(logical));
      write(ICR, ICR.SHORTHAND.set(command, SHORTHAND[to ?? 'none']));
    },
    startTimer({ vector, count, divisor = 1, periodic = false }) {
      write(DIVIDE, divideBy(divisor));
      write(LVT_TIMER, LVT_TIMER.PERIODIC.set(vector, Number(periodic)));
      write(INITIAL_COUNT, count);
    },
    stopTimer: () => write(INITIAL_COUNT, 0),
    has: (set, vector) => (read(set + STRIDE * Math.floor(vector / PER_WORD)) & (1 << (vector % PER_WORD))) !== 0,
    errors() {
      write(ESR, 0);
      return read(ESR);
    },
  };
}

function offsetOf(at: Register | number): number {
  return typeof at === 'number' ? at : at.offset;
}
