import { expect, it } from 'vitest';
import { Builder } from '@qtest/machine';
import { knownDevices } from '../../../test/support/machine.ts';
import { Irqs, pinOf } from './irqs.ts';

it('counts rises, since the reset and for its watchers', () => {
  const handled: number[] = [];
  const irqs = new Irqs((_kind, pin) => handled.push(pin));
  const stop = irqs.watch(8, () => {
    // A handler during a handler waits.
    if (irqs.handled === 1) irqs.change(9, true);
    irqs.take();
    irqs.change(8, false);
  });
  irqs.watch(9, () => irqs.change(9, false));
  irqs.change(8, true);
  irqs.change(8, true);
  expect([irqs.level(8), irqs.edges(8)]).toEqual([true, 1]);
  irqs.take();
  expect(handled).toEqual([8, 9]);
  irqs.change(8, true);
  irqs.forget();
  irqs.take();
  expect(handled, 'what rose before the reset is forgotten').toHaveLength(2);
  expect([irqs.edges(8), irqs.rises(8), irqs.level(8)]).toEqual([0, 2, true]);
  irqs.change(8, false);
  irqs.change(8, true);
  stop();
  irqs.take();
  expect(handled).toHaveLength(2);
});

it('takes vectors where the emulator acknowledges, one after another, unless interrupts are off', () => {
  const pending = [0x70, 0x71];
  const told: [string, number][] = [];
  const irqs = new Irqs(
    (kind, number) => told.push([kind, number]),
    () => pending.shift(),
  );
  irqs.take();
  expect(pending, 'nobody has asked for any').toHaveLength(2);
  irqs.enabled = false;
  irqs.onVector(0x70, () => irqs.take());
  const stop = irqs.onVector(0x71, () => {});
  expect(pending).toHaveLength(2);
  irqs.enabled = true;
  irqs.take();
  expect(told).toEqual([
    ['vector', 0x70],
    ['vector', 0x71],
  ]);
  expect(irqs.handled).toBe(2);
  stop();
  pending.push(0x71);
  expect(() => irqs.take()).toThrow('delivered vector 0x71, and no handler is set for it; there are 0x70');
});

it('takes what an emulator has counted itself', () => {
  let handled = 0;
  const irqs = new Irqs(() => {});
  irqs.watch(8, () => handled++);
  irqs.update(8, false, 3);
  irqs.take();
  expect([handled, irqs.level(8), irqs.edges(8)]).toEqual([1, false, 3]);
  irqs.forget();
  expect(irqs.edges(8)).toBe(0);
});

it('an IRQ is seen at the pin of the I/O APIC that it alone drives', () => {
  const builder = new Builder('realtime', knownDevices([]));
  builder.pc({ edu: true, 'pc-testdev': true, serial: 3 });
  const { blueprint } = builder.seal();
  const pin = (line: string): number | undefined =>
    pinOf(
      blueprint,
      blueprint.lines.findIndex(({ name }) => name === line),
    );
  expect(pin('isa0.irq[8]')).toBe(8);
  expect(pin('rtc0.irq')).toBe(8);
  expect(pin('uart1.irq')).toBe(3);
  expect(pin('uart0.irq'), 'COM3 drives it too').toBeUndefined();
  expect(pin('pci0.irq[0]')).toBeUndefined();
});
