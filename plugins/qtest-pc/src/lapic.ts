import type { Register } from '@qtest/sdk';
import { lapic } from '@qtest/parts/pc';
import { ACKNOWLEDGE, input, ioApic, localApic, VECTOR } from './apics.ts';
import { hex, serveIrq, states, VIRTUAL, type Cases, type Context } from './support.ts';

const { CURRENT_COUNT, DFR, DIVIDE, ESR, ICR_HIGH, INITIAL_COUNT, IRR, ISR, LDR, LVT } = lapic;
const { DELIVERY, FIRST_VECTOR, LVT_LINT0, LVT_TIMER, PPR, STRIDE, SVR, TMR, TPR, VERSION, WORDS } = lapic;

/** All eight registers of ISR, TMR or IRR. */
function words(local: lapic.LocalApic, set: number): number[] {
  return Array.from({ length: WORDS }, (_, n) => local.read(set + n * STRIDE));
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

export const lapicCases: Cases = {
  'lapic/version': states(
    'VERSION tells of an integrated APIC and of its entries, and cannot be written.',
    (context) => {
      const { assert } = context;
      const { local } = localApic(context, []);
      const version = local.read(VERSION);
      assert.equal(
        VERSION.VERSION.get(version) >> 4,
        1,
        'SDM 3, Local APIC Version Register: 1Xh is an integrated APIC',
      );
      assert(VERSION.MAX_LVT.get(version) >= 3, 'SDM 3, Local APIC Version Register: timer, LINT0, LINT1 and error');
      local.write(VERSION, ~version >>> 0);
      assert.equal(local.read(VERSION), version, 'SDM 3, Local APIC Version Register: read only');
    },
    ACKNOWLEDGE,
  ),

  'lapic/registers': states(
    'Each register keeps its own bits, and those that are reserved stay.',
    (context) => {
      const { assert } = context;
      const { local } = localApic(context, []);
      const write = (register: Register, value: number): void => {
        const expected = register.write(local.read(register), value);
        local.write(register, value);
        const what = `${register.name} of ${hex(value, 8)}`;
        assert.equal(local.read(register), expected, `SDM 3, Local APIC Register Address Map: ${what}`);
      };
      for (const pattern of [0xffff_ffff, 0, 0x5555_5555, 0xaaaa_aaaa]) {
        for (const register of LVT) write(register, register.MASK.set(pattern, 1));
        for (const register of [TPR, LDR, DFR, ICR_HIGH, DIVIDE, INITIAL_COUNT]) write(register, pattern);
        write(SVR, SVR.ENABLE.set(pattern, 1));
      }
    },
    ACKNOWLEDGE,
  ),

  'lapic/software-disabled': states(
    'Without the enable of SVR every entry of the local vector table is masked, and stays so.',
    (context) => {
      const { assert } = context;
      const { local } = localApic(context, []);
      const masked = (): boolean[] => LVT.map((register) => register.MASK.test(local.read(register)));
      const all = (value: boolean): boolean[] => LVT.map(() => value);
      const unmask = (): void => {
        for (const register of LVT) local.write(register, VECTOR);
      };
      unmask();
      assert.deepEqual(masked(), all(false), 'SDM 3, Local Vector Table: unmasked');
      local.disable();
      assert.deepEqual(masked(), all(true), 'SDM 3, APIC state after software disable: masked');
      unmask();
      assert.deepEqual(masked(), all(true), 'SDM 3, APIC state after software disable: cannot be unmasked');
      local.enable();
      assert.deepEqual(masked(), all(true), 'SDM 3, APIC state after software disable: until software unmasks them');
      unmask();
      assert.deepEqual(masked(), all(false), 'SDM 3, Local Vector Table: unmasked again');
    },
    ACKNOWLEDGE,
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

  'lapic/vectors': states(
    'Each vector from 16 on has its own bit of IRR and ISR; all at once they come from the highest down.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      const vectors = Array.from({ length: 256 - FIRST_VECTOR }, (_, n) => 255 - n);
      const none = Array<number>(WORDS).fill(0);
      const taken: number[] = [];
      for (const vector of vectors) {
        vcpu.onInterrupt(vector, () => {
          if (local.has(ISR, vector) && !local.has(IRR, vector)) taken.push(vector);
          local.eoi();
        });
      }
      local.write(TPR, 0xff);
      for (const vector of vectors) {
        local.sendIpi({ vector, to: 'self' });
        assert(local.has(IRR, vector), `SDM 3, IRR: ${hex(vector)} is requested`);
        if (vector > FIRST_VECTOR) assert(!local.has(IRR, vector - 1), `SDM 3, IRR: ${hex(vector - 1)} is not`);
      }
      assert.deepEqual(words(local, IRR), [0xffff_0000, ...none.slice(1).fill(0xffff_ffff)], 'SDM 3, IRR');
      assert.deepEqual(words(local, ISR), none, 'SDM 3, ISR: the task’s priority is the highest');
      local.write(TPR, 0);
      assert.deepEqual(taken, vectors, 'SDM 3, Interrupt, Task, and Processor Priority');
      assert.deepEqual([words(local, IRR), words(local, ISR)], [none, none], 'SDM 3: none is left');
    },
    ACKNOWLEDGE,
  ),

  'lapic/lint0': states(
    'LINT0 brings the vectors of the 8259A as ExtINT, in no service of the APIC’s; its own as fixed; masked none.',
    (context) => {
      const { assert } = context;
      const { local, taken } = localApic(context);
      const { pin, set } = input(context);
      let served = 0;
      serveIrq(context, pin, () => {
        served++;
        assert(!words(local, ISR).some(Boolean), 'SDM 3, Interrupt Acceptance: ExtINT is in no service');
      });
      const pulse = (): void => {
        set(true);
        set(false);
      };
      const entry = LVT_LINT0.DELMOD.set(0, DELIVERY.extint);
      local.write(LVT_LINT0, entry);
      pulse();
      assert.equal(served, 1, 'SDM 3, Local Vector Table: ExtINT');
      local.write(LVT_LINT0, LVT_LINT0.MASK.mask | entry);
      set(true);
      assert.equal(served, 1, 'SDM 3, Local Vector Table: masked');
      local.write(LVT_LINT0, entry);
      assert.equal(served, 2, 'SDM 3, Local Vector Table: the 8259A still asks');
      set(false);
      local.write(LVT_LINT0, VECTOR);
      pulse();
      assert.deepEqual([served, taken], [2, [VECTOR]], 'SDM 3, Local Vector Table: fixed');
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
      // One of each register.
      for (const vector of [0x1f, 0x20, VECTOR, 0x61, 0x90, 0xaa, 0xdf, 0xe0]) {
        let seen: boolean[] = [];
        vcpu.onInterrupt(vector, () => {
          set(false);
          seen = [ISR, IRR, TMR].map((of) => local.has(of, vector));
          local.eoi();
        });
        for (const level of [false, true, false]) {
          io.redirect(pin, { vector, level });
          set(true);
          const what = `${level ? 'a level' : 'an edge'} of ${hex(vector)}`;
          assert.deepEqual(seen, [true, false, level], `SDM 3, ISR, IRR and TMR: ${what}`);
          assert(!local.has(ISR, vector), `SDM 3, EOI: ${what} is no longer in service`);
        }
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
};
