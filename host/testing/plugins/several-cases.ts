import type { CaseContext, CaseFunction, Clock, MachineBuilder, Vcpu } from '@qtest/sdk';
import { driver, mapper, ON_FIRE, probe, TICKER, ticker } from '../../../test/support/devices.ts';

/**
 * Cases of several VCPUs; each VCPU runs all of a case, and what it found comes back by RAM: `say()` on any, `told()` on one.
 */

const PROBE = 0x100;
const TICKER_BASE = 0x200;
const DRIVER = 0x400;
const MAPPER = 0x600;

/** The shared list of what VCPUs say: its length, and 32-bit words. */
const SAID = 0x1_0000;

export function init(m: MachineBuilder): void {
  m.ram(0, 0x4_0000);
  const isa = m.add('isa-bus');
  m.add(probe, { base: PROBE });
  m.add(ticker, { base: TICKER_BASE });
  const out = m.add(driver, { base: DRIVER });
  m.add(mapper, { base: MAPPER });
  m.add('isa-testdev', { bus: isa, irq: 5 });
  for (const pin of [0, 1, 2, 3]) m.connect(m.output(out, 'out', pin), m.line(isa, 10 + pin));
}

export const devices = [probe, ticker, driver, mapper];

/** IRQ of output pin n of the driver, on the bus. */
const irq = (pin: number): number => 10 + pin;
const drive = (vcpu: Vcpu, pin: number, level: boolean): void => vcpu.outb(DRIVER + pin, Number(level));
const pulse = (vcpu: Vcpu, pin: number): void => {
  drive(vcpu, pin, true);
  drive(vcpu, pin, false);
};
const arm = (vcpu: Vcpu, n: number, ns: number): void => vcpu.outl(TICKER_BASE + TICKER.ARM + 4 * n, ns);

/** In the case's buffer, which is no access of the machine and so no switch point; each VCPU has its own words. */
function say({ vcpu, shared }: CaseContext, value: bigint | number): void {
  const words = new BigInt64Array(shared, 0x1000 * vcpu.index, 512);
  const count = Number(words[0]);
  words[count + 1] = BigInt(value);
  words[0] = BigInt(count + 1);
}

function told({ shared }: CaseContext, vcpu: number): number[] {
  const words = new BigInt64Array(shared, 0x1000 * vcpu, 512);
  return [...words.subarray(1, 1 + Number(words[0]))].map(Number);
}

/** What each VCPU has said, once all have. Only VCPU 0 gives it. */
function all(context: CaseContext, vcpus: number): number[][] | undefined {
  context.vcpu.barrier();
  return context.vcpu.index === 0 ? Array.from({ length: vcpus }, (_, n) => told(context, n)) : undefined;
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

const expectCode = (context: CaseContext, code: string, run: () => unknown): void =>
  context.assert.equal(codeOf(run), code);
const spin = (vcpu: Vcpu, clock: Clock): never => {
  for (;;) {
    vcpu.inb(PROBE);
    clock.step(1n);
  }
};

export function cases(vcpus: number): Record<string, CaseFunction> {
  const others = vcpus - 1;
  return {
    /** Each appends its index to a list in RAM, without care: who comes between shows. */
    'interleave/ram'({ vcpu }) {
      for (let n = 0; n < 100; n++) {
        const length = vcpu.readl(SAID);
        vcpu.writeb(SAID + 4 + length, vcpu.index + 1);
        vcpu.writel(SAID, length + 1);
      }
      vcpu.barrier();
      return vcpu.index === 0 ? [...vcpu.read(SAID + 4, 100 * vcpus)].join('') : undefined;
    },
    'interleave/pio'({ vcpu }) {
      const mine: number[] = [];
      for (let n = 0; n < 60; n++) {
        const value = vcpu.inb(PROBE);
        mine.push(value);
        vcpu.outb(PROBE, (value + 1) & 0xff);
      }
      vcpu.write(SAID + 0x100 * vcpu.index, Uint8Array.from(mine));
      vcpu.barrier();
      return vcpu.index === 0
        ? Array.from({ length: vcpus }, (_, n) => [...vcpu.read(SAID + 0x100 * n, 60)])
        : undefined;
    },
    'interleave/mmio-and-waits'(context) {
      const { vcpu, clock } = context;
      for (let n = 0; n < 20; n++) {
        vcpu.writel(0x8000_0000, n);
        const length = vcpu.readl(SAID);
        vcpu.writeb(SAID + 4 + length, vcpu.index + 1);
        vcpu.writel(SAID, length + 1);
        if (n % 5 === vcpu.index) clock.step(10n);
        if (n % 7 === vcpu.index) expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(3), { timeout: 5n }));
      }
      vcpu.barrier();
      return vcpu.index === 0
        ? { list: [...vcpu.read(SAID + 4, 20 * vcpus)].join(''), now: Number(clock.now) }
        : undefined;
    },
    barriers(context) {
      const { vcpu, assert } = context;
      for (let n = 0; n < 40; n++) {
        vcpu.writel(SAID + 4 * vcpu.index, n);
        vcpu.barrier();
        for (let other = 0; other < vcpus; other++) assert.equal(vcpu.readl(SAID + 4 * other), n);
        vcpu.barrier();
      }
    },
    /** Sleepers wake for a line that another VCPU drives. */
    wake(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 0) {
        for (let n = 0; n < 50; n++) vcpu.inb(PROBE);
        clock.step(1000n);
        drive(vcpu, 0, true);
      } else {
        vcpu.waitIrq(irq(0));
        say(context, clock.now);
      }
      return all(context, vcpus);
    },
    /** A timer moves the time when all wait for it. */
    'timer/all-wait'(context) {
      const { vcpu, clock, machine } = context;
      if (vcpu.index === 0) {
        for (let n = 0; n < vcpus; n++) arm(vcpu, n % 4, 100 * ((n % 4) + 1));
      }
      vcpu.barrier();
      say(context, vcpu.waitIrq(machine.irq('ticker0', 'irq', vcpu.index % 4)));
      say(context, clock.now);
      return all(context, vcpus);
    },
    /** A timer that drives no line fires while all wait for another one. */
    'timer/silent'({ vcpu, machine }) {
      if (vcpu.index === 0) {
        vcpu.outl(MAPPER + 8, 100);
        arm(vcpu, 0, 200);
      }
      vcpu.barrier();
      vcpu.waitIrq(machine.irq('ticker0', 'irq', 0));
    },
    'timeout/each-its-own'(context) {
      const { vcpu, clock } = context;
      vcpu.barrier();
      expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(0), { timeout: BigInt(100 * (vcpus - vcpu.index)) }));
      say(context, clock.now);
      return all(context, vcpus);
    },
    /** Another VCPU steps over the ends of waits: each ends at its time. */
    'timeout/under-a-step'(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 0) {
        // All wait when this has passed.
        expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(1), { timeout: 1n }));
        clock.step(10_000n);
      } else {
        expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(0), { timeout: BigInt(100 * vcpu.index) }));
        say(context, clock.now);
      }
      return all(context, vcpus);
    },
    /** Another VCPU steps over deadlines: who waits for them sees each at its time. */
    'timer/under-a-step'(context) {
      const { vcpu, clock, machine } = context;
      const line = machine.irq('ticker0', 'irq', 0);
      if (vcpu.index === 0) {
        vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1000 << 8));
        arm(vcpu, 0, 1000);
        expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(1), { timeout: 1n }));
        clock.step(10_500n);
      } else {
        for (let n = 0; n < 10; n++) {
          vcpu.waitIrq(line, { timeout: '1s' });
          say(context, clock.now);
        }
      }
      return all(context, vcpus);
    },
    /** An IRQ that comes at the very end of a wait. */
    'timeout/default'(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 0) {
        vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN + 16_000_000 * 256);
        arm(vcpu, 0, 0x3fff_ffff);
      }
      vcpu.barrier();
      expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(0)));
      say(context, clock.now);
      return all(context, vcpus);
    },
    /** A wait that a handler's error has ended is over: it keeps no other VCPU from moving the time. */
    'wait/left-by-an-error'(context) {
      const { vcpu, clock, assert, shared } = context;
      const done = new Int32Array(shared, 0x8000, 1);
      const ACCESSES = 3000;
      if (vcpu.index === others) {
        const end = vcpu.onIrq(irq(0), () => {
          throw new Error('in the handler');
        });
        vcpu.barrier();
        assert.throws(() => vcpu.idle({ timeout: '1h' }), /in the handler/);
        end();
        for (let n = 0; n < ACCESSES; n++) {
          vcpu.inb(PROBE);
          Atomics.add(done, 0, 1);
        }
      } else {
        vcpu.barrier();
        if (vcpu.index === 0) {
          clock.step(10n);
          pulse(vcpu, 0);
          while (Atomics.load(done, 0) === 0) vcpu.inb(PROBE);
          for (let n = 0; n < 20; n++) clock.step(1n);
          say(context, Number(Atomics.load(done, 0) < ACCESSES));
        }
      }
      return all(context, vcpus);
    },
    'deadlock/all'({ vcpu }) {
      vcpu.waitIrq(irq(vcpu.index));
    },
    /** Who has caught it goes on, and a later wait is no deadlock. */
    'deadlock/caught'(context) {
      const { vcpu } = context;
      expectCode(context, 'DEADLOCK', () => vcpu.waitIrq(irq(0)));
      if (vcpu.index === 0) {
        vcpu.barrier();
        vcpu.inb(PROBE);
        drive(vcpu, 0, true);
      } else {
        vcpu.barrier();
        vcpu.waitIrq(irq(0));
        say(context, 1);
      }
      return all(context, vcpus);
    },
    'deadlock/explicit-time-out-first'(context) {
      const { vcpu, clock } = context;
      vcpu.barrier();
      const code = codeOf(() => vcpu.waitIrq(irq(0), vcpu.index === 0 ? { timeout: 700n } : {}));
      say(context, code === 'TIMEOUT' ? 1 : code === 'DEADLOCK' ? 2 : 0);
      say(context, clock.now);
      if (vcpu.index === 0) drive(vcpu, 0, true);
      return all(context, vcpus);
    },
    'barrier/one-has-ended'(context) {
      const { vcpu } = context;
      if (vcpu.index === others) return;
      vcpu.barrier();
    },
    /** A barrier that was left by its time-out is not counted. */
    'barrier/left'(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 0) {
        expectCode(context, 'TIMEOUT', () => vcpu.barrier({ timeout: 10n }));
        vcpu.writel(SAID, 1);
      } else {
        // Time goes on while the first one waits.
        vcpu.poll(() => vcpu.readl(SAID) === 1, { step: 1n });
      }
      // Were the one that has left still counted, the first of the others would open this one alone.
      for (let n = 0; n < 5; n++) {
        vcpu.writel(SAID + 4 + 4 * vcpu.index, n);
        vcpu.barrier();
        for (let other = 0; other < vcpus; other++) context.assert.equal(vcpu.readl(SAID + 4 + 4 * other), n);
        vcpu.barrier();
      }
      say(context, clock.now);
      return all(context, vcpus);
    },
    /** The others have ended: who is left moves the time alone. */
    'ended/leaves-the-count'(context) {
      const { vcpu, clock, machine, assert } = context;
      if (vcpu.index !== 0) return undefined;
      for (let n = 0; n < 200; n++) vcpu.inb(PROBE);
      arm(vcpu, 2, 500);
      assert.equal(vcpu.waitIrq(machine.irq('ticker0', 'irq', 2)), 500n);
      expectCode(context, 'TIMEOUT', () => vcpu.waitIrq(irq(0), { timeout: 5n }));
      return Number(clock.now);
    },
    'ended/while-others-wait'(context) {
      const { vcpu, clock, machine } = context;
      if (vcpu.index === others) {
        arm(vcpu, 2, 500);
        vcpu.barrier();
        return undefined;
      }
      vcpu.barrier();
      vcpu.waitIrq(machine.irq('ticker0', 'irq', 2));
      return vcpu.index === 0 ? Number(clock.now) : undefined;
    },
    'fail/others-spin'({ vcpu, clock }) {
      if (vcpu.index === others) throw new Error('mine');
      spin(vcpu, clock);
    },
    'fail/others-wait'({ vcpu }) {
      if (vcpu.index === others) {
        for (let n = 0; n < 50; n++) vcpu.inb(PROBE);
        throw new Error('mine');
      }
      vcpu.waitIrq(irq(0), { timeout: '1h' });
    },
    'fail/others-at-a-barrier'({ vcpu }) {
      if (vcpu.index === others) {
        for (let n = 0; n < 50; n++) vcpu.inb(PROBE);
        throw new Error('mine');
      }
      vcpu.barrier();
    },
    'fail/others-in-ram'({ vcpu }) {
      if (vcpu.index === others) throw new Error('mine');
      for (;;) vcpu.readl(0);
    },
    'fail/others-step'({ vcpu, clock }) {
      if (vcpu.index === others) throw new Error('mine');
      arm(vcpu, 0, 10);
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1 << 8));
      clock.step('292d');
    },
    'fail/others-compute'({ vcpu }) {
      if (vcpu.index === others) throw new Error('mine');
      for (;;);
    },
    'skip/one'({ vcpu, clock, skip }) {
      if (vcpu.index === others) skip('not here');
      spin(vcpu, clock);
    },
    'exit/one'({ vcpu, clock }) {
      if (vcpu.index === others) process.exit(3);
      spin(vcpu, clock);
    },
    /** A device that never returns; the others want the lock. */
    'hang/in-a-device'({ vcpu, clock }) {
      if (vcpu.index === 0) vcpu.outb(0x307, 0x06);
      spin(vcpu, clock);
    },
    'hang/computing'({ vcpu, clock }) {
      if (vcpu.index === 0) for (;;);
      spin(vcpu, clock);
    },
    'hang/in-the-operating-system'({ vcpu, clock }) {
      // A sleep that cannot be woken by a notify, though a terminate does it.
      if (vcpu.index === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      spin(vcpu, clock);
    },
    ok({ vcpu }) {
      vcpu.barrier();
      vcpu.inb(PROBE);
    },
    /** A restore by one VCPU while others wait for a level that comes with it. */
    'restore/level'(context) {
      const { vcpu, machine, clock } = context;
      if (vcpu.index === 0) {
        drive(vcpu, 1, true);
        const high = machine.snapshot();
        drive(vcpu, 1, false);
        vcpu.barrier();
        clock.step(10n);
        machine.restore(high);
      } else {
        vcpu.barrier();
        vcpu.waitIrq(irq(1));
        say(context, 1);
      }
      return all(context, vcpus);
    },
    /** A restore that turns an edge count back is nothing that a wait waits for. */
    'restore/edges'(context) {
      const { vcpu, machine, clock } = context;
      if (vcpu.index === 0) {
        const low = machine.snapshot();
        pulse(vcpu, 1);
        vcpu.barrier();
        clock.step(10n);
        machine.restore(low);
        clock.step(100n);
        drive(vcpu, 1, true);
      } else {
        vcpu.barrier();
        vcpu.waitIrq(irq(1));
        say(context, machine.irq('isa0', irq(1)).level ? 1 : 0);
      }
      return all(context, vcpus);
    },
    /** Another VCPU's handler takes the first edge after a restore. */
    'restore/handlers'(context) {
      const { vcpu, machine } = context;
      let calls = 0;
      if (vcpu.index !== 0) vcpu.onIrq(irq(1), () => calls++);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const low = machine.snapshot();
        pulse(vcpu, 1);
        vcpu.barrier();
        machine.restore(low);
        vcpu.barrier();
        pulse(vcpu, 1);
      } else {
        vcpu.barrier();
        say(context, calls);
        vcpu.barrier();
      }
      vcpu.barrier();
      vcpu.inb(PROBE);
      if (vcpu.index !== 0) say(context, calls);
      return all(context, vcpus);
    },
    /** A map that one VCPU changes, and RAM that another has accessed before. */
    map(context) {
      const { vcpu, assert } = context;
      for (let round = 0; round < 10; round++) {
        assert.equal(vcpu.readl(0x800), 0);
        assert.equal(vcpu.inb(0x3000), 0xff);
        vcpu.barrier();
        if (vcpu.index === round % vcpus) {
          vcpu.outl(MAPPER + 4, 0x800);
          vcpu.outl(MAPPER, 0x3000);
        }
        vcpu.barrier();
        assert.equal(vcpu.readl(0x800), 0xa5a5_a5a5);
        assert.equal(vcpu.readb(0x800), 0xa5);
        assert.equal(vcpu.inb(0x3000), 0xa5);
        vcpu.barrier();
        if (vcpu.index === round % vcpus) {
          vcpu.outl(MAPPER + 4, 0);
          vcpu.outl(MAPPER, 0);
        }
        vcpu.barrier();
      }
    },
    /** Contention: no increment that a device makes under the lock is lost. */
    contention({ vcpu }) {
      // The probe counts its accesses in its state, with a plain increment: the lock alone keeps it right.
      for (let n = 0; n < 3000; n++) vcpu.inb(PROBE + (n & 7));
    },
    /** Ticks: each instant once. */
    ticks(context) {
      const { vcpu, clock } = context;
      if (vcpu.index === 0) {
        vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1000 << 8));
        arm(vcpu, 0, 1000);
        arm(vcpu, 1, 3000);
        arm(vcpu, 2, 3500);
      }
      vcpu.barrier();
      if (vcpu.index === 0) clock.step(5000n);
      vcpu.barrier();
    },
  };
}
