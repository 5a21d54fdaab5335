import {
  defineDevice,
  property,
  type AnyDeviceDefinition,
  type DeviceRef,
  type MachineBuilder,
  type PinRef,
} from '@qtest/sdk';
import { describe, expect, test } from 'vitest';
import { driver, listener, mapper, probe, ticker } from '../../test/support/devices.ts';
import { Builder } from './builder.ts';
import { createMachine } from './create.ts';
import { knownDevices } from '../../test/support/machine.ts';

const DEVICES: readonly AnyDeviceDefinition[] = [probe, ticker, driver, listener, mapper];

function builder(devices: readonly AnyDeviceDefinition[] = DEVICES): Builder {
  return new Builder('virtual', knownDevices([{ name: 'test', url: import.meta.url, devices }]));
}

/** The message with which building a machine fails; its code is MACHINE. */
function refusal(build: (machine: MachineBuilder) => unknown, devices?: readonly AnyDeviceDefinition[]): string {
  try {
    build(builder(devices));
  } catch (error) {
    expect(error).toMatchObject({ code: 'MACHINE' });
    return error instanceof Error ? error.message : '';
  }
  throw new Error('the machine was built');
}

/** What a plugin in JavaScript may pass. */
const loosely = (machine: MachineBuilder) =>
  machine as unknown as { add(type: unknown, properties?: unknown): DeviceRef };

describe('add', () => {
  test('an unknown type: what is known, and the nearest', () => {
    expect(refusal((m) => loosely(m).add('isa-bos'))).toMatch(
      /unknown device type 'isa-bos'.*isa-bus.*Known are .*i8259.*mc146818rtc/s,
    );
  });

  test('an object that is no definition, and a definition that its plugin does not list', () => {
    expect(refusal((m) => loosely(m).add({ type: 'probe' }))).toMatch(/made with defineDevice\(\)/);
    expect(refusal((m) => m.add(probe), [])).toMatch(/device type 'probe': its plugin does not list it in 'devices'/);
  });

  test.each([
    [
      'ioBas',
      0x70,
      /device 'rtc0' \(mc146818rtc\): property 'ioBas' is 112; expected one of the properties .*ioBase.*Did you mean 'ioBase'/,
    ],
    ['irq', 16, /property 'irq' is 16; expected an integer from -1 to 15/],
    ['irq', '8', /property 'irq' is '8'; expected an integer/],
    ['irq', NaN, /property 'irq' is NaN/],
    ['irq', 8n, /property 'irq' is 8n; expected an integer/],
    ['epoch', 'yesterday', /property 'epoch' is 'yesterday'; expected/],
    ['calendar', 'julian', /property 'calendar' is 'julian'; expected one of 'counter-chain', 'gregorian'/],
    ['updateCycle', 1984, /property 'updateCycle' is 1984; expected a duration/],
    ['updateCycle', '-1us', /property 'updateCycle' is '-1us'; expected a duration/],
    ['toString', 1, /property 'toString' is 1; expected one of the properties/],
    ['constructor', { a: 1 }, /property 'constructor' is { a: 1 }; expected one of the properties/],
  ])('a bad property: %s = %o', (key, value, message) => {
    expect(
      refusal((m) => {
        m.add('isa-bus');
        loosely(m).add('mc146818rtc', { [key]: value });
      }),
    ).toMatch(message);
  });

  test('a required property that is left out', () => {
    const needy = defineDevice(
      { type: 'needy', description: '', properties: { size: property.number({ max: 4 }) } },
      {},
    );
    expect(refusal((m) => loosely(m).add(needy), [needy])).toMatch(
      /property 'size' is undefined; expected an integer from 0 to 4 \(it is required\)/,
    );
  });

  test('ids: by default stem and number, one each, and checked', () => {
    const machine = builder();
    machine.add('isa-bus');
    expect([machine.add(probe).id, machine.add(probe, { base: 0x200 }).id, machine.add('mc146818rtc').id]).toEqual([
      'probe0',
      'probe1',
      'rtc0',
    ]);
    expect(machine.devices.map(({ id }) => id)).toEqual(['isa0', 'probe0', 'probe1', 'rtc0']);
    expect([machine.has('probe1'), machine.has('probe2')]).toEqual([true, false]);
    expect(machine.get('probe1').type).toBe('probe');
    expect(refusal((m) => (m.add(probe, { id: 'a' }), m.add(probe, { id: 'a', base: 0x200 })))).toMatch(
      /two devices have the id 'a'/,
    );
    for (const id of ['', '1a', 'a b', 7, 5n, null])
      expect(refusal((m) => loosely(m).add(probe, { id }))).toMatch(/is no id: expected a letter/);
    expect(refusal((m) => (m.add(probe), m.get('probe1')))).toMatch(
      /get\('probe1'\): there is no such device; the machine has probe0/,
    );
    expect(refusal((m) => m.get('x'))).toMatch(/the machine has none/);
  });

  test('a default id avoids one that was given', () => {
    const machine = builder();
    machine.add(probe, { id: 'probe0' });
    expect(machine.add(probe, { base: 0x200 }).id).toBe('probe1');
  });

  test('the bus that a device needs', () => {
    expect(refusal((m) => m.add('mc146818rtc'))).toMatch(
      /device 'rtc0' \(mc146818rtc\) needs a bus of the kind 'isa': add one first/,
    );
    expect(refusal((m) => (m.add('isa-bus'), m.add('isa-bus'), m.add('mc146818rtc')))).toMatch(
      /there are 2 buses of the kind 'isa'; say which with 'bus'/,
    );
    expect(refusal((m) => m.add('mc146818rtc', { bus: m.add(probe) }))).toMatch(
      /'bus' must be a bus of the kind 'isa'/,
    );
    expect(refusal((m) => m.add(probe, { bus: m.add('isa-bus') }))).toMatch(/device 'probe0' \(probe\) goes on no bus/);
    const other = builder();
    const foreign = other.add('isa-bus');
    expect(refusal((m) => (m.add('isa-bus'), m.add('mc146818rtc', { bus: foreign })))).toMatch(/of this machine/);
    const machine = builder();
    machine.add('isa-bus', { id: 'a' });
    const second = machine.add('isa-bus', { id: 'b' });
    expect(machine.add('mc146818rtc', { bus: second }).id).toBe('rtc0');
  });
});

describe('regions', () => {
  test('an overlap names both devices, regions and ranges', () => {
    expect(refusal((m) => (m.add(probe, { base: 0x100 }), m.add(probe, { base: 0x10f })))).toBe(
      "device 'probe1': region 'reg' at io 0x10f-0x11e overlaps 'reg' of 'probe0' at 0x100-0x10f; move one, or give them different priorities",
    );
    expect(
      refusal((m) => (m.add(probe, { space: 'memory', base: 0x100 }), m.add(probe, { space: 'memory', base: 0xf1 }))),
    ).toMatch(/at memory 0xf1-0x100 overlaps/);
  });

  test('neighbours, other spaces and other priorities do not overlap', () => {
    const machine = builder();
    machine.add(probe, { base: 0x100 });
    machine.add(probe, { base: 0x110 });
    machine.add(probe, { base: 0x0f0 });
    machine.add(probe, { base: 0x100, space: 'memory' });
    machine.add(probe, { base: 0x108, priority: 1 });
    expect(machine.devices).toHaveLength(5);
  });

  test('a device whose own regions overlap', () => {
    const twofold = defineDevice(
      {
        type: 'twofold',
        description: '',
        regions: () => ({ a: { space: 'io', base: 0x10, size: 4 }, b: { space: 'io', base: 0x13, size: 4 } }),
      },
      { regions: { a: { read: () => 0, write: () => {} }, b: { read: () => 0, write: () => {} } } },
    );
    expect(refusal((m) => m.add(twofold), [twofold])).toMatch(
      /'twofold0': region 'a' at io 0x10-0x13 overlaps 'b' of 'twofold0' at 0x13-0x16/,
    );
  });

  test('outside the space', () => {
    expect(refusal((m) => m.add(probe, { base: 0xfff8 }))).toMatch(
      /region 'reg' at 0xfff8-0x10007 lies outside the io space/,
    );
    expect(refusal((m) => m.add(probe, { space: 'memory', base: 2 ** 53 - 8 }))).toMatch(
      /lies outside the memory space/,
    );
    const machine = builder();
    machine.add(probe, { base: 0xfff0 });
    machine.add(probe, { space: 'memory', base: 2 ** 53 - 16 });
  });

  const region = (spec: object): AnyDeviceDefinition =>
    defineDevice(
      {
        type: 'odd',
        description: '',
        regions: () => ({ reg: { space: 'io', base: 0x10, size: 4, ...spec } as never }),
      },
      { regions: { reg: { read: () => 0, write: () => {} } } },
    );

  test.each([0, -1, 1.5, NaN, undefined])('a size of %s', (size) => {
    const definition = region({ size });
    expect(refusal((m) => m.add(definition), [definition])).toMatch(/device 'odd0': region 'reg' has the size/);
  });

  test.each([-1, 0.5, NaN])('a base of %s', (base) => {
    const definition = region({ base });
    expect(refusal((m) => m.add(definition), [definition])).toMatch(/lies outside the io space/);
  });

  test.each([{ min: 2 }, { min: 4, max: 2 }, { max: 3 }, { max: 8 }, { min: 0 }, { max: NaN }])(
    'access sizes that cannot be: %o',
    (access) => {
      const definition = region({ access });
      expect(refusal((m) => m.add(definition), [definition])).toMatch(/region 'reg' takes accesses of .* bytes/);
    },
  );

  test('handlers that are missing are told of when the machine is made', () => {
    const definition = defineDevice(
      { type: 'mute', description: '', regions: () => ({ reg: { space: 'io', base: 0x10, size: 4 } }) },
      { regions: {} as never },
    );
    const machine = builder([definition]);
    machine.add(definition);
    expect(() => createMachine(machine, new Map([['mute', definition]]))).toThrow(
      "device type 'mute': its behaviour has no handlers for the region 'reg'",
    );
  });
});

describe('memory', () => {
  test.each([
    [1, 0x1000, 'the base 1 must be a multiple of 4096'],
    [-4096, 0x1000, 'the base -4096'],
    [NaN, 0x1000, 'the base NaN'],
    [2 ** 53, 0x1000, 'the base'],
    [0, 100, 'the size 100 must be a multiple of 4096'],
    [0, 0, 'the size is 0'],
    [0, -4096, 'the size -4096'],
    [0, 2 ** 32, "the machine's RAM and ROM exceed 3072 MiB"],
  ])('ram(%s, %s)', (base, size, message) => {
    expect(refusal((m) => m.ram(base, size))).toContain(message);
  });

  test('pieces that overlap', () => {
    expect(refusal((m) => (m.ram(0, 0x2000), m.rom(0x1000, Uint8Array.of(1))))).toBe(
      'rom at 0x1000-0x1fff overlaps ram at 0x0-0x1fff',
    );
    expect(refusal((m) => (m.ram(0x1000, 0x1000), m.ram(0, 0x2000)))).toContain('overlaps ram at 0x1000-0x1fff');
  });

  test('an empty ROM, one at a crooked base', () => {
    expect(refusal((m) => m.rom(0x1000, new Uint8Array(0)))).toContain('the size is 0');
    expect(refusal((m) => m.rom(0x1001, Uint8Array.of(1)))).toContain('the base 4097');
  });

  test.each([
    [0xfff, 2],
    [0x1fff, 2],
    [0x3000, 1],
    [-1, 1],
    [NaN, 1],
    [4096.5, 1],
  ])('load(%s, %i bytes) where there is no RAM', (address, length) => {
    expect(refusal((m) => (m.ram(0x1000, 0x1000), m.load(address, new Uint8Array(length))))).toMatch(
      /no single piece of RAM holds it/,
    );
  });

  test('what is loaded is there at the first instant, and is a copy', () => {
    const machine = builder();
    machine.ram(0x1000, 0x3000);
    machine.rom(0x8000, Uint8Array.of(7, 8));
    const data = Uint8Array.of(1, 2, 3);
    machine.load(0x1fff, data);
    data.fill(9);
    machine.load(0x2000, Uint8Array.of(4));
    const { bus, lock } = createMachine(machine, new Map());
    lock.acquire();
    bus.refresh();
    const read = new Uint8Array(4);
    bus.memoryReadBulk(0x1ffe, read, { kind: 'host', index: 0 });
    expect(read).toEqual(Uint8Array.of(0, 1, 4, 3));
    bus.memoryReadBulk(0x8000, read, { kind: 'host', index: 0 });
    expect(read).toEqual(Uint8Array.of(7, 8, 0, 0));
    lock.release();
  });
});

describe('wiring', () => {
  const with2 = (m: MachineBuilder) => ({ isa: m.add('isa-bus'), out: m.add(driver), in: m.add(listener) });

  test('outputs, inputs and lines that there are not', () => {
    expect(refusal((m) => m.output(with2(m).out, 'irq'))).toMatch(
      /device 'driver0' has no output 'irq' with a pin 0; it has out/,
    );
    for (const pin of [4, -1, 0.5, NaN])
      expect(refusal((m) => m.output(with2(m).out, 'out', pin))).toMatch(/no output 'out' with a pin/);
    expect(refusal((m) => m.input(with2(m).in, 'out'))).toMatch(
      /device 'listener0' has no input 'out' with a pin 0; it has in/,
    );
    expect(refusal((m) => m.input(with2(m).in, 'in', 4))).toMatch(/no input 'in' with a pin 4/);
    for (const n of [16, -1, 1.5])
      expect(refusal((m) => m.line(with2(m).isa, n))).toMatch(
        /device 'isa0' has no IRQ line .*; its lines are 0 to 15/,
      );
    expect(refusal((m) => m.line(with2(m).out, 0))).toMatch(/it is no bus/);
    expect(refusal((m) => m.output({ id: 'x', type: 'driver' }, 'out'))).toMatch(/'x' is no device of this machine/);
  });

  test('an input in the place of an output', () => {
    expect(
      refusal((m) => {
        const { in: listens } = with2(m);
        const pin: PinRef = m.input(listens, 'in');
        m.connect(pin, pin);
      }),
    ).toMatch(/connect\(\): 'in' of 'listener0' is no output/);
  });

  test('an IRQ line of the bus that is driven already, by a property and by hand', () => {
    expect(refusal((m) => (m.add('isa-bus'), m.add('mc146818rtc'), m.add('isa-testdev', { irq: 8 })))).toBe(
      'IRQ line isa0.irq[8] is driven by rtc0.irq already; testdev0.irq needs another IRQ, or a wired OR: connect(…, { shared: true })',
    );
    expect(
      refusal((m) => {
        const { isa, out } = with2(m);
        m.add('mc146818rtc');
        m.connect(m.output(out, 'out'), m.line(isa, 8));
      }),
    ).toMatch(/isa0\.irq\[8\] is driven by rtc0\.irq already/);
  });

  test('lines that drive themselves', () => {
    const loop = (m: MachineBuilder): void => {
      const { isa } = with2(m);
      m.connect(m.line(isa, 1), m.line(isa, 2));
      m.connect(m.line(isa, 2), m.line(isa, 3));
      m.connect(m.line(isa, 3), m.line(isa, 1));
    };
    expect(refusal(loop)).toBe('isa0.irq[3] is driven by isa0.irq[1], and cannot drive it too');
  });

  test('one output to one line twice', () => {
    expect(
      refusal((m) => {
        const { isa, out } = with2(m);
        m.connect(m.output(out, 'out', 1), m.line(isa, 3));
        m.connect(m.output(out, 'out', 1), m.line(isa, 3), { shared: true });
      }),
    ).toBe('driver0.out[1] is wired to isa0.irq[3] twice');
  });

  test('two outputs to one input, unless shared', () => {
    const wire = (options?: { shared: boolean }) => (m: MachineBuilder) => {
      const { out, in: listens } = with2(m);
      m.connect(m.output(out, 'out', 0), m.input(listens, 'in', 2));
      m.connect(m.output(out, 'out', 1), m.input(listens, 'in', 2), options);
    };
    expect(refusal(wire())).toMatch(/IRQ line listener0\.in\[2\] is driven by driver0\.out\[0\] already/);
    wire({ shared: true })(builder());
  });

  test('an IRQ that the bus does not have', () => {
    const small = defineDevice(
      { type: 'small-bus', idPrefix: 'small', description: '', provides: { name: 'small', irqs: 2 } },
      {},
    );
    const card = defineDevice(
      {
        type: 'card',
        description: '',
        bus: 'small',
        properties: { irq: property.number({ default: 5 }) },
        outputs: { irq: { busIrq: 'irq' } },
      },
      {},
    );
    expect(refusal((m) => (m.add(small), m.add(card)), [small, card])).toBe(
      "device 'card0': property 'irq' is 5; the bus 'small0' has the IRQs 0 to 1",
    );
  });

  test('two interrupt controllers, and one that cannot be acknowledged', () => {
    expect(
      refusal(
        (m) => (m.add('isa-bus'), m.add('i8259'), m.add('i8259', { masterBase: 0x40, slaveBase: 0x50, elcrBase: 0 })),
      ),
    ).toBe("device 'pic1': INTR of the VCPU is driven by pic0.int already");
    const twice = { type: 'twice', description: '', properties: { cpus: property.number({ default: 3 }) } } as const;
    const eager = defineDevice(
      { ...twice, outputs: { out: { count: 2, intr: 'cpus' } } },
      { acknowledge: () => undefined },
    );
    expect(refusal((m) => m.add(eager), [eager])).toBe(
      "device type 'twice': its output 'out' has 2 pins, of which the property 'cpus' says that 3 are INTR",
    );
    const deaf = defineDevice({ type: 'deaf', description: '', outputs: { intr: { intr: true } } }, {});
    expect(refusal((m) => m.add(deaf), [deaf])).toBe(
      "device 'deaf0': its output 'intr' is INTR, and it has no acknowledge()",
    );
  });

  test('the reset of a bus by a device that provides none', () => {
    const lonely = defineDevice({ type: 'lonely', description: '', outputs: { rst: { busReset: true } } }, {});
    expect(refusal((m) => m.add(lonely), [lonely])).toBe(
      "device 'lonely0': its output 'rst' resets the bus that it provides, and it provides none",
    );
  });
});

describe('seal', () => {
  test('afterwards nothing can be changed', () => {
    const machine = builder();
    const isa = machine.add('isa-bus');
    const out = machine.add(driver);
    const pin = machine.output(out, 'out');
    machine.seal();
    const calls: readonly (() => unknown)[] = [
      () => machine.add(probe),
      () => machine.ram(0, 0x1000),
      () => machine.rom(0, Uint8Array.of(1)),
      () => machine.load(0, Uint8Array.of(1)),
      () => machine.connect(pin, machine.line(isa, 0)),
      () => machine.resetOn(pin),
      () => machine.pc(),
      () => machine.seal(),
    ];
    for (const call of calls)
      expect(call).toThrow(/the machine is sealed; build it in init\(\) or in the hook machineInit/);
    expect(machine.get('isa0')).toBe(isa);
  });

  test('the blueprint is data', () => {
    const machine = builder();
    machine.add('isa-bus');
    machine.add('i8259');
    machine.add('mc146818rtc', { updateCycle: '1984us' });
    machine.add(probe);
    machine.ram(0, 0x1000);
    const { blueprint } = machine.seal();
    expect(structuredClone(blueprint)).toEqual(blueprint);
    expect(JSON.parse(JSON.stringify(blueprint))).toEqual(blueprint);
    expect(blueprint.devices.find(({ id }) => id === 'rtc0')?.properties['updateCycle']).toBe('1984000');
    expect(blueprint.devices.find(({ id }) => id === 'probe0')?.module).toEqual({
      kind: 'plugin',
      plugin: 'test',
      url: import.meta.url,
    });
  });

  test('a device of a type that a thread has not loaded', () => {
    const machine = builder();
    machine.add(probe);
    expect(() => createMachine(machine, new Map())).toThrow(
      "device 'probe0': no definition of the type 'probe' has been loaded in this thread",
    );
  });
});

describe('RAM above a ROM', () => {
  const steering = (areas: readonly { base: number; size: number }[]): AnyDeviceDefinition =>
    defineDevice(
      { type: 'steer', description: 'a chipset', shadow: areas },
      { shadow: () => ({ read: false, write: true }) },
    );
  const build = (areas: readonly { base: number; size: number }[], init: (m: Builder) => void): (() => void) => {
    const definition = steering(areas);
    const machine = new Builder(
      'virtual',
      knownDevices([{ name: 'test', url: import.meta.url, devices: [definition] }]),
    );
    return () => {
      machine.add(definition);
      init(machine);
    };
  };

  test('where a device steers all of it, in any order', () => {
    const areas = [
      { base: 0x4000, size: 0x2000 },
      { base: 0x6000, size: 0x2000 },
    ];
    expect(
      build(areas, (m) => {
        m.ram(0, 0x1_0000);
        m.rom(0x4000, new Uint8Array(0x4000));
      }),
    ).not.toThrow();
    expect(
      build(areas, (m) => {
        m.rom(0x5000, new Uint8Array(0x2000));
        m.ram(0, 0x1_0000);
      }),
    ).not.toThrow();
  });

  test('not where a page of it is steered by nobody, nor a ROM above a ROM', () => {
    const areas = [
      { base: 0x4000, size: 0x1000 },
      { base: 0x6000, size: 0x2000 },
    ];
    expect(
      build(areas, (m) => {
        m.ram(0, 0x1_0000);
        m.rom(0x4000, new Uint8Array(0x4000));
      }),
    ).toThrow('rom at 0x4000-0x7fff overlaps ram at 0x0-0xffff');
    expect(
      build(areas, (m) => {
        m.rom(0x6000, new Uint8Array(0x1000));
        m.rom(0x6000, new Uint8Array(0x1000));
      }),
    ).toThrow('rom at 0x6000-0x6fff overlaps rom at 0x6000-0x6fff');
  });

  test('areas are whole pages, and each has one device', () => {
    expect(build([{ base: 0x4100, size: 0x1000 }], () => {})).toThrow(
      "device 'steer0': its shadow area at 0x4100, 4096 bytes, must be of whole pages of 4096",
    );
    const areas = [{ base: 0x4000, size: 0x2000 }];
    expect(build(areas, (m) => m.add('i440fx-pcihost') && m.add(steering(areas)))).toThrow(
      "device 'steer1': its shadow area at 0x4000-0x5fff overlaps that of 'steer0' at 0x4000-0x5fff",
    );
  });
});

describe('pc', () => {
  test('the normal machine, with more or less RAM', () => {
    const machine = builder();
    const { isa, pic, rtc } = machine.pc({ ram: 2 ** 21, rtc: { irq: 9 } });
    expect([isa.type, pic.type, rtc.type]).toEqual(['piix3', 'i8259', 'mc146818rtc']);
    const { blueprint } = machine.seal();
    expect(blueprint.ram.map(({ base, size }) => [base, size])).toEqual([[0, 0x20_0000]]);
    const old = builder();
    old.isapc({ ram: 2 ** 21 });
    expect(old.seal().blueprint.ram.map(({ base, size }) => [base, size])).toEqual([
      [0, 0xa_0000],
      [0x10_0000, 0x10_0000],
    ]);
    expect(blueprint.devices.find(({ id }) => id === 'rtc0')?.properties['irq']).toBe(9);
    const small = builder();
    small.pc({ ram: 0x1000 });
    expect(small.seal().blueprint.ram.map(({ size }) => size)).toEqual([0x1000]);
    expect(refusal((m) => m.pc({ ram: 1000 }))).toContain('the size 1000 must be a multiple of 4096');
  });
});
