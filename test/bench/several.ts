import { definePlugin, type CaseContext } from '@qtest/sdk';
import { pci, rtc } from '@qtest/parts/pc';

/** What the bench times with more than one VCPU: on machines of their own, and on one. */

const INDEX = 0x70;
const DATA = 0x71;
/** Accesses between two looks at the clock, and how long to go on, ms. */
const BATCH = 50_000;
const SPAN = 2000;

/** Milliseconds of a clock that all threads share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** When each batch of accesses was done, and the milliseconds that this thread has run. */
function throughput({ vcpu, clock }: CaseContext): { stamps: number[]; cpu: number } {
  vcpu.outb(INDEX, rtc.B.offset);
  const stamps: number[] = [];
  const before = process.threadCpuUsage();
  for (const end = now() + SPAN; (stamps.at(-1) ?? 0) < end;) {
    for (let i = 0; i < BATCH; i++) vcpu.inb(DATA);
    clock.step('1ns');
    stamps.push(now());
  }
  const { user, system } = process.threadCpuUsage(before);
  return { stamps, cpu: (user + system) / 1000 };
}

const ID = 0x0100_00ed;
const ROUNDS = 400;
const PLACES = [0xe000_0000, 0xe800_0000] as const;
/** Words of the shared buffer: the round for which VCPU 1 looks, and that which it has seen; from 64 on a time, 64 bits. */
const LOOKS = 0;
const SEEN = 1;
const MOVED = 8;

/** From the write that moves a BAR to the end of another VCPU's first read that finds it there, ns: the median. */
function barMove({ vcpu, shared }: CaseContext): number | undefined {
  const words = new Int32Array(shared);
  const times = new BigInt64Array(shared);
  const place = (round: number): number => PLACES[round & 1] ?? 0;
  if (vcpu.index === 0) {
    const edu = pci.host(vcpu).find({ vendor: 0x1234, device: 0x11e8 });
    edu.setBar(0, place(0));
    edu.enable({ memory: true });
    vcpu.outl(pci.CONFIG_ADDRESS, (0x8000_0000 | (edu.slot << 11) | pci.HEADER.BAR0) >>> 0);
  }
  vcpu.barrier();
  const taken: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    if (vcpu.index === 0) {
      while (Atomics.load(words, LOOKS) !== round);
      Atomics.store(times, MOVED, process.hrtime.bigint());
      vcpu.outl(pci.CONFIG_DATA, place(round));
      while (Atomics.load(words, SEEN) !== round);
    } else {
      const at = place(round);
      // It looks already when the BAR moves.
      vcpu.readl(at);
      Atomics.store(words, LOOKS, round);
      while (vcpu.readl(at) !== ID);
      taken.push(Number(process.hrtime.bigint() - Atomics.load(times, MOVED)));
      Atomics.store(words, SEEN, round);
    }
  }
  return taken.toSorted((a, b) => a - b)[taken.length >> 1];
}

export default definePlugin({
  name: 'several',
  description: 'What test/bench times with more than one VCPU',
  init(machine) {
    machine.pc({ edu: true });
  },
  run: {
    'throughput/0': throughput,
    'throughput/1': throughput,
    'bar-move': { run: barMove, vcpus: 2 },
  },
});
