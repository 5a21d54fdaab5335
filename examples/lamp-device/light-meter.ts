/**
 * A light meter: counts how often its input rises, and writes the time of each into a log in RAM. No real part.
 *
 * `bar`, four ports from `ioBase`, in one access of 4 bytes:
 *   0 BASE     RW 31–4: where `window` lies in memory; 0, as at reset: nowhere
 * `window`, 16 bytes of memory, in accesses of 4 bytes; others are refused:
 *   0 COUNT    RO
 *   4 LOG      RW 31–6: address of 16 words in memory, filled in turn with milliseconds; 0 for none
 *   8 LUX      RO  the brightness
 *   c PRESET   WO  sets COUNT
 * Input: `light`.
 * Not modelled: LUX reads as 0.
 */
import { defineDevice, deviceSchema, property, register, reserved, rw } from '@qtest/sdk';
import type { DeviceOf, RegionBehaviour } from '@qtest/sdk';

export const BASE = register('BASE', {
  offset: 0,
  width: 32,
  reset: 0,
  fields: { BASE: rw(31, 4), ZERO: reserved(3, 0) },
  effect: 'moves the registers in memory',
});
export const COUNT = register('COUNT', { offset: 0x0, width: 32, reset: 0, access: 'ro' });
export const LOG = register('LOG', {
  offset: 0x4,
  width: 32,
  reset: 0,
  fields: { LOG: rw(31, 6), ZERO: reserved(5, 0) },
});
export const LUX = register('LUX', { offset: 0x8, width: 32, reset: 0, access: 'ro' });
export const PRESET = register('PRESET', { offset: 0xc, width: 32, reset: 0, access: 'wo', effect: 'sets COUNT' });

/** Words of the log. */
const LOG_WORDS = 16;

const schema = deviceSchema({
  type: 'light-meter',
  idPrefix: 'meter',
  description: 'Counts how often a light goes on',
  properties: {
    ioBase: property.number({ default: 0x310, max: 0xfffc, description: 'first of the four ports of BASE' }),
  },
  state: { base: 'u32', count: 'u32', log: 'u32' },
  regions: ({ ioBase }) => ({
    bar: { space: 'io', base: ioBase, size: 4, access: { min: 4, max: 4 } },
    window: { space: 'memory', size: 16, access: { min: 4, max: 4 } },
  }),
  registers: { bar: { registers: [BASE] }, window: { registers: [COUNT, LOG, LUX, PRESET] } },
  inputs: { light: {} },
  contract: { setup: (vcpu, { ioBase }) => vcpu.outl(ioBase + BASE.offset, 0xfeb0_0000) },
});

type LightMeter = DeviceOf<typeof schema>;

const bar: RegionBehaviour<LightMeter> = {
  read: ({ state }) => state.base,
  write(device, _offset, value) {
    device.state.base = BASE.write(device.state.base, value);
    device.remap();
  },
};

const window: RegionBehaviour<LightMeter> = {
  base: ({ state }) => (state.base === 0 ? undefined : state.base),
  read(device, offset) {
    const { state } = device;
    switch (offset) {
      case COUNT.offset:
        return state.count;
      case LOG.offset:
        return state.log;
      case LUX.offset:
        device.unimplemented('LUX: reads as 0');
        return 0;
      default:
        return 0; // PRESET is write-only.
    }
  },
  write(device, offset, value) {
    const { state } = device;
    if (offset === LOG.offset) state.log = LOG.write(state.log, value);
    else if (offset === PRESET.offset) state.count = value;
    else device.guestError(`write of 0x${value.toString(16)} to the read-only register at ${offset}`);
  },
};

function light(device: LightMeter, _pin: number, level: boolean): void {
  const { state } = device;
  if (!level) return;
  if (state.log !== 0) log(device, state.log + 4 * (state.count % LOG_WORDS));
  state.count++;
}

function log({ dma, now, guestError }: LightMeter, address: number): void {
  if (dma.isOwn(address, 4)) guestError('LOG lies in the window of the device itself');
  else dma.writel(address, Number(now() / 1_000_000n));
}

export const lightMeter = defineDevice(schema, {
  reset({ state }) {
    state.base = 0;
    state.count = 0;
    state.log = 0;
  },
  regions: { bar, window },
  inputs: { light },
});
