import { ioapic, lapic } from '@qtest/parts/pc';
import { device, devices, number, type Context } from './support.ts';

/** For a case that takes interrupts as a CPU does, and so knows whose local APIC it reaches. */
export const ACKNOWLEDGE = { requires: ['interrupt-acknowledge'] } as const;

export const VECTOR = 0x40;

export function ioApic(context: Context): ioapic.IoApic {
  return ioapic.ioapic(context.vcpu, number(device(context, 'ioapic'), 'base', ioapic.BASE));
}

interface Local {
  readonly local: lapic.LocalApic;
  /** Vectors that have been taken, in their order. */
  readonly taken: readonly number[];
}

/** The VCPU's local APIC, enabled, and the vectors that it gives; their handlers end them. */
export function localApic(context: Context, vectors: readonly number[] = [VECTOR]): Local {
  const { vcpu } = context;
  const local = lapic.lapic(vcpu, number(device(context, 'apic'), 'base', lapic.BASE));
  const taken: number[] = [];
  // What comes by the I/O APIC would come by the 8259As too.
  if (vcpu.index === 0 && devices(context, 'i8259').length > 0) for (const port of [0x21, 0xa1]) vcpu.outb(port, 0xff);
  local.enable();
  for (const vector of vectors) {
    vcpu.onInterrupt(vector, () => {
      taken.push(vector);
      local.eoi();
    });
  }
  return { local, taken };
}

interface Input {
  readonly pin: number;
  set(level: boolean): void;
}

/** An input of the I/O APIC that the pc-testdev drives. */
export function input(context: Context): Input {
  const { vcpu } = context;
  const base = number(device(context, 'pc-testdev'), 'irqBase', 0x2000);
  const pin = 5;
  const set = (level: boolean): void => vcpu.outb(base + pin, Number(level));
  set(false);
  return { pin, set };
}
