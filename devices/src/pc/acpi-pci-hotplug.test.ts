import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../test/support/machine.ts';

const [UP, DOWN, EJECT, RMV, SEL] = [0xae00, 0xae04, 0xae08, 0xae0c, 0xae10] as const;

function build({ fixed = 0, up = 0, down = 0 } = {}) {
  const harness = testMachine((m) => m.add('acpi-pci-hotplug', { fixed }));
  const state = harness.bound.context('pcihp0')?.state;
  if (state === undefined) throw new Error('it has a state');
  Object.assign(state, { up, down });
  const ejected = (): number[] =>
    Array.from({ length: 32 }, (_, slot) => slot).filter(
      (slot) => harness.machine.irq('pcihp0', 'eject', slot).edges > 0,
    );
  return { ...harness, ejected };
}

describe('acpi-pci-hotplug', () => {
  test('requests/up-is-cleared-by-a-read-and-down-is-not', () => {
    const { vcpu } = build({ up: 0x8000_0010, down: 0x20 });
    expect([vcpu.inl(UP), vcpu.inl(UP)]).toEqual([0x8000_0010, 0]);
    expect([vcpu.inl(DOWN), vcpu.inl(DOWN)]).toEqual([0x20, 0x20]);
  });

  test.each([
    [0x10, [4]],
    [0x8000_0000, [31]],
    [0x18, [3]],
    [0, []],
  ])('eject/%i-lets-the-lowest-go', (slots, gone) => {
    const { vcpu, ejected } = build({ up: 0xffff_ffff, down: 0xffff_ffff });
    vcpu.outl(EJECT, slots);
    expect(ejected()).toEqual(gone);
    const left = 0xffff_ffff - gone.reduce((sum, slot) => sum + 2 ** slot, 0);
    expect([vcpu.inl(DOWN), vcpu.inl(UP)]).toEqual([left, left]);
    expect(vcpu.inl(EJECT)).toBe(0);
  });

  test('removable/all-but-the-fixed', () => {
    expect(build({ fixed: 3 }).vcpu.inl(RMV)).toBe(0xffff_fffc);
  });

  test('select/only-bus-0-is-there', () => {
    const { vcpu, ejected } = build({ up: 1, down: 1 });
    vcpu.outl(SEL, 1);
    expect([UP, DOWN, RMV, SEL].map((port) => vcpu.inl(port))).toEqual([0, 0, 0xffff_ffff, 1]);
    vcpu.outl(EJECT, 1);
    expect(ejected()).toEqual([]);
    vcpu.outl(SEL, 0);
    expect([vcpu.inl(DOWN), vcpu.inl(UP)]).toEqual([1, 1]);
  });

  test('reset/forgets-who-is-to-leave-and-keeps-who-has-come', () => {
    const { vcpu, machine } = build({ up: 6, down: 4 });
    vcpu.outl(SEL, 9);
    machine.reset();
    expect([vcpu.inl(SEL), vcpu.inl(DOWN), vcpu.inl(UP)]).toEqual([0, 0, 2]);
  });
});
