/**
 * The registers by which a guest's ACPI takes part in hot plug on PCI bus 0, in QEMU's `pc` a part of its PIIX4.
 *
 * Published specification: QEMU, docs/specs/acpi_pci_hotplug.rst. A bit for each slot: UP, which have been plugged; DOWN, which are asked
 * to leave; EJECT, written to let the lowest of its bits go: then both requests for that slot are done with, and `eject` pulses; RMV, which
 * can leave. SEL chooses a bus: only number 0 is there, and of the others nothing is asked. A pulse has no length: it is seen as an edge.
 *
 * Who plugs sets `up` and `down` in its state. UP is cleared by being read. A reset is done with what DOWN asks, as
 * QEMU lets those devices go then.
 *
 * Not modelled: the GPE that tells the guest, with the rest of ACPI; the acpi-index of a device, at 0x14; buses behind bridges.
 */
import { defineDevice, deviceSchema, property, register, type DeviceOf } from '@qtest/sdk';

const UP = register('UP', { offset: 0x00, width: 32, access: 'rc', effect: 'reading clears it' });
const DOWN = register('DOWN', { offset: 0x04, width: 32, access: 'ro' });
const EJECT = register('EJECT', {
  offset: 0x08,
  width: 32,
  access: 'wo',
  effect: 'reads as the features beyond the base set, 0; lets a slot go',
});
const RMV = register('RMV', { offset: 0x0c, width: 32, access: 'ro' });
const SEL = register('SEL', { offset: 0x10, width: 32, reset: 0, effect: 'chooses the bus of the others' });

const SLOTS = 32;
const ALL = 0xffff_ffff;

const schema = deviceSchema({
  type: 'acpi-pci-hotplug',
  idPrefix: 'pcihp',
  description: 'ACPI registers of PCI hot plug',
  properties: {
    ioBase: property.number({ max: 0xffec, default: 0xae00, description: 'first of its twenty ports' }),
    fixed: property.number({ max: ALL, default: 0, description: 'slots, a bit each, that cannot be let go' }),
  },
  state: { up: 'u32', down: 'u32', select: 'u32' },
  regions: ({ ioBase }) => ({ registers: { space: 'io', base: ioBase, size: 0x14, access: { min: 4, max: 4 } } }),
  registers: { registers: { registers: [UP, DOWN, EJECT, RMV, SEL] } },
  outputs: { eject: { count: SLOTS } },
});

type Hotplug = DeviceOf<typeof schema>;

function eject({ state, out }: Hotplug, slots: number): void {
  if (slots === 0) return;
  const slot = 31 - Math.clz32(slots & -slots);
  state.up = (state.up & ~(1 << slot)) >>> 0;
  state.down = (state.down & ~(1 << slot)) >>> 0;
  out.eject.set(true, slot);
  out.eject.set(false, slot);
}

export const acpiPciHotplug = defineDevice(schema, {
  reset({ state }, kind) {
    state.up = kind === 'cold' ? 0 : (state.up & ~state.down) >>> 0;
    state.down = 0;
    state.select = 0;
  },
  regions: {
    registers: {
      read({ state, properties }, offset) {
        if (offset === SEL.offset) return state.select;
        if (state.select !== 0) return offset === RMV.offset ? ALL : 0;
        switch (offset) {
          case UP.offset: {
            const { up } = state;
            state.up = 0;
            return up;
          }
          case DOWN.offset:
            return state.down;
          case RMV.offset:
            return ~properties.fixed >>> 0;
          default:
            return 0;
        }
      },
      write(device, offset, value) {
        if (offset === SEL.offset) device.state.select = value;
        else if (offset === EJECT.offset && device.state.select === 0) eject(device, value);
      },
    },
  },
});
