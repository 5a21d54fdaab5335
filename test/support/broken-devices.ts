import {
  defineDevice,
  deviceSchema,
  property,
  register,
  reserved,
  ro,
  rw,
  w1c,
  type AnyDeviceDefinition,
  type DeviceOf,
} from '@qtest/sdk';

/**
 * Devices that break the contract, each in one way, and one that keeps it. What the contract is to say of each is in its test,
 * `host/src/contract/broken.test.ts`.
 */

const CONTROL = register('CONTROL', { offset: 0, reset: 0x01, fields: { ZERO: reserved(7, 4), BITS: rw(3, 0) } });
const STATUS = register('STATUS', { offset: 1, reset: 0, fields: { LIT: ro(7), ZERO: reserved(6, 1), SET: w1c(0) } });

const schema = deviceSchema({
  type: 'sound',
  description: 'Keeps the contract',
  bus: 'isa',
  properties: {
    ioBase: property.number({ default: 0x300 }),
    irq: property.number({ min: -1, default: 5, max: 15 }),
  },
  state: { control: 'u8', status: 'u8', scratch: 'u8', divisor: 'u8', far: 'u8' },
  // CONTROL, STATUS, and three bytes that no table tells of; further on a wide one.
  regions: ({ ioBase }) => ({
    ports: { space: 'io', base: ioBase, size: 8 },
    wide: { space: 'io', base: ioBase + 0x1000, size: 0x800, access: { max: 4, unaligned: true } },
  }),
  registers: { ports: { registers: [CONTROL, STATUS] } },
  timers: ['tick'],
  outputs: { irq: { busIrq: 'irq' } },
});
type Sound = DeviceOf<typeof schema>;

/** Offsets of what no table tells of. START comes before DIVISOR, so that no single access is both. */
const SCRATCH = 2;
const START = 4;
const DIVISOR = 6;
const LAST = 7;

/** The parts of the device that keeps the contract, which each of the others changes one of. */
interface Ways {
  readonly type?: string;
  reset(device: Sound): void;
  read(device: Sound, offset: number): number;
  writeControl(device: Sound, value: number): void;
  writeStatus(device: Sound, value: number): void;
  writeScratch(device: Sound, value: number): void;
  start(device: Sound): void;
  tick(device: Sound, deadline: bigint): void;
  readWide(device: Sound, offset: number, size: number): number;
}

const sound: Ways = {
  reset({ state, timers }) {
    timers.tick.cancel();
    state.control = 0x01;
    state.status = 0;
    state.scratch = 0;
    state.divisor = 200;
  },
  read({ state }, offset) {
    switch (offset) {
      case CONTROL.offset:
        return state.control;
      case STATUS.offset:
        return state.status;
      case SCRATCH:
        return state.scratch;
      default:
        return 0;
    }
  },
  writeControl: ({ state }, value) => void (state.control = CONTROL.write(state.control, value)),
  writeStatus: ({ state }, value) => void (state.status = STATUS.write(state.status, value)),
  writeScratch: ({ state }, value) => void (state.scratch = value),
  start: ({ state, timers, now }) => timers.tick.arm(now() + BigInt(state.divisor + 1) * 1000n),
  tick: ({ state }) => void (state.status |= STATUS.SET.mask),
  readWide: () => 0,
};

function device(type: string, change: Partial<Ways> = {}): AnyDeviceDefinition {
  const ways = { ...sound, ...change };
  const updateIrq = ({ state, out }: Sound): void => out.irq.set(STATUS.SET.test(state.status));
  return defineDevice(
    { ...schema, type },
    {
      reset: ways.reset,
      updateIrq,
      regions: {
        ports: {
          read: ways.read,
          write(dev, offset, value) {
            if (offset === CONTROL.offset) ways.writeControl(dev, value);
            else if (offset === STATUS.offset) ways.writeStatus(dev, value);
            else if (offset === SCRATCH) ways.writeScratch(dev, value);
            else if (offset === DIVISOR) dev.state.divisor = value;
            else if (offset === START) ways.start(dev);
            updateIrq(dev);
          },
        },
        wide: { read: ways.readWide, write: () => {} },
      },
      timers: {
        tick(dev, deadline) {
          ways.tick(dev, deadline);
          updateIrq(dev);
        },
      },
    },
  );
}

export const keepsTheContract = device('sound');

export const wrongReset = device('wrong-reset', {
  reset(dev) {
    sound.reset(dev);
    dev.state.control = 0x03;
  },
});

export const writableReserved = device('writable-reserved', {
  writeControl: ({ state }, value) => void (state.control = value & 0x1f),
});

export const stuckFlag = device('stuck-flag', { writeStatus: () => {} });

let kept = 0;
export const closure = device('closure', {
  writeScratch: (_device, value) => void (kept = value),
  read: (dev, offset) => (offset === SCRATCH ? kept : sound.read(dev, offset)),
});

/** For each binding its own. */
const keptFor = new WeakMap<object, number>();
export const perThread = device('per-thread', {
  writeScratch: (dev, value) => void keptFor.set(dev, value),
  read: (dev, offset) => (offset === SCRATCH ? (keptFor.get(dev) ?? 0) : sound.read(dev, offset)),
});

let last = 0;
/** What a cold reset, too, takes over from before it. */
export const keepsOverReset = device('keeps-over-reset', {
  reset(dev) {
    sound.reset(dev);
    dev.state.far = last;
  },
  writeScratch({ state }, value) {
    state.scratch = value;
    last = value;
  },
});

export const throwsOnWrite = device('throws-on-write', {
  writeScratch({ state }, value) {
    if (value === 0x3d) throw new RangeError('no such thing as 0x3d');
    state.scratch = value;
  },
});

export const throwsUnaligned = device('throws-unaligned', {
  readWide(_device, offset, size) {
    if (offset + size > 0x800 - 3 && offset === 0x800 - 6) throw new RangeError('beyond the end');
    return 0;
  },
});

export const endless = device('endless', {
  writeScratch({ state }, value) {
    state.scratch = value;
    while (state.scratch === 0x3c) state.far++;
  },
});

export const divides = device('divides', {
  start: ({ state, timers, now }) => timers.tick.arm(now() + BigInt(Math.round(1e9 / state.divisor))),
});

export const storm = device('storm', {
  tick(dev, deadline) {
    sound.tick(dev, deadline);
    dev.timers.tick.arm(deadline);
  },
});

export const fast = device('fast', {
  tick(dev, deadline) {
    sound.tick(dev, deadline);
    dev.timers.tick.arm(deadline + BigInt((dev.state.divisor >> 1) + 1));
  },
});

export const backwards = device('backwards', {
  start: ({ state, timers, now }) => timers.tick.arm(now() + BigInt(state.divisor) - 10n),
});

export const notANumber = device('not-a-number', {
  read: (dev, offset) => (offset === LAST && dev.state.scratch > 0x80 ? Number.NaN : sound.read(dev, offset)),
});

export const needsRam = device('needs-ram', {
  writeScratch({ state, dma }, value) {
    state.scratch = value;
    // What it reads where there is no RAM, all ones, is no index.
    const index = dma.readl(0) === 0xffff_ffff && dma.readl(4) === 0xffff_ffff ? 256 : 0;
    if (index > 255) throw new RangeError(`no entry ${index}`);
  },
});
