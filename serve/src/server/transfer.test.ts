import { expect, it } from 'vitest';
import { Builder, createMachine, transferState, type BoundMachine, registryOf } from '@qtest/machine';
import { ServedMachine } from './served-machine.ts';
import { knownDevices } from '../../../test/support/machine.ts';

function pc(hasEdu: boolean): BoundMachine {
  const known = knownDevices([]);
  const builder = new Builder('virtual', known);
  builder.pc({ hpet: true, edu: hasEdu });
  return createMachine(builder, registryOf(known));
}

it.each([
  [false, true],
  [true, false],
])('takes over time, RAM, devices, timers and lines (edu %s → %s)', (before, after) => {
  const machine = new ServedMachine(pc(before));
  const cmos = (index: number): number => {
    machine.ioWrite(0x70, index, 1);
    return machine.ioRead(0x71, 1);
  };
  machine.write(0x7f_f000, 0xfeed_face, 4);
  machine.ioWrite(0x70, 0x40, 1);
  machine.ioWrite(0x71, 0x5a, 1);
  // The periodic interrupt is pending, and its line is high.
  machine.ioWrite(0x70, 0x0b, 1);
  machine.ioWrite(0x71, 0x42, 1);
  machine.advance(10_000_000n);
  const from = machine.bound;
  const irq8 = (bound: BoundMachine): number =>
    (bound.blueprint.devices.find(({ busName }) => busName === 'isa')?.busLine ?? 0) + 8;
  expect(from.lines.level(irq8(from))).toBe(true);
  const deadlines = (bound: BoundMachine): unknown =>
    bound.blueprint.timers
      .map(({ device, name }, timer) => [bound.devices[device]?.id, name, bound.time.deadline(timer)] as const)
      .filter(([id, , deadline]) => id !== 'edu0' && deadline >= 0n);
  const armed = deadlines(from);
  expect(armed).not.toEqual([]);

  const to = pc(after);
  to.lock.acquire();
  transferState(from, to);
  to.lock.release();
  machine.replace(to);

  expect(machine.now).toBe(10_000_000n);
  expect(to.time.next).toBe(from.time.next);
  expect(deadlines(to)).toEqual(armed);
  expect(machine.read(0x7f_f000, 4)).toBe(0xfeed_face);
  expect(cmos(0x40)).toBe(0x5a);
  expect(to.lines.level(irq8(to))).toBe(true);
  expect(cmos(0x0c)).toBe(0xc0);
  expect(to.lines.level(irq8(to))).toBe(false);
  machine.advance(20_000_000n);
  expect(to.lines.level(irq8(to))).toBe(true);
  machine.ioWrite(0xcf8, 0x8000_1000, 4);
  expect(machine.ioRead(0xcfc, 4)).toBe(after ? 0x11e8_1234 : 0xffff_ffff);
});
