import type { CaseContext, CaseFunction, MachineBuilder } from '@qtest/sdk';
import { ioapic, lapic } from '@qtest/parts/pc';
import { driver } from '../../../test/support/devices.ts';

/**
 * Interrupts of several VCPUs; each VCPU runs all of a case, and what it found comes back by `shared`: `tell()` on any, and what all
 * have told from the VCPU that is the first.
 */

const DRIVER = 0x400;
const ROUNDS = 20;
const VECTOR = 0x40;

export function init(m: MachineBuilder): void {
  const out = m.add(driver, { base: DRIVER });
  const io = m.add('ioapic');
  m.add('apic', { cpus: 4 });
  for (const pin of [0, 1, 2, 3]) m.connect(m.output(out, 'out', pin), m.input(io, 'intin', pin));
}

export const devices = [driver];

/** What every VCPU gives, once all have; on VCPU 0 alone. */
function gather({ vcpu, shared }: CaseContext, vcpus: number, value: number): number[] | undefined {
  const words = new Int32Array(shared);
  words[vcpu.index] = value;
  vcpu.barrier();
  return vcpu.index === 0 ? [...words.subarray(0, vcpus)] : undefined;
}

/** This VCPU's local APIC, enabled, which counts interrupts of `vector`. */
function counting({ vcpu }: CaseContext, vector: number) {
  const local = lapic.lapic(vcpu);
  const seen = { taken: 0 };
  local.enable();
  vcpu.onInterrupt(vector, () => {
    seen.taken++;
    local.eoi();
  });
  return {
    local,
    seen,
    /** Sleeps until that many have been taken. */
    until: (count: number): void => {
      while (seen.taken < count) vcpu.idle();
    },
  };
}

export function cases(vcpus: number): Record<string, CaseFunction> {
  return {
    /** Each input goes to a VCPU of its own, however often it is raised. */
    'ioapic/to-each'(context) {
      const { vcpu } = context;
      const { seen, until } = counting(context, VECTOR + vcpu.index);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const io = ioapic.ioapic(vcpu);
        for (let n = 0; n < vcpus; n++) io.redirect(n, { vector: VECTOR + n, destination: n });
      }
      for (let round = 1; round <= ROUNDS; round++) {
        vcpu.barrier();
        if (vcpu.index === 0) for (const level of [1, 0]) for (let n = 0; n < vcpus; n++) vcpu.outb(DRIVER + n, level);
        until(round);
      }
      return gather(context, vcpus, seen.taken);
    },
    /** Level-triggered, to one after the other: who has it ends it. */
    'ioapic/level'(context) {
      const { vcpu } = context;
      const local = lapic.lapic(vcpu);
      local.enable();
      let taken = 0;
      vcpu.onInterrupt(VECTOR, () => {
        taken++;
        vcpu.outb(DRIVER, 0);
        local.eoi();
      });
      const io = ioapic.ioapic(vcpu);
      for (let round = 0; round < ROUNDS; round++) {
        vcpu.barrier();
        if (vcpu.index === 0) {
          io.redirect(0, { vector: VECTOR, destination: round % vcpus, level: true });
          vcpu.outb(DRIVER, 1);
        }
        const mine = Math.floor((round + vcpus - vcpu.index) / vcpus);
        while (taken < mine) vcpu.idle();
      }
      vcpu.barrier();
      if (vcpu.index === 0) context.assert(!io.remoteIrr(0), 'every one has been ended');
      return gather(context, vcpus, taken);
    },
    /** All write and read the same address, and each has its own register there. */
    'lapic/by-initiator'(context) {
      const { vcpu, assert } = context;
      const local = lapic.lapic(vcpu);
      for (let n = 0; n < 100; n++) {
        const value = ((vcpu.index << 4) | (n & 0xf)) & 0xff;
        local.write(lapic.TPR, value);
        assert.equal(local.read(lapic.TPR), value);
        assert.equal(local.id(), vcpu.index);
      }
    },
    /** An IPI goes round. */
    'ipi/ring'(context) {
      const { vcpu } = context;
      const { local, seen, until } = counting(context, VECTOR);
      const pass = (): void => local.sendIpi({ vector: VECTOR, destination: (vcpu.index + 1) % vcpus });
      vcpu.barrier();
      for (let round = 1; round <= ROUNDS; round++) {
        if (vcpu.index === 0) pass();
        until(round);
        if (vcpu.index !== 0) pass();
      }
      return gather(context, vcpus, seen.taken);
    },
    /** Each sends to all others at once, and waits until all have answered. */
    'ipi/storm'(context) {
      const { vcpu, shared } = context;
      const answers = new Int32Array(shared, 0x1000, 8);
      const local = lapic.lapic(vcpu);
      local.enable();
      let taken = 0;
      for (let from = 0; from < vcpus; from++)
        vcpu.onInterrupt(VECTOR + 0x10 * from, () => {
          taken++;
          local.eoi();
          Atomics.add(answers, from, 1);
        });
      vcpu.barrier();
      for (let round = 1; round <= ROUNDS; round++) {
        local.sendIpi({ vector: VECTOR + 0x10 * vcpu.index, to: 'others' });
        while (Atomics.load(answers, vcpu.index) < round * (vcpus - 1)) vcpu.inb(DRIVER);
      }
      vcpu.barrier();
      return gather(context, vcpus, taken);
    },
    /** One wakes the others from sleep by an NMI, which cli() does not hold back. */
    'nmi/wakes'(context) {
      const { vcpu, machine } = context;
      let nmis = 0;
      vcpu.cli();
      vcpu.onIrq(machine.irq('apic0', 'nmi', vcpu.index), () => nmis++);
      vcpu.barrier();
      if (vcpu.index === 0) lapic.lapic(vcpu).sendIpi({ vector: 0, delivery: 'nmi', to: 'others' });
      else while (nmis === 0) vcpu.idle();
      return gather(context, vcpus, nmis);
    },
    /** The order in which interrupts of all VCPUs are taken, as the scheduler has it. */
    'ipi/order'(context) {
      const { vcpu, shared } = context;
      const order = new Int32Array(shared, 0x1000, 1024);
      const local = lapic.lapic(vcpu);
      local.enable();
      vcpu.onInterrupt(VECTOR, () => {
        order[1 + Atomics.add(order, 0, 1)] = vcpu.index;
        local.eoi();
      });
      vcpu.barrier();
      for (let round = 0; round < ROUNDS; round++) {
        local.sendIpi({ vector: VECTOR, to: 'others' });
        vcpu.inb(DRIVER);
      }
      vcpu.barrier();
      return vcpu.index === 0 ? [...order.subarray(1, 1 + (order[0] ?? 0))].join('') : undefined;
    },
  };
}
