import { definePlugin, spinLock, type CaseContext } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';

type Guard = <T>(run: () => T) => T;

/** Two drivers with one index port: VCPU 0 sets the RTC's alarm, while VCPU 1 keeps a checksum of some RAM in the CMOS. */
function twoDrivers({ vcpu, assert }: CaseContext, guard: Guard): void {
  const dev = rtc(vcpu);
  if (vcpu.index === 0) {
    guard(() => dev.setAlarm({ hours: 7, minutes: 30 }));
    const alarm = guard(() => dev.readAlarm());
    assert.deepEqual(alarm, { hours: 7, minutes: 30 });
  } else {
    const sum = vcpu.read(0x1000, 64).reduce((total, byte) => total + byte, 1);
    guard(() => dev.write(0x40, sum));
    const kept = guard(() => dev.read(0x40));
    assert.equal(kept, sum, 'the checksum in the CMOS');
  }
}

export default definePlugin({
  name: 'race',
  description: 'two drivers, one pair of ports',
  vcpus: 2,
  run: {
    unguarded: (context) => twoDrivers(context, (run) => run()),
    guarded: (context) => twoDrivers(context, spinLock(context)),
  },
});
