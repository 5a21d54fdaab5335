import { definePlugin } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';

export default definePlugin({
  name: 'clock',
  description: "the PC's clock and its RAM",
  run: {
    'ram/keeps-a-byte'({ vcpu, assert }) {
      vcpu.outb(0x70, 0x40);
      vcpu.outb(0x71, 0x5a);
      assert.equal(vcpu.inb(0x71), 0x5a);
    },
    'time/counts-seconds'({ vcpu, clock, assert }) {
      const dev = rtc(vcpu);
      const before = dev.read(rtc.SECONDS);
      clock.step('1s');
      assert.equal(dev.read(rtc.SECONDS), before + 1, 'one second later');
    },
  },
});
