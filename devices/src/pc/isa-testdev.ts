/**
 * A device for the framework's own tests: registers of every kind, a timer, an IRQ, DMA, a movable memory region, and faults
 * on request. No part: it is a model of what goes wrong in models. It has no datasheet but this page.
 *
 * Ports from `ioBase`. Four regions, so that each way in which a region takes accesses has its registers.
 *
 * `bytes`, 0x00–0x07: bytes; wider accesses are split.
 *   0  ID       RO   0x7d
 *   1  SCRATCH  RW
 *   2  STATUS   W1C  TIMER 0, DMA 1, SOFT 2: the timer has fired, a DMA command is done, command RAISE
 *   3  ENABLE   RW   the same bits: which of them raise the IRQ
 *   4  COUNT    RC   how often the timer has fired since the last read, at most 255
 *   5  CONTROL  RW   RUN 0: from 0 to 1 starts the timer · PERIODIC 1: it goes on; else RUN falls when it fires ·
 *                    DMA 2: firing also does DMA_WRITE · WINDOW 3: the memory region answers
 *   6  COMMAND  WO   one of `COMMANDS`
 *   7  FAULT    WO   one of `FAULTS`
 * `strict`, 0x08–0x0b: bytes; wider accesses are refused.
 *   8  STRICT   RW
 *   9  FLAGS         W1S 7–4: set by writing 1 · W0C 3–0: cleared by writing 0; 0x0f at reset
 *   a  WRITER   RO   who wrote to the memory region last: KIND 7–6 (0 nobody, 1 host, 2 VCPU, 3 device), INDEX 5–0
 *   b  (none: a guestError)
 * `data`, 0x0c–0x0f: 1, 2 or 4 bytes.
 *   c  DATA     RW   what DMA moves; a warm reset keeps it
 * `longs`, 0x10–0x1f: 4 bytes; narrower reads take part of them, narrower writes are refused.
 *   10 PERIOD_LO RW  period of the timer in ns, low half; the timer does not start with a period of 0 (a guestError)
 *   14 PERIOD_HI RW  bits 47–32 of it
 *   18 ADDRESS   RW  of DMA; nothing keeps it from being in the device's own window, but `faults: false`
 *   1c BASE      RW  31–8: where the memory region lies, above anything else that is there
 *
 * `window`, 256 bytes of memory at BASE, while CONTROL.WINDOW is set: 1, 2 or 4 bytes, unaligned ones too. A write to its
 * last byte is also a write to COMMAND, so that one device's DMA can set off another's, and that one's come back.
 */
import {
  bytes,
  defineDevice,
  deviceSchema,
  property,
  register,
  reserved,
  ro,
  rw,
  w0c,
  w1c,
  w1s,
  type AccessSize,
  type DeviceOf,
  type Initiator,
  type RegionBehaviour,
  type ResetKind,
} from '@qtest/sdk';

export const ID = register('ID', { offset: 0, reset: 0x7d, access: 'ro' });
export const SCRATCH = register('SCRATCH', { offset: 1, reset: 0 });
export const STATUS = register('STATUS', {
  offset: 2,
  reset: 0,
  fields: { ZERO: reserved(7, 3), SOFT: w1c(2), DMA: w1c(1), TIMER: w1c(0) },
});
export const ENABLE = register('ENABLE', {
  offset: 3,
  reset: 0,
  fields: { ZERO: reserved(7, 3), SOFT: rw(2), DMA: rw(1), TIMER: rw(0) },
});
export const COUNT = register('COUNT', { offset: 4, reset: 0, access: 'rc', effect: 'reading clears it' });
export const CONTROL = register('CONTROL', {
  offset: 5,
  reset: 0,
  fields: { ZERO: reserved(7, 4), WINDOW: rw(3), DMA: rw(2), PERIODIC: rw(1), RUN: rw(0) },
  effect: 'RUN starts and stops the timer, WINDOW maps the memory region',
  volatile: ['RUN'],
});
export const COMMAND = register('COMMAND', { offset: 6, reset: 0, access: 'wo', effect: 'does the command' });
export const FAULT = register('FAULT', { offset: 7, reset: 0, access: 'wo', effect: 'does the fault' });

export const STRICT = register('STRICT', { offset: 0, reset: 0 });
export const FLAGS = register('FLAGS', { offset: 1, reset: 0x0f, fields: { W1S: w1s(7, 4), W0C: w0c(3, 0) } });
export const WRITER = register('WRITER', { offset: 2, reset: 0, fields: { KIND: ro(7, 6), INDEX: ro(5, 0) } });

export const DATA = register('DATA', { offset: 0, width: 32, reset: 0 });

export const PERIOD_LO = register('PERIOD_LO', { offset: 0x0, width: 32, reset: 0 });
export const PERIOD_HI = register('PERIOD_HI', {
  offset: 0x4,
  width: 32,
  reset: 0,
  fields: { ZERO: reserved(31, 16), PERIOD: rw(15, 0) },
});
export const ADDRESS = register('ADDRESS', { offset: 0x8, width: 32, reset: 0 });
export const BASE = register('BASE', {
  offset: 0xc,
  width: 32,
  reset: 0,
  fields: { BASE: rw(31, 8), ZERO: reserved(7, 0) },
  effect: 'moves the memory region',
});

/** Where each region's ports start, from `ioBase`. */
export const REGIONS = { bytes: 0x00, strict: 0x08, data: 0x0c, longs: 0x10 } as const;

/** Bytes of the memory region. */
export const WINDOW_BYTES = 256;
/** Offset in the memory region of the byte that is also COMMAND. */
export const DOORBELL = WINDOW_BYTES - 1;

export const COMMANDS = {
  NOP: 0,
  /** Sets STATUS.SOFT. */
  RAISE: 1,
  /** DATA ← the 32 bits at ADDRESS. */
  DMA_READ: 2,
  /** DATA → the 32 bits at ADDRESS. */
  DMA_WRITE: 3,
  /** The memory region's bytes ← 256 bytes at ADDRESS. */
  DMA_LOAD: 4,
  /** The memory region's bytes → 256 bytes at ADDRESS. */
  DMA_STORE: 5,
} as const;

export const FAULTS = {
  /** Disarms what is armed. */
  NONE: 0x00,
  /** Throws an Error. */
  THROW: 0x01,
  /** Throws null. */
  THROW_NULL: 0x02,
  /** Reads beyond the end of a state array. */
  OUT_OF_BOUNDS: 0x03,
  /** Divides a bigint by 0n. */
  DIVIDE_BY_ZERO: 0x04,
  /** Enters its own function without end. */
  RECURSION: 0x05,
  /** Never returns. */
  HANG: 0x06,
  /** A timer whose deadline is always now; until a reset. */
  TIMER_STORM: 0x07,
  /** Arms the timer 1 ns in the past. */
  PAST_DEADLINE: 0x08,
  /** Arms the timer with a number. */
  BAD_DEADLINE: 0x09,
  /** Calls `guestError`. */
  GUEST_ERROR: 0x0a,
  /** Calls `unimplemented`. */
  UNIMPLEMENTED: 0x0b,
  /** Sets a pin that its output does not have. */
  BAD_PIN: 0x0c,
  /** Armed: the next read of SCRATCH throws. */
  THROW_ON_READ: 0x10,
  /** Armed: the next firing of the timer throws. */
  THROW_ON_TIMER: 0x11,
  /** Armed: the next warm reset throws. */
  THROW_ON_RESET: 0x12,
  /** Armed: from now on, every look at where the memory region lies throws. */
  THROW_ON_MAP: 0x13,
  /** Armed: the next read of SCRATCH gives NaN, −1, 1.5, or 0xdeadbeef. */
  READ_NAN: 0x14,
  READ_NEGATIVE: 0x15,
  READ_FRACTION: 0x16,
  READ_WIDE: 0x17,
} as const;

const FIRST_ARMED: number = FAULTS.THROW_ON_READ;
const LAST_ARMED: number = FAULTS.READ_WIDE;

const WRITER_KIND = { host: 1, vcpu: 2, device: 3 } as const satisfies Record<Initiator['kind'], number>;

const schema = deviceSchema({
  type: 'isa-testdev',
  idPrefix: 'testdev',
  description: "Device for the framework's own tests",
  bus: 'isa',
  properties: {
    ioBase: property.number({ default: 0x300, max: 0xffe0, description: 'First of its 32 ports' }),
    irq: property.number({ default: 5, max: 15, description: 'ISA IRQ' }),
    faults: property.boolean({
      default: true,
      description:
        'whether it goes wrong on request; else that, DMA to itself and a PERIOD below 100 ns are a guestError',
    }),
  },
  state: {
    scratch: 'u8',
    status: 'u8',
    enable: 'u8',
    count: 'u8',
    control: 'u8',
    strict: 'u8',
    flags: 'u8',
    writer: 'u8',
    /** The fault that waits for its occasion. */
    armed: 'u8',
    data: 'u32',
    periodLo: 'u32',
    periodHi: 'u32',
    address: 'u32',
    base: 'u32',
    window: bytes(WINDOW_BYTES),
  },
  regions: ({ ioBase }) => ({
    bytes: { space: 'io', base: ioBase + REGIONS.bytes, size: 8 },
    strict: { space: 'io', base: ioBase + REGIONS.strict, size: 4, access: { strict: true } },
    data: { space: 'io', base: ioBase + REGIONS.data, size: 4, access: { max: 4 } },
    longs: { space: 'io', base: ioBase + REGIONS.longs, size: 16, access: { min: 4, max: 4, widen: true } },
    window: { space: 'memory', size: WINDOW_BYTES, priority: 1, access: { max: 4, unaligned: true } },
  }),
  registers: {
    bytes: { registers: [ID, SCRATCH, STATUS, ENABLE, COUNT, CONTROL, COMMAND, FAULT] },
    strict: { registers: [STRICT, FLAGS, WRITER] },
    data: { registers: [DATA] },
    longs: { registers: [PERIOD_LO, PERIOD_HI, ADDRESS, BASE] },
  },
  timers: ['tick', 'storm'],
  outputs: { irq: { busIrq: 'irq' } },
  contract: {
    properties: { faults: false },
    setup(vcpu, { ioBase }) {
      vcpu.outl(ioBase + REGIONS.longs + BASE.offset, 0xd000_0000);
      vcpu.outb(ioBase + REGIONS.bytes + CONTROL.offset, CONTROL.WINDOW.mask);
    },
  },
});

type TestDevice = DeviceOf<typeof schema>;

function reset({ state, timers }: TestDevice, kind: ResetKind): void {
  if (kind === 'warm' && takeArmed(state, FAULTS.THROW_ON_RESET)) throw new Error('FAULT: THROW_ON_RESET');
  timers.tick.cancel();
  timers.storm.cancel();
  state.scratch = 0;
  state.status = 0;
  state.enable = 0;
  state.count = 0;
  state.control = 0;
  state.strict = 0;
  state.flags = 0x0f;
  state.writer = 0;
  state.armed = FAULTS.NONE;
  state.periodLo = 0;
  state.periodHi = 0;
  state.address = 0;
  state.base = 0;
  state.window.fill(0);
}

function updateIrq({ state, out }: TestDevice): void {
  out.irq.set((state.status & state.enable) !== 0);
}

function setStatus(device: TestDevice, bits: number): void {
  device.state.status |= bits;
  updateIrq(device);
}

const byteRegisters: RegionBehaviour<TestDevice> = {
  read(device, offset) {
    const { state } = device;
    switch (offset) {
      case ID.offset:
        return 0x7d;
      case SCRATCH.offset:
        return readScratch(state);
      case STATUS.offset:
        return state.status;
      case ENABLE.offset:
        return state.enable;
      case COUNT.offset: {
        const { count } = state;
        state.count = 0;
        return count;
      }
      case CONTROL.offset:
        return state.control;
      default:
        return 0; // COMMAND and FAULT are write-only.
    }
  },
  write(device, offset, value) {
    const { state } = device;
    switch (offset) {
      case SCRATCH.offset:
        state.scratch = value;
        break;
      case STATUS.offset:
        state.status = STATUS.write(state.status, value);
        break;
      case ENABLE.offset:
        state.enable = ENABLE.write(state.enable, value);
        break;
      case CONTROL.offset:
        writeControl(device, value);
        break;
      case COMMAND.offset:
        command(device, value);
        break;
      case FAULT.offset:
        fault(device, value);
        break;
    }
    updateIrq(device);
  },
};

function writeControl(device: TestDevice, value: number): void {
  const { state, timers } = device;
  const before = state.control;
  state.control = CONTROL.write(before, value);
  if (!CONTROL.RUN.test(state.control)) timers.tick.cancel();
  else if (!CONTROL.RUN.test(before)) start(device, device.now());
  if (CONTROL.WINDOW.test(before ^ state.control)) device.remap();
}

/** The shortest period, in ns, of a device that does not go wrong. */
const SHORTEST_PERIOD = 100n;

/** Arms the timer for one period after `from`. */
function start(device: TestDevice, from: bigint): void {
  const { state, timers } = device;
  const period = (BigInt(state.periodHi) << 32n) | BigInt(state.periodLo);
  if (period === 0n || (!device.properties.faults && period < SHORTEST_PERIOD)) {
    device.guestError(`CONTROL.RUN with a PERIOD of ${period}: the timer does not start`);
    state.control = CONTROL.RUN.set(state.control, 0);
    return;
  }
  timers.tick.arm(from + period);
}

function tick(device: TestDevice, deadline: bigint): void {
  const { state } = device;
  if (takeArmed(state, FAULTS.THROW_ON_TIMER)) throw new Error('FAULT: THROW_ON_TIMER');
  state.count = Math.min(state.count + 1, 0xff);
  if (!CONTROL.PERIODIC.test(state.control)) state.control = CONTROL.RUN.set(state.control, 0);
  else start(device, deadline);
  if (CONTROL.DMA.test(state.control) && mayAccess(device, 4)) device.dma.writel(state.address, state.data);
  setStatus(device, STATUS.TIMER.mask);
}

function storm(device: TestDevice): void {
  device.timers.storm.arm(device.now());
}

/** Whether the device lets itself access ADDRESS. */
function mayAccess(device: TestDevice, size: number): boolean {
  if (device.properties.faults || !device.dma.isOwn(device.state.address, size)) return true;
  device.guestError('ADDRESS is in its own window');
  return false;
}

/** Bytes that the commands of DMA move. */
const MOVED: Readonly<Record<number, number>> = {
  [COMMANDS.DMA_READ]: 4,
  [COMMANDS.DMA_WRITE]: 4,
  [COMMANDS.DMA_LOAD]: WINDOW_BYTES,
  [COMMANDS.DMA_STORE]: WINDOW_BYTES,
};

function command(device: TestDevice, value: number): void {
  const { state, dma } = device;
  if (!mayAccess(device, MOVED[value] ?? 0)) return;
  switch (value) {
    case COMMANDS.NOP:
      return;
    case COMMANDS.RAISE:
      setStatus(device, STATUS.SOFT.mask);
      return;
    case COMMANDS.DMA_READ:
      state.data = dma.readl(state.address);
      break;
    case COMMANDS.DMA_WRITE:
      dma.writel(state.address, state.data);
      break;
    case COMMANDS.DMA_LOAD: {
      const block = new Uint8Array(WINDOW_BYTES);
      dma.read(state.address, block);
      state.window.write(0, block);
      break;
    }
    case COMMANDS.DMA_STORE:
      dma.write(state.address, state.window.read(0, WINDOW_BYTES));
      break;
    default:
      device.guestError(`COMMAND 0x${value.toString(16)}: there is no such command`);
      return;
  }
  setStatus(device, STATUS.DMA.mask);
}

/** Goes wrong in the way asked for. */
function fault(device: TestDevice, value: number): void {
  const { state, timers, properties } = device;
  if (!properties.faults) {
    device.guestError(`FAULT 0x${value.toString(16)}: the property 'faults' is false`);
    return;
  }
  switch (value) {
    case FAULTS.THROW:
      throw new Error('FAULT: THROW');
    case FAULTS.THROW_NULL:
      // oxlint-disable-next-line no-throw-literal -- What a careless device may do.
      throw null;
    case FAULTS.OUT_OF_BOUNDS:
      state.scratch = state.window.get(WINDOW_BYTES);
      return;
    case FAULTS.DIVIDE_BY_ZERO:
      state.data = Number(device.now() / BigInt(FAULTS.NONE));
      return;
    case FAULTS.RECURSION:
      fault(device, value);
      return;
    case FAULTS.HANG:
      for (;;) state.scratch++;
    case FAULTS.TIMER_STORM:
      timers.storm.arm(device.now());
      return;
    case FAULTS.PAST_DEADLINE:
      timers.tick.arm(device.now() - 1n);
      return;
    case FAULTS.BAD_DEADLINE:
      // @ts-expect-error -- What a device written in JavaScript may do.
      timers.tick.arm(Number.NaN);
      return;
    case FAULTS.GUEST_ERROR:
      device.guestError('FAULT: GUEST_ERROR');
      return;
    case FAULTS.UNIMPLEMENTED:
      device.unimplemented('FAULT: UNIMPLEMENTED');
      return;
    case FAULTS.BAD_PIN:
      device.out.irq.set(true, 1);
      return;
    default:
      if (value !== FAULTS.NONE && (value < FIRST_ARMED || value > LAST_ARMED)) {
        device.guestError(`FAULT 0x${value.toString(16)}: there is no such fault`);
        return;
      }
      state.armed = value;
      if (value === FAULTS.THROW_ON_MAP) device.remap();
  }
}

/** Whether `wanted` was armed; it is not any more. */
function takeArmed(state: TestDevice['state'], wanted: number): boolean {
  if (state.armed !== wanted) return false;
  state.armed = FAULTS.NONE;
  return true;
}

function readScratch(state: TestDevice['state']): number {
  if (takeArmed(state, FAULTS.THROW_ON_READ)) throw new Error('FAULT: THROW_ON_READ');
  if (takeArmed(state, FAULTS.READ_NAN)) return Number.NaN;
  if (takeArmed(state, FAULTS.READ_NEGATIVE)) return -1;
  if (takeArmed(state, FAULTS.READ_FRACTION)) return 1.5;
  if (takeArmed(state, FAULTS.READ_WIDE)) return 0xdead_beef;
  return state.scratch;
}

const strictRegisters: RegionBehaviour<TestDevice> = {
  read(device, offset) {
    const { state } = device;
    switch (offset) {
      case STRICT.offset:
        return state.strict;
      case FLAGS.offset:
        return state.flags;
      case WRITER.offset:
        return state.writer;
      default:
        device.guestError(`read at strict+${offset}: there is no register`);
        return 0xff;
    }
  },
  write(device, offset, value) {
    const { state } = device;
    switch (offset) {
      case STRICT.offset:
        state.strict = value;
        break;
      case FLAGS.offset:
        state.flags = FLAGS.write(state.flags, value);
        break;
      case WRITER.offset:
        break;
      default:
        device.guestError(`write at strict+${offset}: there is no register`);
    }
  },
};

const dataRegister: RegionBehaviour<TestDevice> = {
  read: ({ state }, offset, size) => extract(state.data, offset, size),
  write({ state }, offset, value, size) {
    state.data = insert(state.data, offset, value, size);
  },
};

/** The bits of `size` bytes, moved to bit 0. */
function lowBits(size: AccessSize): number {
  return 2 ** (8 * size) - 1;
}

function extract(from: number, offset: number, size: AccessSize): number {
  return ((from >>> (8 * offset)) & lowBits(size)) >>> 0;
}

function insert(into: number, offset: number, value: number, size: AccessSize): number {
  return ((into & ~(lowBits(size) << (8 * offset))) | (value << (8 * offset))) >>> 0;
}

const longRegisters: RegionBehaviour<TestDevice> = {
  read({ state }, offset) {
    switch (offset) {
      case PERIOD_LO.offset:
        return state.periodLo;
      case PERIOD_HI.offset:
        return state.periodHi;
      case ADDRESS.offset:
        return state.address;
      default:
        return state.base;
    }
  },
  write(device, offset, value) {
    const { state } = device;
    switch (offset) {
      case PERIOD_LO.offset:
        state.periodLo = value;
        break;
      case PERIOD_HI.offset:
        state.periodHi = PERIOD_HI.write(state.periodHi, value);
        break;
      case ADDRESS.offset:
        state.address = value;
        break;
      default:
        state.base = BASE.write(state.base, value);
        device.remap();
    }
  },
};

const windowBytes: RegionBehaviour<TestDevice> = {
  base({ state }) {
    if (state.armed === FAULTS.THROW_ON_MAP) throw new Error('FAULT: THROW_ON_MAP');
    return CONTROL.WINDOW.test(state.control) ? state.base : undefined;
  },
  read({ state }, offset, size) {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + state.window.get(offset + i);
    return value;
  },
  write(device, offset, value, size, initiator) {
    const { state } = device;
    for (let i = 0; i < size; i++) state.window.set(offset + i, extract(value, i, 1));
    state.writer = WRITER.INDEX.set(WRITER.KIND.set(0, WRITER_KIND[initiator.kind]), initiator.index);
    if (offset + size > DOORBELL) command(device, state.window.get(DOORBELL));
  },
};

/** The device for the framework's own tests. */
export const isaTestdev = defineDevice(schema, {
  reset,
  updateIrq,
  regions: {
    bytes: byteRegisters,
    strict: strictRegisters,
    data: dataRegister,
    longs: longRegisters,
    window: windowBytes,
  },
  timers: { tick, storm },
});
