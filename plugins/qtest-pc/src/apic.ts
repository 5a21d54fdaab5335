import { ioapic, lapic } from '@qtest/sdk/drivers';
import { device, devices, hex, isaIrq, number, states, VIRTUAL, type Cases, type Context } from './support.ts';

const { IOAPICARB, IOAPICID, IOAPICVER, IOREDTBL } = ioapic;
const { CURRENT_COUNT, DFR, ESR, IRR, ISR, LDR, LVT, LVT_TIMER, PPR, SVR, TMR, TPR } = lapic;

/** For a case that takes interrupts as a CPU does, and so knows whose local APIC it reaches. */
const ACKNOWLEDGE = { requires: ['interrupt-acknowledge'] } as const;
const PAIR = { vcpus: 2, requires: ['interrupt-acknowledge', 'multi-vcpu'] } as const;

const VECTOR = 0x40;

function ioApic(context: Context): ioapic.IoApic {
  return ioapic.ioapic(context.vcpu, number(device(context, 'ioapic'), 'base', ioapic.BASE));
}

/** The VCPU's local APIC, enabled, and the vectors that it gives; their handlers end them. */
function localApic(context: Context, vectors: readonly number[] = [VECTOR]) {
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

/** An input of the I/O APIC that the pc-testdev drives. */
function input(context: Context) {
  const { vcpu } = context;
  const base = number(device(context, 'pc-testdev'), 'irqBase', 0x2000);
  const pin = 5;
  const set = (level: boolean): void => vcpu.outb(base + pin, Number(level));
  set(false);
  return { pin, set };
}

/** The local vector table's interrupt of the timer, after a count in units of the bus clock that no one tells: relative to another. */
function ticksOf(context: Context, local: lapic.LocalApic, divisor: number): bigint {
  const { clock } = context;
  const before = clock.now;
  local.startTimer({ vector: VECTOR, count: 1000, divisor });
  const { deadline } = clock;
  if (deadline === undefined) return context.skip('this machine’s timer arms no deadline');
  local.stopTimer();
  return deadline - before;
}

export const apic: Cases = {
  'ioapic/version': states('IOAPICVER tells of 24 entries, and cannot be written.', (context) => {
    const { assert } = context;
    const io = ioApic(context);
    const version = io.read(IOAPICVER);
    assert.equal(IOAPICVER.MAX_ENTRY.get(version), ioapic.PINS - 1, '82093AA, 3.2.2: the last entry is 17h');
    io.write(IOAPICVER, ~version >>> 0);
    assert.equal(io.read(IOAPICVER), version, '82093AA, 3.2.2: read only');
  }),

  'ioapic/id': states('IOAPICID keeps bits 27:24, and a write of it sets IOAPICARB.', (context) => {
    const { assert } = context;
    const io = ioApic(context);
    for (const id of [0xf, 0x5, 0x0]) {
      io.write(IOAPICID, (id * 0x0100_0000 + 0x00ff_ffff) >>> 0);
      assert.equal(io.read(IOAPICID), id * 0x0100_0000, '82093AA, 3.2.1: bits 27:24');
      assert.equal(io.read(IOAPICARB), id * 0x0100_0000, '82093AA, 3.2.3: loaded when IOAPICID is written');
    }
  }),

  'ioapic/table/reset': states('After a reset every entry is masked.', (context) => {
    const { assert, machine } = context;
    const io = ioApic(context);
    for (let pin = 0; pin < ioapic.PINS; pin++) io.redirect(pin, { vector: VECTOR + pin, level: true });
    machine.reset();
    for (let pin = 0; pin < ioapic.PINS; pin++) {
      assert(IOREDTBL.MASK.test(io.entry(pin)[0]), `82093AA, 3.2.4: the interrupt mask of input ${pin} is set`);
    }
  }),

  'ioapic/table/entries': states(
    'Each entry keeps its own bits; delivery status, remote IRR and reserved bits cannot be written.',
    (context) => {
      const { assert } = context;
      const io = ioApic(context);
      for (let pin = 0; pin < ioapic.PINS; pin++) {
        io.write(ioapic.entryIndex(pin), (IOREDTBL.MASK.mask | 0xfffe_5000 | pin) >>> 0);
        io.write(ioapic.entryIndex(pin) + 1, (pin * 0x0100_0000 + 0x00ff_ffff) >>> 0);
      }
      for (let pin = 0; pin < ioapic.PINS; pin++) {
        const [low, high] = io.entry(pin);
        assert.equal(low, IOREDTBL.MASK.mask | pin, `82093AA, 3.2.4: entry ${pin} is ${hex(low, 8)}`);
        assert.equal(high, pin * 0x0100_0000, `82093AA, 3.2.4: destination of entry ${pin}`);
      }
    },
  ),

  'ioapic/edge': states(
    'An edge is one interrupt; one at a masked input is none, then or later.',
    (context) => {
      const { assert } = context;
      const { taken } = localApic(context);
      const io = ioApic(context);
      const { pin, set } = input(context);
      io.redirect(pin, { vector: VECTOR });
      set(true);
      assert.equal(taken.length, 1, '82093AA, 3.2.4: at the edge');
      set(false);
      assert.equal(taken.length, 1, '82093AA, 3.2.4: not at the other edge');
      io.mask(pin);
      set(true);
      io.unmask(pin);
      assert.equal(taken.length, 1, '82093AA, 3.2.4, Interrupt Mask: not held pending');
    },
    ACKNOWLEDGE,
  ),

  'ioapic/level': states(
    'A level interrupts until it falls, once for each EOI; the remote IRR is set from one to the other.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      const io = ioApic(context);
      const { pin, set } = input(context);
      const remote: boolean[] = [];
      vcpu.onInterrupt(VECTOR, () => {
        remote.push(io.remoteIrr(pin));
        if (remote.length === 3) set(false);
        local.eoi();
      });
      io.redirect(pin, { vector: VECTOR, level: true, masked: true });
      set(true);
      assert.deepEqual(remote, [], '82093AA, 3.2.4: not while it is masked');
      io.unmask(pin);
      assert.deepEqual(remote, [true, true, true], '82093AA, 3.2.4, Remote IRR: until the EOI');
      assert(!io.remoteIrr(pin), '82093AA, 3.2.4, Remote IRR: reset by the EOI');
    },
    ACKNOWLEDGE,
  ),

  'ioapic/irq-0': states(
    'The PIT’s IRQ 0 is at input 2, as the tables of a PC say.',
    (context) => {
      const { assert, clock } = context;
      const { taken } = localApic(context, [VECTOR, VECTOR + 1]);
      const io = ioApic(context);
      io.redirect(0, { vector: VECTOR });
      io.redirect(ioapic.IRQ0_PIN, { vector: VECTOR + 1 });
      const { edges } = isaIrq(context, 0);
      clock.step('200ms');
      const risen = isaIrq(context, 0).edges - edges;
      assert(risen > 0, 'the PIT runs');
      assert.deepEqual(taken, Array(risen).fill(VECTOR + 1), 'PC: interrupt source override of IRQ 0');
    },
    { requires: ['interrupt-acknowledge', 'virtual-clock'] },
  ),

  'lapic/reset': states(
    'After a reset it is disabled, its local vector table is masked but for the pins of a BIOS, and nothing is requested.',
    (context) => {
      const { assert, machine } = context;
      const { local } = localApic(context, []);
      for (const register of LVT) local.write(register, VECTOR);
      local.write(TPR, 0x55);
      local.write(LDR, 0xff00_0000);
      local.write(DFR, 0);
      machine.reset();
      for (const register of [TPR, PPR, LDR, DFR, SVR, ESR, lapic.ICR, lapic.INITIAL_COUNT, CURRENT_COUNT] as const) {
        assert.equal(local.read(register), register.reset, `SDM 3, APIC state after reset: ${register.name}`);
      }
      for (const register of LVT) {
        if (register === lapic.LVT_LINT0 || register === lapic.LVT_LINT1) continue;
        assert(register.MASK.test(local.read(register)), `SDM 3, APIC state after reset: ${register.name} is masked`);
      }
    },
    ACKNOWLEDGE,
  ),

  'lapic/priority': states(
    'The highest vector comes first; one of a class that is in service, or of the task’s, waits.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      const order: string[] = [];
      for (const vector of [0x41, 0x52, 0x53]) {
        vcpu.onInterrupt(vector, () => {
          order.push(`${hex(vector)} at ${hex(local.read(PPR))}`);
          local.eoi();
        });
      }
      local.write(TPR, 0x50);
      for (const vector of [0x52, 0x41, 0x53]) local.sendIpi({ vector, to: 'self' });
      assert.deepEqual(order, [], 'SDM 3, Task priority: its class and those below wait');
      assert(local.has(IRR, 0x41) && local.has(IRR, 0x52) && local.has(IRR, 0x53), 'SDM 3, IRR');
      local.write(TPR, 0x4f);
      assert.deepEqual(order, ['0x53 at 0x50', '0x52 at 0x50'], 'SDM 3, Processor priority: the vector’s class');
      local.write(TPR, 0);
      assert.equal(order.at(-1), '0x41 at 0x40', 'SDM 3, Task priority');
    },
    ACKNOWLEDGE,
  ),

  'lapic/eoi': states(
    'In service until the EOI; TMR tells a level from an edge.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      const io = ioApic(context);
      const { pin, set } = input(context);
      let seen: boolean[] = [];
      vcpu.onInterrupt(VECTOR, () => {
        set(false);
        seen = [local.has(ISR, VECTOR), local.has(IRR, VECTOR), local.has(TMR, VECTOR)];
        local.eoi();
      });
      for (const level of [false, true]) {
        io.redirect(pin, { vector: VECTOR, level });
        set(true);
        assert.deepEqual(seen, [true, false, level], `SDM 3, ISR, IRR and TMR: ${level ? 'a level' : 'an edge'}`);
        assert(!local.has(ISR, VECTOR), 'SDM 3, EOI: no longer in service');
      }
    },
    ACKNOWLEDGE,
  ),

  'lapic/esr': states(
    'A write of ESR brings what has been wrong: a reserved register, a vector below 16 sent.',
    (context) => {
      const { assert } = context;
      const { local } = localApic(context, []);
      local.errors();
      local.sendIpi({ vector: 0x0f, to: 'self' });
      assert.equal(local.errors(), ESR.SENT_ILLEGAL_VECTOR.mask, 'SDM 3, ESR: send illegal vector');
      local.read(0x3a0);
      assert.equal(local.errors(), ESR.ILLEGAL_REGISTER.mask, 'SDM 3, ESR: illegal register address');
      assert.equal(local.errors(), 0, 'SDM 3, ESR: each write clears what it has brought');
    },
    ACKNOWLEDGE,
  ),

  'lapic/timer': states(
    'One-shot it interrupts once, at the end of its count; periodic at the end of each; the divider divides.',
    (context) => {
      const { assert, clock } = context;
      const { local, taken } = localApic(context);
      const unit = ticksOf(context, local, 1);
      for (const divisor of [2, 16, 128])
        assert.equal(ticksOf(context, local, divisor), unit * BigInt(divisor), `SDM 3, Divide: by ${divisor}`);
      local.startTimer({ vector: VECTOR, count: 1000 });
      clock.step(unit - 1n);
      assert.equal(taken.length, 0, 'SDM 3, APIC timer: not before its end');
      clock.step(1n);
      assert.equal(taken.length, 1, 'SDM 3, APIC timer: at its end');
      clock.step(10n * unit);
      assert.equal(taken.length, 1, 'SDM 3, APIC timer: one-shot');
      assert.equal(local.read(CURRENT_COUNT), 0, 'SDM 3, APIC timer: one-shot stays at 0');
      local.startTimer({ vector: VECTOR, count: 1000, periodic: true });
      clock.step(10n * unit);
      assert.equal(taken.length, 11, 'SDM 3, APIC timer: periodic');
      local.write(LVT_TIMER, LVT_TIMER.MASK.mask | LVT_TIMER.PERIODIC.mask | VECTOR);
      clock.step(unit / 4n);
      assert.equal(local.read(CURRENT_COUNT), 750, 'SDM 3, APIC timer: it counts while it is masked');
      clock.step(10n * unit);
      assert.equal(taken.length, 11, 'SDM 3, LVT: masked');
    },
    { requires: [...ACKNOWLEDGE.requires, ...VIRTUAL.requires] },
  ),

  'smp/by-initiator': states(
    'Each CPU reaches its own local APIC at the address that all have.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      for (let n = 0; n < 50; n++) {
        const value = (vcpu.index << 4) | (n & 0xf);
        local.write(TPR, value);
        assert.equal(local.read(TPR), value, 'SDM 3: a register of its own');
      }
      assert.equal(local.id(), vcpu.index, 'SDM 3, ID');
    },
    { ...PAIR, vcpus: 4 },
  ),

  'smp/ipi': states(
    'An IPI reaches the CPU that it names, all others by shorthand, and no other.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context, [VECTOR, VECTOR + 1]);
      vcpu.barrier();
      if (vcpu.index === 0) {
        local.sendIpi({ vector: VECTOR, destination: 2 });
        local.sendIpi({ vector: VECTOR + 1, to: 'others' });
      }
      const expected = vcpu.index === 0 ? [] : vcpu.index === 2 ? [VECTOR, VECTOR + 1] : [VECTOR + 1];
      while (taken.length < expected.length) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
        'SDM 3, ICR',
      );
    },
    { ...PAIR, vcpus: 4 },
  ),

  'smp/ioapic': states(
    'The I/O APIC sends to the CPU whose ID the entry has, or to the sets of them that LDR makes.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context, [VECTOR, VECTOR + 1, VECTOR + 2]);
      local.write(LDR, 0x0100_0000 << vcpu.index);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const io = ioApic(context);
        const { pin, set } = input(context);
        for (const [n, to] of [
          { destination: 1 },
          { destination: 0b10, logical: true },
          { destination: 0b11, logical: true },
        ].entries()) {
          io.redirect(pin, { vector: VECTOR + n, ...to });
          set(true);
          set(false);
        }
      }
      const expected = vcpu.index === 0 ? [VECTOR + 2] : [VECTOR, VECTOR + 1, VECTOR + 2];
      while (taken.length < expected.length) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
        '82093AA, 3.2.4, Destination Field; SDM 3, LDR',
      );
    },
    PAIR,
  ),

  'smp/lowest-priority': states(
    'Lowest priority goes to the one CPU of those named whose task priority is the lowest.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context);
      local.write(TPR, vcpu.index === 0 ? 0x30 : 0x20);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const io = ioApic(context);
        const { pin, set } = input(context);
        io.redirect(pin, { vector: VECTOR, destination: lapic.BROADCAST, delivery: 'lowest' });
        set(true);
        set(false);
      }
      while (vcpu.index === 1 && taken.length === 0) vcpu.idle();
      vcpu.barrier();
      assert.equal(taken.length, vcpu.index, 'SDM 3, Lowest priority delivery mode');
    },
    PAIR,
  ),

  'smp/nmi': states(
    'An NMI by IPI reaches a CPU whatever its priority, and is no vector.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const { local, taken } = localApic(context);
      const line = machine.irq(device(context, 'apic').id, 'nmi', vcpu.index);
      let nmis = 0;
      vcpu.onIrq(line, () => nmis++);
      local.write(TPR, 0xff);
      vcpu.barrier();
      if (vcpu.index === 0) local.sendIpi({ vector: VECTOR, delivery: 'nmi', destination: 1 });
      while (vcpu.index === 1 && nmis === 0) vcpu.idle();
      vcpu.barrier();
      assert.equal(nmis, vcpu.index, 'SDM 3, ICR: delivery mode NMI');
      assert.deepEqual(taken, [], 'SDM 3, ICR: the vector is ignored');
    },
    PAIR,
  ),
};
