import { describe, expect, it } from 'vitest';
import { peer } from '../../../testing/qemu-peer.ts';
import { controlOf, TraceRing } from '@qtest/machine';
import { Lines } from './channel.ts';
import { EmulatedIrqLine, Irqs } from '../irqs.ts';
import { Qtest } from './protocol.ts';
import { qemuVcpu } from './vcpu.ts';

/** A VCPU in virtual time, which no QEMU of Debian's has: on a peer that has been given the answers. */
function vcpu() {
  const { channel, ...qemu } = peer();
  const control = controlOf(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));
  const irqs = new Irqs(() => {});
  const qtest = new Qtest(
    new Lines(channel, 'qtest'),
    (pin, level) => irqs.change(pin, level),
    () => {},
  );
  const made = qemuVcpu({
    qtest,
    irqs,
    clock: 'virtual',
    trace: new TraceRing(control, 0),
    holes: [
      { space: 'io', base: 0x300, size: 2, reason: 'no lamp' },
      { space: 'memory', base: 0x1000, size: 16, reason: 'no lamp there' },
    ],
    isaLine: (irq) => new EmulatedIrqLine(`isa0.irq[${irq}]`, irq, irqs, () => qtest.poll()),
  });
  return { vcpu: made, ...qemu };
}

describe('the virtual clock', () => {
  it('moves by a step', () => {
    const { vcpu: cpu, answer, asked } = vcpu();
    answer('OK 1000\n');
    expect(cpu.step(1000n)).toBe(1000n);
    expect(asked()).toBe('clock_step 1000\n');
    expect(cpu.now()).toBe(1000n);
  });

  it('stops to look when a handler watches', () => {
    const { vcpu: cpu, answer, asked } = vcpu();
    let handled = 0;
    cpu.onIrq(8, () => handled++);
    answer('IRQ raise 8\nIRQ lower 8\nOK 61035\nIRQ raise 8\nOK 100000\n');
    cpu.step(100_000n);
    expect(asked()).toBe('clock_step 61035\nclock_step 38965\n');
    expect(handled).toBe(2);
  });

  it('goes to the next deadline while it waits', () => {
    const { vcpu: cpu, answer, asked } = vcpu();
    answer('OK 5\nIRQ raise 4\nOK 70\n');
    expect(cpu.waitIrq(4)).toBe(70n);
    expect(asked()).toBe('clock_step\nclock_step\n');
    answer('OK 2000\n');
    answer('IRQ lower 4\nOK 3000\n');
    expect(() => cpu.waitIrq(5, { timeout: 2000n })).toThrow(
      'waitIrq(): the line isa0.irq[5] has not risen within 2us',
    );
    answer('FAIL\n');
    expect(() => cpu.idle()).toThrow(/no timer of QEMU is armed/);
  });
});

describe('where QEMU does not have what is there, the case is skipped', () => {
  const skipped = expect.objectContaining({ name: 'Skipped' });

  it.each([0x300, 0x301, 0x2ff])('port 0x%x', (port) => {
    const { vcpu: cpu } = vcpu();
    expect(() => cpu.inw(port)).toThrow(skipped);
    expect(() => cpu.outl(port, 0)).toThrow('no lamp');
  });

  it('memory', () => {
    const { vcpu: cpu, answer } = vcpu();
    expect(() => cpu.readl(0xffd)).toThrow('no lamp there');
    expect(() => cpu.write(0, new Uint8Array(0x1001))).toThrow(skipped);
    expect(() => cpu.fill(0x100f, 1, 0)).toThrow(skipped);
    answer('OK 0x0000000000000007\nOK 0x0002\n');
    expect(cpu.readl(0x1010)).toBe(7);
    expect(cpu.inb(0x302)).toBe(2);
  });
});

it('what does not fit is a mistake of the test, and reaches no QEMU', () => {
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
