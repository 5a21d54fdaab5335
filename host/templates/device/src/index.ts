import { definePlugin, states } from '@qtest/sdk';
import type {} from '@qtest/parts/pc';

import { CONTROL, ID, STATUS, timer } from './timer.ts';

const PORT = 0x300;
const IRQ = 5;
const PERIOD = 1_000_000n;

export { timer };

/** A device, and the cases that it has to pass. */
export default definePlugin({
  name: 'PLUGIN_NAME',
  description: 'Device tests of PACKAGE_NAME',
  devices: [timer],

  // In place of the normal machine: an ISA bus, and the timer. `machine.pc()` would build a whole PC to add it to.
  init(machine) {
    const isa = machine.add('isa-bus');
    machine.add(timer, { bus: isa, ioBase: PORT, irq: IRQ, period: PERIOD });
  },

  run: {
    'timer/id': states('ID is 0x71.', function id({ vcpu, assert }) {
      assert.equal(vcpu.inb(PORT + ID.offset), 0x71);
    }),
    'timer/period': states(
      'RUN falls and DONE is set when the period is over, to the nanosecond.',
      function period({ vcpu, clock, assert }) {
        vcpu.outb(PORT + CONTROL.offset, CONTROL.RUN.mask);
        clock.step(PERIOD - 1n);
        assert.equal(vcpu.inb(PORT + STATUS.offset), 0, '1 ns before');
        clock.step(1n);
        assert.equal(vcpu.inb(PORT + STATUS.offset), STATUS.DONE.mask);
        assert.equal(vcpu.inb(PORT + CONTROL.offset), 0);
      },
      { requires: ['virtual-clock'] },
    ),
    'timer/irq': states(
      'With IE the IRQ is raised with DONE, until DONE is cleared.',
      function irq({ vcpu, machine, assert, log }) {
        const line = machine.irq('isa0', IRQ);
        vcpu.outb(PORT + CONTROL.offset, CONTROL.IE.mask | CONTROL.RUN.mask);
        const waited = vcpu.waitIrq(line, { timeout: '1s' });
        log(`the IRQ came after ${waited} ns`);
        assert(line.level);
        vcpu.outb(PORT + STATUS.offset, STATUS.DONE.mask);
        assert(!line.level);
      },
    ),
  },
});
