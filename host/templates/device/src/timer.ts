/**
 * A one-shot timer on the ISA bus, to start from. No real part: this is its data sheet.
 *
 * Three byte registers from `ioBase`; wider accesses are split.
 *   0 ID       RO   0x71
 *   1 CONTROL  RW   IE 1: raise the IRQ with STATUS.DONE · RUN 0: writing 1 starts it, 0 stops it; 0 again when it is done
 *   2 STATUS        DONE 0, W1C: it has run to its end since this was cleared
 * Output: `irq`, to the ISA IRQ.
 */
import { defineDevice, deviceSchema, property, register, reserved, rw, w1c } from '@qtest/sdk';
import type { DeviceOf, RegionBehaviour } from '@qtest/sdk';

export const ID = register('ID', { offset: 0, reset: 0x71, access: 'ro' });
export const CONTROL = register('CONTROL', {
  offset: 1,
  reset: 0,
  fields: { ZERO: reserved(7, 2), IE: rw(1), RUN: rw(0) },
  effect: 'RUN starts and stops the timer',
});
export const STATUS = register('STATUS', { offset: 2, reset: 0, fields: { ZERO: reserved(7, 1), DONE: w1c(0) } });

const schema = deviceSchema({
  type: 'PLUGIN_NAME-timer',
  idPrefix: 'timer',
  description: 'A one-shot timer',
  bus: 'isa',
  properties: {
    ioBase: property.number({ default: 0x300, max: 0xfffd, description: 'first of its three ports' }),
    irq: property.number({ default: 5, max: 15, description: 'ISA IRQ' }),
    period: property.duration({ default: '1ms', description: 'how long it runs' }),
  },
  state: { control: 'u8', status: 'u8' },
  regions: ({ ioBase }) => ({ ports: { space: 'io', base: ioBase, size: 3 } }),
  registers: { ports: { registers: [ID, CONTROL, STATUS] } },
  timers: ['run'],
  outputs: { irq: { busIrq: 'irq' } },
});

type Timer = DeviceOf<typeof schema>;

const ports: RegionBehaviour<Timer> = {
  read({ state }, offset) {
    switch (offset) {
      case CONTROL.offset:
        return state.control;
      case STATUS.offset:
        return state.status;
      default:
        return 0x71;
    }
  },
  write(device, offset, value) {
    const { state } = device;
    if (offset === CONTROL.offset) writeControl(device, value);
    else if (offset === STATUS.offset) state.status = STATUS.write(state.status, value);
    else device.guestError(`write of 0x${value.toString(16)} to the read-only port ${offset}`);
    updateIrq(device);
  },
};

function writeControl({ state, timers, properties, now }: Timer, value: number): void {
  const before = state.control;
  state.control = CONTROL.write(before, value);
  if (!CONTROL.RUN.test(state.control)) timers.run.cancel();
  else if (!CONTROL.RUN.test(before)) timers.run.arm(now() + properties.period);
}

function done(device: Timer): void {
  const { state } = device;
  state.control = CONTROL.RUN.set(state.control, 0);
  state.status |= STATUS.DONE.mask;
  updateIrq(device);
}

/** The only place that drives the line. */
function updateIrq({ state, out }: Timer): void {
  out.irq.set(CONTROL.IE.test(state.control) && STATUS.DONE.test(state.status));
}

export const timer = defineDevice(schema, {
  reset({ state, timers }) {
    timers.run.cancel();
    state.control = 0;
    state.status = 0;
  },
  updateIrq,
  regions: { ports },
  timers: { run: done },
});
