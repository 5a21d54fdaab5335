/**
 * iBASE IB700 single-board computer's watchdog.
 *
 * Published specification: the board's manual, "Watchdog Timer Configuration", as quoted in Linux, drivers/watchdog/ib700wdt.c.
 * A write to port 0x443 starts it, or starts it anew, with 30 − 2·n seconds for a value n of 0 to 15; a write of anything to port 0x441
 * stops it. Both ports are write-only. The manual's example writes words: the value is the low byte, and the port after it takes
 * the high one, which is nothing.
 *
 * When it expires it stops, `expired` pulses, and so does the output of the action that the property `action` names: the part has
 * the board's reset, QEMU a choice. Nothing is wired to these pins by itself. A pulse has no length: a test sees it as an edge,
 * not as a level. A value of 15 expires at once, after the access.
 *
 * Not modelled: what an action does to the machine, beyond its pulse; the tolerance of 20 %.
 *
 * Other than QEMU's: there the ports 0x442 and 0x444 are those before them once more, so that a word starts it with what its high byte
 * says; the high bits of a value are ignored as there, and reported.
 */
import { defineDevice, deviceSchema, property, register, reserved, wo, type DeviceOf } from '@qtest/sdk';

export const DISABLE = register('DISABLE', { offset: 0, access: 'wo', effect: 'stops the watchdog' });
export const ENABLE = register('ENABLE', {
  offset: 0,
  fields: { ZERO: reserved(7, 4), TIMEOUT: wo(3, 0) },
  effect: 'starts the watchdog with 30 − 2·TIMEOUT seconds',
});

/** Seconds for a TIMEOUT of 0, and how many fewer for each step of it. */
const LONGEST = 30;
const STEP = 2;
const SECOND = 1_000_000_000n;

/** Ports from that of DISABLE to that of ENABLE. */
const ENABLE_PORT = 2;

/** A byte, or a word at any port. */
const PORTS = { size: 2, access: { max: 2, unaligned: true } } as const;

const FLOATING = 0xffff;

const schema = deviceSchema({
  type: 'ib700',
  idPrefix: 'watchdog',
  description: 'iBASE IB700 watchdog',
  bus: 'isa',
  properties: {
    ioBase: property.number({
      max: 0xffff - ENABLE_PORT - 1,
      default: 0x441,
      description: 'port that disables; the one that enables is 2 above it',
    }),
    action: property.oneOf(['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none', 'inject-nmi'], {
      default: 'reset',
      description: 'which output pulses, besides `expired`, when the time is over',
    }),
  },
  regions: ({ ioBase }) => ({
    disable: { space: 'io', base: ioBase, ...PORTS },
    enable: { space: 'io', base: ioBase + ENABLE_PORT, ...PORTS },
  }),
  registers: { disable: { registers: [DISABLE] }, enable: { registers: [ENABLE] } },
  timers: ['expiry'],
  outputs: { expired: {}, reset: {}, shutdown: {}, poweroff: {}, pause: {}, debug: {}, nmi: {} },
});

type Watchdog = DeviceOf<typeof schema>;

/** The output of each action. */
const PIN = {
  reset: 'reset',
  shutdown: 'shutdown',
  poweroff: 'poweroff',
  pause: 'pause',
  debug: 'debug',
  none: undefined,
  'inject-nmi': 'nmi',
} as const;

function expire({ out, properties }: Watchdog): void {
  const pin = PIN[properties.action];
  for (const output of [out.expired, pin === undefined ? undefined : out[pin]]) {
    output?.set(true);
    output?.set(false);
  }
}

export const ib700 = defineDevice(schema, {
  reset: ({ timers }) => timers.expiry.cancel(),
  regions: {
    disable: {
      read: () => FLOATING,
      write({ timers }, offset) {
        if (offset === DISABLE.offset) timers.expiry.cancel();
      },
    },
    enable: {
      read: () => FLOATING,
      write(device, offset, value) {
        if (offset !== ENABLE.offset) return;
        const byte = value & 0xff;
        if (byte > ENABLE.TIMEOUT.mask) device.guestError(`timeout 0x${byte.toString(16)}: bits 7 to 4 are ignored`);
        const seconds = LONGEST - STEP * ENABLE.TIMEOUT.get(byte);
        device.timers.expiry.arm(device.now() + BigInt(seconds) * SECOND);
      },
    },
  },
  timers: { expiry: expire },
});
