import { definePlugin, type CaseContext } from '@qtest/sdk';
import { rtc } from '@qtest/parts/pc';

/** Takes 32 periodic interrupts at 64 Hz, and says so on the POST card that the extension has added. */
function takeInterrupts({ vcpu, machine, assert }: CaseContext): void {
  const dev = rtc(vcpu);
  let interrupts = 0;
  vcpu.onIrq(8, () => {
    if (rtc.C.PF.test(dev.acknowledge())) interrupts++;
  });
  dev.setRate(rtc.rateOf(64));
  dev.enable('PIE');
  while (interrupts < 32) vcpu.idle({ timeout: '1s' });
  dev.disable('PIE');

  assert.equal(machine.get('post0').type, 'post-card');
  vcpu.outb(0x80, interrupts);
  assert.equal(vcpu.inb(0x80), 32);
}

export default definePlugin({
  name: 'timer',
  description: 'periodic interrupts in both clocks',
  init(machine) {
    const isa = machine.add('isa-bus');
    machine.add('mc146818rtc', { bus: isa });
  },
  run: {
    'virtual/64hz': { clock: 'virtual', run: takeInterrupts },
    'realtime/64hz': { clock: 'realtime', run: takeInterrupts },
  },
});
