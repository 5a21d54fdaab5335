import { describe, expect, test } from 'vitest';
import { testMachine, type TestMachine } from '../../../test/support/machine.ts';

/** A PIC, initialised as a PC's: vectors from 0x08 and 0x70, everything unmasked. */
function bench(): TestMachine & { readonly eoi: (slave?: boolean) => void; readonly pulse: (irq: number) => void } {
  const harness = testMachine((m) => {
    m.ram(0, 0x1000);
    m.add('isa-bus');
    m.add('i8259');
  });
  const { vcpu, setLine } = harness;
  for (const [base, vector, cascade] of [
    [0x20, 0x08, 4],
    [0xa0, 0x70, 2],
  ] as const) {
    vcpu.outb(base, 0x11);
    vcpu.outb(base + 1, vector);
    vcpu.outb(base + 1, cascade);
    vcpu.outb(base + 1, 0x01);
    vcpu.outb(base + 1, 0);
  }
  return {
    ...harness,
    eoi: (slave = false) => {
      if (slave) vcpu.outb(0xa0, 0x20);
      vcpu.outb(0x20, 0x20);
    },
    pulse: (irq) => {
      setLine('isa0', irq, true);
    },
  };
}

describe('onInterrupt', () => {
  test('the handler of the vector that the controller delivers, at the access that raised it', () => {
    const { vcpu, eoi, pulse } = bench();
    const seen: number[] = [];
    for (const irq of [3, 8]) {
      const vector = irq < 8 ? 0x08 + irq : 0x70 + irq - 8;
      vcpu.onInterrupt(vector, () => {
        seen.push(vector);
        eoi(irq >= 8);
      });
    }
    pulse(3);
    expect(seen).toEqual([0x0b]);
    pulse(8);
    expect(seen).toEqual([0x0b, 0x70]);
  });

  test('while cli() is in force they wait; sti() takes them, in the order of their priority', () => {
    const { vcpu, eoi, pulse } = bench();
    const seen: number[] = [];
    for (const irq of [1, 3, 5]) {
      vcpu.onInterrupt(0x08 + irq, () => {
        seen.push(irq);
        eoi();
      });
    }
    vcpu.cli();
    for (const irq of [5, 3, 1]) pulse(irq);
    vcpu.inb(0x80);
    expect(seen).toEqual([]);
    vcpu.sti();
    expect(seen).toEqual([1, 3, 5]);
  });

  test('they do not nest: a higher one comes after the handler', () => {
    const { vcpu, eoi, pulse } = bench();
    const seen: string[] = [];
    vcpu.onInterrupt(0x0d, () => {
      seen.push('5 in');
      pulse(1);
      vcpu.inb(0x80);
      eoi();
      seen.push('5 out');
    });
    vcpu.onInterrupt(0x09, () => {
      seen.push('1');
      eoi();
    });
    pulse(5);
    expect(seen).toEqual(['5 in', '5 out', '1']);
  });

  test('what is up already is taken as soon as a handler is set', () => {
    const { vcpu, eoi, pulse } = bench();
    pulse(4);
    let calls = 0;
    vcpu.onInterrupt(0x0c, () => {
      calls++;
      eoi();
    });
    expect(calls).toBe(1);
  });

  test('a vector without a handler is an error that names both', () => {
    const { vcpu, pulse } = bench();
    vcpu.onInterrupt(0x0c, () => {});
    expect(() => pulse(6)).toThrow('delivered vector 0xe, and no handler is set for it; there are 0xc');
  });

  test('the last handler that is set is the one; ended, the vector has none', () => {
    const { vcpu, eoi, pulse } = bench();
    const seen: string[] = [];
    const endFirst = vcpu.onInterrupt(0x0c, () => void seen.push('first'));
    const endSecond = vcpu.onInterrupt(0x0c, () => {
      seen.push('second');
      eoi();
    });
    endFirst();
    pulse(4);
    expect(seen).toEqual(['second']);
    endSecond();
    pulse(5);
    expect(seen).toEqual(['second']);
  });

  test('idle() ends with an interrupt, and with a watched line', () => {
    const { vcpu, eoi, pulse, clock } = bench();
    vcpu.onInterrupt(0x0b, () => eoi());
    pulse(3);
    expect(() => vcpu.idle({ timeout: 10n })).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
    expect(clock.now).toBe(10n);
  });

  test('without a controller', () => {
    const { vcpu } = testMachine((m) => void m.add('isa-bus'));
    expect(() => vcpu.onInterrupt(8, () => {})).toThrow(
      'onInterrupt(0x8): nothing drives INTR of VCPU 0; add an interrupt controller',
    );
  });

  test('of a VCPU that has none', () => {
    const of = (controller: 'i8259' | 'apic', vcpus: number) => {
      const machine = testMachine((m) => (m.add('isa-bus'), m.add(controller)), { vcpus });
      return () => machine.vcpus.at(-1)?.onInterrupt(0x40, () => {});
    };
    expect(of('i8259', 2)).toThrow(
      'onInterrupt(0x40): nothing drives INTR of VCPU 1; only VCPU 0 has one: give the machine a local APIC for 2 CPUs',
    );
    expect(of('apic', 4)).toThrow('nothing drives INTR of VCPU 3; only VCPU 0 has one: give the machine a local APIC');
    expect(of('apic', 1)).not.toThrow();
  });

  test('a handler that throws leaves interrupts working', () => {
    const { vcpu, eoi, pulse } = bench();
    let calls = 0;
    vcpu.onInterrupt(0x0c, () => {
      calls++;
      eoi();
      if (calls === 1) throw new Error('in the handler');
    });
    expect(() => pulse(4)).toThrow('in the handler');
    vcpu.outb(0x80, 0);
    expect(calls).toBe(1);
  });

  test('an interrupt that comes while time is stepped over is taken at its time', () => {
    const { vcpu, eoi, machine, clock } = testMachineWithRtc();
    const seen: bigint[] = [];
    vcpu.onInterrupt(0x70, () => {
      seen.push(clock.now);
      vcpu.outb(0x70, 0x0c);
      vcpu.inb(0x71);
      eoi(true);
    });
    vcpu.outb(0x70, 0x0a);
    vcpu.outb(0x71, 0x26);
    vcpu.outb(0x70, 0x0b);
    vcpu.outb(0x71, 0x42);
    clock.step('1s');
    expect(seen).toHaveLength(1024);
    const gaps = new Set(seen.slice(1).map((at, n) => Number(at - (seen[n] ?? 0n))));
    expect([...gaps].every((gap) => gap === 976_562 || gap === 976_563)).toBe(true);
    expect(machine.irq('rtc0').level).toBe(false);
  });
});

function testMachineWithRtc() {
  const harness = testMachine((m) => {
    m.add('isa-bus');
    m.add('i8259');
    m.add('mc146818rtc');
  });
  const { vcpu } = harness;
  for (const [base, vector, cascade] of [
    [0x20, 0x08, 4],
    [0xa0, 0x70, 2],
  ] as const) {
    for (const [port, value] of [
      [0, 0x11],
      [1, vector],
      [1, cascade],
      [1, 0x01],
      [1, 0],
    ] as const) {
      vcpu.outb(base + port, value);
    }
  }
  return {
    ...harness,
    eoi: (slave: boolean): void => {
      if (slave) vcpu.outb(0xa0, 0x20);
      vcpu.outb(0x20, 0x20);
    },
  };
}

describe('an interrupt storm', () => {
  const storm = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'STORM') return error.message;
      throw error;
    }
    return 'none';
  };

  test('onInterrupt: a level that the handler does not clear names vector, handler, place, calls and line', () => {
    const { vcpu, eoi, pulse, clock } = bench();
    // Level-triggered.
    vcpu.outb(0x4d0, 1 << 5);
    clock.step('3us');
    vcpu.onInterrupt(0x0d, function onDisk() {
      eoi();
    });
    const message = storm(() => pulse(5));
    expect(message).toMatch(/^interrupt storm of vector 0xd: its handler \('onDisk', set at \S+:\d+\)/);
    expect(message).toContain('10000 times at 3us');
    expect(message).toContain('isa0.irq[5]');
  });

  test('onIrq: a line that the handler itself raises again', () => {
    const { vcpu, pulse, setLine } = bench();
    let calls = 0;
    const end = vcpu.onIrq(3, () => {
      calls++;
      setLine('isa0', 3, false);
      setLine('isa0', 3, true);
    });
    const message = storm(() => pulse(3));
    expect(message).toMatch(
      /^interrupt storm of the IRQ line isa0\.irq\[3\]: its handler \(without a name, set at \S+:\d+\)/,
    );
    expect(calls).toBe(10_000);
    end();
    expect(storm(() => vcpu.inb(0x80))).toBe('none');
  });

  test('many interrupts in a row are none where time moves on', () => {
    const { vcpu, eoi, machine, clock } = testMachineWithRtc();
    let calls = 0;
    vcpu.onInterrupt(0x70, () => {
      calls++;
      vcpu.outb(0x70, 0x0c);
      vcpu.inb(0x71);
      // The next one comes before this handler has returned.
      clock.step('1ms');
      eoi(true);
      if (calls === 12_000) vcpu.cli();
    });
    vcpu.outb(0x70, 0x0a);
    vcpu.outb(0x71, 0x26);
    vcpu.outb(0x70, 0x0b);
    vcpu.outb(0x71, 0x42);
    clock.step('1ms');
    expect(calls).toBe(12_000);
    expect(machine.irq('rtc0').edges).toBeGreaterThan(11_000);
  });

  test('nor is what the test itself raises, however often', () => {
    const { vcpu, setLine } = bench();
    let calls = 0;
    vcpu.onIrq(3, () => void calls++);
    for (let n = 0; n < 20_000; n++) {
      setLine('isa0', 3, true);
      setLine('isa0', 3, false);
    }
    expect(calls).toBe(20_000);
  });
});
