import type { MachineBuilder } from '@qtest/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { driver, listener, ticker } from '../../test/support/devices.ts';
import { TAP, WORD } from './control.ts';
import { EVENT, type MachineEvent } from './events.ts';
import { testMachine } from '../../test/support/machine.ts';

const DRIVER = 0x400;
const LISTENER = 0x500;

function bench(wire: (machine: MachineBuilder, added: ReturnType<typeof parts>) => void) {
  const harness = testMachine((m) => wire(m, parts(m)), { devices: [driver, listener, ticker] });
  const { vcpu } = harness;
  return {
    ...harness,
    drive: (pin: number, level: boolean | number): void => vcpu.outb(DRIVER + pin, Number(level)),
    /** Level and number of changes that the listener has seen at a pin. */
    heard: (pin: number): [number, number] => [vcpu.inb(LISTENER + pin) & 1, vcpu.inb(LISTENER + pin) >> 1],
  };
}

function parts(m: MachineBuilder) {
  return { isa: m.add('isa-bus'), out: m.add(driver, { base: DRIVER }), listens: m.add(listener, { base: LISTENER }) };
}

describe("a bus's line as a source", () => {
  test('to inputs, alone and among others, and to another line', () => {
    const { drive, heard, machine, bound } = bench((m, { isa, out, listens }) => {
      m.connect(m.output(out, 'out', 0), m.line(isa, 5));
      m.connect(m.line(isa, 5), m.input(listens, 'in', 0));
      m.connect(m.line(isa, 5), m.input(listens, 'in', 1));
      m.connect(m.output(out, 'out', 1), m.input(listens, 'in', 1), { shared: true });
      m.connect(m.line(isa, 5), m.line(isa, 6));
    });
    drive(0, true);
    expect([heard(0), heard(1), machine.irq('isa0', 6).level]).toEqual([[1, 1], [1, 1], true]);
    drive(1, true);
    drive(0, false);
    expect([heard(0), heard(1), machine.irq('isa0', 6).level]).toEqual([[0, 2], [1, 1], false]);
    drive(1, false);
    expect(heard(1)).toEqual([0, 2]);
    // An input that it alone drives is at its end, and no line of its own that every edge goes through.
    const ends = bound.blueprint.lines.find(({ name }) => name === 'isa0.irq[5]');
    expect(ends?.sinks).toEqual([{ device: 2, input: 'in', pin: 0 }]);
    expect(ends?.feeds).toHaveLength(2);
  });
});

describe('one line', () => {
  test('level and edges; setting the level that it has does nothing', () => {
    const { drive, heard, machine } = bench((m, { out, listens }) =>
      m.connect(m.output(out, 'out', 1), m.input(listens, 'in', 2)),
    );
    const line = machine.irq('driver0', 'out', 1);
    expect([line.name, line.level, line.edges]).toEqual(['driver0.out[1]', false, 0]);
    drive(1, true);
    drive(1, true);
    expect([line.level, line.edges, heard(2)]).toEqual([true, 1, [1, 1]]);
    drive(1, false);
    drive(1, false);
    expect([line.level, line.edges, heard(2)]).toEqual([false, 1, [0, 2]]);
    drive(1, true);
    expect([line.level, line.edges, heard(2)]).toEqual([true, 2, [1, 3]]);
    expect(heard(1)).toEqual([0, 0]);
  });

  test('an output that nothing is wired to has a level all the same', () => {
    const { drive, machine } = bench(() => {});
    drive(3, true);
    expect([
      machine.irq('driver0', 'out', 3).level,
      machine.irq('driver0', 3).level,
      machine.irq('driver0', 2).level,
    ]).toEqual([true, true, false]);
  });

  test('fan-out: one output to several inputs and a line of the bus', () => {
    const { drive, heard, machine } = bench((m, { isa, out, listens }) => {
      for (const pin of [0, 2, 3]) m.connect(m.output(out, 'out', 0), m.input(listens, 'in', pin));
      m.connect(m.output(out, 'out', 0), m.line(isa, 11));
    });
    drive(0, true);
    expect([heard(0), heard(1), heard(2), heard(3)]).toEqual([
      [1, 1],
      [0, 0],
      [1, 1],
      [1, 1],
    ]);
    expect(machine.irq('isa0', 11)).toMatchObject({ name: 'isa0.irq[11]', level: true, edges: 1 });
  });

  test('a pin that there is not is a fault of the device', () => {
    const { vcpu, bound } = bench(() => {});
    const { out } = bound.context('driver0') as unknown as {
      out: { out: { set(level: boolean, pin: number): void; level(pin: number): boolean } };
    };
    for (const pin of [4, -1, 1.5, NaN]) {
      expect(() => out.out.set(true, pin)).toThrow(`output 'out' has no pin ${pin}: it has 4`);
      expect(() => out.out.level(pin)).toThrow(RangeError);
    }
    expect(vcpu.inb(DRIVER)).toBe(0);
  });
});

describe('many to one', () => {
  const orBench = () =>
    bench((m, { out, listens }) => {
      for (const pin of [0, 1, 2]) m.connect(m.output(out, 'out', pin), m.input(listens, 'in', 0), { shared: true });
    });

  test('high while any of its drivers is', () => {
    const { drive, heard } = orBench();
    drive(0, true);
    drive(1, true);
    expect(heard(0)).toEqual([1, 1]);
    drive(0, false);
    expect(heard(0)).toEqual([1, 1]);
    drive(1, false);
    expect(heard(0)).toEqual([0, 2]);
  });

  test('property: the level is the OR of the drivers, an edge each time it goes from low to high', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ pin: fc.nat(2), level: fc.boolean() }), { maxLength: 40 }), (ops) => {
        const { drive, heard, machine } = orBench();
        const levels = [false, false, false];
        let edges = 0;
        for (const { pin, level } of ops) {
          const before = levels.includes(true);
          levels[pin] = level;
          if (!before && levels.includes(true)) edges++;
          drive(pin, level);
          expect(heard(0)[0]).toBe(Number(levels.includes(true)));
        }
        expect(heard(0)[1]).toBe(2 * edges - Number(levels.includes(true)));
        expect(machine.irq('driver0', 'out', 0).level).toBe(levels[0]);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test('a shared line goes through two stages', () => {
    const { drive, machine, setLine } = bench((m, { isa, out }) => {
      m.connect(m.output(out, 'out', 0), m.line(isa, 5));
      m.connect(m.output(out, 'out', 1), m.line(isa, 5), { shared: true });
    });
    drive(0, true);
    drive(1, true);
    drive(0, false);
    expect(machine.irq('isa0', 5)).toMatchObject({ level: true, edges: 1 });
    drive(1, false);
    expect(machine.irq('isa0', 5).level).toBe(false);
    setLine('isa0', 5, true);
    expect(machine.irq('isa0', 5)).toMatchObject({ level: true, edges: 2 });
  });
});

describe('machine.irq', () => {
  test('lines that there are not: what the device has', () => {
    const { machine } = bench(() => {});
    for (const get of [
      () => machine.irq('nobody'),
      () => machine.irq('driver0', 'irq'),
      () => machine.irq('driver0', 4),
      () => machine.irq('driver0', -1),
      () => machine.irq('driver0', 0.5),
      () => machine.irq('driver0', 'out', 4),
      () => machine.irq('listener0'),
      () => machine.irq('isa0', 16),
    ]) {
      expect(get).toThrow(expect.objectContaining({ code: 'MACHINE' }));
    }
    expect(() => machine.irq('driver0', 'irq')).toThrow("'driver0' has no such line; it has out (4)");
    expect(() => machine.irq('isa0', 16)).toThrow("'isa0' has no such line; it has lines 0 to 15");
    expect(() => machine.irq('nobody')).toThrow('the machine has isa0, driver0, listener0');
  });

  test('a number is a line of the only bus', () => {
    const { vcpu, setLine } = bench(() => {});
    setLine('isa0', 15, true);
    expect(vcpu.waitIrq(15)).toBe(0n);
    for (const bad of [16, -1, 1.5, NaN, 2 ** 53]) expect(() => vcpu.waitIrq(bad)).toThrow(RangeError);
    expect(() => vcpu.waitIrq('15' as never)).toThrow(TypeError);
    const none = testMachine(() => {});
    expect(() => none.vcpu.waitIrq(0)).toThrow('the machine has 0 buses with IRQ lines');
    const two = testMachine((m) => (m.add('isa-bus'), m.add('isa-bus'), undefined));
    expect(() => two.vcpu.onIrq(0, () => {})).toThrow('the machine has 2 buses with IRQ lines');
  });
});

describe('handlers on a VCPU', () => {
  const wired = () => bench((m, { isa, out }) => m.connect(m.output(out, 'out', 0), m.line(isa, 4)));

  test('called between two accesses, once for what has risen since the last look', () => {
    const { vcpu, drive } = wired();
    const seen: string[] = [];
    const stop = vcpu.onIrq(4, () => seen.push('irq'));
    drive(0, true);
    expect(seen).toEqual(['irq']);
    drive(0, false);
    drive(0, true);
    expect(seen).toEqual(['irq', 'irq']);
    stop();
    stop();
    drive(0, false);
    drive(0, true);
    expect(seen).toHaveLength(2);
  });

  test('what has risen before the handler was set does not count', () => {
    const { vcpu, drive } = wired();
    drive(0, true);
    let calls = 0;
    vcpu.onIrq(4, () => calls++);
    vcpu.inb(0x80);
    expect(calls).toBe(0);
  });

  test('handlers do not nest: what rises in a handler comes after it', () => {
    const { vcpu, drive } = wired();
    const seen: string[] = [];
    vcpu.onIrq(4, () => {
      seen.push('in');
      if (seen.length < 4) {
        drive(0, false);
        drive(0, true);
      }
      seen.push('out');
    });
    drive(0, true);
    expect(seen).toEqual(['in', 'out', 'in', 'out', 'in', 'out']);
  });

  test('what a handler throws comes out of the access, and the VCPU goes on', () => {
    const { vcpu, drive } = wired();
    let calls = 0;
    vcpu.onIrq(4, () => {
      calls++;
      throw new Error('in the handler');
    });
    expect(() => drive(0, true)).toThrow('in the handler');
    expect(() => drive(0, false)).not.toThrow();
    expect(() => drive(0, true)).toThrow('in the handler');
    expect(calls).toBe(2);
  });

  test('two handlers on one line', () => {
    const { vcpu, drive } = wired();
    const seen: string[] = [];
    vcpu.onIrq(4, () => seen.push('a'));
    vcpu.onIrq(4, () => seen.push('b'));
    drive(0, true);
    expect(seen).toEqual(['a', 'b']);
  });
});

describe('the event ring', () => {
  const drain = ({ bound }: ReturnType<typeof bench>): MachineEvent[] => {
    const found: MachineEvent[] = [];
    bound.events.drain((event) => found.push(event));
    return found;
  };

  test('level changes are told of only when somebody listens, with the time', () => {
    const b = bench(() => {});
    b.drive(0, true);
    expect(drain(b)).toEqual([]);
    b.bound.control.words[WORD.TAPS] = TAP.IRQ;
    b.clock.step(7n);
    b.drive(0, false);
    b.drive(1, true);
    expect(
      drain(b).map(({ kind, source, value, now }) => [kind, b.bound.blueprint.lines[source]?.name, value, now]),
    ).toEqual([
      [EVENT.IRQ, 'driver0.out[0]', 0, 7n],
      [EVENT.IRQ, 'driver0.out[1]', 1, 7n],
    ]);
    expect(drain(b)).toEqual([]);
  });

  test('when it is full, what comes is counted and lost, and what was there stays', () => {
    const b = bench(() => {});
    for (let n = 0; n < 5000; n++) b.vcpu.inb(n & 0xff);
    const events = drain(b);
    expect(events).toHaveLength(4096);
    expect(events[0]?.message).toContain('0x0:');
    expect(events[4095]?.message).toContain('0xff:');
    expect([b.bound.events.takeLost(), b.bound.events.takeLost()]).toEqual([5000 - 4096, 0]);
    b.vcpu.inb(0x77);
    expect(drain(b).map(({ message }) => message)).toEqual([expect.stringContaining('0x77')]);
    expect(b.bound.events.takeLost()).toBe(0);
  });

  test('goes round and round', () => {
    const b = bench(() => {});
    let read = 0;
    for (let n = 0; n < 20_000; n++) {
      b.vcpu.inb(0x80);
      if (n % 1000 === 999) read += drain(b).length;
    }
    expect([read, b.bound.events.takeLost()]).toEqual([20_000, 0]);
  });

  test('a taker may throw: the event has been taken', () => {
    const b = bench(() => {});
    b.vcpu.inb(1);
    b.vcpu.inb(2);
    expect(() =>
      b.bound.events.drain(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(drain(b).map(({ message }) => message)).toEqual([expect.stringContaining('0x2')]);
  });

  test('long messages are cut, strange characters replaced', () => {
    const { bound } = bench(() => {});
    bound.events.push(EVENT.GUEST_ERROR, 0, -7, -5n, `é\u{1f600}${'x'.repeat(200)}`);
    const [event] = drain({ bound } as never);
    expect(event).toMatchObject({ source: 0, value: -7, now: -5n });
    expect(event?.message).toBe(`é??${'x'.repeat(101)}`);
  });
});

test('a line that oscillates is a fault that names it, not a stack that overflows', () => {
  const { bound, setLine, vcpu } = testMachine((m) => {
    m.add('isa-bus');
    m.add('i8259');
  });
  const line = bound.blueprint.lines.findIndex(({ name }) => name === 'isa0.irq[5]');
  bound.lines.attach(line, 0, (_pin, level) => bound.lines.set(line, !level));
  setLine('isa0', 5, true);
  expect(bound.bus.fault).toMatchObject({
    device: 'pic0',
    message: expect.stringContaining('isa0.irq[5] changes without end'),
  });
  // Others still work.
  bound.bus.fault = undefined;
  setLine('isa0', 6, true);
  vcpu.inb(0x20);
  expect(bound.bus.fault).toBeUndefined();
});
