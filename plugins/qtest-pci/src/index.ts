import { allCases, definePlugin, withDifferences } from '@qtest/sdk';
import { bar } from './bar.ts';
import { bridges } from './bridge.ts';
import { config } from './config.ts';
import { QEMU, V86 } from './differences.ts';
import { eduCases } from './edu.ts';
import { header } from './header.ts';
import { interrupts } from './interrupts.ts';
import { messages } from './messages.ts';
import { options, type PciOptions } from './options.ts';
import { pam } from './pam.ts';
import { smp } from './smp.ts';
import { system } from './system.ts';
import { testdev } from './testdev.ts';
import { testfn } from './testfn.ts';
import { wide } from './wide.ts';

export type { PciOptions };

export default definePlugin({
  name: 'pci',
  description: 'PCI behind a PC’s host bridge: configuration space, BARs, interrupts, DMA, MSI, bridges',
  options,
  devices: [testfn],

  // RAM, the 440FX with a ROM under the last 64 KiB of it, the PIIX3 with the interrupt controllers on its ISA bus, and functions made for
  // tests. The edus in slots 4 to 7 are on the four lines of the bus, and that in slot 8 shares one with that in slot 4. Slot 9 has two
  // functions. Behind the bridge in slot 11 are functions, and a bridge with more behind it, in slots that no function of bus 0 has.
  init(machine, { options: { configAddress } }) {
    machine.ram(0, 1024 * 1024);
    const bus = machine.add('i440fx-pcihost', { configAddress });
    machine.add('i440fx', { bus, slot: 0 });
    machine.rom(0xf_0000, bios());
    const isa = machine.add('piix3', { bus, slot: 1 });
    machine.add('i8259', { bus: isa });
    machine.add('edu', { bus, slot: 4 });
    machine.add('edu', { bus, slot: 5, factorialTime: '1ms' });
    for (const slot of [6, 7, 8]) machine.add('edu', { bus, slot });
    machine.add('pci-testdev', { bus, slot: 9, multifunction: true });
    machine.add('pvpanic-pci', { bus, slot: 9, function: 1 });
    machine.add(testfn, { bus, slot: 10 });
    const behind = machine.add('pci-bridge', { bus, slot: 11 });
    machine.add('edu', { bus: behind, slot: 12 });
    machine.add(testfn, { bus: behind, slot: 13 });
    const deeper = machine.add('pci-bridge', { bus: behind, slot: 14 });
    machine.add('edu', { bus: deeper, slot: 15 });
    machine.add('pci-testdev', { bus: deeper, slot: 16 });
    machine.add(testfn, { bus: deeper, slot: 17 });
  },

  run: withDifferences(
    allCases(config, header, bar, wide, interrupts, messages, bridges, eduCases, testdev, system, pam, smp),
    { qemu: QEMU, v86: V86 },
  ),
});

/** A ROM for the PAM registers to hide: 64 KiB, each dword its own offset and its complement. */
function bios(): Uint8Array {
  const image = new DataView(new ArrayBuffer(0x1_0000));
  for (let at = 0; at < image.byteLength; at += 4) image.setUint32(at, (at | (~at << 16)) >>> 0, true);
  return new Uint8Array(image.buffer);
}
