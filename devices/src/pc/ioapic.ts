/**
 * Intel 82093AA I/O APIC: 24 interrupt inputs, each with an entry of the redirection table that says to which local APICs it goes.
 *
 * Data sheets: Intel 82093AA (290566), sections 2.4, "Interrupt Signals", and 3, "Register description"; Intel 82801FB (ICH6), "EOIR", for
 * the EOI register, which is there with `version` 0x20 and later.
 *
 * An interrupt is a message: a write to `lapic`, where the address says to whom and the data what (SDM volume 3, "Message Signalled
 * Interrupts"), in the place of the part's three-wire APIC bus. A local APIC's end of interrupt is one too: a device's write to the
 * EOI register, whatever the version. It may come from inside an access to that local APIC, which no device may enter again then: what
 * is to be sent anew goes out as soon as the access is over, at the same instant.
 *
 * An edge at a masked input is forgotten; a level waits until it is unmasked (section 3.2.4, "Interrupt Mask"). NMI, SMI, INIT and ExtINT
 * go out on edges, whatever the trigger mode says ("Delivery Mode"). An entry that is made edge-triggered loses its remote IRR, by which
 * software ends an interrupt where there is no EOI register.
 *
 * Not modelled: the APIC bus, so that a message is never pending (DELIVS is 0) or refused: the remote IRR is set with it; arbitration. A
 * physical destination has 8 bits, as in later parts.
 *
 * Other than QEMU's, which ignores INTPOL; asks the 8259A for an ExtINT's vector when it sends it; and answers the arbitration ID with
 * the ID, which is what it is after each write of that; and keeps the reserved bits of an entry.
 */
import { array, bytes, defineDevice, deviceSchema, property, type DeviceOf, type Initiator } from '@qtest/sdk';
import { ioapic as part, lapic } from '@qtest/parts/pc';

const { EOI, IOAPICARB, IOAPICID, IOAPICVER, IOREDTBL, IOREDTBL_HIGH, IOREGSEL, IOWIN, PINS, TABLE } = part;
const { DELIVERY, MESSAGE_ADDRESS, MESSAGE_DATA } = lapic;

/** The first version with an EOI register. */
const VERSION_WITH_EOI = 0x20;
/** A delivery mode that is none. */
const RESERVED_MODE = 3;

const schema = deviceSchema({
  type: 'ioapic',
  description: 'Intel 82093AA I/O APIC',
  properties: {
    base: property.number({ default: part.BASE, max: 0xffff_f000, description: 'address of its registers, 4 KiB' }),
    version: property.number({
      default: IOAPICVER.VERSION.get(IOAPICVER.reset ?? 0),
      max: 0xff,
      description: 'what IOAPICVER says; from 0x20 on there is an EOI register',
    }),
    lapic: property.number({
      default: lapic.BASE,
      max: 0xfff0_0000,
      description: 'address of the MiB to which it writes interrupt messages',
    }),
  },
  // Arrays have one element for each input.
  state: {
    select: 'u8',
    id: 'u32',
    /** Levels at the inputs, a bit each. They are the pins', not the part's: a warm reset leaves them. */
    levels: 'u32',
    low: array('u32', PINS),
    destination: bytes(PINS),
  },
  regions: ({ base }) => ({ registers: { space: 'memory', base, size: part.SIZE, access: { min: 4, max: 4 } } }),
  registers: {
    registers: {
      registers: [IOREGSEL, IOWIN, EOI],
      indexed: {
        index: IOREGSEL.offset,
        data: IOWIN.offset,
        mask: IOREGSEL.ADDRESS.mask,
        registers: part.REGISTERS,
      },
    },
  },
  timers: ['resend'],
  inputs: { intin: { count: PINS } },
});

type IoApic = DeviceOf<typeof schema>;

export const ioapic = defineDevice(schema, {
  reset({ state, timers }) {
    timers.resend.cancel();
    state.select = 0;
    state.id = 0;
    state.low.fill(IOREDTBL.reset ?? 0);
    state.destination.fill(0);
  },
  regions: { registers: { read, write } },
  timers: { resend: sendLevels },
  inputs: { intin: changeInput },
});

// Interrupts.

function changeInput(device: IoApic, pin: number, high: boolean): void {
  const { state } = device;
  const bit = 1 << pin;
  state.levels = high ? state.levels | bit : state.levels & ~bit;
  const low = state.low.get(pin);
  // Most of the time nobody has unmasked it.
  if (IOREDTBL.MASK.test(low) || high === IOREDTBL.INTPOL.test(low)) return;
  if (isLevel(low)) sendLevel(device, pin);
  else send(device, pin, low);
}

/** Whether an entry sends for as long as its input is active. */
function isLevel(low: number): boolean {
  return IOREDTBL.TRIGGER.test(low) && IOREDTBL.DELMOD.get(low) <= DELIVERY.lowest;
}

/** Sends the interrupt of a level-triggered input that is active, unless a local APIC has not ended the last one. */
function sendLevel(device: IoApic, pin: number): void {
  const { state } = device;
  const low = state.low.get(pin);
  if (!isLevel(low) || IOREDTBL.MASK.test(low) || IOREDTBL.REMOTE_IRR.test(low)) return;
  const high = (state.levels & (1 << pin)) !== 0;
  if (high === IOREDTBL.INTPOL.test(low)) return;
  state.low.set(pin, low | IOREDTBL.REMOTE_IRR.mask);
  send(device, pin, low);
}

function sendLevels(device: IoApic): void {
  for (let pin = 0; pin < PINS; pin++) sendLevel(device, pin);
}

function send({ state, properties, dma, guestError }: IoApic, pin: number, low: number): void {
  const mode = IOREDTBL.DELMOD.get(low);
  if (mode === RESERVED_MODE || mode === DELIVERY.sipi) {
    guestError(`interrupt at input ${pin}, whose delivery mode ${mode} is reserved: not sent`);
    return;
  }
  let address = MESSAGE_ADDRESS.DEST.set(0, state.destination.get(pin));
  address = MESSAGE_ADDRESS.RH.set(address, Number(mode === DELIVERY.lowest));
  address = MESSAGE_ADDRESS.DESTMOD.set(address, IOREDTBL.DESTMOD.get(low));
  let data = MESSAGE_DATA.VECTOR.set(MESSAGE_DATA.LEVEL.mask, IOREDTBL.INTVEC.get(low));
  data = MESSAGE_DATA.DELMOD.set(data, mode);
  data = MESSAGE_DATA.TRIGGER.set(data, Number(isLevel(low)));
  dma.writel(properties.lapic + address, data);
}

/** Section 3.2.4, "Remote IRR": reset by an EOI with the entry's vector. */
function endOfInterrupt(device: IoApic, vector: number): void {
  const { state, timers } = device;
  let any = false;
  for (let pin = 0; pin < PINS; pin++) {
    const low = state.low.get(pin);
    if (!IOREDTBL.REMOTE_IRR.test(low) || IOREDTBL.INTVEC.get(low) !== vector) continue;
    state.low.set(pin, IOREDTBL.REMOTE_IRR.set(low, 0));
    any = true;
  }
  if (any) timers.resend.arm(device.now());
}

// The registers.

function read(device: IoApic, offset: number): number {
  const { state } = device;
  switch (offset) {
    case IOREGSEL.offset:
      return state.select;
    case IOWIN.offset:
      return readSelected(device);
    default:
      if (offset !== EOI.offset || !hasEoi(device)) reportReserved(device, 'read', offset);
      return 0;
  }
}

function write(device: IoApic, offset: number, value: number, _size: number, { kind }: Initiator): void {
  const { state } = device;
  if (offset === IOREGSEL.offset) state.select = IOREGSEL.ADDRESS.get(value);
  else if (offset === IOWIN.offset) writeSelected(device, value);
  else if (offset === EOI.offset && (kind === 'device' || hasEoi(device))) endOfInterrupt(device, value & 0xff);
  else reportReserved(device, 'write', offset);
}

function hasEoi({ properties }: IoApic): boolean {
  return properties.version >= VERSION_WITH_EOI;
}

function readSelected(device: IoApic): number {
  const { state, properties } = device;
  const { select } = state;
  switch (select) {
    case IOAPICID.offset:
    case IOAPICARB.offset:
      return state.id;
    case IOAPICVER.offset:
      return IOAPICVER.VERSION.set(IOAPICVER.reset ?? 0, properties.version);
    default: {
      const pin = pinOf(select);
      if (pin !== undefined)
        return isHigh(select) ? IOREDTBL_HIGH.DEST.set(0, state.destination.get(pin)) : state.low.get(pin);
      reportReserved(device, 'read', select, 'IOREGSEL');
      return 0;
    }
  }
}

function writeSelected(device: IoApic, value: number): void {
  const { state } = device;
  const { select } = state;
  const pin = pinOf(select);
  if (select === IOAPICID.offset) state.id = IOAPICID.write(state.id, value);
  else if (select === IOAPICVER.offset || select === IOAPICARB.offset)
    device.guestError(`write to the read-only register ${select}`);
  else if (pin === undefined) reportReserved(device, 'write', select, 'IOREGSEL');
  else if (isHigh(select)) state.destination.set(pin, IOREDTBL_HIGH.DEST.get(value));
  else {
    const low = IOREDTBL.write(state.low.get(pin), value);
    state.low.set(pin, isLevel(low) ? low : IOREDTBL.REMOTE_IRR.set(low, 0));
    sendLevel(device, pin);
  }
}

/** The input whose entry is selected. */
function pinOf(select: number): number | undefined {
  const pin = (select - TABLE) >> 1;
  return pin >= 0 && pin < PINS ? pin : undefined;
}

function isHigh(select: number): boolean {
  return (select & 1) !== 0;
}

function reportReserved(device: IoApic, what: string, at: number, where = 'offset'): void {
  device.guestError(`${what} of the reserved register at ${where} 0x${at.toString(16)}`);
}
