import { wantedMachine } from '@qtest/host/testing';
import type { MachineBuilder } from '@qtest/sdk';
import type { Mapping } from '@qtest/sdk/backend';
import { describe, expect, it } from 'vitest';
import { mapMachine, type QemuSettings } from './command-line.ts';

function map(init: (machine: MachineBuilder) => void): Mapping<QemuSettings> {
  return mapMachine(wantedMachine(init));
}

const words = ({ settings }: Mapping<QemuSettings>): string => settings.args.join(' ');

describe('a machine', () => {
  it('is what QEMU has on its board, as far as it goes', () => {
    const mapping = map((machine) => void machine.pc({ ram: 2 ** 25 }));
    expect(words(mapping)).toBe('-m 32M -rtc base=2000-01-01T00:00:00,clock=vm -serial chardev:serial0');
    expect(mapping.settings.chardevs).toEqual(['uart0']);
    // All but the local APICs.
    expect(Object.keys(mapping.missing)).toEqual(['apic0']);
    expect(mapping.holes.map(({ space, base }) => [space, base])).toEqual([['memory', 0xfee0_0000]]);
    expect(mapping.devices.map(({ id }) => id)).toContain('fw_cfg0');
  });

  it('has what was asked for beside it', () => {
    const mapping = map((machine) => {
      machine.pc({
        serial: 0,
        hpet: { timers: 4 },
        ib700: { action: 'inject-nmi' },
        pvpanic: true,
        'pc-testdev': true,
      });
      machine.add('edu', { slot: 10, multifunction: true });
      machine.add('edu', { slot: 10, function: 1, dmaMask: 0xffff });
      machine.qemu({ args: ['-device', 'lamp'] });
    });
    expect(words(mapping)).toBe(
      '-m 128M -rtc base=2000-01-01T00:00:00,clock=vm ' +
        '-machine hpet=on -global hpet.timers=4 -global hpet.hpet-intcap=4 ' +
        '-device pvpanic,ioport=1285,events=7 -device ib700 -action watchdog=inject-nmi -device pc-testdev ' +
        '-device edu,addr=a.0,multifunction=on,dma_mask=268435455,bus=pci.0 ' +
        '-device edu,addr=a.1,multifunction=off,dma_mask=65535,bus=pci.0 -device lamp',
    );
  });

  it('has what is behind bridges', () => {
    const mapping = map((machine) => {
      const bus = machine.add('i440fx-pcihost');
      const bridge = machine.add('pci-bridge', { bus, slot: 11 });
      const deeper = machine.add('pci-bridge', { bus: bridge, slot: 14 });
      machine.add('pci-testdev', { bus: deeper, slot: 16 });
    });
    const [, ...devices] = words(mapping).split(' -device ');
    expect(devices).toEqual([
      `pci-bridge,addr=b.0,multifunction=off,bus=pci.0,id=${mapping.devices[1]?.id},chassis_nr=1`,
      `pci-bridge,addr=e.0,multifunction=off,bus=${mapping.devices[1]?.id},id=${mapping.devices[2]?.id},chassis_nr=2`,
      `pci-testdev,addr=10.0,multifunction=off,bus=${mapping.devices[2]?.id}`,
    ]);
  });

  it('counts serial ports as QEMU does', () => {
    const mapping = map((machine) => {
      const isa = machine.add('isa-bus');
      machine.add('ns16550a', { id: 'fourth', bus: isa, ioBase: 0x2e8, irq: 3 });
      machine.add('ns16550a', { id: 'first', bus: isa });
      machine.add('ns16550a', { id: 'odd', bus: isa, ioBase: 0x300, irq: 5 });
      const wired = machine.add('ns16550a', { id: 'wired', bus: isa, ioBase: 0x3e8, irq: -1 });
      machine.connect(machine.output(wired, 'irq'), machine.line(isa, 10));
    });
    expect(words(mapping)).toContain('-serial chardev:serial0 -serial none -serial none -serial chardev:serial1');
    expect(mapping.settings.chardevs).toEqual(['first', 'fourth']);
    expect(Object.keys(mapping.missing)).toEqual(['odd', 'wired']);
  });
});

describe('what QEMU cannot offer is left out, with the reason', () => {
  const mapping = map((machine) => {
    const isa = machine.add('isa-bus');
    machine.add('mc146818rtc', { bus: isa });
    machine.add('mc146818rtc', { id: 'moved', bus: isa, ioBase: 0x72, irq: 9 });
    machine.add('isa-testdev', { bus: isa });
    machine.ram(0, 2 ** 21);
    machine.ram(0x1000_0000, 4096);
    machine.rom(0xf000_0000, new Uint8Array(10));
  });

  it('a device at another place', () => {
    expect(mapping.devices.map(({ id }) => id)).toEqual(['isa0', 'rtc0']);
    expect(mapping.missing).toEqual({
      moved: `QEMU cannot offer 'moved' (mc146818rtc): QEMU's pc has it with ioBase 0x70, not 0x72`,
      testdev0: `QEMU cannot offer 'testdev0' (isa-testdev): it knows no such device`,
    });
  });

  it('and its ports and memory with it', () => {
    expect(mapping.holes.map(({ space, base, size }) => [space, base, size])).toEqual([
      ['io', 0x72, 2],
      ['io', 0x300, 8],
      ['io', 0x308, 4],
      ['io', 0x30c, 4],
      ['io', 0x310, 16],
      ['memory', 0xa_0000, 0x6_0000],
      ['memory', 0xf000_0000, 4096],
    ]);
    expect(words(mapping)).toContain(`-m ${0x1000_0000 / 2 ** 20 + 1}M`);
  });

  it('but for what the plugin says that its arguments provide', () => {
    const provided = map((machine) => {
      const isa = machine.add('isa-bus');
      const device = machine.add('isa-testdev', { bus: isa });
      machine.qemu({ args: ['-device', 'isa-testdev'], provides: [device] });
    });
    expect(provided.missing).toEqual({});
    expect(words(provided)).toBe('-m 1M -device isa-testdev');
  });
});

it('a device has the properties that it has in QEMU', () => {
  const { devices } = map((machine) => {
    machine.add('isa-bus');
    machine.add('mc146818rtc', { calendar: 'counter-chain', updateCycle: '1984us', epoch: '2011-11-11T00:00:00Z' });
  });
  expect(devices.find(({ id }) => id === 'rtc0')?.properties).toMatchObject({
    epoch: '2011-11-11T00:00:00Z',
    calendar: 'gregorian',
    updateCycle: '0',
    periodicFlag: 'enabled',
  });
});
