/**
 * National Semiconductor NS16550A UART, as a PC has it: a crystal of 1.8432 MHz, IRQ 4.
 *
 * Data sheet: National Semiconductor, PC16550D (the part's corrected successor; it says of the NS16550A where they differ):
 * "Registers" (tables I to IV), "FIFO Interrupt Mode Operation", "Reset". PC wiring: IBM PC/AT Technical Reference,
 * "Serial/Parallel Adapter".
 *
 * A character takes its start, data, parity and stop bits, 16 · divisor ticks of the crystal each. It goes from THR or
 * FIFO to the shift register at once when that is empty, and is on the line, at `device.chardev`, when its last stop bit is over.
 * Characters that follow each other without a gap are counted in ticks from the first, so that nothing adds up to a drift. Received
 * characters come at the same rate, whatever the host sends: the next is taken from the ring when its frame is over.
 *
 * The modem's inputs are pins, or tied by `tiedInputs`, which by default has somebody at the other end. With `irqGate: 'out2'`, the default
 * and the wiring of a PC, the IRQ passes only while the pin OUT2 is active: MCR.OUT2, and not MCR.LOOP. `none` is the part's INTR.
 *
 * Where the data sheet says nothing: a divisor of 0 stops the baud generator, and what waits goes on when it is set; RBR read while nothing
 * is there gives the last character again; a character written to a full FIFO is lost, one written to a full THR replaces it; setting ETBEI
 * requests an interrupt when THR is empty.
 *
 * Not modelled: bits within a frame (DR, BI and the transmitter go by whole frames; a new rate or format applies from the next
 * character on; loopback and break are looked at when the frame is over), RXRDY and TXRDY (DMA can be set), BAUDOUT, the latency of the
 * first start bit; PE and FE occur only with a break, as the host's bytes have no parity. The host cannot send a break: there is
 * the input `break`.
 *
 * Other than QEMU's: characters take their time, with THRE and TEMT; in FIFO mode the THRE interrupt is delayed as the data sheet says;
 * OUT2 gates the IRQ unless told otherwise, and MCR is 0 after a reset; in loopback MSR has deltas and interrupts, and break is looped;
 * a break has FE (and PE); PE, FE and BI belong to the character at the head of the FIFO; FCR without FE does not take its other bits; bytes
 * that arrive in loopback are lost, FCR.FE does not bring back a THRE interrupt that IIR has cleared, and the host may overrun a slow guest; a full FIFO keeps its old characters.
 */
import { bytes, defineDevice, deviceSchema, property, type DeviceOf } from '@qtest/sdk';
import { ns16550 as part } from '@qtest/parts/pc';

const { DLL, DLM, FCR, FIFO_SIZE, IER, IIR, INTERRUPT, LCR, LSR, MCR, MSR, RBR, SCR, THR } = part;

const SECOND = 1_000_000_000n;

/** Power-on: the divisor latch is undefined. 9600 baud, as QEMU. */
const DIVISOR = 12;

/** What makes a line status interrupt, and is cleared by reading LSR. */
const LINE_ERRORS = LSR.OE.mask | LSR.PE.mask | LSR.FE.mask | LSR.BI.mask;
/** Those that belong to a character. */
const CHARACTER_ERRORS = LINE_ERRORS & ~LSR.OE.mask;

const DELTAS = MSR.DCTS.mask | MSR.DDSR.mask | MSR.TERI.mask | MSR.DDCD.mask;
const LEVELS = MSR.CTS.mask | MSR.DSR.mask | MSR.RI.mask | MSR.DCD.mask;
/** From a level of MSR to its delta. */
const DELTA_SHIFT = 4;

/** No interrupt: not one of `INTERRUPT`. */
const NONE = -1;

const schema = deviceSchema({
  type: 'ns16550a',
  idPrefix: 'uart',
  description: 'NS16550A UART',
  bus: 'isa',
  properties: {
    irq: property.number({ min: -1, max: 15, default: part.IRQ, description: 'ISA IRQ; −1: the machine wires it' }),
    ioBase: property.number({ max: 0xfff8, default: part.BASE, description: 'first of its eight ports' }),
    clock: property.number({ min: 1, default: part.CRYSTAL, description: 'Hz of the crystal' }),
    irqGate: property.oneOf(['out2', 'none'], {
      default: 'out2',
      description: 'whether the pin OUT2 gates the IRQ, as in a PC, or nothing does, as in QEMU',
    }),
    tiedInputs: property.number({
      max: LEVELS,
      default: MSR.DCD.mask | MSR.DSR.mask | MSR.CTS.mask,
      description: 'modem inputs that are wired active, by their bits in MSR',
    }),
  },
  chardev: true,
  state: {
    /** Where the characters that now follow each other began, in ns, and ticks of the crystal from there to the end of this one. */
    txOrigin: 'i64',
    txTicks: 'i64',
    rxOrigin: 'i64',
    rxTicks: 'i64',
    divisor: 'u16',
    ier: 'u8',
    /** As written, without the bits that act once; 0 without FE. */
    fcr: 'u8',
    lcr: 'u8',
    mcr: 'u8',
    scr: 'u8',
    /** OE, PE, FE and BI; the rest of LSR follows. */
    lsr: 'u8',
    msr: 'u8',
    /** The character that was read last. */
    rbr: 'u8',
    /** FIFOs; without them one character each. An error is in the bits of LSR. */
    rx: bytes(FIFO_SIZE),
    rxErrors: bytes(FIFO_SIZE),
    rxHead: 'u8',
    rxCount: 'u8',
    tx: bytes(FIFO_SIZE),
    txHead: 'u8',
    txCount: 'u8',
    tsr: 'u8',
    /** TSR holds a character. */
    shifting: 'bool',
    /** The interrupts that are remembered. */
    thrEmpty: 'bool',
    timedOut: 'bool',
    /** The next THRE interrupt is not delayed. */
    threAtOnce: 'bool',
    /** Levels at the modem's inputs, in the bits of MSR, and at `break`. They are the pins', so that a reset leaves them. */
    inputs: 'u8',
    breakInput: 'bool',
    /** A break has begun and has not yet lasted a character. */
    breakDue: 'bool',
  },
  regions: ({ ioBase }) => ({ ports: { space: 'io', base: ioBase, size: 8 } }),
  registers: { ports: { registers: part.REGISTERS } },
  timers: ['rx', 'tx', 'thre', 'timeout', 'brk'],
  outputs: {
    irq: { busIrq: 'irq' },
    /** The modem's pins, high when active. */
    dtr: {},
    rts: {},
    out1: {},
    out2: {},
    /** The line is held at a break. */
    breaking: {},
  },
  inputs: {
    cts: {},
    dsr: {},
    ri: {},
    dcd: {},
    /** The other end holds the line at a break. */
    break: {},
  },
});

type Uart = DeviceOf<typeof schema>;
type State = Uart['state'];

export const ns16550a = defineDevice(schema, {
  reset(device, kind) {
    const { state, timers } = device;
    for (const timer of Object.values(timers)) timer.cancel();
    // Data sheet, "Reset": the divisor, SCR, RBR and THR are not among what the pin MR resets.
    if (kind === 'cold') state.divisor = DIVISOR;
    state.ier = 0;
    state.fcr = 0;
    state.lcr = 0;
    state.mcr = 0;
    state.lsr = 0;
    emptyReceiver(device);
    state.txCount = 0;
    state.shifting = false;
    state.thrEmpty = false;
    state.threAtOnce = false;
    state.msr = modemLevels(device);
    state.breakDue = state.breakInput;
    armBreak(device);
    startReceiving(device);
  },
  updateIrq,
  received: startReceiving,
  regions: { ports: { read: readPort, write: writePort } },
  timers: {
    rx: endReceiving,
    tx: endSending,
    thre(device) {
      device.state.thrEmpty = true;
      updateIrq(device);
    },
    timeout(device) {
      device.state.timedOut = true;
      updateIrq(device);
    },
    brk(device) {
      device.state.breakDue = false;
      receive(device, 0, breakErrors(device.state.lcr));
      updateIrq(device);
    },
  },
  inputs: {
    cts: modemInput(MSR.CTS.mask),
    dsr: modemInput(MSR.DSR.mask),
    ri: modemInput(MSR.RI.mask),
    dcd: modemInput(MSR.DCD.mask),
    break(device, _pin, level) {
      const before = isBroken(device.state);
      device.state.breakInput = level;
      changeBreak(device, before);
    },
  },
});

function emptyReceiver({ state, timers }: Uart): void {
  state.rxCount = 0;
  state.timedOut = false;
  timers.timeout.cancel();
}

// Interrupts.

/** Data sheet, table IV, in the order of priority: the interrupt that IIR tells of. */
function interruptOf(state: State): number {
  const { ier } = state;
  if (IER.ELSI.test(ier) && (state.lsr & LINE_ERRORS) !== 0) return INTERRUPT.LINE_STATUS;
  if (IER.ERBFI.test(ier) && state.timedOut) return INTERRUPT.TIMEOUT;
  if (IER.ERBFI.test(ier) && state.rxCount >= triggerOf(state)) return INTERRUPT.RECEIVED_DATA;
  if (IER.ETBEI.test(ier) && state.thrEmpty) return INTERRUPT.THR_EMPTY;
  if (IER.EDSSI.test(ier) && (state.msr & DELTAS) !== 0) return INTERRUPT.MODEM_STATUS;
  return NONE;
}

/** Characters that make the received data interrupt. */
function triggerOf(state: State): number {
  return hasFifos(state) ? (part.TRIGGER_LEVELS[FCR.TRIGGER.get(state.fcr)] ?? 1) : 1;
}

function updateIrq({ state, out, properties }: Uart): void {
  const { mcr } = state;
  // Data sheet, "Modem Control Register", LOOP: the four outputs are forced inactive, and SOUT to marking.
  const pins = MCR.LOOP.test(mcr) ? 0 : mcr;
  out.dtr.set(MCR.DTR.test(pins));
  out.rts.set(MCR.RTS.test(pins));
  out.out1.set(MCR.OUT1.test(pins));
  out.out2.set(MCR.OUT2.test(pins));
  out.breaking.set(LCR.SB.test(state.lcr) && !MCR.LOOP.test(mcr));
  const gated = properties.irqGate === 'out2' && !MCR.OUT2.test(pins);
  out.irq.set(interruptOf(state) !== NONE && !gated);
}

function hasFifos(state: State): boolean {
  return FCR.FE.test(state.fcr);
}

/** Characters that go into FIFO or holding register. */
function capacity(state: State): number {
  return hasFifos(state) ? FIFO_SIZE : 1;
}

// Time.

function nsOf({ properties }: Uart, ticks: bigint): bigint {
  const hz = BigInt(properties.clock);
  return (ticks * SECOND + hz - 1n) / hz;
}

/** Ticks of a character; 0n while the baud generator stands still. */
function frameOf({ state }: Uart): bigint {
  return BigInt(part.frameTicks(state.lcr, state.divisor));
}

// The transmitter.

function writeThr(device: Uart, value: number): void {
  const { state, timers } = device;
  state.thrEmpty = false;
  timers.thre.cancel();
  if (state.txCount >= capacity(state)) {
    device.guestError(
      hasFifos(state)
        ? 'write to a full FIFO: the character is lost'
        : 'write to a full THR: the character before is lost',
    );
    if (hasFifos(state)) return;
    state.txCount = 0;
  }
  state.tx.set((state.txHead + state.txCount) % FIFO_SIZE, value);
  state.txCount++;
  if (state.txCount > 1) state.threAtOnce = true;
  if (state.shifting) return;
  state.txOrigin = device.now();
  state.txTicks = 0n;
  send(device);
}

/** The next character goes into TSR, which is empty. */
function send(device: Uart): void {
  const { state } = device;
  state.tsr = state.tx.get(state.txHead % FIFO_SIZE);
  state.txHead = (state.txHead + 1) % FIFO_SIZE;
  state.txCount--;
  state.shifting = true;
  shift(device);
  if (state.txCount === 0) emptied(device);
}

function shift(device: Uart): void {
  const { state, timers } = device;
  const frame = frameOf(device);
  if (frame === 0n) return;
  state.txTicks += frame;
  timers.tx.arm(state.txOrigin + nsOf(device, state.txTicks));
}

/**
 * THRE rises. Data sheet, "FIFO Interrupt Mode Operation", transmitter, B: unless two characters have been in the FIFO since it
 * rose last, its interrupt comes a character less its last stop bit later; the first one after a change of FCR.FE comes at once.
 */
function emptied(device: Uart): void {
  const { state, timers } = device;
  const delay = frameOf(device) - BigInt(part.TICKS_PER_BIT * state.divisor);
  if (!hasFifos(state) || state.threAtOnce || delay <= 0n) state.thrEmpty = true;
  else timers.thre.arm(device.now() + nsOf(device, delay));
  state.threAtOnce = false;
}

/** The last stop bit of TSR is over. */
function endSending(device: Uart): void {
  const { state } = device;
  state.shifting = false;
  // While the line is held at a break nothing that could be received leaves.
  if (!LCR.SB.test(state.lcr)) {
    const character = state.tsr & dataMask(state);
    if (MCR.LOOP.test(state.mcr)) receive(device, character, 0);
    else device.chardev.send(character);
  }
  if (state.txCount > 0) send(device);
  updateIrq(device);
}

function dataMask(state: State): number {
  return 0xff >> (3 - LCR.WLS.get(state.lcr));
}

// The receiver.

/** Where the host's bytes come in: the frame of the next begins. */
function startReceiving(device: Uart): void {
  const { state, timers } = device;
  const frame = frameOf(device);
  if (device.chardev.waiting === 0 || timers.rx.deadline >= 0n || frame === 0n) return;
  state.rxOrigin = device.now();
  state.rxTicks = frame;
  timers.rx.arm(state.rxOrigin + nsOf(device, frame));
}

/** The frame of a byte from the host is over. */
function endReceiving(device: Uart, deadline: bigint): void {
  const { state, timers } = device;
  const byte = device.chardev.receive();
  if (byte === undefined) return;
  // Data sheet, LOOP: SIN is disconnected. Under a break there is nothing to be received.
  if (!MCR.LOOP.test(state.mcr) && !state.breakInput) receive(device, byte & dataMask(state), 0);
  const frame = frameOf(device);
  // In real time a host that is late must not make up for it at a rate that overruns the guest.
  if (device.now() - deadline > nsOf(device, frame)) startReceiving(device);
  else if (device.chardev.waiting > 0 && frame > 0n) {
    state.rxTicks += frame;
    timers.rx.arm(state.rxOrigin + nsOf(device, state.rxTicks));
  }
  updateIrq(device);
}

/** A character has come, from the line or from TSR. */
function receive(device: Uart, character: number, errors: number): void {
  const { state } = device;
  if (state.rxCount >= capacity(state)) {
    // Data sheet, OE: a full FIFO keeps what it has, RBR does not.
    state.lsr |= LSR.OE.mask;
    if (hasFifos(state)) return;
    state.rxCount = 0;
  }
  const at = (state.rxHead + state.rxCount) % FIFO_SIZE;
  state.rx.set(at, character);
  state.rxErrors.set(at, errors);
  state.rxCount++;
  if (state.rxCount === 1) state.lsr |= errors;
  if (hasFifos(state) && !state.timedOut) armTimeout(device);
}

/** Data sheet, "FIFO Interrupt Mode Operation", receiver: four characters' time in which none comes and none is read. */
function armTimeout(device: Uart): void {
  const frame = frameOf(device);
  if (frame === 0n) device.timers.timeout.cancel();
  else device.timers.timeout.arm(device.now() + nsOf(device, 4n * frame));
}

function readRbr(device: Uart): number {
  const { state, timers } = device;
  if (state.rxCount === 0) return state.rbr;
  state.rbr = state.rx.get(state.rxHead % FIFO_SIZE);
  state.rxHead = (state.rxHead + 1) % FIFO_SIZE;
  state.rxCount--;
  state.timedOut = false;
  if (state.rxCount === 0) {
    timers.timeout.cancel();
  } else {
    // Data sheet, PE, FE and BI: "revealed to the CPU when its associated character is at the top of the FIFO".
    state.lsr |= state.rxErrors.get(state.rxHead % FIFO_SIZE);
    armTimeout(device);
  }
  updateIrq(device);
  return state.rbr;
}

function readLsr(device: Uart): number {
  const { state } = device;
  let value = state.lsr;
  if (state.rxCount > 0) value |= LSR.DR.mask;
  if (state.txCount === 0) value |= LSR.THRE.mask;
  if (state.txCount === 0 && !state.shifting) value |= LSR.TEMT.mask;
  if (hasFifos(state) && hasErrors(state)) value |= LSR.FIFO_ERROR.mask;
  state.lsr = 0;
  if (state.rxCount > 0) state.rxErrors.set(state.rxHead % FIFO_SIZE, 0);
  updateIrq(device);
  return value;
}

function hasErrors(state: State): boolean {
  if ((state.lsr & CHARACTER_ERRORS) !== 0) return true;
  for (let i = 0; i < state.rxCount; i++) {
    if (state.rxErrors.get((state.rxHead + i) % FIFO_SIZE) !== 0) return true;
  }
  return false;
}

// Break.

/** The receiver's input is held at a break: by the other end, or in loopback by the transmitter. */
function isBroken({ mcr, lcr, breakInput }: State): boolean {
  return MCR.LOOP.test(mcr) ? LCR.SB.test(lcr) : breakInput;
}

/** A break counts once it has lasted a whole character (data sheet, BI). */
function armBreak(device: Uart): void {
  const frame = frameOf(device);
  if (device.state.breakDue && frame > 0n) device.timers.brk.arm(device.now() + nsOf(device, frame));
}

function changeBreak(device: Uart, before: boolean): void {
  const broken = isBroken(device.state);
  if (broken === before) return;
  device.state.breakDue = broken;
  if (broken) armBreak(device);
  else device.timers.brk.cancel();
}

/** What a frame of zeros without a stop bit has: no stop bit, and a parity bit of 0, which is wrong for odd parity and for mark. */
function breakErrors(lcr: number): number {
  const parity = LCR.PEN.test(lcr) && !LCR.EPS.test(lcr) ? LSR.PE.mask : 0;
  return LSR.BI.mask | LSR.FE.mask | parity;
}

// The modem.

/** The levels in MSR: of the pins, or in loopback of the outputs. */
function modemLevels({ state: { mcr, inputs }, properties }: Uart): number {
  if (!MCR.LOOP.test(mcr)) return (inputs | properties.tiedInputs) & LEVELS;
  let levels = MSR.CTS.set(0, MCR.RTS.get(mcr));
  levels = MSR.DSR.set(levels, MCR.DTR.get(mcr));
  levels = MSR.RI.set(levels, MCR.OUT1.get(mcr));
  return MSR.DCD.set(levels, MCR.OUT2.get(mcr));
}

function updateModem(device: Uart): void {
  const { state } = device;
  const levels = modemLevels(device);
  const changed = (state.msr ^ levels) & LEVELS;
  // RI counts when it becomes inactive (TERI: trailing edge).
  const seen = changed & ~(levels & MSR.RI.mask);
  state.msr = levels | (state.msr & DELTAS) | (seen >> DELTA_SHIFT);
}

function modemInput(bit: number) {
  return (device: Uart, _pin: number, level: boolean): void => {
    const { state } = device;
    state.inputs = level ? state.inputs | bit : state.inputs & ~bit;
    updateModem(device);
    updateIrq(device);
  };
}

// The ports.

function readPort(device: Uart, offset: number): number {
  const { state } = device;
  const dlab = LCR.DLAB.test(state.lcr);
  switch (offset) {
    case RBR.offset:
      return dlab ? state.divisor & 0xff : readRbr(device);
    case IER.offset:
      return dlab ? state.divisor >> 8 : state.ier;
    case IIR.offset:
      return readIir(device);
    case LCR.offset:
      return state.lcr;
    case MCR.offset:
      return state.mcr;
    case LSR.offset:
      return readLsr(device);
    case MSR.offset:
      return readMsr(device);
    default:
      return state.scr;
  }
}

function writePort(device: Uart, offset: number, value: number): void {
  const { state } = device;
  const dlab = LCR.DLAB.test(state.lcr);
  switch (offset) {
    case THR.offset:
      if (dlab) writeDivisor(device, DLL.offset, value);
      else writeThr(device, value);
      break;
    case IER.offset:
      if (dlab) writeDivisor(device, DLM.offset, value);
      else writeIer(state, value);
      break;
    case FCR.offset:
      writeFcr(device, value);
      break;
    case LCR.offset:
      writeLcr(device, value);
      break;
    case MCR.offset: {
      const before = isBroken(state);
      state.mcr = MCR.write(0, value);
      updateModem(device);
      changeBreak(device, before);
      break;
    }
    case SCR.offset:
      state.scr = value;
      break;
    default:
      device.guestError(`write to the read-only register ${offset === LSR.offset ? 'LSR' : 'MSR'}`);
  }
  updateIrq(device);
}

function readIir(device: Uart): number {
  const { state } = device;
  const id = interruptOf(state);
  const value = IIR.FIFOS.set(0, hasFifos(state) ? 0b11 : 0);
  if (id === NONE) return value | IIR.PENDING_N.mask;
  if (id === INTERRUPT.THR_EMPTY) {
    state.thrEmpty = false;
    updateIrq(device);
  }
  return IIR.ID.set(value, id);
}

function readMsr(device: Uart): number {
  const { state } = device;
  const value = state.msr;
  state.msr = value & LEVELS;
  updateIrq(device);
  return value;
}

function writeIer(state: State, value: number): void {
  const risen = value & ~state.ier;
  state.ier = IER.write(0, value);
  if (IER.ETBEI.test(risen) && state.txCount === 0) state.thrEmpty = true;
}

/** Data sheet, "FIFO Control Register": FE must be 1 for the other bits to be programmed; its change empties both FIFOs. */
function writeFcr(device: Uart, value: number): void {
  const { state } = device;
  const changed = FCR.FE.test(value ^ state.fcr);
  state.fcr = FCR.FE.test(value) ? value & (FCR.FE.mask | FCR.DMA.mask | FCR.TRIGGER.mask) : 0;
  if (changed) state.threAtOnce = true;
  if (changed || (FCR.FE.test(value) && FCR.RFR.test(value))) emptyReceiver(device);
  if ((changed || (FCR.FE.test(value) && FCR.XFR.test(value))) && state.txCount > 0) {
    state.txCount = 0;
    emptied(device);
  }
}

function writeLcr(device: Uart, value: number): void {
  const { state } = device;
  const before = isBroken(state);
  if (LCR.DLAB.test(state.lcr & ~value) && state.divisor === 0) {
    device.guestError('divisor 0: the baud generator stands still');
  }
  state.lcr = value;
  changeBreak(device, before);
}

/** What has waited for a rate goes on. */
function writeDivisor(device: Uart, offset: number, value: number): void {
  const { state, timers } = device;
  state.divisor = offset === DLL.offset ? (state.divisor & 0xff00) | value : (state.divisor & 0xff) | (value << 8);
  if (state.divisor === 0) return;
  if (state.shifting && timers.tx.deadline < 0n) {
    state.txOrigin = device.now();
    state.txTicks = 0n;
    shift(device);
  }
  startReceiving(device);
  if (timers.brk.deadline < 0n) armBreak(device);
  if (hasFifos(state) && state.rxCount > 0 && !state.timedOut && timers.timeout.deadline < 0n) armTimeout(device);
}
