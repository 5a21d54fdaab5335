/**
 * Intel 8259A programmable interrupt controller, the PC's cascaded pair with edge/level control.
 *
 * Data sheets: Intel 8259A/8259A-2 (order number 231468); Intel 82371SB (PIIX3), "ELCR1, ELCR2", for the edge/level control;
 * Intel application note AP-59 for what ICW1 clears beyond the data sheet's list (ISR, rotation in automatic EOI mode).
 *
 * The slave's INT is wired to IR2 of the master, so pin 2 of `ir` is not connected; IRQ n ≥ 8 is IR(n − 8) of the slave.
 * Both INTA cycles of an 8086 are one `acknowledge`.
 *
 * A request must stay until its acknowledge ("IR triggering timing requirements"). If it falls before, INT stays up until
 * the acknowledge, which then finds nothing and gives the vector of IR7 with no ISR bit set; this is what the property
 * `fallenRequest` calls `datasheet`. When it happens in the slave, IR2 stays in service in the master. With `latched` an
 * edge-triggered request stays in the IRR, and a level-triggered one takes INT down with it, as in QEMU.
 *
 * Before its first ICW1 the pair behaves as in QEMU: cascaded, nothing masked, vectors 0 to 7 for both.
 *
 * Not modelled: MCS-80/85 mode (vectors come as in 8086 mode), and the buffered mode's pins, which the PC does not use.
 */
import { bytes, defineDevice, deviceSchema, property, type DeviceOf, type RegionBehaviour } from '@qtest/sdk';
import { i8259 as part } from '@qtest/parts/pc';

const { CASCADE, ELCR1, ELCR2, ICW1, ICW2, ICW3_SLAVE, ICW4, IRR, OCW1, OCW2, OCW3, OCW3_SELECT, POLL, SPURIOUS } =
  part;

/** Index of a chip in the state's arrays. */
type Chip = typeof MASTER | typeof SLAVE;
const MASTER = 0;
const SLAVE = 1;
const PAIR = 2;

/** No level: what `resolve` gives when there is nothing to acknowledge. */
const NONE = -1;
/** What a read gives when no chip drives the data bus. */
const FLOATING = 0xff;

const port = (base: number, description: string) =>
  property.number({ default: base, max: 0xfffe, description }) satisfies { default: number };

const schema = deviceSchema({
  type: 'i8259',
  idPrefix: 'pic',
  description: 'Pair of 8259A interrupt controllers',
  bus: 'isa',
  properties: {
    masterBase: port(part.MASTER_BASE, "Port of the master's A0 = 0"),
    slaveBase: port(part.SLAVE_BASE, "Port of the slave's A0 = 0"),
    elcrBase: port(part.ELCR_BASE, "Port of the master's edge/level control; the slave's follows; 0 leaves them out"),
    elcrMask: property.number({ default: 0xf8, max: 0xff, description: "Bits of the master's ELCR that can be set" }),
    slaveElcrMask: property.number({
      default: 0xde,
      max: 0xff,
      description: "Bits of the slave's ELCR that can be set",
    }),
    fallenRequest: property.oneOf(['datasheet', 'latched'], {
      default: 'datasheet',
      description: 'What becomes of a request that falls before its acknowledge',
    }),
  },
  // One element for each chip, the master first.
  state: {
    /** Levels at IR0 to IR7. They are the pins', not the chip's: a warm reset leaves them. */
    lines: bytes(PAIR),
    /** Edge sense: inputs that have risen, and since then have neither been acknowledged nor, unless latched, fallen. */
    edges: bytes(PAIR),
    /** Requests that have fallen while they held INT up. */
    fallen: bytes(PAIR),
    imr: bytes(PAIR),
    isr: bytes(PAIR),
    /** Level of lowest priority; the one above it, modulo 8, has the highest. */
    lowest: bytes(PAIR),
    /** Edge/level control: 1 is level-triggered. */
    elcr: bytes(PAIR),
    icw1: bytes(PAIR),
    icw2: bytes(PAIR),
    icw3: bytes(PAIR),
    icw4: bytes(PAIR),
    /** Number of the ICW that the next write at A0 = 1 is, 2 to 4; 0 when it is OCW1. */
    nextIcw: bytes(PAIR),
    /** RIS of OCW3: 1 when a read at A0 = 0 gives the ISR. */
    readIsr: bytes(PAIR),
    specialMask: bytes(PAIR),
    rotateOnAutoEoi: bytes(PAIR),
    /** 1 between a poll command and the read that it turns into an acknowledge. */
    polling: bytes(PAIR),
    /** The IRR as the poll command froze it. */
    frozen: bytes(PAIR),
  },
  regions: ({ masterBase, slaveBase, elcrBase }) => ({
    master: { space: 'io', base: masterBase, size: 2 },
    slave: { space: 'io', base: slaveBase, size: 2 },
    elcr: { space: 'io', size: 2, ...(elcrBase === 0 ? {} : { base: elcrBase }) },
  }),
  registers: {
    master: { registers: [IRR, OCW1] },
    slave: { registers: [IRR, OCW1] },
    elcr: { registers: [ELCR1, ELCR2] },
  },
  outputs: { int: { intr: true } },
  inputs: { ir: { count: 16, bus: true } },
});

type Pic = DeviceOf<typeof schema>;

function reset({ state }: Pic): void {
  for (const chip of [MASTER, SLAVE] as const) {
    clear(state, chip);
    for (const word of [state.icw1, state.icw2, state.icw4, state.elcr]) word.set(chip, 0);
  }
  state.icw3.set(MASTER, 1 << CASCADE);
  state.icw3.set(SLAVE, CASCADE);
}

/** What ICW1 clears (data sheet, "ICW1 and ICW2", a to f; AP-59, "ICW1"). An input must fall and rise again to request. */
function clear(state: Pic['state'], chip: Chip): void {
  for (const requests of [state.edges, state.fallen, state.frozen]) requests.set(chip, 0);
  for (const register of [state.imr, state.isr, state.nextIcw]) register.set(chip, 0);
  for (const flag of [state.readIsr, state.specialMask, state.rotateOnAutoEoi, state.polling]) flag.set(chip, 0);
  state.lowest.set(chip, 7);
}

/** Inputs that are level-triggered: by LTIM all, else by the ELCR. */
function levelTriggered({ state }: Pic, chip: Chip): number {
  return ICW1.LTIM.test(state.icw1.get(chip)) ? 0xff : state.elcr.get(chip);
}

/** Interrupt request register. */
function irr(device: Pic, chip: Chip): number {
  const { state } = device;
  const level = levelTriggered(device, chip);
  return (state.edges.get(chip) & ~level) | (state.lines.get(chip) & level);
}

/**
 * Priority resolver: the level among `requests` that the next acknowledge grants, going by mask, service and rotation
 * (data sheet, "Fully nested mode", "Special fully nested mode", "Special mask mode"); NONE also during initialisation.
 */
function resolve({ state }: Pic, chip: Chip, requests: number): number {
  if (state.nextIcw.get(chip) !== 0) return NONE;
  const imr = state.imr.get(chip);
  const asking = requests & ~imr;
  if (asking === 0) return NONE;
  const blocking = state.specialMask.get(chip) === 1 ? state.isr.get(chip) & ~imr : state.isr.get(chip);
  // A slave in service does not lock itself out, so that its higher levels can interrupt its lower ones.
  const nesting = chip === MASTER && ICW4.SFNM.test(state.icw4.get(chip)) ? state.icw3.get(chip) : 0;
  const lowest = state.lowest.get(chip);
  for (let rank = 1; rank <= 8; rank++) {
    const level = (lowest + rank) & 7;
    const bit = 1 << level;
    if ((asking & bit & (~blocking | nesting)) !== 0) return level;
    if ((blocking & bit) !== 0) return NONE;
  }
  return NONE;
}

/** INT of a chip. */
function asserted(device: Pic, chip: Chip): boolean {
  const { state } = device;
  // Most of the time nobody asks.
  if ((state.edges.get(chip) | state.lines.get(chip) | state.fallen.get(chip)) === 0) return false;
  return resolve(device, chip, irr(device, chip) | state.fallen.get(chip)) !== NONE;
}

function updateIrq(device: Pic): void {
  drive(device, MASTER, CASCADE, asserted(device, SLAVE));
  device.out.int.set(asserted(device, MASTER));
}

/** Level `high` at input `level` of a chip. */
function drive(device: Pic, chip: Chip, level: number, high: boolean): void {
  const { state } = device;
  const bit = 1 << level;
  const lines = state.lines.get(chip);
  if (((lines & bit) !== 0) === high) return;
  if (high) {
    state.edges.set(chip, state.edges.get(chip) | bit);
  } else if (device.properties.fallenRequest === 'datasheet') {
    if (resolve(device, chip, irr(device, chip) & bit) === level) state.fallen.set(chip, state.fallen.get(chip) | bit);
    state.edges.set(chip, state.edges.get(chip) & ~bit);
  } else {
    state.edges.set(chip, state.edges.get(chip) & ~(bit & levelTriggered(device, chip)));
  }
  state.lines.set(chip, lines ^ bit);
}

function changeInput(device: Pic, pin: number, high: boolean): void {
  if (pin === CASCADE) return;
  drive(device, pin < 8 ? MASTER : SLAVE, pin & 7, high);
  updateIrq(device);
}

/**
 * Takes the highest of `requests` into service and lowers INT, as the first INTA or the read of a poll does.
 * Gives its level, or NONE when no request is left.
 */
function grant(device: Pic, chip: Chip, requests: number): number {
  const { state } = device;
  const level = resolve(device, chip, requests);
  state.fallen.set(chip, 0);
  if (level !== NONE) {
    const bit = 1 << level;
    state.isr.set(chip, state.isr.get(chip) | bit);
    state.edges.set(chip, state.edges.get(chip) & ~bit);
    state.frozen.set(chip, state.frozen.get(chip) & ~bit);
  }
  // The slave's INT falls even when it has another request, or the master would see no edge for that one.
  if (chip === SLAVE) drive(device, MASTER, CASCADE, false);
  return level;
}

/** The INTA cycles of an 8086 (data sheet, "Interrupt sequence" and "Cascade mode"). Gives the vector. */
function acknowledge(device: Pic): number {
  const { state } = device;
  const level = grant(device, MASTER, irr(device, MASTER));
  let vector: number;
  if (level === NONE || !hasSlave(state, level)) {
    vector = vectorOf(state, MASTER, level);
  } else if (state.icw3.get(SLAVE) !== level) {
    device.guestError(`INTA of IR${level}: no slave has this ID (its ICW3 is ${state.icw3.get(SLAVE)})`);
    vector = FLOATING;
  } else {
    vector = vectorOf(state, SLAVE, grant(device, SLAVE, irr(device, SLAVE)));
    endAutomatically(device, SLAVE);
  }
  endAutomatically(device, MASTER);
  updateIrq(device);
  return vector;
}

/** Whether the master leaves the vector of `level` to a slave. */
function hasSlave(state: Pic['state'], level: number): boolean {
  return !ICW1.SNGL.test(state.icw1.get(MASTER)) && (state.icw3.get(MASTER) & (1 << level)) !== 0;
}

function vectorOf(state: Pic['state'], chip: Chip, level: number): number {
  return state.icw2.get(chip) | (level === NONE ? SPURIOUS : level);
}

/** The non-specific EOI that AEOI mode performs at the end of an acknowledge. */
function endAutomatically(device: Pic, chip: Chip): void {
  if (!ICW4.AEOI.test(device.state.icw4.get(chip))) return;
  endOfInterrupt(device, chip, highestInService(device, chip), device.state.rotateOnAutoEoi.get(chip) === 1);
}

/** The level that a non-specific EOI ends. In special mask mode those that are masked are left out. */
function highestInService({ state }: Pic, chip: Chip): number {
  const isr = state.isr.get(chip) & ~(state.specialMask.get(chip) === 1 ? state.imr.get(chip) : 0);
  for (let rank = 1; rank <= 8; rank++) {
    const level = (state.lowest.get(chip) + rank) & 7;
    if ((isr & (1 << level)) !== 0) return level;
  }
  return NONE;
}

function endOfInterrupt({ state }: Pic, chip: Chip, level: number, rotate: boolean): void {
  if (level === NONE) return;
  state.isr.set(chip, state.isr.get(chip) & ~(1 << level));
  if (rotate) state.lowest.set(chip, level);
}

/** The two ports of a chip. */
function ports(chip: Chip): RegionBehaviour<Pic> {
  return {
    read: (device, offset) => readPort(device, chip, offset),
    write(device, offset, value) {
      if (offset !== 0) writeData(device, chip, value);
      else if (ICW1.ICW1.test(value)) writeIcw1(device, chip, value);
      else if (OCW3.SELECT.get(value) === OCW3_SELECT) writeOcw3(device, chip, value);
      else writeOcw2(device, chip, value);
      updateIrq(device);
    },
  };
}

function readPort(device: Pic, chip: Chip, offset: number): number {
  const { state } = device;
  // A poll command turns the next read of either port into an acknowledge.
  if (state.polling.get(chip) === 1) return readPoll(device, chip);
  if (offset === OCW1.offset) return state.imr.get(chip);
  return state.readIsr.get(chip) === 1 ? state.isr.get(chip) : irr(device, chip);
}

function readPoll(device: Pic, chip: Chip): number {
  const { state } = device;
  state.polling.set(chip, 0);
  const level = grant(device, chip, state.frozen.get(chip));
  endAutomatically(device, chip);
  updateIrq(device);
  return level === NONE ? 0 : POLL.W.set(POLL.I.mask, level);
}

function writeIcw1({ state }: Pic, chip: Chip, value: number): void {
  clear(state, chip);
  state.icw1.set(chip, value);
  if (chip === SLAVE) state.icw3.set(chip, 7);
  state.icw4.set(chip, 0);
  state.nextIcw.set(chip, 2);
}

/** A write at A0 = 1: ICW2, ICW3 unless SNGL, ICW4 if IC4, in this order; otherwise OCW1. */
function writeData(device: Pic, chip: Chip, value: number): void {
  const { state } = device;
  const icw1 = state.icw1.get(chip);
  const afterIcw3 = ICW1.IC4.test(icw1) ? 4 : 0;
  switch (state.nextIcw.get(chip)) {
    case 2:
      state.icw2.set(chip, ICW2.T7_T3.mask & value);
      state.nextIcw.set(chip, ICW1.SNGL.test(icw1) ? afterIcw3 : 3);
      break;
    case 3:
      writeIcw3(device, chip, value);
      state.nextIcw.set(chip, afterIcw3);
      break;
    case 4:
      state.icw4.set(chip, value);
      state.nextIcw.set(chip, 0);
      break;
    default:
      state.imr.set(chip, value);
      // INT falls with the mask, and unmasking finds no request.
      state.fallen.set(chip, state.fallen.get(chip) & ~value);
      return;
  }
  if (state.nextIcw.get(chip) === 0 && !ICW4.uPM.test(state.icw4.get(chip))) {
    device.unimplemented(`${name(chip)}: MCS-80/85 mode; vectors come as in 8086 mode`);
  }
}

function writeIcw3(device: Pic, chip: Chip, value: number): void {
  const wired = chip === MASTER ? 1 << CASCADE : CASCADE;
  if (value !== wired) {
    device.guestError(
      `${name(chip)}: ICW3 is 0x${value.toString(16)}, but the slave is on IR${CASCADE}: give ${wired}`,
    );
  }
  device.state.icw3.set(chip, chip === MASTER ? value : ICW3_SLAVE.ID.get(value));
}

function writeOcw2(device: Pic, chip: Chip, value: number): void {
  const { state } = device;
  const rotate = OCW2.R.test(value);
  const level = OCW2.L.get(value);
  if (OCW2.EOI.test(value)) {
    endOfInterrupt(device, chip, OCW2.SL.test(value) ? level : highestInService(device, chip), rotate);
  } else if (!OCW2.SL.test(value)) {
    state.rotateOnAutoEoi.set(chip, Number(rotate));
  } else if (rotate) {
    state.lowest.set(chip, level);
  }
}

function writeOcw3(device: Pic, chip: Chip, value: number): void {
  const { state } = device;
  if (OCW3.ESMM.test(value)) state.specialMask.set(chip, OCW3.SMM.get(value));
  if (OCW3.RR.test(value)) state.readIsr.set(chip, OCW3.RIS.get(value));
  if (OCW3.P.test(value)) {
    state.polling.set(chip, 1);
    state.frozen.set(chip, irr(device, chip));
  }
}

const elcr: RegionBehaviour<Pic> = {
  read: ({ state }, offset) => state.elcr.get(offset),
  write(device, offset, value) {
    const { elcrMask, slaveElcrMask } = device.properties;
    device.state.elcr.set(offset, value & (offset === MASTER ? elcrMask : slaveElcrMask));
    updateIrq(device);
  },
};

function name(chip: Chip): string {
  return chip === MASTER ? 'master' : 'slave';
}

/** The PC's pair of 8259A interrupt controllers. */
export const i8259 = defineDevice(schema, {
  reset,
  updateIrq,
  acknowledge,
  regions: { master: ports(MASTER), slave: ports(SLAVE), elcr },
  inputs: { ir: changeInput },
});
