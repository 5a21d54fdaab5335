import { definePlugin, type MachineBuilder } from '@qtest/sdk';
import { execFileSync } from 'node:child_process';
import { ON_FIRE, TICKER, ticker } from '../../../test/support/devices.ts';

const TESTDEV = 0x300;
const TICKER_BASE = 0x200;
/** Faults of the test device. */
const HANG = 0x06;

/** Cases that do not end by themselves, alone on their machine. */
export default definePlugin({
  name: 'kill',
  description: 'Cases that do not end',
  devices: [ticker],
  init(m: MachineBuilder) {
    m.ram(0, 0x1000);
    m.add('isa-testdev', { bus: m.add('isa-bus') });
    m.add(ticker, { base: TICKER_BASE });
  },
  run: {
    ok: ({ vcpu, assert }) => assert.equal(vcpu.inb(TESTDEV), 0x7d),
    'in-a-device': ({ vcpu }) => vcpu.outb(TESTDEV + 7, HANG),
    computing: () => {
      for (;;);
    },
    accessing: ({ vcpu, clock }) => {
      for (;;) {
        vcpu.inb(TESTDEV);
        clock.step(1n);
      }
    },
    'in-ram': ({ vcpu }) => {
      for (;;) vcpu.readl(0);
    },
    stepping: ({ vcpu, clock }) => {
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1 << 8));
      vcpu.outl(TICKER_BASE + TICKER.ARM, 1);
      clock.step('292d');
    },
    waiting: ({ vcpu, machine }) => {
      vcpu.outl(TICKER_BASE + TICKER.ON_FIRE, ON_FIRE.AGAIN | (1000 << 8));
      vcpu.outl(TICKER_BASE + TICKER.ARM, 1);
      vcpu.waitIrq(machine.irq('testdev0'), { timeout: '292d' });
    },
    'never-settling': () => new Promise(() => setInterval(() => {}, 1000)),
    /** A thread that hears of nothing while it waits for a process. */
    'in-a-child-process': () => void execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 6000)']),
    'catching-everything': ({ vcpu, clock }) => {
      for (;;) {
        try {
          vcpu.inb(TESTDEV);
          clock.step(1n);
        } catch {
          // Goes on whatever it is told.
        }
      }
    },
  },
});
