import { definePlugin } from '@qtest/sdk';

/** More guest errors than the ring holds. */
export default definePlugin({
  name: 'flood',
  description: 'More events than the ring holds',
  init: (m) => void m.add('isa-bus'),
  run: {
    flood: ({ vcpu }) => {
      for (let n = 0; n < 200_000; n++) vcpu.inb(0x80);
    },
    quiet: ({ clock }) => void clock.step(1n),
  },
});
