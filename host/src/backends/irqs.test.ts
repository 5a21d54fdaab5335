import { expect, it } from 'vitest';
import { Irqs } from './irqs.ts';

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
