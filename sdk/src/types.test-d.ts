import {
  bytes,
  defineConfig,
  defineDevice,
  definePciBridge,
  definePciFunction,
  definePlugin,
  deviceSchema,
  property,
  register,
  rw,
  type DeviceDefinition,
  type DeviceOf,
  type MachineBuilder,
} from '@qtest/sdk';

/** What must not compile: each line under a `@ts-expect-error` is an error, or this file is. */

const schema = deviceSchema({
  type: 'lamp',
  description: 'A lamp',
  bus: 'isa',
  properties: {
    irq: property.number({ max: 15 }),
    ioBase: property.number({ default: 0x300 }),
    colour: property.oneOf(['red', 'green'], { default: 'red' }),
    delay: property.duration({ default: '1ms' }),
  },
  state: { on: 'bool', count: 'u8', since: 'i64', cells: bytes(4) },
  regions: ({ ioBase }) => ({ regs: { space: 'io', base: ioBase, size: 2 } }),
  timers: ['blink'],
  outputs: { irq: { busIrq: 'irq' } },
  inputs: { power: {} },
});

export function ofState({ state, properties, timers, out }: DeviceOf<typeof schema>): void {
  state.count += 1;
  state.since = 5n;
  state.cells.set(0, 1);
  timers.blink.arm(state.since + properties.delay);
  out.irq.set(state.on);
  const colour: 'red' | 'green' = properties.colour;
  void colour;
  // @ts-expect-error an i64 is a bigint
  state.since = 5;
  // @ts-expect-error there is no such field
  state.brightness = 1;
  const { cells } = state;
  // @ts-expect-error an array is not assigned, its elements are set
  state.cells = cells;
  // @ts-expect-error a bool is no number
  state.on = 1;
  // @ts-expect-error there is no such timer
  timers.fade.cancel();
  // @ts-expect-error there is no such output
  out.nmi.set(true);
  // @ts-expect-error properties are read-only
  properties.ioBase = 1;
  // @ts-expect-error one of the values alone
  const blue: 'blue' = properties.colour;
  void blue;
}

const handlers = {
  regions: { regs: { read: () => 0, write: () => {} } },
  timers: { blink: () => {} },
  inputs: { power: () => {} },
};

export const lamp = defineDevice(schema, handlers);
// @ts-expect-error a region without handlers
export const noRegion = defineDevice(schema, { ...handlers, regions: {} });
const wrongPin = { power: (_device: unknown, pin: string): void => void pin };
// @ts-expect-error a handler of another shape
export const noHandler = defineDevice(schema, { ...handlers, inputs: wrongPin });

export function build(machine: MachineBuilder): void {
  const isa = machine.add('isa-bus');
  machine.add('mc146818rtc', { bus: isa, irq: 8, calendar: 'gregorian' });
  machine.add(lamp, { bus: isa, irq: 5, colour: 'green', delay: 10n });
  // @ts-expect-error no such type
  machine.add('mc146818', { bus: isa });
  // @ts-expect-error no such property
  machine.add('mc146818rtc', { bus: isa, irqs: 8 });
  // @ts-expect-error a property of another type
  machine.add('mc146818rtc', { bus: isa, irq: '8' });
  // @ts-expect-error no such value
  machine.add('mc146818rtc', { bus: isa, calendar: 'julian' });
  // @ts-expect-error a required property is missing
  machine.add(lamp, { bus: isa });
  // @ts-expect-error no such value
  machine.add(lamp, { bus: isa, irq: 5, colour: 'blue' });
  // @ts-expect-error no such duration
  machine.add(lamp, { bus: isa, irq: 5, delay: '10 parsecs' });
}

const CTRL = register('CTRL', { offset: 0, fields: { EN: rw(0) } });
export const enabled: boolean = CTRL.EN.test(1);
// @ts-expect-error no such field
export const other = CTRL.IRQ;

register('CTRL', { offset: 0, fields: { EN: rw(0) }, volatile: ['EN'] });
// @ts-expect-error no such field
register('CTRL', { offset: 0, fields: { EN: rw(0) }, volatile: ['IRQ'] });

deviceSchema({
  type: 'meter',
  description: 'A meter',
  properties: { irq: property.number({ max: 15 }), delay: property.duration({ default: '1ms' }) },
  contract: {
    properties: { irq: 5 },
    setup(vcpu, { irq, delay }) {
      const ns: bigint = delay;
      vcpu.outb(irq, Number(ns));
    },
  },
});
deviceSchema({
  type: 'meter',
  description: 'A meter',
  properties: { irq: property.number({ max: 15 }) },
  // @ts-expect-error a property of another type
  contract: { properties: { irq: '5' } },
});

export default definePlugin({
  name: 'lamp',
  description: 'Tests of a lamp',
  devices: [lamp],
  run: {
    'on/off'({ vcpu, clock, assert, log }) {
      assert(vcpu.inb(0x300) === 0);
      log(`${clock.step('1ms')}`);
      // @ts-expect-error values are numbers
      vcpu.outb(0x300, '1');
      // @ts-expect-error a wide value is a bigint
      vcpu.writeq(0, 1);
      // @ts-expect-error a duration has a unit
      clock.step(5);
      // @ts-expect-error the wait's options have names
      vcpu.waitIrq(5, { within: '1s' });
    },
    long: { run: () => {}, timeout: '1min', requires: ['virtual-clock'] },
  },
});

// @ts-expect-error a case is a function, or an object with run
export const noCase = definePlugin({ name: 'a', description: 'b', run: { x: 5 } });
// @ts-expect-error there is no such capability
export const noNeed = definePlugin({ name: 'a', description: 'b', run: { x: { run: () => {}, requires: ['luck'] } } });
// @ts-expect-error a plugin has a name
export const noName = definePlugin({ description: 'b' });
// @ts-expect-error no such key
export const noKey = definePlugin({ name: 'a', description: 'b', test: {} });

export const config = defineConfig({ plugins: ['rtc', ['@org/qtest-x', { seed: 1 }]], clock: 'virtual' });
// @ts-expect-error no such key
export const noConfigKey = defineConfig({ plugin: ['rtc'] });
// @ts-expect-error no such clock
export const noClock = defineConfig({ clock: 'wall' });

const ports = definePciFunction(
  {
    type: 'ports',
    description: 'A function that answers at a BAR and beside it',
    pci: { vendor: 1, device: 2, classCode: 0, bars: { bar: { bar: 0, kind: 'io', size: 4 } } },
    regions: () => ({ fixed: { space: 'io', base: 0x92, size: 1 } }),
    registers: { bar: { registers: [] }, fixed: { registers: [] } },
  },
  { regions: { bar: { read: () => 0, write() {} }, fixed: { read: () => 0, write() {} } } },
);
const both: DeviceRegions<typeof ports> = 'bar' as 'bar' | 'fixed' | 'config';
// @ts-expect-error -- No such region.
const neither: DeviceRegions<typeof ports> = 'other';
void [both, neither];

definePciBridge(
  {
    type: 'bridge',
    description: 'A bridge with a BAR',
    pci: { vendor: 1, device: 2, bars: { bar: { bar: 0, kind: 'io', size: 4 } }, ioBits: 32 },
  },
  {
    regions: {
      bar: { read: () => 0, write() {} },
      // @ts-expect-error -- No such region.
      other: { read: () => 0, write() {} },
    },
  },
);

definePciFunction(
  // @ts-expect-error -- A bridge's alone.
  { type: 'no-bridge', description: 'A function', pci: { vendor: 1, device: 2, classCode: 0, ioBits: 32 } },
  {},
);

type DeviceRegions<D> =
  D extends DeviceDefinition<infer _P, infer _S, infer R, infer _T, infer _O, infer _I> ? R : never;
