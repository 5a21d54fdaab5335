/**
 * pvpanic, the device by which a guest tells its host that it has panicked, as an ISA device.
 *
 * Published specification: QEMU, docs/specs/pvpanic.rst: "ISA Interface", "Bit Definition". One register: reading it gives the events
 * that the device knows (property `events`), writing it reports those whose bits are set; unknown ones are ignored.
 *
 * Each event has an output that pulses; nothing is wired to these pins by itself. A pulse has no length: a test sees it as an edge,
 * not as a level.
 *
 * The register and what it needs (`pvpanicProperties`, `pvpanicOutputs`, `pvpanicRegisters`, `pvpanicRegion`) know of no bus: the PCI
 * device has them behind its BAR 0.
 *
 * Not modelled: what becomes of the machine (QEMU stops it on a panic and shuts it down on a shutdown), the ACPI device, the fw_cfg
 * file etc/pvpanic-port.
 *
 * Other than QEMU's: several bits in one write are several events, where QEMU takes the lowest alone; an event that `events` leaves
 * out is ignored, where QEMU honours it.
 */
import {
  defineDevice,
  deviceSchema,
  property,
  register,
  reserved,
  ro,
  type Output,
  type RegionBehaviour,
} from '@qtest/sdk';

const EVENTS = register('EVENTS', {
  offset: 0,
  fields: { ZERO: reserved(7, 3), SHUTDOWN: ro(2), CRASHLOADED: ro(1), PANICKED: ro(0) },
  effect: 'reads as the events that the device knows; writing reports those whose bits are 1',
});

/** Every event of the specification. */
const ALL = EVENTS.PANICKED.mask | EVENTS.CRASHLOADED.mask | EVENTS.SHUTDOWN.mask;

export const pvpanicProperties = {
  events: property.number({
    max: ALL,
    default: ALL,
    description: 'events that it knows, by their bits in the register',
  }),
};

export const pvpanicOutputs = { panicked: {}, crashloaded: {}, shutdown: {} };

export const pvpanicRegisters = { registers: [EVENTS] };

/** As much of a device as the register needs. */
interface Pvpanic {
  readonly properties: { readonly events: number };
  readonly out: Readonly<Record<keyof typeof pvpanicOutputs, Output>>;
  guestError(message: string): void;
}

export const pvpanicRegion: RegionBehaviour<Pvpanic> = {
  read: ({ properties }) => properties.events,
  write(device, _offset, value) {
    const { properties, out } = device;
    const unknown = value & ~properties.events;
    if (unknown !== 0) device.guestError(`unknown events 0x${unknown.toString(16)}`);
    const known = value & properties.events;
    if (EVENTS.PANICKED.test(known)) pulse(out.panicked);
    if (EVENTS.CRASHLOADED.test(known)) pulse(out.crashloaded);
    if (EVENTS.SHUTDOWN.test(known)) pulse(out.shutdown);
  },
};

function pulse(output: Output): void {
  output.set(true);
  output.set(false);
}

const schema = deviceSchema({
  type: 'pvpanic',
  description: 'pvpanic on the ISA bus',
  bus: 'isa',
  properties: {
    ioBase: property.number({ max: 0xffff, default: 0x505, description: 'its port' }),
    ...pvpanicProperties,
  },
  regions: ({ ioBase }) => ({ port: { space: 'io', base: ioBase, size: 1 } }),
  registers: { port: pvpanicRegisters },
  outputs: pvpanicOutputs,
});

export const pvpanic = defineDevice(schema, { regions: { port: pvpanicRegion } });
