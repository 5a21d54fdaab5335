import { definePlugin, type Vcpu } from '@qtest/sdk';
import type {} from '@qtest/parts/pc';

import { CONTROL, COUNT, ID, lamp, STATUS } from './lamp.ts';
import { BASE, COUNT as FLASHES, lightMeter, LOG, LUX, PRESET } from './light-meter.ts';

const PORT = 0x300;
const BAR = 0x310;
const WINDOW = 0xfeb0_0000;
const PERIOD = 250_000_000n;

const control = (vcpu: Vcpu, bits: number): void => vcpu.outb(PORT + CONTROL.offset, bits);
const status = (vcpu: Vcpu): number => vcpu.inb(PORT + STATUS.offset);

export { lamp, lightMeter };

export default definePlugin({
  name: 'lamp',
  description: 'a lamp and a light meter',
  devices: [lamp, lightMeter],

  init(machine) {
    machine.ram(0, 0x1_0000);
    const isa = machine.add('isa-bus');
    const desk = machine.add(lamp, { bus: isa, ioBase: PORT, period: PERIOD });
    const meter = machine.add(lightMeter, { ioBase: BAR });
    machine.connect(machine.output(desk, 'light'), machine.input(meter, 'light'));
  },

  run: {
    'lamp/reset-values'({ vcpu, assert }) {
      for (const { name, offset, reset } of [ID, CONTROL, STATUS, COUNT]) {
        assert.equal(vcpu.inb(PORT + offset), reset, name);
      }
    },
    'lamp/reserved-bits'({ vcpu, assert }) {
      control(vcpu, 0xff);
      assert.equal(vcpu.inb(PORT + CONTROL.offset), CONTROL.writable);
    },
    'lamp/on'({ vcpu, machine, assert }) {
      control(vcpu, CONTROL.ON.mask);
      assert.equal(status(vcpu), STATUS.LIT.mask);
      assert(machine.irq('lamp0', 'light').level);
    },
    'lamp/blinks-to-the-nanosecond'({ vcpu, clock, assert }) {
      control(vcpu, CONTROL.BLINK.mask);
      clock.step(PERIOD - 1n);
      assert(!STATUS.LIT.test(status(vcpu)), '1 ns before');
      clock.step(1n);
      assert(STATUS.LIT.test(status(vcpu)), 'on the nanosecond');
      clock.step(PERIOD);
      assert(!STATUS.LIT.test(status(vcpu)), 'dark again');
    },
    'lamp/irq-until-cleared'({ vcpu, machine, assert }) {
      const line = machine.irq('isa0', 5);
      control(vcpu, CONTROL.BLINK.mask | CONTROL.IE.mask);
      assert.equal(vcpu.waitIrq(line, { timeout: '1s' }), PERIOD);
      status(vcpu);
      assert(line.level, 'reading STATUS does not lower the line');
      vcpu.outb(PORT + STATUS.offset, STATUS.BLINKED.mask);
      assert(!line.level, 'writing 1 to BLINKED does');
    },
    'lamp/count-clears-on-read'({ vcpu, clock, assert }) {
      control(vcpu, CONTROL.BLINK.mask);
      clock.step('1s');
      assert.equal(vcpu.inb(PORT + COUNT.offset), 4);
      assert.equal(vcpu.inb(PORT + COUNT.offset), 0);
    },
    'lamp/reset'({ vcpu, clock, machine, assert }) {
      control(vcpu, CONTROL.BLINK.mask | CONTROL.ON.mask);
      machine.reset();
      assert.equal(clock.deadline, undefined, 'the timer is off');
      assert(!machine.irq('lamp0', 'light').level, 'and so is the light');
    },
    'lamp/snapshot'({ vcpu, clock, machine, assert }) {
      control(vcpu, CONTROL.BLINK.mask);
      const snapshot = machine.snapshot();
      clock.step('10s');
      machine.restore(snapshot);
      assert.equal(clock.deadline, PERIOD, 'the timer is part of the state');
      assert.equal(vcpu.inb(PORT + COUNT.offset), 0);
    },

    'meter/moves'({ vcpu, assert }) {
      assert.equal(vcpu.readl(WINDOW + PRESET.offset), 0xffff_ffff, 'nothing there yet');
      vcpu.outl(BAR + BASE.offset, WINDOW);
      vcpu.writel(WINDOW + PRESET.offset, 7);
      assert.equal(vcpu.readl(WINDOW + FLASHES.offset), 7);
      vcpu.outl(BAR + BASE.offset, WINDOW + 0x1000);
      assert.equal(vcpu.readl(WINDOW + FLASHES.offset), 0xffff_ffff, 'gone from here');
      assert.equal(vcpu.readl(WINDOW + 0x1000 + FLASHES.offset), 7);
    },
    'meter/takes-words-alone'({ vcpu, assert }) {
      vcpu.outl(BAR, WINDOW);
      assert.equal(vcpu.readb(WINDOW), 0xff);
      assert.equal(vcpu.readw(WINDOW), 0xffff);
      assert.equal(vcpu.readl(WINDOW), 0);
    },
    'meter/logs-by-dma'({ vcpu, clock, assert }) {
      vcpu.outl(BAR, WINDOW);
      vcpu.writel(WINDOW + LOG.offset, 0x1000);
      control(vcpu, CONTROL.BLINK.mask);
      clock.step('1s');
      assert.equal(vcpu.readl(WINDOW + FLASHES.offset), 2);
      assert.equal(vcpu.readl(0x1000), 250);
      assert.equal(vcpu.readl(0x1004), 750);
    },
    'meter/lux'({ vcpu, assert }) {
      vcpu.outl(BAR, WINDOW);
      assert.equal(vcpu.readl(WINDOW + LUX.offset), 0);
    },
  },
});
