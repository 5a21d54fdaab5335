import { type Vcpu, register, reserved, ro, rw, type Register } from '@qtest/sdk';
import { DELIVERY, type Delivery } from './lapic.ts';

/**
 * Registers and a driver of the I/O APIC (Intel, 82093AA I/O Advanced Programmable Interrupt Controller data sheet, 290566, section 3,
 * "Register description"). Two registers lie in memory: IOREGSEL selects one of the others, IOWIN is that one.
 */

/** Where a PC has its I/O APIC. */
export const BASE = 0xfec0_0000;
/** Bytes that it answers in. */
export const SIZE = 0x1000;
/** Interrupt inputs, and entries of the redirection table. */
export const PINS = 24;
/** The input that IRQ 0 of a PC is wired to; IRQ n of the others is at input n. */
export const IRQ0_PIN = 2;

/** Selects the register that IOWIN is. */
export const IOREGSEL = register('IOREGSEL', {
  offset: 0x00,
  width: 32,
  reset: 0,
  fields: { ZERO: reserved(31, 8), ADDRESS: rw(7, 0) },
});
/** The selected register. */
export const IOWIN = register('IOWIN', { offset: 0x10, width: 32, volatile: true });
/** End of interrupt: of version 0x20 and later (Intel 82801FB data sheet, "EOIR"). */
export const EOI = register('EOI', {
  offset: 0x40,
  width: 32,
  access: 'wo',
  effect: 'clears the remote IRR of every level-triggered entry with this vector',
});

/** Identification: the ID as which it arbitrates. */
export const IOAPICID = register('IOAPICID', {
  offset: 0x00,
  width: 32,
  reset: 0,
  fields: { ZERO_H: reserved(31, 28), ID: rw(27, 24), ZERO_L: reserved(23, 0) },
});
/** Version, and the number of the redirection table's last entry. */
export const IOAPICVER = register('IOAPICVER', {
  offset: 0x01,
  width: 32,
  reset: ((PINS - 1) << 16) | 0x11,
  fields: { ZERO_H: reserved(31, 24), MAX_ENTRY: ro(23, 16), ZERO_L: reserved(15, 8), VERSION: ro(7, 0) },
});
/** Arbitration ID: what has been written to IOAPICID. */
export const IOAPICARB = register('IOAPICARB', {
  offset: 0x02,
  width: 32,
  reset: 0,
  volatile: ['ARB'],
  fields: { ZERO_H: reserved(31, 28), ARB: ro(27, 24), ZERO_L: reserved(23, 0) },
});

/** Index of the first entry's low half; the high half follows, and then the others. */
export const TABLE = 0x10;

/** The low half of any entry of the redirection table. */
export const IOREDTBL = register('IOREDTBL', {
  offset: TABLE,
  width: 32,
  reset: 0x0001_0000,
  fields: {
    ZERO: reserved(31, 17),
    MASK: rw(16),
    /** 1: level-triggered. */
    TRIGGER: rw(15),
    REMOTE_IRR: ro(14),
    /** 1: low active. */
    INTPOL: rw(13),
    DELIVS: ro(12),
    /** 1: logical. */
    DESTMOD: rw(11),
    DELMOD: rw(10, 8),
    INTVEC: rw(7, 0),
  },
});
/** The high half: whom it goes to. */
export const IOREDTBL_HIGH = register('IOREDTBL_HIGH', {
  offset: TABLE + 1,
  width: 32,
  reset: 0,
  fields: { DEST: rw(31, 24), ZERO: reserved(23, 0) },
});

/** Index of the low half of an input's entry. */
export function entryIndex(pin: number): number {
  return TABLE + 2 * pin;
}

const entryOf = (pin: number): Register[] =>
  [IOREDTBL, IOREDTBL_HIGH].map((template: Register) =>
    register(template.name.replace('TBL', `TBL${pin}`), {
      offset: template.offset + 2 * pin,
      width: 32,
      reset: template.reset ?? 0,
      fields: Object.fromEntries(template.fields.map((field) => [field.name, field])),
    }),
  );

/** What can be selected, by index; the entries of the redirection table are `IOREDTBL0` to `IOREDTBL23_HIGH`. */
export const REGISTERS: readonly Register[] = [
  IOAPICID,
  IOAPICVER,
  IOAPICARB,
  ...Array.from({ length: PINS }, (_, pin) => entryOf(pin)).flat(),
];

/** Where an input's interrupts go, and how. */
export interface Redirection {
  readonly vector: number;
  /** ID of a local APIC, or a set of them when it is `logical`. Default 0. */
  readonly destination?: number;
  readonly logical?: boolean;
  /** Default `fixed`. */
  readonly delivery?: Delivery;
  /** Whether it is level-triggered. Default false: by edge. */
  readonly level?: boolean;
  /** Low active. Default false. */
  readonly lowActive?: boolean;
  /** Default false. */
  readonly masked?: boolean;
}

/** The I/O APIC as a driver sees it. */
export interface IoApic {
  read(register: Register | number): number;
  write(register: Register | number, value: number): void;
  /** Reads both halves of an input's entry, the low half first. */
  entry(pin: number): readonly [low: number, high: number];
  /** Writes an input's entry. The entry is masked until it is complete. */
  redirect(pin: number, to: Redirection): void;
  mask(pin: number): void;
  unmask(pin: number): void;
  /** Whether a local APIC has taken a level-triggered interrupt of this input and has not ended it. */
  remoteIrr(pin: number): boolean;
  /** Writes the EOI register, which version 0x20 has. */
  eoi(vector: number): void;
}

/** A driver of an I/O APIC on a VCPU. Software that runs on several must see to it that they do not come between each other's IOREGSEL and IOWIN. */
export function ioapic(vcpu: Vcpu, base: number = BASE): IoApic {
  const read = (at: Register | number): number => {
    vcpu.writel(base + IOREGSEL.offset, indexOf(at));
    return vcpu.readl(base + IOWIN.offset);
  };
  const write = (at: Register | number, value: number): void => {
    vcpu.writel(base + IOREGSEL.offset, indexOf(at));
    vcpu.writel(base + IOWIN.offset, value);
  };
  const index = (pin: number): number => {
    if (Number.isInteger(pin) && pin >= 0 && pin < PINS) return entryIndex(pin);
    throw new RangeError(`input ${pin} of the I/O APIC: give an integer from 0 to ${PINS - 1}`);
  };
  const setMask = (pin: number, masked: boolean): void =>
    write(index(pin), IOREDTBL.MASK.set(read(index(pin)), Number(masked)));
  return {
    read,
    write,
    entry: (pin) => [read(index(pin)), read(index(pin) + 1)],
    redirect(pin, { vector, destination = 0, logical = false, delivery = 'fixed', ...trigger }) {
      const { level = false, lowActive = false, masked = false } = trigger;
      const low =
        IOREDTBL.INTVEC.set(0, vector) |
        IOREDTBL.DELMOD.set(0, DELIVERY[delivery]) |
        IOREDTBL.DESTMOD.set(0, Number(logical)) |
        IOREDTBL.INTPOL.set(0, Number(lowActive)) |
        IOREDTBL.TRIGGER.set(0, Number(level));
      write(index(pin), low | IOREDTBL.MASK.mask);
      write(index(pin) + 1, IOREDTBL_HIGH.DEST.set(0, destination));
      if (!masked) write(index(pin), low);
    },
    mask: (pin) => setMask(pin, true),
    unmask: (pin) => setMask(pin, false),
    remoteIrr: (pin) => IOREDTBL.REMOTE_IRR.test(read(index(pin))),
    eoi: (vector) => vcpu.writel(base + EOI.offset, vector),
  };
}

function indexOf(at: Register | number): number {
  return typeof at === 'number' ? at : at.offset;
}
