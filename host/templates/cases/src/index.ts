import { definePlugin, states } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';

/** The cases. Without an `init()` they run on the normal machine, a PC. */
export default definePlugin({
  name: 'PLUGIN_NAME',
  description: 'Device tests of PACKAGE_NAME',
  run: {
    'ram/keeps-a-byte': states("The RTC's RAM keeps what is written to it.", function keepsAByte({ vcpu, assert }) {
      vcpu.outb(0x70, 0x40);
      vcpu.outb(0x71, 0x5a);
      assert.equal(vcpu.inb(0x71), 0x5a);
    }),
    'time/counts-seconds': states('SECONDS counts one a second.', function countsSeconds({ vcpu, clock, assert, log }) {
      const dev = rtc(vcpu);
      const before = dev.read(rtc.SECONDS);
      clock.step('1s');
      log(`the time is ${clock.now} ns`);
      assert.equal(dev.read(rtc.SECONDS), before + 1, 'one second later');
    }),
  },
});
