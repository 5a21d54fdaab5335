import { rtc } from '@qtest/parts/pc';
import {
  FIRST_UPDATE,
  hex,
  part,
  SECOND,
  start,
  startOnTick,
  states,
  stepTo,
  VIRTUAL,
  type Cases,
  type Context,
  type Part,
} from './support.ts';

const { B, C } = rtc;

const NO_ENABLES = { PIE: 0, AIE: 0, UIE: 0 } as const;

interface Flags {
  readonly PF: boolean;
  readonly AF: boolean;
  readonly UF: boolean;
}

/** Makes the part set these flags, with no interrupt enabled, and stops it so that no more come. AF does not come without UF. */
function raise({ clock }: Context, { dev }: Part, { PF, AF, UF }: Flags): void {
  dev.modify(B, { ...NO_ENABLES, SET: 0 });
  dev.setRate(0);
  dev.setAlarm(AF ? {} : { hours: 1, minutes: 2, seconds: 3 });
  start(dev, '2011-11-11 11:11:10');
  if (PF) dev.setRate(6);
  clock.step(UF ? FIRST_UPDATE : '100ms');
  dev.setRate(0);
  dev.holdDivider();
}

/** The combinations of flags that there can be. */
const FLAGS: readonly Flags[] = [
  { PF: false, AF: false, UF: false },
  { PF: true, AF: false, UF: false },
  { PF: false, AF: false, UF: true },
  { PF: true, AF: false, UF: true },
  { PF: false, AF: true, UF: true },
  { PF: true, AF: true, UF: true },
];

const flagBits = ({ PF, AF, UF }: Flags): number => (PF ? C.PF.mask : 0) | (AF ? C.AF.mask : 0) | (UF ? C.UF.mask : 0);

/** Initialises the PC's pair of 8259As as its BIOS does, vectors 0x08 and 0x70, with IRQ `irq` of the slave alone unmasked. */
function initialisePics({ vcpu }: Context, irq: number): void {
  vcpu.outb(0x20, 0x11); // ICW1: edge triggered, cascade, ICW4 follows
  vcpu.outb(0x21, 0x08); // ICW2: vectors
  vcpu.outb(0x21, 0x04); // ICW3: the slave is on IR2
  vcpu.outb(0x21, 0x01); // ICW4: 8086 mode
  vcpu.outb(0xa0, 0x11);
  vcpu.outb(0xa1, 0x70);
  vcpu.outb(0xa1, 0x02); // ICW3: its identity
  vcpu.outb(0xa1, 0x01);
  vcpu.outb(0x21, 0xff & ~0x04); // OCW1
  vcpu.outb(0xa1, 0xff & ~(1 << (irq - 8)));
}

/** Non-specific EOI to the slave and to the master. */
function endOfInterrupt({ vcpu }: Context): void {
  vcpu.outb(0xa0, 0x20);
  vcpu.outb(0x20, 0x20);
}

const PIC = { requires: ['interrupt-acknowledge'] } as const;

export const interrupts: Cases = {
  'flags/update': states('UF is set after each update cycle, with UIE = 0 too.', (context) => {
    const { assert } = context;
    const one = part(context);
    raise(context, one, { PF: false, AF: false, UF: true });
    assert(!one.line.level, 'UIE is 0: the line stays low');
    assert.equal(one.dev.acknowledge(), C.UF.mask, 'UF is set; IRQF is not, nothing being enabled');
  }),

  'flags/alarm': states('AF is set by a match, with AIE = 0 too.', (context) => {
    const { assert } = context;
    const one = part(context);
    raise(context, one, { PF: false, AF: true, UF: true });
    assert(!one.line.level, 'AIE is 0: the line stays low');
    assert.equal(one.dev.acknowledge(), C.AF.mask | C.UF.mask, 'AF is set; IRQF is not, nothing being enabled');
  }),

  'flags/periodic': states(
    'PF is set by the divider, with PIE = 0 too, and has nothing to do with updates.',
    (context) => {
      const { assert } = context;
      const one = part(context, { periodicFlag: 'always' });
      raise(context, one, { PF: true, AF: false, UF: false });
      assert(!one.line.level, 'PIE is 0: the line stays low');
      assert.equal(one.dev.acknowledge(), C.PF.mask, 'PF is set; IRQF is not, nothing being enabled');
    },
  ),

  'flags/cleared-by-reading-c': states('Reading C clears all flags, enabled or not.', (context) => {
    const { assert } = context;
    const one = part(context, { periodicFlag: 'always' });
    raise(context, one, { PF: true, AF: true, UF: true });
    one.dev.enable('AIE');
    const all = C.IRQF.mask | C.PF.mask | C.AF.mask | C.UF.mask;
    assert.equal(one.dev.acknowledge(), all, 'all flags are set');
    assert.equal(one.dev.acknowledge(), 0, 'reading C has cleared all of them, the enabled and the others');
  }),

  'irq/formula': states(
    'IRQF = PF·PIE + AF·AIE + UF·UIE, and the line with it: every combination.',
    (context) => {
      const { assert } = context;
      const one = part(context, { periodicFlag: 'always' });
      const { dev, line } = one;
      for (const flags of FLAGS) {
        for (let enables = 0; enables < 8; enables++) {
          const [PIE, AIE, UIE] = [enables >> 2, (enables >> 1) & 1, enables & 1];
          raise(context, one, flags);
          dev.modify(B, { PIE, AIE, UIE });
          const expected = (flags.PF && PIE === 1) || (flags.AF && AIE === 1) || (flags.UF && UIE === 1);
          const what = `with flags ${hex(flagBits(flags))}, PIE ${PIE}, AIE ${AIE}, UIE ${UIE}`;
          assert.equal(line.level, expected, `the line is PF·PIE + AF·AIE + UF·UIE ${what}`);
          const c = dev.acknowledge();
          assert.equal(c, flagBits(flags) | (expected ? C.IRQF.mask : 0), `IRQF = PF·PIE + AF·AIE + UF·UIE ${what}`);
          assert(!line.level, `reading C lowers the line ${what}`);
        }
      }
      return { combinations: FLAGS.length * 8 };
    },
    VIRTUAL,
  ),

  'irq/until-c-is-read': states('The line stays up until C is read; nothing else lowers it.', (context) => {
    const { assert, clock } = context;
    const { dev, line } = part(context);
    dev.setRate(0);
    dev.modify(B, { ...NO_ENABLES, UIE: 1 });
    start(dev);
    const before = line.edges;
    clock.step(FIRST_UPDATE);
    assert(line.level, 'an update with UIE raises the line');
    for (const register of [rtc.A, rtc.B, rtc.D, rtc.SECONDS]) dev.read(register);
    dev.write(C, 0);
    dev.write(rtc.D, 0);
    assert(line.level, 'neither reading other registers nor writing C lowers the line');
    clock.step('1.2s');
    assert(line.level, 'the line stays up for as long as C is not read');
    assert.equal(line.edges - before, 1, 'and does not rise again meanwhile');
    dev.holdDivider();
    dev.acknowledge();
    assert(!line.level, 'reading C lowers the line');
  }),

  'irq/enabling-a-set-flag': states(
    'Enabling an interrupt whose flag is set already raises the line at once.',
    (context) => {
      const { assert } = context;
      const one = part(context);
      const { dev, line } = one;
      const pending = [
        ['UIE', { PF: false, AF: false, UF: true }],
        ['AIE', { PF: false, AF: true, UF: true }],
        ['PIE', { PF: true, AF: false, UF: false }],
      ] as const;
      for (const [enable, flags] of pending) {
        // Where PF needs PIE it cannot be set before it.
        if (enable === 'PIE' && part(context).id !== part(context, { periodicFlag: 'always' }).id) continue;
        raise(context, one, flags);
        assert(!line.level, `${enable} is 0: the line is low`);
        dev.enable(enable);
        assert(line.level, `the flag was set already: enabling ${enable} raises the line at once`);
        assert.equal(dev.acknowledge(), C.IRQF.mask | flagBits(flags), 'C says so');
      }
    },
  ),

  'irq/enabling-periodic': states(
    'PF of a running divider counts too: enabling PIE raises the line at once.',
    (context) => {
      const { assert, clock } = context;
      const { dev, line } = part(context, { periodicFlag: 'always' });
      dev.modify(B, NO_ENABLES);
      dev.setRate(15);
      dev.acknowledge();
      clock.step('600ms');
      assert(!line.level, 'PIE is 0: the line is low');
      dev.enable('PIE');
      assert(line.level, 'PF was set within the 600 ms: enabling PIE raises the line at once');
    },
  ),

  'irq/disabling': states('The line is up only while flag and enable both are.', (context) => {
    const { assert } = context;
    const one = part(context);
    const { dev, line } = one;
    raise(context, one, { PF: false, AF: false, UF: true });
    for (let i = 0; i < 3; i++) {
      dev.enable('UIE');
      assert(line.level, 'UF and UIE: the line is up');
      dev.disable('UIE');
      assert(!line.level, 'UIE cleared: the line is down, and UF remains');
    }
    assert.equal(dev.acknowledge(), C.UF.mask, 'UF is still set, IRQF is not');
  }),

  'irq/update': states('With UIE each update raises the line.', (context) => {
    const { assert, clock, vcpu } = context;
    const { dev, irq, line } = part(context);
    dev.setRate(0);
    dev.modify(B, { ...NO_ENABLES, UIE: 1 });
    // In real time the divider is released somewhere between the two.
    const early = clock.now;
    start(dev);
    const late = clock.now;
    const before = line.edges;
    for (let i = 1; i <= 3; i++) {
      vcpu.waitIrq(irq, { timeout: '2s' });
      assert.equal(dev.acknowledge(), C.IRQF.mask | C.UF.mask, `update ${i} interrupts with IRQF and UF`);
    }
    const waited = Number(clock.now - late) / 1e6;
    const atMost = Number(clock.now - early) / 1e6;
    assert.equal(line.edges - before, 3, 'three updates, three edges');
    const within = atMost >= 2499 && waited < 2600;
    assert(within, `three updates take 2500 ms from the divider's release, not ${waited} to ${atMost} ms`);
    return { waited_ms: waited };
  }),

  'irq/exact': states(
    'The line rises at the very instant of the update.',
    (context) => {
      const { assert, clock } = context;
      const { dev, line } = part(context, { updateCycle: '0' });
      dev.modify(B, { ...NO_ENABLES, UIE: 1 });
      const due = startOnTick(clock, dev);
      for (let i = 0n; i < 3n; i++) {
        stepTo(clock, due + i * SECOND - 1n);
        assert(!line.level, '1 ns before the update the line is low');
        stepTo(clock, due + i * SECOND);
        assert(line.level, 'at the update it is up');
        dev.acknowledge();
      }
    },
    VIRTUAL,
  ),

  'pic/vector': states(
    'IRQ 8 reaches the VCPU as vector 0x70, through slave and master.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, irq, line } = part(context);
      const seen = { interrupts: 0, periodic: 0 };
      initialisePics(context, irq);
      vcpu.onInterrupt(0x70 + irq - 8, () => {
        seen.interrupts++;
        if (C.PF.test(dev.acknowledge())) seen.periodic++;
        endOfInterrupt(context);
      });
      dev.setRate(10);
      dev.acknowledge();
      const before = line.edges;
      dev.enable('PIE');
      while (seen.interrupts < 32) vcpu.idle({ timeout: '1s' });
      dev.disable('PIE');
      assert.equal(seen.interrupts, line.edges - before, 'every edge of the line is one interrupt');
      assert.equal(seen.periodic, seen.interrupts, 'every interrupt is a periodic one');
      vcpu.outb(0xa0, 0x0b); // OCW3: read the in-service register
      assert.equal(vcpu.inb(0xa0), 0, 'after its EOI the slave has nothing in service');
      return seen;
    },
    PIC,
  ),

  'pic/unread-c': states(
    'IRQ 8 is edge-triggered: a handler that does not read C gets no second interrupt.',
    (context) => {
      const { assert, clock, vcpu } = context;
      const { dev, irq, line } = part(context);
      let interrupts = 0;
      initialisePics(context, irq);
      vcpu.onInterrupt(0x70 + irq - 8, () => {
        interrupts++;
        endOfInterrupt(context);
      });
      dev.setRate(10);
      dev.acknowledge();
      dev.enable('PIE');
      clock.step('200ms');
      assert.equal(interrupts, 1, 'the line stays up, so there is no second edge');
      assert(line.level, 'the line stays up until C is read');
      dev.acknowledge();
      clock.step('20ms');
      assert.equal(interrupts, 2, 'after C is read the next period interrupts');
    },
    PIC,
  ),
};
