/**
 * QEMU's PCI-to-PCI bridge, 1b36:0001, with a bus of its own behind it.
 *
 * PCI-to-PCI Bridge Architecture Specification 1.2, chapters 3 to 5 and 9; QEMU, hw/pci-bridge/pci_bridge_dev.c, for identity and
 * decoding: 16 address bits of I/O, 64 of prefetchable memory.
 *
 * Not modelled: the hot-plug controller (SHPC) with its BAR, its interrupt and its MSI, and the slot numbering capability, so that there
 * are no capabilities; and what `definePciBridge` names: errors, latency, discard timers, 66 MHz.
 *
 * Other than QEMU's: while RESET of the bridge control is 1 nothing behind the bridge answers, where QEMU resets and goes on. A DMA from
 * behind needs the bridge's own bus-master bit, and does not come out where it goes to a window of the bridge, where QEMU asks no bridge.
 * A bridge without a secondary bus number forwards no configuration cycle. Nobody sets an error bit of a status register.
 */
import { definePciBridge } from '@qtest/sdk';

export const pciBridge = definePciBridge({
  type: 'pci-bridge',
  idPrefix: 'bridge',
  description: 'PCI-to-PCI bridge',
  pci: { vendor: 0x1b36, device: 0x0001 },
});
