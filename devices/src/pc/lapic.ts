/**
 * Intel local APICs in xAPIC mode, one for each CPU, all at the same address: who makes the access decides whose registers it reaches.
 *
 * Intel, 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3, chapter "Advanced Programmable Interrupt Controller
 * (APIC)", as of a Pentium 4 (integrated APIC, version 0x14, six entries in the local vector table); sections are named below.
 *
 * CPU n is VCPU n. What a VCPU writes beyond the 4 KiB of its registers, and what a device writes anywhere in the MiB from there, is an
 * interrupt message: an MSI, or one of the I/O APIC ("Message Signalled Interrupts"). Pin n of `intr` is INTR of CPU n. There are no
 * processors that NMI, SMI, INIT and SIPI could do anything to, beside an INIT's reset of the local APIC: pin n of `nmi`, `smi`, `init` and
 * `sipi` pulses, without length, when one is delivered to CPU n, and a test sees its edge. The end of a level-triggered interrupt is a
 * message to the I/O APIC: a write of the vector to its EOI register.
 *
 * LINT0 and LINT1 are wired to every CPU, as in a PC: LINT0 to the INT of the 8259A, whose vectors ExtINT brings to INTR; LINT1 to
 * whatever gives NMIs. With `virtualWire` CPU 0 begins as a BIOS leaves it: LINT0 is ExtINT and LINT1 is NMI.
 *
 * INTR falls at once when a request is masked or the task priority rises, so that no acknowledge cycle finds nothing and gives the spurious
 * vector. While software has it disabled, an APIC takes interrupts into its IRR and gives them when it is enabled, as QEMU's.
 *
 * Not modelled: IA32_APIC_BASE (the APICs are enabled, and stay where they are), x2APIC, TSC deadline, arbitration priority (APR reads as 0),
 * focus processors, remote reads, thermal and performance interrupts (their entries are registers alone). Messages arrive at once, so
 * that DELIVS is always 0. Of several CPUs with the lowest priority the first gets an interrupt that is for one of them.
 *
 * Other than QEMU's: there ESR holds illegal registers alone, and is not latched by a write; a timer takes one tick more than its count;
 * SVR without ENABLE leaves the local vector table; lowest priority goes to the first of the CPUs, whatever their priorities; IPIs keep
 * their trigger mode; INTPOL and the remote IRR of LINT0 are bits alone; addresses that are not multiples of 16 reach the register below.
 */
import {
  array,
  bytes,
  defineDevice,
  deviceSchema,
  property,
  type DeviceOf,
  type Initiator,
  type Output,
  type StateArray,
  type Timer,
} from '@qtest/sdk';
import { ioapic, lapic as part } from '@qtest/parts/pc';

const { APR, BROADCAST, CURRENT_COUNT, DELIVERY, DFR, DIVIDE, EOI, ESR, FIRST_VECTOR, ICR, ICR_HIGH } = part;
const { ID, INITIAL_COUNT, LDR, LVT, LVT_ERROR, LVT_LINT0, LVT_LINT1, LVT_TIMER, MESSAGE_ADDRESS } = part;
const { MESSAGE_DATA, MODEL, PER_WORD, PPR, SHORTHAND, STRIDE, SVR, TPR, VERSION, WORDS } = part;

/** CPUs at most: VCPUs that a case may have. */
const MAX_CPUS = 8;

/** No vector. */
const NONE = -1;

const NS_PER_S = 1_000_000_000n;
/** From one interrupt of a periodic timer to the next at least, in parts of a second: 1 us. Of closer ones several are one, as they would be in the IRR. */
const CLOSEST_HZ = 1_000_000n;

/** Index of an entry in the local vector table. */
const TIMER = 0;
const LINT = [LVT.indexOf(LVT_LINT0), LVT.indexOf(LVT_LINT1)] as const;
const ERROR = LVT.indexOf(LVT_ERROR);

const TIMERS = ['timer0', 'timer1', 'timer2', 'timer3', 'timer4', 'timer5', 'timer6', 'timer7'] as const;

const perCpu = { count: MAX_CPUS } as const;

const schema = deviceSchema({
  type: 'apic',
  description: 'Local APICs of the CPUs',
  properties: {
    cpus: property.number({ default: 1, min: 1, max: MAX_CPUS, description: 'CPUs that have one' }),
    base: property.number({ default: part.BASE, max: 0xfff0_0000, description: 'address of the registers' }),
    busFrequency: property.number({
      default: 1_000_000_000,
      min: 1_000_000,
      max: 1_000_000_000,
      description: 'Hz of the clock that the timers count, before the divider',
    }),
    virtualWire: property.boolean({
      default: false,
      description: 'CPU 0 begins with LINT0 as ExtINT and LINT1 as NMI',
    }),
    ioapic: property.number({
      default: ioapic.BASE,
      max: 0xffff_f000,
      description: 'address of the I/O APIC, which is told of the end of level-triggered interrupts; 0 for none',
    }),
  },
  // One element for each CPU, or as many as there are words, entries …: those of CPU 0 first.
  state: {
    id: bytes(MAX_CPUS),
    tpr: bytes(MAX_CPUS),
    ldr: bytes(MAX_CPUS),
    model: bytes(MAX_CPUS),
    svr: array('u16', MAX_CPUS),
    isr: array('u32', MAX_CPUS * WORDS),
    tmr: array('u32', MAX_CPUS * WORDS),
    irr: array('u32', MAX_CPUS * WORDS),
    esr: bytes(MAX_CPUS),
    /** Errors since the last write to the ESR. */
    errors: bytes(MAX_CPUS),
    icr: array('u32', MAX_CPUS),
    destination: bytes(MAX_CPUS),
    lvt: array('u32', MAX_CPUS * LVT.length),
    /** 1: an ExtINT has come as a message and is not acknowledged. */
    extint: bytes(MAX_CPUS),
    initialCount: array('u32', MAX_CPUS),
    divide: bytes(MAX_CPUS),
    /** The tick of the bus clock at which the timer's count was the initial one, in halves. */
    startLow: array('u32', MAX_CPUS),
    startHigh: array('u32', MAX_CPUS),
    /** Levels at LINT0 and LINT1. They are the pins': a warm reset leaves them. */
    lint: bytes(LINT.length),
  },
  regions: ({ base }) => ({
    registers: { space: 'memory', base, size: part.MESSAGE_SIZE, access: { min: 4, max: 4 } },
  }),
  registers: { registers: { registers: part.REGISTERS } },
  timers: TIMERS,
  outputs: { intr: { ...perCpu, intr: 'cpus' }, nmi: perCpu, smi: perCpu, init: perCpu, sipi: perCpu },
  inputs: { lint0: { intr: true }, lint1: {} },
});

type Apic = DeviceOf<typeof schema>;

export const lapic = defineDevice(schema, {
  reset(device) {
    for (let cpu = 0; cpu < MAX_CPUS; cpu++) {
      device.state.id.set(cpu, cpu);
      resetCpu(device, cpu);
    }
    if (!device.properties.virtualWire) return;
    setEntry(device, 0, LINT[0], LVT_LINT0.DELMOD.set(0, DELIVERY.extint));
    setEntry(device, 0, LINT[1], LVT_LINT1.DELMOD.set(0, DELIVERY.nmi));
  },
  updateIrq(device) {
    for (let cpu = 0; cpu < device.properties.cpus; cpu++) drive(device, cpu);
  },
  acknowledge,
  regions: { registers: { read, write } },
  timers: {
    timer0: expiry(0),
    timer1: expiry(1),
    timer2: expiry(2),
    timer3: expiry(3),
    timer4: expiry(4),
    timer5: expiry(5),
    timer6: expiry(6),
    timer7: expiry(7),
  },
  inputs: {
    lint0: (device, _pin, high) => changeLint(device, 0, high),
    lint1: (device, _pin, high) => changeLint(device, 1, high),
  },
});

/** "Local APIC State After Power-Up or Reset" and "… After an INIT Reset": all but the ID. */
function resetCpu(device: Apic, cpu: number): void {
  const { state } = device;
  for (const word of [state.tpr, state.ldr, state.esr, state.errors, state.icr, state.destination]) word.set(cpu, 0);
  for (const word of [state.extint, state.initialCount, state.divide]) word.set(cpu, 0);
  for (const words of [state.isr, state.tmr, state.irr]) for (let n = 0; n < WORDS; n++) words.set(cpu * WORDS + n, 0);
  state.model.set(cpu, MODEL.FLAT);
  state.svr.set(cpu, SVR.reset ?? 0);
  for (let n = 0; n < LVT.length; n++) setEntry(device, cpu, n, LVT_TIMER.MASK.mask);
  timerOf(device, cpu).cancel();
}

function entry({ state }: Apic, cpu: number, n: number): number {
  return state.lvt.get(cpu * LVT.length + n);
}

function setEntry({ state }: Apic, cpu: number, n: number, value: number): void {
  state.lvt.set(cpu * LVT.length + n, value);
}

// Requests, and INTR.

function has(words: StateArray, cpu: number, vector: number): boolean {
  return (words.get(cpu * WORDS + Math.floor(vector / PER_WORD)) & (1 << (vector % PER_WORD))) !== 0;
}

function put(words: StateArray, cpu: number, vector: number, on: boolean): void {
  const at = cpu * WORDS + Math.floor(vector / PER_WORD);
  const bit = 1 << (vector % PER_WORD);
  words.set(at, on ? words.get(at) | bit : words.get(at) & ~bit);
}

/** The highest vector of a set. */
function highest(words: StateArray, cpu: number): number {
  for (let n = WORDS - 1; n >= 0; n--) {
    const word = words.get(cpu * WORDS + n);
    if (word !== 0) return n * PER_WORD + 31 - Math.clz32(word);
  }
  return NONE;
}

/** "Task and Processor Priorities". */
function processorPriority({ state }: Apic, cpu: number): number {
  const task = state.tpr.get(cpu);
  const inService = highest(state.isr, cpu);
  return inService === NONE || classOf(task) >= classOf(inService) ? task : inService & 0xf0;
}

function classOf(priority: number): number {
  return priority >> 4;
}

function isEnabled({ state }: Apic, cpu: number): boolean {
  return SVR.ENABLE.test(state.svr.get(cpu));
}

/** The vector that the next acknowledge cycle gets; NONE when every request waits. */
function deliverable(device: Apic, cpu: number): number {
  if (!isEnabled(device, cpu)) return NONE;
  const vector = highest(device.state.irr, cpu);
  return vector !== NONE && classOf(vector) > classOf(processorPriority(device, cpu)) ? vector : NONE;
}

/** Whether INTR is up for the controller at LINT0, which is to give the vector. */
function hasExtint(device: Apic, cpu: number): boolean {
  if (device.state.extint.get(cpu) === 1) return true;
  for (let n = 0; n < LINT.length; n++) {
    const value = entry(device, cpu, LINT[n] ?? 0);
    if (LVT_LINT0.MASK.test(value) || LVT_LINT0.DELMOD.get(value) !== DELIVERY.extint) continue;
    if (isActive(device, n, value)) return true;
  }
  return false;
}

function drive(device: Apic, cpu: number): void {
  device.out.intr.set(hasExtint(device, cpu) || deliverable(device, cpu) !== NONE, cpu);
}

function acknowledge(device: Apic, cpu: number): number | undefined {
  const { state } = device;
  const vector = deliverable(device, cpu);
  if (vector === NONE) {
    state.extint.set(cpu, 0);
  } else {
    put(state.irr, cpu, vector, false);
    put(state.isr, cpu, vector, true);
  }
  drive(device, cpu);
  return vector === NONE ? undefined : vector;
}

/** "Signaling Interrupt Servicing Completion". */
function endOfInterrupt(device: Apic, cpu: number): void {
  const { state, properties, dma } = device;
  const vector = highest(state.isr, cpu);
  if (vector === NONE) return;
  put(state.isr, cpu, vector, false);
  if (has(state.tmr, cpu, vector)) {
    const lint0 = entry(device, cpu, LINT[0]);
    if (LVT_LINT0.REMOTE_IRR.test(lint0) && LVT_LINT0.VECTOR.get(lint0) === vector) {
      setEntry(device, cpu, LINT[0], LVT_LINT0.REMOTE_IRR.set(lint0, 0));
      takeLevel(device, cpu);
    } else if (properties.ioapic !== 0) {
      dma.writel(properties.ioapic + ioapic.EOI.offset, vector);
    }
  }
  drive(device, cpu);
}

/** Takes an interrupt into the IRR. */
function accept(device: Apic, cpu: number, vector: number, level: boolean): void {
  const { state } = device;
  if (vector < FIRST_VECTOR) {
    noteError(device, cpu, ESR.RECEIVED_ILLEGAL_VECTOR.mask);
    return;
  }
  put(state.irr, cpu, vector, true);
  put(state.tmr, cpu, vector, level);
  drive(device, cpu);
}

/** "Error Handling". */
function noteError(device: Apic, cpu: number, error: number): void {
  const { state } = device;
  state.errors.set(cpu, state.errors.get(cpu) | error);
  const lvt = entry(device, cpu, ERROR);
  const vector = LVT_ERROR.VECTOR.get(lvt);
  if (!LVT_ERROR.MASK.test(lvt) && vector >= FIRST_VECTOR) accept(device, cpu, vector, false);
}

// Messages: from devices, from other CPUs, and from the pins.

function deliver(device: Apic, cpu: number, mode: number, vector: number, level: boolean): void {
  const { state, out } = device;
  switch (mode) {
    case DELIVERY.fixed:
    case DELIVERY.lowest:
      accept(device, cpu, vector, level);
      break;
    case DELIVERY.smi:
      pulse(out.smi, cpu);
      break;
    case DELIVERY.nmi:
      pulse(out.nmi, cpu);
      break;
    case DELIVERY.init:
      resetCpu(device, cpu);
      drive(device, cpu);
      pulse(out.init, cpu);
      break;
    case DELIVERY.sipi:
      pulse(out.sipi, cpu);
      break;
    case DELIVERY.extint:
      state.extint.set(cpu, 1);
      drive(device, cpu);
      break;
    default:
      device.guestError(`interrupt for CPU ${cpu} of the reserved delivery mode ${mode}`);
  }
}

/** What happens, and no level: a test sees the edge. */
function pulse(output: Output, cpu: number): void {
  output.set(true, cpu);
  output.set(false, cpu);
}

/** "Determining IPI Destination": the CPUs that a destination means, a bit each. */
function cpusOf({ state, properties }: Apic, destination: number, logical: boolean): number {
  let cpus = 0;
  for (let cpu = 0; cpu < properties.cpus; cpu++) {
    const means = logical ? isMeant(state, cpu, destination) : state.id.get(cpu) === destination;
    if (means || destination === BROADCAST) cpus |= 1 << cpu;
  }
  return cpus;
}

/** "Logical Destination Mode". */
function isMeant(state: Apic['state'], cpu: number, destination: number): boolean {
  const ldr = state.ldr.get(cpu);
  if (state.model.get(cpu) === MODEL.FLAT) return (ldr & destination) !== 0;
  return ldr >> 4 === destination >> 4 && (ldr & destination & 0xf) !== 0;
}

/** "Lowest Priority Delivery Mode": one of several CPUs, of those that are enabled if any is. */
function lowestOf(device: Apic, cpus: number): number {
  let lowest = NONE;
  let best = 0;
  for (let cpu = 0; cpu < device.properties.cpus; cpu++) {
    if ((cpus & (1 << cpu)) === 0) continue;
    const rank = processorPriority(device, cpu) + (isEnabled(device, cpu) ? 0 : 0x100);
    if (lowest !== NONE && rank >= best) continue;
    lowest = cpu;
    best = rank;
  }
  return lowest === NONE ? 0 : 1 << lowest;
}

function send(device: Apic, cpus: number, mode: number, vector: number, level: boolean): void {
  const to = mode === DELIVERY.lowest ? lowestOf(device, cpus) : cpus;
  for (let cpu = 0; cpu < device.properties.cpus; cpu++)
    if ((to & (1 << cpu)) !== 0) deliver(device, cpu, mode, vector, level);
}

/** A write to the MiB of messages: `address` is from its start. */
function receiveMessage(device: Apic, address: number, data: number): void {
  const level = MESSAGE_DATA.TRIGGER.test(data);
  // The end of a level is no interrupt.
  if (level && !MESSAGE_DATA.LEVEL.test(data)) return;
  const destination = MESSAGE_ADDRESS.DEST.get(address);
  const cpus = cpusOf(device, destination, MESSAGE_ADDRESS.DESTMOD.test(address));
  if (cpus === 0)
    device.guestError(`interrupt message for the destination 0x${destination.toString(16)}, which no CPU is`);
  const hinted = MESSAGE_ADDRESS.RH.test(address) ? lowestOf(device, cpus) : cpus;
  send(device, hinted, MESSAGE_DATA.DELMOD.get(data), MESSAGE_DATA.VECTOR.get(data), level);
}

/** "Issuing Interprocessor Interrupts". Their trigger is an edge whatever the ICR says, but for the INIT that synchronises arbitration. */
function sendIpi(device: Apic, cpu: number): void {
  const icr = device.state.icr.get(cpu);
  const mode = ICR.DELMOD.get(icr);
  const vector = ICR.VECTOR.get(icr);
  if (mode === DELIVERY.init && ICR.TRIGGER.test(icr) && !ICR.LEVEL.test(icr)) return;
  if (mode === DELIVERY.extint) {
    device.guestError('IPI of the delivery mode ExtINT, which is reserved');
    return;
  }
  if (mode <= DELIVERY.lowest && vector < FIRST_VECTOR) {
    noteError(device, cpu, ESR.SENT_ILLEGAL_VECTOR.mask);
    return;
  }
  send(device, ipiDestination(device, cpu), mode, vector, false);
}

function ipiDestination(device: Apic, cpu: number): number {
  const { state, properties } = device;
  const icr = state.icr.get(cpu);
  const all = (1 << properties.cpus) - 1;
  const self = 1 << cpu;
  switch (ICR.SHORTHAND.get(icr)) {
    case SHORTHAND.self:
      return self;
    case SHORTHAND.all:
      return all;
    case SHORTHAND.others:
      return all & ~self;
    default: {
      const destination = state.destination.get(cpu);
      const cpus = cpusOf(device, destination, ICR.DESTMOD.test(icr));
      if (cpus === 0) device.guestError(`IPI to the destination 0x${destination.toString(16)}, which no CPU is`);
      return cpus;
    }
  }
}

// LINT0 and LINT1.

function isActive({ state }: Apic, lint: number, value: number): boolean {
  return (state.lint.get(lint) === 1) !== LVT_LINT0.INTPOL.test(value);
}

/** Level-triggered: of LINT0 alone, and of the mode fixed ("Local Vector Table", "Trigger Mode"). */
function isLevel(lint: number, value: number): boolean {
  return lint === 0 && LVT_LINT0.TRIGGER.test(value) && LVT_LINT0.DELMOD.get(value) === DELIVERY.fixed;
}

function changeLint(device: Apic, lint: number, high: boolean): void {
  device.state.lint.set(lint, Number(high));
  for (let cpu = 0; cpu < device.properties.cpus; cpu++) {
    const value = entry(device, cpu, LINT[lint] ?? 0);
    if (LVT_LINT0.MASK.test(value)) continue;
    const mode = LVT_LINT0.DELMOD.get(value);
    if (mode === DELIVERY.extint) drive(device, cpu);
    else if (isLevel(lint, value)) takeLevel(device, cpu);
    else if (isActive(device, lint, value)) deliver(device, cpu, mode, LVT_LINT0.VECTOR.get(value), false);
  }
}

/** Takes the interrupt of a level-triggered LINT0 that is active, unless the last one has not ended. */
function takeLevel(device: Apic, cpu: number): void {
  const value = entry(device, cpu, LINT[0]);
  if (!isLevel(0, value) || LVT_LINT0.MASK.test(value) || LVT_LINT0.REMOTE_IRR.test(value)) return;
  if (!isActive(device, 0, value)) return;
  setEntry(device, cpu, LINT[0], value | LVT_LINT0.REMOTE_IRR.mask);
  accept(device, cpu, LVT_LINT0.VECTOR.get(value), true);
}

// The timers. Ticks are those of the bus clock since the machine's start.

function timerOf({ timers }: Apic, cpu: number): Timer {
  return timers[TIMERS[cpu] ?? 'timer0'];
}

function ticksAt({ properties }: Apic, ns: bigint): bigint {
  return (ns * BigInt(properties.busFrequency)) / NS_PER_S;
}

function startOf({ state }: Apic, cpu: number): bigint {
  // Before the machine's start, if the divider has been raised while it counted.
  return BigInt.asIntN(64, (BigInt(state.startHigh.get(cpu)) << 32n) | BigInt(state.startLow.get(cpu)));
}

function setStart({ state }: Apic, cpu: number, tick: bigint): void {
  state.startLow.set(cpu, Number(BigInt.asUintN(32, tick)));
  state.startHigh.set(cpu, Number(BigInt.asUintN(32, tick >> 32n)));
}

function divisor({ state }: Apic, cpu: number): bigint {
  return BigInt(part.divisorOf(state.divide.get(cpu)));
}

function currentCount(device: Apic, cpu: number): number {
  const initial = BigInt(device.state.initialCount.get(cpu));
  if (initial === 0n) return 0;
  const elapsed = (ticksAt(device, device.now()) - startOf(device, cpu)) / divisor(device, cpu);
  if (LVT_TIMER.PERIODIC.test(entry(device, cpu, TIMER))) return Number(initial - (elapsed % initial));
  return elapsed >= initial ? 0 : Number(initial - elapsed);
}

/** Arms a timer for its next interrupt. What is masked needs none: its count follows from the time. */
function armTimer(device: Apic, cpu: number): void {
  const lvt = entry(device, cpu, TIMER);
  const period = BigInt(device.state.initialCount.get(cpu)) * divisor(device, cpu);
  const elapsed = ticksAt(device, device.now()) - startOf(device, cpu);
  const periodic = LVT_TIMER.PERIODIC.test(lvt);
  if (period === 0n || LVT_TIMER.MASK.test(lvt) || (!periodic && elapsed >= period)) timerOf(device, cpu).cancel();
  else armFor(device, cpu, startOf(device, cpu) + (periodic ? (elapsed / period + 1n) * period : period));
}

function armFor(device: Apic, cpu: number, tick: bigint): void {
  const hz = BigInt(device.properties.busFrequency);
  timerOf(device, cpu).arm((tick * NS_PER_S + hz - 1n) / hz);
}

function expiry(cpu: number): (device: Apic, deadline: bigint) => void {
  return (device, deadline) => {
    const lvt = entry(device, cpu, TIMER);
    if (LVT_TIMER.PERIODIC.test(lvt)) {
      const period = BigInt(device.state.initialCount.get(cpu)) * divisor(device, cpu);
      const start = startOf(device, cpu);
      const apart = BigInt(device.properties.busFrequency) / CLOSEST_HZ;
      const steps = (apart + period - 1n) / period;
      armFor(device, cpu, start + ((ticksAt(device, deadline) - start) / period + steps) * period);
    }
    accept(device, cpu, LVT_TIMER.VECTOR.get(lvt), false);
  };
}

function writeDivide(device: Apic, cpu: number, value: number): void {
  const { state } = device;
  const initial = BigInt(state.initialCount.get(cpu));
  const done = initial - BigInt(currentCount(device, cpu));
  state.divide.set(cpu, DIVIDE.write(state.divide.get(cpu), value));
  // The count goes on from where it is.
  setStart(device, cpu, ticksAt(device, device.now()) - done * divisor(device, cpu));
  armTimer(device, cpu);
}

// The registers.

/** The CPU that makes an access. */
function cpuOf(device: Apic, { kind, index }: Initiator): number | undefined {
  const cpu = kind === 'host' ? 0 : index;
  if (cpu < device.properties.cpus) return cpu;
  device.guestError(`VCPU ${cpu} has no local APIC: its property 'cpus' is ${device.properties.cpus}`);
  return undefined;
}

function read(device: Apic, offset: number, _size: number, initiator: Initiator): number {
  const { state } = device;
  if (initiator.kind === 'device' || offset >= part.SIZE) {
    device.guestError(`read at 0x${offset.toString(16)}, where there are interrupt messages to be written alone`);
    return 0xffff_ffff;
  }
  const cpu = cpuOf(device, initiator);
  if (cpu === undefined) return 0xffff_ffff;
  switch (offset) {
    case ID.offset:
      return ID.ID.set(0, state.id.get(cpu));
    case VERSION.offset:
      return VERSION.reset ?? 0;
    case TPR.offset:
      return state.tpr.get(cpu);
    case APR.offset:
    case EOI.offset:
      return 0;
    case PPR.offset:
      return processorPriority(device, cpu);
    case LDR.offset:
      return LDR.LOGICAL_ID.set(0, state.ldr.get(cpu));
    case DFR.offset:
      return DFR.MODEL.set(DFR.reset ?? 0, state.model.get(cpu));
    case SVR.offset:
      return state.svr.get(cpu);
    case ESR.offset:
      return state.esr.get(cpu);
    case ICR.offset:
      return state.icr.get(cpu);
    case ICR_HIGH.offset:
      return ICR_HIGH.DEST.set(0, state.destination.get(cpu));
    case INITIAL_COUNT.offset:
      return state.initialCount.get(cpu);
    case CURRENT_COUNT.offset:
      return currentCount(device, cpu);
    case DIVIDE.offset:
      return state.divide.get(cpu);
    default: {
      const n = entryAt(offset);
      if (n !== undefined) return entry(device, cpu, n);
      return readSet(device, cpu, offset);
    }
  }
}

/** The entry of the local vector table at an offset. */
function entryAt(offset: number): number | undefined {
  const n = (offset - LVT_TIMER.offset) / STRIDE;
  return Number.isInteger(n) && n >= 0 && n < LVT.length ? n : undefined;
}

function readSet(device: Apic, cpu: number, offset: number): number {
  const { state } = device;
  const n = (offset - part.ISR) / STRIDE;
  if (!Number.isInteger(n) || n < 0 || n >= 3 * WORDS) {
    reportIllegal(device, cpu, 'read', offset);
    return 0;
  }
  const set = n < WORDS ? state.isr : n < 2 * WORDS ? state.tmr : state.irr;
  return set.get(cpu * WORDS + (n % WORDS));
}

function write(device: Apic, offset: number, value: number, _size: number, initiator: Initiator): void {
  if (initiator.kind === 'device' || offset >= part.SIZE) {
    receiveMessage(device, offset, value);
    return;
  }
  const cpu = cpuOf(device, initiator);
  if (cpu !== undefined) writeRegister(device, cpu, offset, value);
}

function writeRegister(device: Apic, cpu: number, offset: number, value: number): void {
  const { state } = device;
  switch (offset) {
    case ID.offset:
      state.id.set(cpu, ID.ID.get(value));
      break;
    case TPR.offset:
      state.tpr.set(cpu, TPR.write(state.tpr.get(cpu), value));
      drive(device, cpu);
      break;
    case EOI.offset:
      endOfInterrupt(device, cpu);
      break;
    case LDR.offset:
      state.ldr.set(cpu, LDR.LOGICAL_ID.get(value));
      break;
    case DFR.offset:
      state.model.set(cpu, DFR.MODEL.get(value));
      break;
    case SVR.offset:
      writeSvr(device, cpu, value);
      break;
    case ESR.offset:
      state.esr.set(cpu, state.errors.get(cpu));
      state.errors.set(cpu, 0);
      break;
    case ICR.offset:
      state.icr.set(cpu, ICR.write(state.icr.get(cpu), value));
      sendIpi(device, cpu);
      break;
    case ICR_HIGH.offset:
      state.destination.set(cpu, ICR_HIGH.DEST.get(value));
      break;
    case INITIAL_COUNT.offset:
      state.initialCount.set(cpu, value);
      setStart(device, cpu, ticksAt(device, device.now()));
      armTimer(device, cpu);
      break;
    case DIVIDE.offset:
      writeDivide(device, cpu, value);
      break;
    default: {
      const n = entryAt(offset);
      if (n !== undefined) writeEntry(device, cpu, n, value);
      else if (part.REGISTERS.some((known) => known.offset === offset))
        device.guestError(`write to the read-only register at 0x${offset.toString(16)}`);
      else reportIllegal(device, cpu, 'write', offset);
    }
  }
}

/** "Spurious Interrupt", and "Local APIC State After It Has Been Software Disabled": every entry of the local vector table is masked. */
function writeSvr(device: Apic, cpu: number, value: number): void {
  const { state } = device;
  const was = isEnabled(device, cpu);
  state.svr.set(cpu, SVR.write(state.svr.get(cpu), value));
  if (was && !isEnabled(device, cpu)) {
    for (let n = 0; n < LVT.length; n++) setEntry(device, cpu, n, entry(device, cpu, n) | LVT_TIMER.MASK.mask);
    armTimer(device, cpu);
  }
  drive(device, cpu);
}

function writeEntry(device: Apic, cpu: number, n: number, value: number): void {
  const masked = isEnabled(device, cpu) ? 0 : LVT_TIMER.MASK.mask;
  let written = (LVT[n]?.write(entry(device, cpu, n), value) ?? 0) | masked;
  if (n === LINT[0] && !isLevel(0, written)) written = LVT_LINT0.REMOTE_IRR.set(written, 0);
  setEntry(device, cpu, n, written);
  if (n === TIMER) armTimer(device, cpu);
  else if (n === LINT[0]) takeLevel(device, cpu);
  drive(device, cpu);
}

function reportIllegal(device: Apic, cpu: number, what: string, offset: number): void {
  device.guestError(`${what} of the reserved register at 0x${offset.toString(16)}`);
  noteError(device, cpu, ESR.ILLEGAL_REGISTER.mask);
}
