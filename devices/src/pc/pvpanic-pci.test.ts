import { describe, expect, test } from 'vitest';
import { pci } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

function build({ events: known = 7 } = {}) {
  const machine = testMachine((m) => {
    m.add('i440fx-pcihost');
    m.add('pvpanic-pci', { slot: 6, events: known });
  });
  const fn = pci.host(machine.vcpu).find({ vendor: 0x1b36, device: 0x0011 });
  const base = fn.map(0).address;
  const edges = (): Record<string, number> =>
    Object.fromEntries(
      ['panicked', 'crashloaded', 'shutdown'].map((name) => [name, machine.machine.irq('pvpanic0', name).edges]),
    );
  return { ...machine, fn, base, edges };
}

describe('pvpanic-pci', () => {
  test('config/header', () => {
    const { fn } = build();
    expect(fn.classCode).toBe(0x08_8000);
    expect(fn.readb(pci.HEADER.REVISION_ID)).toBe(1);
    expect(fn.interruptPin).toBe(0);
    expect(fn.bars()).toMatchObject([{ bar: 0, kind: 'memory32', size: 16 }]);
  });

  test('read/what-it-knows', () => {
    for (const events of [7, 3, 1]) {
      const { vcpu, base } = build({ events });
      expect(vcpu.readb(base)).toBe(events);
    }
  });

  test('write/each-event-has-its-output', () => {
    const { vcpu, base, edges } = build();
    vcpu.writeb(base, 1);
    expect(edges()).toEqual({ panicked: 1, crashloaded: 0, shutdown: 0 });
    vcpu.writeb(base, 2);
    vcpu.writeb(base, 4);
    vcpu.writeb(base, 6);
    expect(edges()).toEqual({ panicked: 1, crashloaded: 2, shutdown: 2 });
  });

  test('write/unknown-events-are-reported', () => {
    const { vcpu, base, edges, events } = build({ events: 1 });
    vcpu.writeb(base, 0xfe);
    expect(edges()).toEqual({ panicked: 0, crashloaded: 0, shutdown: 0 });
    expect(events()).toMatchObject([{ kind: 'guestError', device: 'pvpanic0' }]);
  });

  test('rest-of-the-bar/nothing', () => {
    const { vcpu, base, edges } = build();
    vcpu.writeb(base + 1, 1);
    expect(vcpu.readb(base + 1)).toBe(0xff);
    expect(vcpu.readl(base)).toBe(0xffff_ff07);
    expect(edges()).toEqual({ panicked: 0, crashloaded: 0, shutdown: 0 });
  });

  test('decoding/off-at-reset', () => {
    const { vcpu, base, machine, edges } = build();
    machine.reset();
    vcpu.writeb(base, 1);
    expect(edges()).toMatchObject({ panicked: 0 });
  });
});
