import type { Differences } from '@qtest/sdk';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'config/mech1/dword-only': 'CONFIG_ADDRESS can be read by bytes; hw/pci/pci_host.c, pci_host_config_read',
  'bar/memory/disabled-by-command': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'bar/memory/enable': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'bar/memory/move': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'bar/rom-is-none': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'bridge/reset/machine': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'edu/dma/unmapped-memory': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'reset/cf9': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'reset/cf9-soft': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'reset/line': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'random/bar-moves': 'memory where nobody answers reads as 0; system/memory.c, unassigned_mem_read',
  'bar/overlap/host-bridge': 'an I/O BAR covers the ports of the host bridge; hw/pci/pci.c, pci_update_mappings',
  'pirq/registers':
    'bits 6:4 of PIRQRC keep what is written; hw/isa/piix3.c, whose configuration space has no masks there',
  'pirq/edge-loses': 'a write to ELCR does not look at the lines; hw/intc/i8259.c, elcr_ioport_write',
  'bridge/dma/master-bit': 'DMA goes by the bus-master bit of the function alone; hw/pci/pci.c, pci_init_bus_master',
  'bridge/dma/nested-master-bit':
    'DMA goes by the bus-master bit of the function alone; hw/pci/pci.c, pci_init_bus_master',
  'bridge/dma/message': 'DMA goes by the bus-master bit of the function alone; hw/pci/pci.c, pci_init_bus_master',
  'edu/dma/round-trip':
    'a DMA that it takes to be out of its buffer, as one of all of it, ends QEMU; hw/misc/edu.c, edu_check_range',
  'edu/dma/out-of-range':
    'a DMA that it takes to be out of its buffer, as one of all of it, ends QEMU; hw/misc/edu.c, edu_check_range',
  'edu/dma/bus-master-off': 'the buffer is overwritten although nothing was read; hw/misc/edu.c, edu_dma_timer',
  'testdev/mmio': 'its counters are eventfds, which count under KVM alone; hw/misc/pci-testdev.c',
  'testdev/io': 'its counters are eventfds, which count under KVM alone; hw/misc/pci-testdev.c',
  'testdev/counter': 'its counters are eventfds, which count under KVM alone; hw/misc/pci-testdev.c',
  'random/config-writes': 'Multiple Message Enable can be set beyond what the function can do; hw/pci/msi.c, msi_init',
  'pam/dma': 'with WE alone reads go to RAM too; hw/pci-host/pam.c, init_pam',
  'smram/open': 'without a VGA nothing hides the RAM at A0000h; hw/pci-host/i440fx.c, i440fx_init',
  'smram/enable': 'DOPEN opens without G_SMRAME; hw/pci-host/i440fx.c, i440fx_update_memory_mappings',
  'smram/lock': 'DLCK locks nothing; hw/pci-host/i440fx.c',
};

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'config/mech1/dword-only': 'bytes of CONFIG_ADDRESS can be written and read; src/pci.js, PCI()',
  'config/mech1/absent-function': 'a write to a function that is not there throws; src/pci.js, pci_write8()',
  'config/header/read-only':
    'bytes and words that are written to the header are kept, all of them; src/pci.js, pci_write8()',
  'config/header/reserved':
    'bytes and words that are written to the header are kept, all of them; src/pci.js, pci_write8()',
  'config/header/status-w1c':
    'bytes and words that are written to the header are kept, all of them; src/pci.js, pci_write8()',
  'pirq/registers': 'bytes and words that are written to the header are kept, all of them; src/pci.js, pci_write8()',
  'random/config-writes':
    'bytes and words that are written to the header are kept, all of them; src/pci.js, pci_write8()',
  'smram/open': 'the memory of its VGA answers at 0xa0000, whatever SMRAM says; src/vga.js',
  'smram/enable': 'the memory of its VGA answers at 0xa0000, whatever SMRAM says; src/vga.js',
  'smram/lock': 'SMRAM is a byte as any other, and DLCK locks nothing; src/pci.js, pci_write8()',
};
