/**
 * Intel 440FX PCI and memory controller (Intel 82441FX data sheet, order number 290549), as the PC has it: the host bridge with
 * configuration mechanism #1 at 0xCF8/0xCFC (PCI Local Bus Specification 3.0, 3.2.2.3.2), and the function 0:0.0 with its PAM
 * and SMRAM registers.
 *
 * Not modelled: DRAM timing, ECC, PMC error registers, the turbo reset control register (the PIIX3's is used), AGP.
 * SMM itself: no processor is ever in it, so that RAM at 0xA0000 shows while SMRAM.DOPEN has it open, and DCLS changes nothing. PCICMD and PCISTS are QEMU's: all bits that a function can have, 0 at reset, where the part's have MAE and BME
 * hardwired to 1 and a DEVSEL of 01.
 *
 * Differences: QEMU opens the SMRAM by DOPEN alone, and DLCK locks nothing (`smram: 'qemu'`); a reset of any kind clears DLCK, which the
 * data sheet leaves to power-on. QEMU keeps bits 1:0 of what is written to 0xCF8 and ORs them into the offset (`configAddress: 'qemu'`, the default);
 * the specification has them hardwired to zero (`'strict'`). Bytes and words at 0xCF8 to 0xCFB go through to what lies below, where
 * QEMU reads CONFADD and ignores the write. PCICMD.PARITY can be written, and the subsystem's IDs are 0, where QEMU has 1af4:1100. A read that goes beyond the 256 bytes of a function gives ones there, and not zeroes.
 */
import {
  defineDevice,
  definePciFunction,
  deviceSchema,
  property,
  register,
  ro,
  rw,
  type Device,
  type DeviceOf,
  type PciDevice,
  type StateArray,
} from '@qtest/sdk';

/** CONFADD, the dword at 0xCF8. RESERVED is kept, as QEMU keeps all 32 bits; LOW is not when strict. */
export const CONFADD = register('CONFADD', {
  offset: 0,
  width: 32,
  reset: 0,
  fields: {
    ENABLE: rw(31),
    RESERVED: rw(30, 24),
    BUS: rw(23, 16),
    SLOT: rw(15, 11),
    FUNCTION: rw(10, 8),
    REGISTER: rw(7, 2),
    LOW: rw(1, 0),
  },
  volatile: ['LOW'],
});

const host = deviceSchema({
  type: 'i440fx-pcihost',
  idPrefix: 'pci',
  description: '440FX host bridge: PCI bus 0 and its configuration mechanism',
  properties: {
    configAddress: property.oneOf(['qemu', 'strict'], {
      default: 'qemu',
      description: 'bits 1:0 of CONFADD: kept and added, as QEMU; or zero, as the specification',
    }),
  },
  // The lines of the bus are the PIIX3's PIRQA to PIRQD, to which slot 1's INTA to INTD go in order.
  provides: { name: 'pci', irqs: 4, shared: true, swizzle: -1 },
  state: { address: 'u32' },
  regions: () => ({
    // Only an access of 32 bits is CONFADD's; others go through to what lies below, as the PIIX3's reset control at 0xCF9.
    // The bridge answers itself before anything on PCI can.
    address: {
      space: 'io',
      base: 0xcf8,
      size: 4,
      priority: 2,
      access: { min: 4, max: 4, strict: true, transparent: true },
    },
    data: { space: 'io', base: 0xcfc, size: 4, priority: 2, access: { min: 1, max: 4, unaligned: true } },
  }),
  registers: { address: { registers: [CONFADD] } },
});

type HostBridge = DeviceOf<typeof host>;

/** The address in configuration space that an access to CONFDATA reaches; undefined while the mechanism is off. LOW is 0 when strict. */
function target({ state }: HostBridge, offset: number): number | undefined {
  const { address } = state;
  if (!CONFADD.ENABLE.test(address)) return undefined;
  const at =
    (CONFADD.BUS.get(address) << 20) | (CONFADD.SLOT.get(address) << 15) | (CONFADD.FUNCTION.get(address) << 12);
  return at | (CONFADD.REGISTER.get(address) << 2) | CONFADD.LOW.get(address) | offset;
}

export const i440fxHost = defineDevice(host, {
  reset({ state }) {
    state.address = CONFADD.reset ?? 0;
  },
  regions: {
    address: {
      read: ({ state }) => state.address,
      write({ state, properties }, _offset, value) {
        state.address = properties.configAddress === 'strict' ? CONFADD.LOW.set(value, 0) : value;
      },
    },
    data: {
      read(device, offset, size) {
        const at = target(device, offset);
        return at === undefined ? 0xffff_ffff : device.config.read(at, size);
      },
      write(device, offset, value, size) {
        const at = target(device, offset);
        if (at !== undefined) device.config.write(at, value, size);
      },
    },
  },
});

/** Programmable attribute map, 0x59 to 0x5F (data sheet, 3.2.17): read and write enables of the areas from 0xC0000 on. */
const PAM = Array.from({ length: 7 }, (_, n) =>
  register(`PAM${n}`, {
    offset: 0x59 + n,
    reset: 0,
    fields: { HIGH_WE: rw(5), HIGH_RE: rw(4), LOW_WE: rw(1), LOW_RE: rw(0) },
    effect: 'which accesses to its two areas go to RAM, and not to PCI',
  }),
);

/** System management RAM control (data sheet, 3.2.20). */
const SMRAM = register('SMRAM', {
  offset: 0x72,
  reset: 0x02,
  fields: { DOPEN: rw(6), DCLS: rw(5), DLCK: rw(4), G_SMRAME: rw(3), C_BASE_SEG: ro(2, 0) },
  effect: 'whether RAM answers at 0xA0000, and not PCI; DLCK, until a reset, clears DOPEN and keeps both',
  volatile: ['DOPEN', 'DLCK'],
});

/** What PAM and SMRAM steer: PAM0 has one area, in its high half; the others two of 16 KiB, the lower in the low half. */
const AREAS = [
  { base: 0xa_0000, size: 0x2_0000 },
  { base: 0xf_0000, size: 0x1_0000 },
  ...Array.from({ length: 12 }, (_, n) => ({ base: 0xc_0000 + n * 0x4000, size: 0x4000 })),
] as const;

/** The bits of a PAM register that steer area `n`, from its read enable on. */
function pamBits(config: StateArray, n: number): number {
  const half = n - 2;
  return n === 1 ? config.get(0x59) >> 4 : config.get(0x5a + (half >> 1)) >> (half % 2 === 0 ? 0 : 4);
}

export const i440fx = definePciFunction(
  {
    type: 'i440fx',
    idPrefix: 'pmc',
    description: '440FX PCI and memory controller, the function 0:0.0',
    pci: { vendor: 0x8086, device: 0x1237, revision: 0x02, classCode: 0x06_0000, slot: 0, registers: [...PAM, SMRAM] },
    properties: {
      smram: property.oneOf(['datasheet', 'qemu'], {
        default: 'datasheet',
        description: 'DOPEN needs G_SMRAME and gives way to DLCK, as the data sheet; or opens by itself, as QEMU',
      }),
    },
    state: { locked: 'bool' },
    shadow: AREAS,
  },
  {
    reset({ state }) {
      state.locked = false;
    },
    configWritten(device, offset, size) {
      if (offset <= SMRAM.offset && offset + size > SMRAM.offset && device.properties.smram === 'datasheet')
        lock(device);
      device.remap();
    },
    shadow({ state: { config }, properties }, n) {
      if (n > 0) {
        const bits = pamBits(config, n);
        return { read: (bits & 1) !== 0, write: (bits & 2) !== 0 };
      }
      const smram = config.get(SMRAM.offset);
      const open = SMRAM.DOPEN.test(smram) && (SMRAM.G_SMRAME.test(smram) || properties.smram === 'qemu');
      return { read: open, write: open };
    },
  },
);

/** DLCK resets DOPEN, and both are read-only from then on until the next reset. */
function lock({ state }: PciDevice & Device<{}, { readonly locked: 'bool' }>): void {
  const { config } = state;
  const written = config.get(SMRAM.offset);
  state.locked ||= SMRAM.DLCK.test(written);
  if (state.locked) config.set(SMRAM.offset, SMRAM.DLCK.set(SMRAM.DOPEN.set(written, 0), 1));
}
