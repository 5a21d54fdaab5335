import { wantedMachine } from '@qtest/host/testing';
import type { MachineBuilder } from '@qtest/sdk';
import type { Mapping } from '@qtest/sdk/backend';
import { describe, expect, it } from 'vitest';
import { mapMachine, type V86Settings } from './mapping.ts';

function map(init: (machine: MachineBuilder) => void): Mapping<V86Settings> {
  return mapMachine(wantedMachine(init));
}

describe('a machine', () => {
  it('is what v86 has on its board, as far as it goes', () => {
    const { devices, missing, settings } = map(
      (machine) => void machine.pc({ ram: 2 ** 25, rtc: { epoch: '2011-11-11T00:00:00Z' } }),
    );
    expect(settings).toEqual({
      ram: 2 ** 25,
      serial: [{ port: 0, inputs: 0xb0 }],
      epoch: Date.UTC(2011, 10, 11),
      serials: { uart0: 0 },
    });
    expect(Object.keys(missing)).toEqual(['apic0', 'ioapic0']);
    expect(devices.find(({ id }) => id === 'rtc0')?.properties).toMatchObject({ calendar: 'gregorian' });
  });

  it('lacks what v86 has not, has elsewhere, or has once, and what is on it', () => {
    const { missing, holes } = map((machine) => {
      const { isa } = machine.pc({ serial: 2, edu: true, 'pci-bridge': true });
      machine.add('mc146818rtc', { id: 'second', bus: isa, ioBase: 0x170, irq: 9 });
      machine.add('ns16550a', { id: 'odd', bus: isa, ioBase: 0x3e8, irq: 10 });
      machine.add('pvpanic-pci', { id: 'behind', bus: machine.get('bridge0'), slot: 1 });
    });
    expect(missing['edu0']).toBe("v86 cannot offer 'edu0' (edu): it has no such device");
    expect(missing['second']).toContain("v86's pc has it with ioBase 0x70, not 0x170");
    expect(missing['odd']).toContain('COM1 to COM4');
    expect(missing['behind']).toContain("it is on 'bridge0', which v86 does not have either");
    expect(holes).toContainEqual(expect.objectContaining({ space: 'io', base: 0x170, size: 2 }));
  });
});

describe('memory', () => {
  it('is as much as the machine has, in the units of v86', () => {
    expect(map((machine) => machine.ram(0, 4096)).settings.ram).toBe(2 ** 20);
    expect(map((machine) => machine.ram(0, 0x12_1000)).settings.ram).toBe(0x14_0000);
  });

  it('has holes where v86 has something else', () => {
    const { holes } = map((machine) => {
      machine.ram(0, 0x10_0000);
      machine.rom(0x20_0000, new Uint8Array(4096));
    });
    expect(holes.map(({ base, size, reason }) => [base, size, reason])).toEqual([
      [0xa_0000, 0x2_0000, "v86's VGA is where this RAM is"],
      [0x20_0000, 4096, 'v86 cannot be given a ROM at 0x200000'],
      [2 ** 32, 2 ** 53 - 2 ** 32, 'v86 has 32 bits of address'],
    ]);
  });
});
