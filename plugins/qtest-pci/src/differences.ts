import type { Differences } from '@qtest/sdk';

// Each says what is done there, in parentheses what the specification has instead, and where in the emulator's source it is done.

const UNASSIGNED =
  'memory where nobody answers reads as 0 (PCI 3.3.3.1: all ones after a master abort); softmmu/memory.c, unassigned_mem_read';
const MASTER =
  'DMA goes by the bus-master bit of the function alone (bridge 3.2.4.3: a bridge without it forwards none); hw/pci/pci.c, pci_init_bus_master';
const EDU_RANGE =
  'a DMA up to the very end of the buffer is taken to be out of it, and one that is out of it ends QEMU (edu.rst: 4096 bytes); hw/misc/edu.c, edu_check_range';
const EVENTFD =
  'a write that a test’s eventfd takes is not counted (pci-testdev.rst: the number of writes detected); softmmu/memory.c, memory_region_dispatch_write_eventfds';

/** What is known to differ on a real QEMU (tried with 7.2), and where its source says so. */
export const QEMU: Differences = {
  'config/mech1/dword-only':
    'CONFIG_ADDRESS can be read by bytes (PCI 3.2.2.3.2: by dwords alone); hw/pci/pci_host.c, pci_host_config_read',
  'bar/memory/kind':
    'the pvpanic-pci has a BAR of two bytes, whose address takes the place of the flags (PCI 6.2.5.1: bits 3:0 are read-only); hw/misc/pvpanic-pci.c, pvpanic_pci_realizefn',
  'bar/memory/disabled-by-command': UNASSIGNED,
  'bar/memory/enable': UNASSIGNED,
  'bar/memory/move': UNASSIGNED,
  'bar/rom-is-none': UNASSIGNED,
  'bridge/reset/machine': UNASSIGNED,
  'edu/dma/unmapped-memory': UNASSIGNED,
  'reset/cf9': UNASSIGNED,
  'reset/cf9-soft': UNASSIGNED,
  'reset/line': UNASSIGNED,
  'random/bar-moves': UNASSIGNED,
  'bar/overlap/host-bridge':
    'an I/O BAR covers the ports of the host bridge (PCI 3.2.2.3.2: the bridge takes them itself); hw/pci/pci.c, pci_update_mappings',
  'pirq/registers':
    'bits 6:4 of PIRQRC keep what is written (82371SB, 2.2.7: reserved); hw/pci/pci.c, pci_init_wmask, which no mask of hw/isa/piix3.c narrows',
  'pirq/edge-loses':
    'a line that is high when its input becomes level-triggered is no request (82371SB, ELCR1: recognised by its level); hw/intc/i8259.c, elcr_ioport_write',
  'bridge/dma/master-bit': MASTER,
  'bridge/dma/nested-master-bit': MASTER,
  'bridge/dma/message': MASTER,
  'edu/dma/round-trip': EDU_RANGE,
  'edu/dma/out-of-range': EDU_RANGE,
  'edu/dma/bus-master-off':
    'a read that the bus-master bit forbids fills the buffer with zeros (PCI 6.2.2: no access is made); hw/misc/edu.c, edu_dma_timer',
  'testdev/mmio': EVENTFD,
  'testdev/io': EVENTFD,
  'testdev/counter': EVENTFD,
  'random/config-writes':
    'Multiple Message Enable can be set beyond what the function can do (PCI 6.8.1.3: no more than requested); hw/pci/msi.c, msi_init',
  'pam/dma': 'with WE alone reads go to RAM too (82441FX, 3.2.17: to PCI); hw/pci-host/pam.c, init_pam',
  'smram/open':
    'without a VGA nothing hides the RAM at A0000h (82441FX, 3.2.20: it is PCI’s); hw/pci-host/i440fx.c, i440fx_init',
  'smram/enable':
    'DOPEN opens without G_SMRAME (82441FX, 3.2.20: G_SMRAME enables all of it); hw/pci-host/i440fx.c, i440fx_update_memory_mappings',
  'smram/lock':
    'DLCK locks nothing (82441FX, 3.2.20: SMRAM becomes read-only); hw/pci-host/i440fx.c, i440fx_write_config',
};

const QUERY =
  'CONFIG_ADDRESS reads as 80000000h where somebody is, and else as 0 (PCI 3.2.2.3.2: as it was written); src/pci.js, pci_query()';
const LATCHED =
  'CONFIG_DATA reads as the dword was when CONFIG_ADDRESS was written (PCI 3.2.2.3.2: as it is); src/pci.js, pci_query()';
const KEPT =
  'bytes and words that are written to configuration space are kept, all bits of them (PCI 6.1: reserved and read-only bits are not); src/pci.js, pci_write8(), pci_write16()';
const FIXED = 'a memory BAR cannot be moved (PCI 6.2.5.1: by software); src/pci.js, pci_write32()';
const ALWAYS =
  'BARs answer whatever the command register says (PCI 6.2.2: with its bits set); src/pci.js, set_io_bars()';
const VGA = 'the memory of its VGA answers at A0000h, whatever SMRAM says (82441FX, 3.2.20); src/vga.js, VGAScreen()';

/** What is known to differ on v86 (tried with 0.5.462), and where its source says so. */
export const V86: Differences = {
  'config/mech1/readback': QUERY,
  'config/mech1/low-bits': QUERY,
  'config/mech1/enable-bit':
    'bit 31 of CONFIG_ADDRESS is not looked at (PCI 3.2.2.3.2: without it there is no configuration access); src/pci.js, pci_query()',
  'config/mech1/dword-only':
    'bytes of CONFIG_ADDRESS can be written and read (PCI 3.2.2.3.2: by dwords alone); src/pci.js, PCI()',
  'config/mech1/byte-lanes': LATCHED,
  'config/mech1/word-lanes': LATCHED,
  'config/mech1/data-keeps-address': LATCHED,
  'config/mech1/absent-function':
    'a byte or a word to a function that is not there throws (PCI 3.2.2.3.4: it is lost); src/pci.js, pci_write8(), pci_write16()',
  'config/header/at-reset':
    'functions are there as a BIOS leaves them, switched on (PCI 6.2.2: the command register is 0); src/ne2k.js, Ne2k()',
  'config/header/read-only': KEPT,
  'config/header/reserved': KEPT,
  'config/header/status-w1c': KEPT,
  'config/header/command-mask': KEPT,
  'config/header/status-with-command':
    'a dword to command and status is ignored (PCI 6.2.2, 6.2.3: it is both); src/pci.js, pci_write32()',
  'bar/io/kind': 'bit 1 of an I/O BAR keeps what is written (PCI 6.2.5.1: reserved, 0); src/pci.js, pci_write32()',
  'bar/io/disabled-by-command': ALWAYS,
  'bar/io/move-by-bytes':
    'a byte of a BAR is kept, and moves nothing (PCI 6.1: byte enables go for each register); src/pci.js, pci_write8()',
  'bar/io/all-ones-is-unmapped':
    'an I/O BAR that is sized answers at the end of the space meanwhile (QEMU: nowhere); src/pci.js, pci_write32()',
  'bar/io/above-64k':
    'of an I/O BAR the lower 16 bits alone are decoded (PCI 3.2.2.1: all 32); src/pci.js, pci_write32()',
  'bar/memory/kind': 'bit 3 of a memory BAR is lost by its sizing (PCI 6.2.5.1: read-only); src/pci.js, pci_write32()',
  'bar/memory/disabled-by-command': ALWAYS,
  'bar/memory/enable': FIXED,
  'bar/memory/move': FIXED,
  'bar/memory/move-takes-effect-at-once': FIXED,
  'bar/memory/move-by-bytes': FIXED,
  'pirq/at-reset': 'the PIRQRC are 0 at reset, IRQ 0 (82371SB, 2.2.7: 80h, routing disabled); src/pci.js, PCI()',
  'pirq/registers': KEPT,
  'random/config-writes': KEPT,
  'smram/open': VGA,
  'smram/enable': VGA,
  'smram/lock':
    'SMRAM is a byte as any other, and DLCK locks nothing (82441FX, 3.2.20: SMRAM becomes read-only); src/pci.js, pci_write8()',
};
