import {
  type AccessSize,
  type Device,
  type DeviceOf,
  array,
  bytes,
  defineDevice,
  deviceSchema,
  property,
} from '@qtest/sdk';

/**
 * Devices for the tests of the machine. Each shows one thing; what it was asked and what happened to it is kept in its state, so that any
 * thread can look.
 */

const LOG = 64;
const sizes = ['1', '2', '4'] as const;
const sizeOf = (text: (typeof sizes)[number]): AccessSize => (text === '1' ? 1 : text === '2' ? 2 : 4);

/** `length` bytes in one region, wherever and however its properties say; notes each access that reaches it. */
export const probe = defineDevice(
  {
    type: 'probe',
    description: 'Notes accesses',
    properties: {
      space: property.oneOf(['io', 'memory'], { default: 'io' }),
      base: property.number({ default: 0x100, max: Number.MAX_SAFE_INTEGER }),
      length: property.number({ default: 16, max: 0x1_0000_0000 }),
      priority: property.number({ default: 0 }),
      min: property.oneOf(sizes, { default: '1' }),
      max: property.oneOf(sizes, { default: '1' }),
      strict: property.boolean({ default: false }),
      widen: property.boolean({ default: false }),
      unaligned: property.boolean({ default: false }),
      /** What its first byte holds at reset; the others count on from there. */
      first: property.number({ default: 0, max: 0xff }),
    },
    state: { data: bytes(256), calls: 'u32', log: array('u32', 4 * LOG) },
    regions: ({ space, base, length, priority, min, max, strict, widen, unaligned }) => ({
      reg: {
        space,
        base,
        size: length,
        priority,
        access: { min: sizeOf(min), max: sizeOf(max), strict, widen, unaligned },
      },
    }),
  },
  {
    reset({ state, properties: { first } }) {
      for (let i = 0; i < state.data.length; i++) state.data.set(i, (first + i) & 0xff);
      state.calls = 0;
    },
    regions: {
      reg: {
        read({ state }, offset, size) {
          let value = 0;
          for (let i = size - 1; i >= 0; i--) value = value * 256 + state.data.get((offset + i) & 0xff);
          note(state, 0, offset, size, value);
          return value;
        },
        write({ state }, offset, value, size) {
          for (let i = 0; i < size; i++) state.data.set((offset + i) & 0xff, (value >>> (8 * i)) & 0xff);
          note(state, 1, offset, size, value);
        },
      },
    },
  },
);

interface Noted {
  calls: number;
  readonly log: { get(index: number): number; set(index: number, value: number): void };
}

function note(state: Noted, kind: number, offset: number, size: number, value: number): void {
  const at = (state.calls % LOG) * 4;
  state.log.set(at, kind);
  state.log.set(at + 1, offset);
  state.log.set(at + 2, size);
  state.log.set(at + 3, value);
  state.calls++;
}

/** What reached a probe: `r2@4` for a read of two bytes at offset 4, `w1@0=ff` for a write. */
export function callsOf({ state }: Device): string[] {
  const { calls, log } = state as unknown as Noted;
  return Array.from({ length: Math.min(calls, LOG) }, (_, n) => {
    const [kind, offset, size, value] = [0, 1, 2, 3].map((i) => log.get((n % LOG) * 4 + i));
    return kind === 0 ? `r${size}@${offset}` : `w${size}@${offset}=${value?.toString(16)}`;
  });
}

export const TIMERS = 4;
/** Offsets of `ticker`'s registers, 32 bits each. */
export const TICKER = {
  /** Arms timer n for this many ns from now. */
  ARM: 0x00,
  /** Arms timer n for this many ns ago. */
  PAST: 0x10,
  /** Cancels timer n. */
  CANCEL: 0x20,
  /** What timer n does when it fires, one of `ON_FIRE`; with its operand in the upper 24 bits. */
  ON_FIRE: 0x30,
  /** Reading gives how often any timer has fired; writing forgets it. */
  FIRED: 0x40,
  /** Reading gives the low half of machine time. */
  NOW: 0x44,
  /** Arms timer 0 beyond what 64 bits of nanoseconds can tell. */
  FOREVER: 0x48,
} as const;

export const ON_FIRE = {
  NOTHING: 0,
  /** Arms itself again, so many ns after its deadline. */
  AGAIN: 1,
  /** Cancels the timer of this number. */
  CANCEL: 2,
  /** Throws. */
  THROW: 3,
  /** Arms itself for 1 ns before its deadline. */
  EARLIER: 4,
} as const;

const tickerSchema = deviceSchema({
  type: 'ticker',
  description: 'Timers',
  properties: { base: property.number({ default: 0x200, max: 0xff00 }) },
  state: {
    fired: 'u32',
    who: array('u8', LOG),
    deadlines: array('u32', LOG),
    nows: array('u32', LOG),
    actions: array('u32', TIMERS),
  },
  regions: ({ base }) => ({ reg: { space: 'io', base, size: 0x50, access: { min: 4, max: 4 } } }),
  timers: ['t0', 't1', 't2', 't3'],
  outputs: { irq: { count: TIMERS } },
});
type Ticker = DeviceOf<typeof tickerSchema>;

/** Four timers, and IRQ output n, a pulse, for each. Notes who fired when. */
export const ticker = defineDevice(tickerSchema, {
  reset({ state, timers }) {
    for (const timer of Object.values(timers)) timer.cancel();
    state.fired = 0;
    state.actions.fill(0);
  },
  regions: {
    reg: {
      read(device, offset) {
        return offset === TICKER.FIRED
          ? device.state.fired
          : offset === TICKER.NOW
            ? Number(device.now() & 0xffff_ffffn)
            : 0;
      },
      write(device, offset, value) {
        const { state, timers } = device;
        const n = (offset >> 2) & 3;
        const timer = [timers.t0, timers.t1, timers.t2, timers.t3][n];
        if (offset === TICKER.FIRED) state.fired = 0;
        else if (offset === TICKER.FOREVER) timers.t0.arm(2n ** 63n + 5n);
        else if (offset >= TICKER.FIRED) return;
        else if (offset >= TICKER.ON_FIRE) state.actions.set(n, value);
        else if (offset >= TICKER.CANCEL) timer?.cancel();
        else if (offset >= TICKER.PAST) timer?.arm(device.now() - BigInt(value));
        else timer?.arm(device.now() + BigInt(value));
      },
    },
  },
  timers: {
    t0: (device, deadline) => fired(device, 0, deadline),
    t1: (device, deadline) => fired(device, 1, deadline),
    t2: (device, deadline) => fired(device, 2, deadline),
    t3: (device, deadline) => fired(device, 3, deadline),
  },
});

function fired(device: Ticker, n: number, deadline: bigint): void {
  const { state, timers, out } = device;
  const at = state.fired % LOG;
  state.who.set(at, n);
  state.deadlines.set(at, Number(deadline & 0xffff_ffffn));
  state.nows.set(at, Number(device.now() & 0xffff_ffffn));
  state.fired++;
  const all = [timers.t0, timers.t1, timers.t2, timers.t3];
  const action = state.actions.get(n);
  const operand = action >>> 8;
  switch (action & 0xff) {
    case ON_FIRE.AGAIN:
      all[n]?.arm(deadline + BigInt(operand));
      break;
    case ON_FIRE.CANCEL:
      all[operand]?.cancel();
      break;
    case ON_FIRE.THROW:
      throw new Error('ticker: a timer throws');
    case ON_FIRE.EARLIER:
      all[n]?.arm(deadline - 1n);
      break;
  }
  out.irq.set(true, n);
  out.irq.set(false, n);
}

interface Fired {
  readonly fired: number;
  readonly who: { get(index: number): number };
  readonly deadlines: { get(index: number): number };
  readonly nows: { get(index: number): number };
}

/** Which timers of a ticker have fired, in order: `2@500` for timer 2 at 500 ns; `2@500/600` when its deadline was 500 and it was 600 by then. */
export function firedOf({ state }: Device): string[] {
  const { fired: count, who, deadlines, nows } = state as unknown as Fired;
  return Array.from({ length: Math.min(count, LOG) }, (_, n) => {
    const [deadline, now] = [deadlines.get(n), nows.get(n)];
    return `${who.get(n)}@${deadline}${now === deadline ? '' : `/${now}`}`;
  });
}

/** Writing port n drives output pin n; it has no memory of its own, the lines do. */
export const driver = defineDevice(
  {
    type: 'driver',
    description: 'Drives lines',
    properties: { base: property.number({ default: 0x400, max: 0xff00 }) },
    regions: ({ base }) => ({ pins: { space: 'io', base, size: 4 } }),
    outputs: { out: { count: 4 } },
  },
  {
    reset: () => {},
    regions: {
      pins: {
        read: ({ out }, offset) => Number(out.out.level(offset)),
        write: ({ out }, offset, value) => out.out.set(value !== 0, offset),
      },
    },
  },
);

/** Four input pins; reading port n tells its level in bit 0 and how often it has changed in the rest. */
export const listener = defineDevice(
  {
    type: 'listener',
    description: 'Listens to lines',
    properties: { base: property.number({ default: 0x500, max: 0xff00 }) },
    state: { levels: bytes(4), changes: bytes(4) },
    regions: ({ base }) => ({ pins: { space: 'io', base, size: 4 } }),
    inputs: { in: { count: 4 } },
  },
  {
    regions: {
      pins: {
        read: ({ state }, offset) => (state.changes.get(offset) << 1) | state.levels.get(offset),
        write: () => {},
      },
    },
    inputs: {
      in: ({ state }, pin, level) => {
        state.levels.set(pin, Number(level));
        state.changes.set(pin, state.changes.get(pin) + 1);
      },
    },
  },
);

/** Values of `mapper`'s register for which `base()` gives what is no address. */
export const NO_ADDRESS = { NAN: 1, NEGATIVE: 2, FRACTION: 3, HUGE: 4, THROWS: 5 } as const;

/** A region of 16 bytes in each space that lies where a 32-bit register says; 0 takes it away. All its bytes hold `fill`. */
export const mapper = defineDevice(
  {
    type: 'mapper',
    description: 'Moves its regions',
    properties: {
      base: property.number({ default: 0x600, max: 0xff00 }),
      fill: property.number({ default: 0xa5, max: 0xff }),
      priority: property.number({ default: 1 }),
    },
    state: { io: 'u32', memory: 'u32', delay: 'u32', next: 'u32' },
    regions: ({ base, priority }) => ({
      control: { space: 'io', base, size: 16, access: { min: 4, max: 4 } },
      ports: { space: 'io', size: 16, priority },
      window: { space: 'memory', size: 16, priority, access: { max: 4 } },
    }),
    timers: ['move'],
  },
  {
    reset({ state, timers }) {
      state.io = 0;
      state.memory = 0;
      timers.move.cancel();
    },
    regions: {
      control: {
        read: ({ state }, offset) => (offset === 0 ? state.io : state.memory),
        /** 0: ports; 4: window; 8: ports, in so many ns from now; 12: to where the ports are to go then. */
        write(device, offset, value) {
          const { state, timers } = device;
          if (offset === 8) return timers.move.arm(device.now() + BigInt(value));
          if (offset === 12) {
            state.next = value;
            return;
          }
          if (offset === 0) state.io = value;
          else state.memory = value;
          device.remap();
        },
      },
      ports: { base: ({ state }) => lie(state.io), read: ({ properties }) => properties.fill, write: () => {} },
      window: {
        base: ({ state }) => lie(state.memory),
        read: ({ properties: { fill } }) => fill * 0x0101_0101,
        write: () => {},
      },
    },
    timers: {
      move(device) {
        device.state.io = device.state.next;
        device.remap();
      },
    },
  },
);

function lie(value: number): number | undefined {
  switch (value) {
    case 0:
      return undefined;
    case NO_ADDRESS.NAN:
      return NaN;
    case NO_ADDRESS.NEGATIVE:
      return -8;
    case NO_ADDRESS.FRACTION:
      return 4096.5;
    case NO_ADDRESS.HUGE:
      return 2 ** 60;
    case NO_ADDRESS.THROWS:
      throw new Error('mapper: base() throws');
    default:
      return value;
  }
}
