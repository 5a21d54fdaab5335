import type { IrqLine } from '@qtest/sdk';
import { ns16550 } from '@qtest/parts/pc';
import { device, devices, number, states, VIRTUAL, type Cases, type Context } from './support.ts';

/** What a watchdog may do when its time is over (QEMU, `-action watchdog=`), each with the output that pulses. */
export const ACTIONS = ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none', 'inject-nmi'] as const;

type Action = (typeof ACTIONS)[number];

const OUTPUTS = ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'nmi'] as const;
const outputOf = (action: Action): string => (action === 'inject-nmi' ? 'nmi' : action);

/** Ports, from the one that stops it, and seconds by the value that starts it. */
const ENABLE = 2;
const seconds = (value: number): number => 30 - 2 * value;

interface Bench {
  start(value: number): void;
  stop(value?: number): void;
  /** How often it has expired. */
  expired(): number;
  output(name: string): IrqLine;
}

function bench(context: Context, action: Action): Bench {
  const { machine, vcpu } = context;
  const part = device(context, 'ib700', { action });
  const base = number(part, 'ioBase', 0x441);
  const line = machine.irq(part.id, 'expired');
  const before = line.edges;
  return {
    start: (value) => vcpu.outb(base + ENABLE, value),
    stop: (value = 0) => vcpu.outb(base, value),
    expired: () => line.edges - before,
    output: (name) => machine.irq(part.id, name),
  };
}

/** Each action is a pulse of its own output, and of no other. */
const actions = Object.fromEntries(
  ACTIONS.filter((action) => action !== 'reset').map((action) => [
    `watchdog/action/${action}`,
    states(
      action === 'none'
        ? 'With the action none nothing else happens.'
        : `With the action ${action} its output pulses, once, and no other.`,
      (context) => {
        const { assert, clock } = context;
        const { start, expired, output } = bench(context, action);
        const edges = (): number[] => OUTPUTS.map((name) => output(name).edges);
        const before = edges();
        start(10);
        clock.step('9.9s');
        assert.deepEqual(edges(), before, `IB700: before its time is over (${action})`);
        clock.step('100s');
        assert.equal(expired(), 1, 'IB700: it expires once');
        const pulsed = edges().map((count, n) => count - (before[n] ?? 0));
        assert.deepEqual(
          pulsed,
          OUTPUTS.map((name) => Number(name === outputOf(action))),
          `QEMU, -action watchdog=${action}`,
        );
      },
      VIRTUAL,
    ),
  ]),
);

export const watchdog: Cases = {
  'watchdog/timeout': states(
    'A value of n starts it with 30 − 2n seconds.',
    (context) => {
      const { assert, clock } = context;
      const { start, expired } = bench(context, 'none');
      for (let value = 0; value < 15; value++) {
        const before = expired();
        start(value);
        clock.step(BigInt(seconds(value)) * 1_000_000_000n - 1n);
        assert.equal(expired(), before, `IB700: ${value} is ${seconds(value)} s, and not less`);
        clock.step(1n);
        assert.equal(expired(), before + 1, `IB700: ${value} is ${seconds(value)} s`);
      }
    },
    VIRTUAL,
  ),

  'watchdog/stopped': states(
    'It does not run unless it is started; stopped by any value, or by a reset, it does not expire.',
    (context) => {
      const { assert, clock, machine } = context;
      const { start, stop, expired } = bench(context, 'none');
      clock.step('60s');
      assert.equal(expired(), 0, 'IB700: not started');
      for (const value of [0x00, 0x0f, 0xff]) {
        start(14);
        clock.step('1s');
        stop(value);
        clock.step('60s');
        assert.equal(expired(), 0, 'IB700: port 441h stops it');
      }
      start(14);
      machine.reset();
      const after = bench(context, 'none');
      clock.step('60s');
      assert.equal(after.expired(), 0, 'IB700: a reset stops it');
    },
    VIRTUAL,
  ),

  'watchdog/keep-alive': states(
    'Started again in time it does not expire; the last value counts.',
    (context) => {
      const { assert, clock } = context;
      const { start, expired } = bench(context, 'none');
      for (let n = 0; n < 20; n++) {
        start(10);
        clock.step('9s');
      }
      assert.equal(expired(), 0, 'IB700: each write starts it anew');
      start(14);
      clock.step('2s');
      assert.equal(expired(), 1, 'IB700: with its own time');
    },
    VIRTUAL,
  ),

  'watchdog/write-only': states('Its ports cannot be read, and reading them does nothing.', (context) => {
    const { assert, vcpu } = context;
    const base = number(device(context, 'ib700'), 'ioBase', 0x441);
    assert.deepEqual([vcpu.inb(base), vcpu.inb(base + ENABLE)], [0xff, 0xff], 'IB700: write only');
  }),

  'watchdog/action/reset': states(
    'With the action reset the machine is reset.',
    (context) => {
      const { assert, clock, skip, vcpu } = context;
      const { start } = bench(context, 'reset');
      const [serial] = devices(context, 'ns16550a');
      if (serial === undefined) return skip('this machine has no ns16550a, whose LCR would tell of a reset');
      const uart = ns16550.uart(vcpu, number(serial, 'ioBase', ns16550.BASE));
      uart.write(ns16550.LCR, 0x1b);
      start(14);
      clock.step('1.999s');
      assert.equal(uart.read(ns16550.LCR), 0x1b, 'IB700: not yet');
      clock.step('1ms');
      assert.equal(uart.read(ns16550.LCR), 0, 'IB700: it resets the board');
      uart.write(ns16550.LCR, 0x1b);
      clock.step('60s');
      assert.equal(uart.read(ns16550.LCR), 0x1b, 'IB700: once; the reset has stopped it');
    },
    VIRTUAL,
  ),

  ...actions,
};
