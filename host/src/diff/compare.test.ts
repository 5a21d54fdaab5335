import { describe, expect, test } from 'vitest';
import type { MachineBuilder } from '@qtest/sdk';
import { inb, outb, outl, readb, readl, sideOf } from '../../testing/diff.ts';
import { OP } from '@qtest/machine';
import { lookAt, RESET, stepBy, type Access } from './access.ts';
import { Comparison, type Difference } from './compare.ts';
import { Ignored } from './ignored.ts';
import type { NativeSide } from './native-side.ts';
import { NativeRival, type Rival } from './rival.ts';
import { Sequence } from './sequence.ts';

const A = 0x0a;
const index = (register: number): Access[] => [outb(0x70, register), inb(0x71)];
const byte = (register: number, value: number): Access[] => [outb(0x70, register), outb(0x71, value)];

function rtcMachine(machine: MachineBuilder, properties: object = {}): void {
  machine.add('isa-bus');
  machine.add('mc146818rtc', properties);
}

/** A machine whose time goes on by itself, so much at each access, as an emulator's. */
class Moving implements Rival {
  readonly name = 'moving';
  readonly realtime = true;
  readonly #side: NativeSide;
  readonly #each: bigint;
  /** Bits that are wrong in the last answer. */
  readonly #wrong: number;
  #now = 0n;

  constructor(side: NativeSide, each: bigint, wrong: number) {
    this.#side = side;
    this.#each = each;
    this.#wrong = wrong;
  }

  async begin(): Promise<void> {
    this.#side.renew();
    this.#now = 0n;
  }

  async run(sequence: Sequence, answers: Uint32Array): Promise<void> {
    this.#side.runInTime(sequence, answers, () => (this.#now += this.#each));
    const last = sequence.length - 1;
    answers[last] = (answers[last] ?? 0) ^ this.#wrong;
  }

  elapsed(): bigint {
    return this.#now;
  }

  async end(): Promise<void> {}
}

function comparison(
  theirs: (machine: MachineBuilder) => void,
  {
    ignore = [],
    each,
    wrong = 0,
    ours = rtcMachine,
  }: {
    readonly ignore?: readonly string[];
    readonly each?: bigint;
    readonly wrong?: number;
    readonly ours?: (machine: MachineBuilder) => void;
  } = {},
): Comparison {
  const { side: first, registry } = sideOf(ours);
  const { side } = sideOf(theirs);
  return new Comparison({
    first,
    rival: each === undefined ? new NativeRival('other', side) : new Moving(side, each, wrong),
    follower: sideOf(ours).side,
    paced: each === undefined ? [] : Comparison.PACES.map(() => sideOf(ours).side),
    registry,
    ignored: Ignored.of(ignore, first.bound, registry),
  });
}

const cmos = (content: string) => (machine: MachineBuilder) => rtcMachine(machine, { cmos: content });
const OTHER_RAM = cmos('{"40":"5a"}');

describe('two machines', () => {
  test('are told apart by the first answer that differs', async () => {
    const compared = comparison((machine) => rtcMachine(machine, { periodicFlag: 'enabled' }));
    await compared.begin();
    expect(await compared.next(Sequence.of([...byte(A, 0x26), ...index(0x0d)]))).toBeUndefined();
    const step = { op: 5, size: 0, address: 0, value: 2_000_000 };
    const next = await compared.next(Sequence.of([...index(0x0d), step, ...index(0x0c), inb(0x71)]));
    expect(next).toEqual({ index: 8, answers: [0x40, 0x00], reached: 'inb 0x71 rtc0.C' });
    expect(compared.counts).toMatchObject({ accesses: 9, answers: 3, moved: 0, ignored: 0 });
  });

  test('regression: that differ where a BAR was that has moved since', async () => {
    const pvpanic = (events: number) => (machine: MachineBuilder) => {
      machine.pc();
      machine.add('pvpanic-pci', { slot: 4, events });
    };
    const [at, index] = [0xe000_0000, 7];
    const bar = (address: number): Access[] => [outl(0xcf8, 0x8000_2010), outl(0xcfc, address)];
    const mapped = [...bar(at), outl(0xcf8, 0x8000_2004), outl(0xcfc, 0x0002), ...bar(at)];
    const accesses = [...mapped, inb(0x71), readb(at), ...bar(0xe100_0000)];
    const reached = 'readb 0xe0000000 pvpanic0.EVENTS';
    const told = comparison(pvpanic(1), { ours: pvpanic(7) });
    expect((await told.replay(accesses)).difference).toEqual({ index, answers: [7, 1], reached });
    const ignored = comparison(pvpanic(1), { ours: pvpanic(7), ignore: ['pvpanic0/EVENTS'] });
    expect((await ignored.replay(accesses)).difference).toBeUndefined();
    expect(ignored.counts.ignored).toBe(1);
  });

  test('begin anew', async () => {
    const compared = comparison(rtcMachine);
    await compared.begin();
    await compared.next(Sequence.of(byte(0x40, 0x77)));
    const { made, difference } = await compared.replay(index(0x40));
    expect(made).toHaveLength(2);
    expect(difference).toBeUndefined();
  });

  test.each([['RAM_40'], ['rtc0/RAM_40'], ['mc146818rtc/RAM_40']])(
    'that differ in what is ignored: %s',
    async (name) => {
      const compared = comparison(OTHER_RAM, { ignore: [name] });
      expect((await compared.replay(index(0x40))).difference).toBeUndefined();
      expect(compared.counts.ignored).toBe(1);
      expect((await comparison(OTHER_RAM).replay(index(0x40))).difference).toEqual({
        index: 1,
        answers: [0, 0x5a],
        reached: 'inb 0x71 rtc0.RAM_40',
      });
    },
  );

  test('a field is ignored, and not those beside it', async () => {
    const theirs = (machine: MachineBuilder): void => rtcMachine(machine, { periodicFlag: 'enabled' });
    const sequence = [...byte(A, 0x26), { op: 5, size: 0, address: 0, value: 1_200_000_000 }, ...index(0x0c)];
    const found = (await comparison(theirs).replay(sequence)).difference;
    expect(found?.answers).toEqual([0x50, 0x10]);
    expect((await comparison(theirs, { ignore: ['C/PF'] }).replay(sequence)).difference).toBeUndefined();
    expect((await comparison(theirs, { ignore: ['C/UF'] }).replay(sequence)).difference).toEqual(found);
  });

  test('bits are ignored, and not those beside them', async () => {
    const found = async (ignore: string): Promise<Difference | undefined> =>
      (await comparison(OTHER_RAM, { ignore: [ignore] }).replay(index(0x40))).difference;
    expect(await found('RAM_40/0x5a')).toBeUndefined();
    expect(await found('rtc0/RAM_40/0x7E')).toBeUndefined();
    expect(await found('RAM_40/0x0a')).toMatchObject({ answers: [0, 0x5a] });
    expect(() => comparison(rtcMachine, { ignore: ['RAM_40/0x100'] })).toThrow(
      "--ignore 'RAM_40/0x100': RAM_40 has the bits 0xff alone",
    );
  });

  test('of a wide access, the bits of the register that is ignored', async () => {
    const wide = { op: OP.IN, size: 2, address: 0x70, value: 0 };
    const ignored = async (ignore: string[]): Promise<Difference | undefined> =>
      (await comparison(OTHER_RAM, { ignore }).replay([outb(0x70, 0x40), wide])).difference;
    expect(await ignored(['RAM_40/0x5a'])).toBeUndefined();
    expect(await ignored(['RAM_40/0x52'])).toMatchObject({ answers: [0x00ff, 0x5aff] });
    // One that begins where nothing is: its last byte is the register.
    const before = { op: OP.IN, size: 4, address: 0x6e, value: 0 };
    const inFront = async (ignore: string[]): Promise<Difference | undefined> =>
      (await comparison(OTHER_RAM, { ignore }).replay([outb(0x70, 0x40), before])).difference;
    expect(await inFront(['RAM_40/0x5a'])).toBeUndefined();
    expect(await inFront(['RAM_40/0x52'])).toMatchObject({ answers: [0x00ff_ffff, 0x5aff_ffff] });
  });

  test('that differ in the level of an IRQ', async () => {
    const ours = (machine: MachineBuilder): void => rtcMachine(machine, { irq: 9 });
    const update = { op: OP.STEP, size: 0, address: 0, value: 1_200_000_000 };
    const sequence = [...byte(0x0b, 0x12), update, lookAt(0xffff)];
    expect((await comparison(rtcMachine, { ours }).replay(sequence)).difference).toEqual({
      index: sequence.length - 1,
      answers: [0x0200, 0x0100],
      reached: 'IRQ 8',
    });
    const known = comparison(rtcMachine, { ours, ignore: ['IRQ8', 'IRQ9'] });
    expect((await known.replay(sequence)).difference).toBeUndefined();
  });

  test('are reset', async () => {
    const theirs = (machine: MachineBuilder): void => void machine.pc();
    const sequence = [...byte(0x0b, 0x42), ...byte(0x40, 0x5a), RESET, ...index(0x0b), ...index(0x40)];
    const compared = comparison(theirs, { ours: theirs });
    expect((await compared.replay(sequence)).difference).toBeUndefined();
    expect(compared.counts).toMatchObject({ accesses: sequence.length, answers: 2 });
    const { side } = sideOf(theirs);
    const answers = new Uint32Array(sequence.length);
    side.run(Sequence.of(sequence), answers);
    expect([answers.at(-3), answers.at(-1)]).toEqual([0x02, 0x5a]);
  });

  test('a name that no table has', () => {
    expect(() => comparison(rtcMachine, { ignore: ['C/PFF'] })).toThrow(
      "--ignore 'C/PFF': no device of the machine has it in its register tables. Did you mean 'C/PF'?",
    );
  });
});

describe('a rival whose time goes on', () => {
  /** 300 accesses of which each takes it 10 ms: 3 s. */
  const long = [...Array.from({ length: 150 }, () => index(0)).flat(), ...index(0), ...index(0x40)];

  test('is not told apart by what time moves', async () => {
    const compared = comparison(rtcMachine, { each: 10_000_000n });
    expect((await compared.replay(long)).difference).toBeUndefined();
    expect(compared.counts.moved).toBeGreaterThan(50);
  });

  test('is by all else', async () => {
    const compared = comparison(OTHER_RAM, { each: 10_000_000n });
    expect((await compared.replay(long)).difference).toMatchObject({ index: long.length - 1, answers: [0, 0x5a] });
  });

  test('is by a field beside one that time moves', async () => {
    // UIP is high for most of each second.
    const ours = (machine: MachineBuilder): void => rtcMachine(machine, { updateCycle: '990ms' });
    const reads = Array.from({ length: 200 }, () => index(A)).flat();
    const found = async (wrong: number): Promise<Difference | undefined> => {
      const compared = comparison(ours, { ours, each: 10_000_000n, wrong });
      const { difference } = await compared.replay(reads);
      expect(compared.counts.moved).toBeGreaterThan(0);
      return difference;
    };
    expect(await found(0)).toBeUndefined();
    const [UIP, DV] = [0x80, 0x10];
    expect(await found(UIP)).toBeUndefined();
    expect(await found(DV)).toMatchObject({ index: reads.length - 1 });
  });
});

describe('accesses that reset the machine', () => {
  const without = (side: NativeSide, accesses: readonly Access[], answers: Uint32Array): readonly Access[] => {
    const sequence = Sequence.of(accesses);
    side.runWithoutResets(sequence, answers);
    return sequence.toArray();
  };

  test('are left out', async () => {
    const { side } = sideOf((machine) => machine.pc());
    const answers = new Uint32Array(600);
    const filler = Array.from({ length: 250 }, () => inb(0x71));
    const sequence = [
      outb(0x70, 0x40),
      outb(0x71, 0x5a),
      ...filler,
      outb(0x64, 0xfe),
      ...filler,
      outb(0xcf9, 6),
      inb(0x71),
    ];
    const made = without(side, sequence, answers);
    expect(made).toHaveLength(sequence.length - 2);
    expect(made).not.toContainEqual(outb(0x64, 0xfe));
    expect([...answers.subarray(2, made.length)].every((answer) => answer === 0x5a)).toBe(true);
  });

  test('a step of the clock ends where it would pass too many deadlines', async () => {
    const { side } = sideOf((machine) => void machine.pc());
    // Counter 0 in mode 2, of 2: a deadline each 1.7 us.
    const sequence = [outb(0x43, 0x14), outb(0x40, 2), stepBy(2_000_000_000), stepBy(1000), inb(0x71)];
    const made = without(side, sequence, new Uint32Array(5));
    const [, , long, short] = made;
    expect(long?.value).toBeGreaterThan(200_000);
    expect(long?.value).toBeLessThan(3_000_000);
    expect(short).toEqual(stepBy(1000));
    expect(side.vcpu.now()).toBe(BigInt((long?.value ?? 0) + 1000));
  });

  test('memory where nothing answers is told from memory that holds ones', () => {
    const { side } = sideOf((machine) => machine.pc({ ram: 2 ** 20 }));
    const answers = new Uint32Array(3);
    side.vcpu.writel(0x1000, 0xffff_ffff);
    side.run(Sequence.of([readl(0x1000), readl(0x4000_0000), readl(0x2000)]), answers);
    expect([...answers]).toEqual([0xffff_ffff, 0xffff_ffff, 0]);
    expect([...side.nothing.subarray(0, 3)]).toEqual([0, 1, 0]);
  });
});
