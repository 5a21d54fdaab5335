import { defineDevice, definePlugin } from '@qtest/sdk';

/** Its timer never returns. */
const snare = defineDevice(
  {
    type: 'snare',
    description: '',
    regions: () => ({ reg: { space: 'io', base: 0x100, size: 4, access: { max: 4 } } }),
    timers: ['t'],
  },
  {
    regions: {
      reg: { read: () => 0, write: (device, _offset, value) => device.timers.t.arm(device.now() + BigInt(value)) },
    },
    timers: {
      t: () => {
        for (;;);
      },
    },
  },
);

export default definePlugin({
  name: 'kill-in-a-timer',
  description: 'A device that hangs on whichever thread fires its timer',
  devices: [snare],
  init: (m) => void m.add(snare),
  run: {
    ok: ({ vcpu }) => void vcpu.inb(0x100),
    /** The VCPU computes, so that the I/O thread fires the timer. */
    'on-the-io-thread': ({ vcpu }) => {
      vcpu.outl(0x100, 1_000_000);
      for (;;);
    },
    'on-the-vcpu': ({ vcpu, clock }) => {
      vcpu.outl(0x100, 1_000_000);
      clock.step('10ms');
    },
    /** Ends at once, and leaves the timer armed, for longer than a busy host takes to end it. */
    'left-armed': ({ vcpu }) => vcpu.outl(0x100, 400_000_000),
  },
});
