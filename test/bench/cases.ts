import { definePlugin, type CaseContext } from '@qtest/sdk';
import { i8259, rtc } from '@qtest/parts/pc';
import { median, timed } from './timed.ts';

/**
 * The cases that the bench times, from inside a VCPU. Each gives nanoseconds, the median of several rounds; the machine has six devices.
 */

const INDEX = 0x70;
const DATA = 0x71;
/** `inb` of the RTC's data port, register B: a plain register, as in the other emulators' loops. */
function inb({ vcpu, clock }: CaseContext): number {
  vcpu.outb(INDEX, rtc.B.offset);
  return timed(200_000, (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += vcpu.inb(DATA);
    // Virtual time has to move now and then, or the loop would be taken for a stall.
    if (clock.kind === 'virtual') clock.step('1ns');
    return sum;
  });
}

/** `inb` on an emulator: few of them, for each is a round trip. */
function roundTrip({ vcpu }: CaseContext): number {
  vcpu.outb(INDEX, rtc.B.offset);
  return timed(200, (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += vcpu.inb(DATA);
    return sum;
  });
}

/** The same after the accesses of every device have gone through the same call. */
function inbAfterAll(context: CaseContext): number {
  const { vcpu, clock } = context;
  for (let i = 0; i < 20_000; i++) {
    for (const port of [0x21, 0xa1, 0x4d0, 0x301, 0x321, 0x341, INDEX, DATA]) vcpu.inb(port);
  }
  clock.step('1ns');
  return inb(context);
}

/** Periodic interrupts at 8192 Hz in virtual time, through the PIC's acknowledge, C read and both EOIs: interrupts a second. */
function interrupts({ vcpu, clock, assert }: CaseContext): number {
  const pic = i8259.pic(vcpu);
  pic.init();
  pic.unmask(2);
  pic.unmask(8);
  let count = 0;
  vcpu.onInterrupt(0x70, () => {
    vcpu.outb(INDEX, rtc.C.offset);
    vcpu.inb(DATA);
    vcpu.outb(0xa0, 0x20);
    vcpu.outb(0x20, 0x20);
    count++;
  });
  const dev = rtc(vcpu);
  dev.setRate(rtc.rateOf(8192));
  dev.enable('PIE');
  const rounds = Array.from({ length: 9 }, () => {
    const before = count;
    const start = performance.now();
    clock.step('10s');
    const seconds = (performance.now() - start) / 1000;
    assert(count - before >= 81_919, 'every period has its interrupt');
    return (count - before) / seconds;
  });
  return median(rounds);
}

/** Restoring a snapshot of the whole machine, eight pages of RAM dirty. */
function restore({ vcpu, machine }: CaseContext): number {
  const snapshot = machine.snapshot();
  return timed(500, (n) => {
    for (let i = 0; i < n; i++) {
      for (let page = 0; page < 8; page++) vcpu.writeb(page * 4096, i & 0xff);
      machine.restore(snapshot);
    }
  });
}

/** VCPU 1 has ended when VCPU 0 measures: a machine with two, one of them accessing. */
function inbOfTwo(context: CaseContext): number | undefined {
  if (context.vcpu.index === 1) return undefined;
  // The other one runs first, and ends.
  context.clock.step('1ns');
  return inb(context);
}

const TRIVIAL = 1000;

export default definePlugin({
  name: 'bench',
  description: 'What test/bench times',
  init(machine) {
    machine.ram(0, 0x10_0000);
    const isa = machine.add('isa-bus');
    machine.add('i8259', { bus: isa });
    machine.add('mc146818rtc', { bus: isa });
    for (const [n, irq] of [5, 6, 7].entries()) machine.add('isa-testdev', { bus: isa, ioBase: 0x300 + n * 0x20, irq });
  },
  run: {
    inb,
    'inb-after-all': inbAfterAll,
    'round-trip': roundTrip,
    'inb-two': { run: inbOfTwo, vcpus: 2 },
    'inb-realtime': { run: inb, clock: 'realtime' },
    interrupts,
    restore,
    ...Object.fromEntries(
      Array.from({ length: TRIVIAL }, (_, n) => [`trivial/${n}`, ({ vcpu }: CaseContext) => void vcpu.inb(DATA)]),
    ),
  },
});
