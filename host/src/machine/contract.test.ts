import { defineDevice } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { contractOf, testContract, type Op } from '../../testing/contract.ts';
import { driver, listener, mapper, probe, ticker } from '../../testing/devices.ts';

testContract('isa-bus', { init: (m) => void m.add('isa-bus') });

testContract('i8259', {
  init: (m) => {
    m.add('isa-bus');
    m.add('i8259');
  },
});

testContract('i8259 as QEMU keeps requests', {
  init: (m) => {
    m.add('isa-bus');
    m.add('i8259', { fallenRequest: 'latched' });
  },
});

testContract('mc146818rtc', {
  init: (m) => {
    m.add('isa-bus');
    m.add('mc146818rtc', { epoch: '2011-10-30T00:59:58Z', updateCycle: '1984us' });
  },
  runs: 80,
});

testContract('mc146818rtc as QEMU', {
  init: (m) => {
    m.add('isa-bus');
    m.add('mc146818rtc', { calendar: 'gregorian', periodicFlag: 'enabled', modeChange: 'convert' });
  },
  runs: 80,
});

/** The test device's port of faults, and those that end the thread, take for ever, or are meant to differ by thread. */
const FAULT_PORT = 0x307;
const AVOIDED = new Set([0x05, 0x06, 0x13]);
const faults = (op: Op): boolean => {
  if (op.kind !== 'out') return false;
  const byte = FAULT_PORT - op.at;
  return byte >= 0 && byte < op.size && AVOIDED.has(Math.floor(op.value / 2 ** (8 * byte)) % 256);
};

testContract('isa-testdev', {
  init: (m) => {
    m.ram(0x1000, 0x2000);
    m.add('isa-bus');
    m.add('isa-testdev');
  },
  memory: [
    [0, 0x110],
    [0xff0, 0x1010],
    [0x2ff0, 0x3010],
  ],
  avoid: faults,
  longest: 100_000n,
});

testContract('pc', {
  init: (m) => {
    m.pc({ ram: 0x4000 });
    m.add('isa-testdev');
  },
  memory: [[0, 0x3fff]],
  avoid: faults,
  longest: 5_000_000n,
  runs: 80,
});

testContract("the tests' own devices", {
  devices: [probe, ticker, driver, listener, mapper],
  init: (m) => {
    m.ram(0, 0x2000);
    m.add(probe, { max: '4', base: 0x100 });
    m.add(ticker);
    const out = m.add(driver);
    const listens = m.add(listener);
    m.add(mapper);
    for (const pin of [0, 1, 2])
      m.connect(m.output(out, 'out', pin), m.input(listens, 'in', pin >> 1), { shared: true });
  },
  memory: [[0, 0x2010]],
  // Timers at ON_FIRE would come again for ever at one instant, which is a fault; the mapper's low bases are ones too.
  avoid: (op) => op.kind === 'out' && ((op.at >= 0x22c && op.at < 0x244) || (op.at >= 0x5fc && op.at < 0x610)),
  longest: 100_000n,
});

describe('the contract is broken by a device that keeps something outside the shared state', () => {
  /** In an object of its own, one for each binding. */
  const kept = new WeakMap<object, number>();
  const hoarder = defineDevice(
    {
      type: 'hoarder',
      description: '',
      state: { shared: 'u8' },
      regions: () => ({ reg: { space: 'io', base: 0x10, size: 2 } }),
    },
    {
      reset: (device) => void kept.set(device, 0),
      regions: {
        reg: {
          read: (device, offset) => (offset === 0 ? (kept.get(device) ?? 0) : device.state.shared),
          write: (device, offset, value) => {
            if (offset === 0) kept.set(device, value);
            else device.state.shared = value;
          },
        },
      },
    },
  );
  const contract = contractOf({ devices: [hoarder], init: (m) => void m.add(hoarder), runs: 30 });

  // Were this not seen, the tests above would show nothing.
  test.each(['threads', 'snapshots', 'resets'] as const)('%s', (check) => {
    expect(() => contract[check]()).toThrow('Property failed');
  });
});
