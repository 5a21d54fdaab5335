import type { Connection } from '@qtest/sdk/backend';
import { describe, expect, it } from 'vitest';
import { controlOf, TraceRing } from '@qtest/machine';
import { EmulatedIrqLine, Irqs } from './irqs.ts';
import { busOf, EmulatedVcpu } from './vcpu.ts';
import { VirtualTime } from './virtual-time.ts';

/** An emulator of 64 KiB of RAM and a timer, which raises IRQ 4 and lets it fall again every `period` ns; without one it is not armed. */
class Ticking implements Connection {
  readonly ram = new Uint8Array(0x1_0000);
  readonly steps: bigint[] = [];
  readonly irqs: Irqs;
  readonly period: bigint | undefined;
  now = 0n;

  constructor(irqs: Irqs, period?: bigint) {
    this.irqs = irqs;
    this.period = period;
  }

  in(port: number, size: number): number {
    return port === 0x80 ? 2 ** (8 * size) : port;
  }

  out(): void {}

  read(address: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.ram[address + i] ?? 0);
    return value;
  }

  write(address: number, value: number, size: number): void {
    for (let i = 0; i < size; i++) this.ram[address + i] = value >>> (8 * i);
  }

  look(): void {}

  reset(): undefined {}

  readonly clock = {
    step: (ns: bigint): bigint => {
      this.steps.push(ns);
      const end = this.now + ns;
      while (this.#next !== undefined && this.#next <= end) this.#tick(this.#next);
      this.now = end;
      return end;
    },
    stepToDeadline: (): bigint | undefined => {
      if (this.#next !== undefined) this.#tick(this.#next);
      return this.period === undefined ? undefined : this.now;
    },
  };

  get #next(): bigint | undefined {
    return this.period === undefined ? undefined : (this.now / this.period + 1n) * this.period;
  }

  #tick(at: bigint): void {
    this.now = at;
    this.irqs.change(4, true);
    this.irqs.change(4, false);
  }
}

function vcpu(period?: bigint): { vcpu: EmulatedVcpu; emulator: Ticking } {
  const control = controlOf(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));
  const irqs = new Irqs(() => {});
  const emulator = new Ticking(irqs, period);
  const made = new EmulatedVcpu({
    bus: busOf(emulator),
    time: new VirtualTime({ clock: emulator.clock, irqs, emulator: 'Ticking' }),
    irqs,
    trace: new TraceRing(control, 0),
    holes: [
      { space: 'io', base: 0x300, size: 2, reason: 'no lamp' },
      { space: 'memory', base: 0x1000, size: 16, reason: 'no lamp there' },
    ],
    emulator: 'Ticking',
    noAcknowledge: undefined,
    isaLine: (irq) => new EmulatedIrqLine(`isa0.irq[${irq}]`, irq, irqs, () => {}),
  });
  return { vcpu: made, emulator };
}

describe('the virtual clock', () => {
  it('moves by a step', () => {
    const { vcpu: cpu, emulator } = vcpu();
    expect(cpu.step(1000n)).toBe(1000n);
    expect(emulator.steps).toEqual([1000n]);
    expect(cpu.now()).toBe(1000n);
  });

  it('stops to look when a handler watches', () => {
    const { vcpu: cpu, emulator } = vcpu(50_000n);
    let handled = 0;
    cpu.onIrq(4, () => handled++);
    cpu.step(100_000n);
    expect(emulator.steps).toEqual([61_035n, 38_965n]);
    expect(handled).toBe(2);
  });

  it('goes to the next deadline while it waits', () => {
    const { vcpu: cpu } = vcpu(70n);
    expect(cpu.waitIrq(4)).toBe(70n);
    expect(() => cpu.waitIrq(5, { timeout: 2000n })).toThrow(
      'waitIrq(): the line isa0.irq[5] has not risen within 2us',
    );
    expect(() => vcpu().vcpu.idle()).toThrow(/no timer of Ticking is armed/);
  });

  it('must go on, and be there', () => {
    const { vcpu: cpu, emulator } = vcpu();
    emulator.clock.step = () => 0n;
    expect(() => cpu.step(5n)).toThrow('Ticking: clock.step() gave 0: expected a time in ns, a bigint, after 0');
    const irqs = new Irqs(() => {});
    expect(() => new VirtualTime({ clock: undefined, irqs, emulator: 'Ticking' })).toThrow(/has no 'clock'/);
  });
});

it('bulk accesses are single ones, where the emulator has no others', () => {
  const { vcpu: cpu } = vcpu();
  cpu.write(0x100, Uint8Array.of(1, 2, 3));
  cpu.fill(0x103, 2, 9);
  expect([...cpu.read(0x100, 6)]).toEqual([1, 2, 3, 9, 9, 0]);
  expect(cpu.readl(0x100)).toBe(0x0903_0201);
});

it.each([
  ['inb', 256, '0xff'],
  ['inw', 65_536, '0xffff'],
  ['inl', 2 ** 32, '0xffffffff'],
] as const)('an answer to %s that does not fit is a mistake of the emulator', (call, answer, most) => {
  const { vcpu: cpu } = vcpu();
  expect(() => cpu[call](0x80)).toThrow(
    `Ticking answers ${call}(0x80) with ${answer}: expected an integer from 0 to ${most}`,
  );
});

describe('where the emulator does not have what is there, the case is skipped', () => {
  const skipped = expect.objectContaining({ name: 'Skipped' });

  it.each([0x300, 0x301, 0x2ff])('port 0x%x', (port) => {
    const { vcpu: cpu } = vcpu();
    expect(() => cpu.inw(port)).toThrow(skipped);
    expect(() => cpu.outl(port, 0)).toThrow('no lamp');
  });

  it('memory', () => {
    const { vcpu: cpu, emulator } = vcpu();
    expect(() => cpu.readl(0xffd)).toThrow('no lamp there');
    expect(() => cpu.write(0, new Uint8Array(0x1001))).toThrow(skipped);
    expect(() => cpu.fill(0x100f, 1, 0)).toThrow(skipped);
    emulator.write(0x1010, 7, 4);
    expect(cpu.readl(0x1010)).toBe(7);
    expect(cpu.inw(0x302)).toBe(0x302);
  });
});

it('what does not fit is a mistake of the test, and reaches no emulator', () => {
  const { vcpu: cpu } = vcpu();
  for (const call of [
    () => cpu.outb(0x70, 0x100),
    () => cpu.outl(0x70, -1),
    () => cpu.writew(0, 0x1_0000),
    () => cpu.inl(0x1_0000),
    () => cpu.readb(-1),
    () => cpu.fill(0, 1, 256),
    () => cpu.onInterrupt(256, () => {}),
  ])
    expect(call).toThrow(RangeError);
});
