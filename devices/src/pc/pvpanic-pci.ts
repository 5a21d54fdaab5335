/**
 * pvpanic, the device by which a guest tells its host that it has panicked, as a PCI device, 1b36:0011.
 *
 * Published specification: QEMU, docs/specs/pvpanic.rst: "PCI Interface", "Bit Definition". BAR 0 has the register in its first byte,
 * which is that of the ISA device: see pvpanic.ts, also for what is not modelled and what is other than QEMU's.
 *
 * The BAR has 16 bytes, the least that a memory BAR can have, as a guest sees it in QEMU, too; the specification's is one byte long.
 * Behind the register there is nothing.
 */
import { definePciFunction } from '@qtest/sdk';
import { pvpanicOutputs, pvpanicProperties, pvpanicRegion, pvpanicRegisters } from './pvpanic.ts';

const EVENTS = 0;
const FLOATING = 0xff;

export const pvpanicPci = definePciFunction(
  {
    type: 'pvpanic-pci',
    idPrefix: 'pvpanic',
    description: 'pvpanic on the PCI bus',
    properties: pvpanicProperties,
    pci: {
      vendor: 0x1b36,
      device: 0x0011,
      revision: 1,
      classCode: 0x08_8000,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      bars: { mmio: { bar: 0, kind: 'memory32', size: 16 } },
    },
    registers: { mmio: pvpanicRegisters },
    outputs: pvpanicOutputs,
  },
  {
    regions: {
      mmio: {
        read: (device, offset, size, initiator) =>
          offset === EVENTS ? pvpanicRegion.read(device, offset, size, initiator) : FLOATING,
        write(device, offset, value, size, initiator) {
          if (offset === EVENTS) pvpanicRegion.write(device, offset, value, size, initiator);
        },
      },
    },
  },
);
