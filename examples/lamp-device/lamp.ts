/**
 * A lamp on the ISA bus that can blink and tell of each blink by an IRQ. No real part: this page is its data sheet.
 *
 * Four byte registers from `ioBase`; wider accesses are split.
 *   0 ID       RO   0x1a
 *   1 CONTROL  RW   ON 0: lit · BLINK 1: lit and dark in turn, `period` each · IE 2: raise the IRQ with STATUS.BLINKED
 *   2 STATUS        LIT 7, RO: lit now · BLINKED 0, W1C: it has changed since this was cleared
 *   3 COUNT    RC   changes since the last read, at most 255
 * Outputs: `irq`, to the ISA IRQ; `light`, high while it is lit.
 * Not modelled: that it gets warm.
 */
import { defineDevice, deviceSchema, property, register, reserved, ro, rw, w1c } from '@qtest/sdk';
import type { DeviceOf, RegionBehaviour } from '@qtest/sdk';

export const ID = register('ID', { offset: 0, reset: 0x1a, access: 'ro' });
export const CONTROL = register('CONTROL', {
  offset: 1,
  reset: 0,
  fields: { ZERO: reserved(7, 3), IE: rw(2), BLINK: rw(1), ON: rw(0) },
  effect: 'BLINK starts and stops the timer',
});
export const STATUS = register('STATUS', {
  offset: 2,
  reset: 0,
  fields: { LIT: ro(7), ZERO: reserved(6, 1), BLINKED: w1c(0) },
});
export const COUNT = register('COUNT', { offset: 3, reset: 0, access: 'rc', effect: 'reading clears it' });

const schema = deviceSchema({
  type: 'lamp',
  description: 'A lamp that can blink',
  bus: 'isa',
  properties: {
    ioBase: property.number({ default: 0x300, max: 0xfffc, description: 'first of its four ports' }),
    irq: property.number({ default: 5, max: 15, description: 'ISA IRQ' }),
    period: property.duration({ default: '500ms', description: 'how long it is lit, and dark, when it blinks' }),
  },
  state: { control: 'u8', status: 'u8', count: 'u8' },
  regions: ({ ioBase }) => ({ ports: { space: 'io', base: ioBase, size: 4 } }),
  registers: { ports: { registers: [ID, CONTROL, STATUS, COUNT] } },
  timers: ['blink'],
  outputs: { irq: { busIrq: 'irq' }, light: {} },
});

type Lamp = DeviceOf<typeof schema>;

const ports: RegionBehaviour<Lamp> = {
  read({ state }, offset) {
    switch (offset) {
      case ID.offset:
        return 0x1a;
      case CONTROL.offset:
        return state.control;
      case STATUS.offset:
        return state.status;
      default: {
        const { count } = state;
        state.count = 0;
        return count;
      }
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

function writeControl(device: Lamp, value: number): void {
  const { state, timers, properties } = device;
  const before = state.control;
  state.control = CONTROL.write(before, value);
  setLit(device, CONTROL.ON.test(state.control));
  if (!CONTROL.BLINK.test(state.control)) timers.blink.cancel();
  else if (!CONTROL.BLINK.test(before)) timers.blink.arm(device.now() + properties.period);
}

function setLit({ state }: Lamp, lit: boolean): void {
  state.status = STATUS.LIT.set(state.status, Number(lit));
}

function blink(device: Lamp, deadline: bigint): void {
  const { state, timers, properties } = device;
  setLit(device, !STATUS.LIT.test(state.status));
  state.status |= STATUS.BLINKED.mask;
  state.count = Math.min(state.count + 1, 0xff);
  timers.blink.arm(deadline + properties.period);
  updateIrq(device);
}

function updateIrq({ state, out }: Lamp): void {
  out.light.set(STATUS.LIT.test(state.status));
  out.irq.set(CONTROL.IE.test(state.control) && STATUS.BLINKED.test(state.status));
}

export const lamp = defineDevice(schema, {
  reset({ state, timers }) {
    timers.blink.cancel();
    state.control = 0;
    state.status = 0;
    state.count = 0;
  },
  updateIrq,
  regions: { ports },
  timers: { blink },
});
