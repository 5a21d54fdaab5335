import {
  defineDevice,
  property,
  rc,
  register,
  reserved,
  ro,
  rw,
  w0c,
  w1c,
  w1s,
  wo,
  type DeviceCoverage,
  type RegisterCoverage,
  type Vcpu,
} from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { expect, it } from 'vitest';
import { registryOf } from '@qtest/machine';
import { catalogOf } from '../plugins/devices.ts';
import { covered, coveredEmulated } from './covered-vcpu.ts';
import { Counters } from './counters.ts';
import { itemsOf, missingOf, percentOf } from './items.ts';
import { coverageOfRuns, CoverageTotal } from './merge.ts';
import { coverageLines } from './text.ts';
import { testMachine } from '../../../test/support/machine.ts';

const CTRL = register('CTRL', { offset: 0, fields: { ZERO: reserved(7), MODE: rw(6, 4), EN: rw(0) } });
const STATUS = register('STATUS', {
  offset: 1,
  fields: { ID: ro(7, 6), IRQ: rc(3), GO: w1s(2), ERR: w0c(1), DONE: w1c(0) },
});
const WIDE = register('WIDE', { offset: 4, width: 32 });
const IN = register('IN', { offset: 8, access: 'ro' });
const OUT = register('OUT', { offset: 8, access: 'wo' });
const KEY = register('KEY', { offset: 9, fields: { KEY: wo(3, 0) } });
const INDEX = register('INDEX', { offset: 10 });
const DATA = register('DATA', { offset: 11 });
const BEHIND = [register('FIRST', { offset: 0 }), register('SECOND', { offset: 1 })];

/** Keeps CTRL and STATUS as they are written. */
const part = defineDevice(
  {
    type: 'part',
    description: 'has registers of every kind',
    properties: { base: property.number({ default: 0x300, max: 0xff00 }) },
    state: { ctrl: 'u8', status: 'u8' },
    regions: ({ base }) => ({
      ports: { space: 'io', base, size: 12 },
      mmio: { space: 'memory', base: base * 0x1_0000, size: 8, access: { max: 4 } },
    }),
    registers: {
      ports: {
        registers: [CTRL, STATUS, WIDE, IN, OUT, KEY, INDEX, DATA],
        indexed: { index: INDEX.offset, data: DATA.offset, mask: 0x7f, registers: BEHIND },
      },
      mmio: { registers: [CTRL, WIDE] },
    },
  },
  {
    regions: {
      ports: {
        read: ({ state }, offset) => (offset === 0 ? state.ctrl : offset === 1 ? state.status : 0x5a),
        write({ state }, offset, value) {
          if (offset === 0) state.ctrl = value;
          if (offset === 1) state.status = value;
        },
      },
      mmio: { read: () => 0x8000_0001, write: () => {} },
    },
  },
);

const PORTS = 0x300;
const MMIO = 0x300_0000;

function rig() {
  const { vcpu: plain, bound: machine } = testMachine(
    (builder) => {
      builder.ram(0, 4096);
      builder.add(part);
      builder.add(part, { id: 'other', base: 0x400 });
    },
    { devices: [part] },
  );
  const registry = new Map([['part', part]]);
  const counters = new Counters(machine.blueprint, registry);
  const vcpu = covered(plain, counters.buffer, { machine, registry });
  return { plain, machine, registry, counters, vcpu };
}

function found(devices: readonly DeviceCoverage[], name: string, bank = 'ports', device = 'part0'): RegisterCoverage {
  const banks = devices.filter((one) => one.device === device).flatMap(({ banks: all }) => all);
  const register = banks.find((one) => one.name === bank)?.registers.find((one) => one.name === name);
  if (register === undefined) throw new Error(`${device}: ${bank} ${name} is not there`);
  return register;
}

const fieldOf = ({ fields }: RegisterCoverage, name: string) => fields.find((field) => field.name === name);

it('is not measured when it is not asked for', () => {
  const { plain, machine, registry } = rig();
  expect(covered(plain, undefined, { machine, registry })).toBe(plain);
});

it('tells of each field what was seen and written, and of the others of the machine nothing', () => {
  const { vcpu, counters } = rig();
  vcpu.outb(PORTS, 0x21);
  vcpu.inb(PORTS);
  vcpu.outb(PORTS, 0x50);
  vcpu.inb(PORTS);
  const [device, ...others] = counters.touched();
  expect(others).toEqual([]);
  expect(device).toEqual({
    device: 'part0',
    type: 'part',
    banks: [{ name: 'ports', registers: [found(counters.all(), 'CTRL')] }],
  });
  const ctrl = found(counters.touched(), 'CTRL');
  expect(ctrl).toMatchObject({ offset: 0, reads: 2, writes: 2 });
  const seen = { seenSet: 0x70, seenClear: 0x70, wroteSet: 0x70, wroteClear: 0x70, values: [2, 5] };
  expect(ctrl.fields).toEqual([
    { name: 'MODE', access: 'rw', mask: 0x70, ...seen },
    { name: 'EN', access: 'rw', mask: 1, seenSet: 1, seenClear: 1, wroteSet: 1, wroteClear: 1 },
  ]);
});

it('tells an effect from a write that found nothing to change', () => {
  const { vcpu, counters } = rig();
  const effects = (): unknown => found(counters.all(), 'STATUS').fields.flatMap(({ effect = [] }) => effect);
  vcpu.inb(PORTS + 1);
  // DONE and ERR were seen clear; GO is set, and nothing has been read since.
  vcpu.outb(PORTS + 1, 0x05);
  expect(effects()).toEqual([false, true, false, false]);
  vcpu.outb(PORTS + 1, 0x0b);
  vcpu.inb(PORTS + 1);
  expect(effects()).toEqual([true, true, false, false]);
  vcpu.outb(PORTS + 1, 0x01);
  expect(effects()).toEqual([true, true, true, true]);
});

it('counts a wide access for each register that it reaches, with the bits that it reaches', () => {
  const { vcpu, counters } = rig();
  vcpu.outw(PORTS, 0x0110);
  expect(found(counters.all(), 'CTRL')).toMatchObject({ writes: 1, reads: 0 });
  expect(found(counters.all(), 'STATUS')).toMatchObject({ writes: 1 });
  vcpu.inb(PORTS + 5);
  const [wide] = found(counters.all(), 'WIDE').fields;
  expect(wide).toMatchObject({ seenSet: 0x5a00, seenClear: 0xa500 });
  vcpu.inl(PORTS + 9);
  expect(found(counters.all(), 'DATA').reads).toBe(1);
});

it('counts memory, in bulk as well, and leaves RAM alone', () => {
  const { vcpu, counters } = rig();
  vcpu.read(MMIO, 8);
  vcpu.write(MMIO, new Uint8Array(5));
  vcpu.fill(MMIO + 4, 4, 0xff);
  vcpu.readq(MMIO);
  vcpu.write(0, new Uint8Array(4096));
  const wide = found(counters.all(), 'WIDE', 'mmio');
  expect(wide).toMatchObject({ reads: 2, writes: 2 });
  expect(wide.fields).toMatchObject([{ wroteSet: 0xffff_ffff, wroteClear: 0xff, seenSet: 0x8000_0001 }]);
  expect(found(counters.all(), 'CTRL', 'mmio')).toMatchObject({ reads: 2, writes: 1 });
});

it('tells registers at one offset by what they are for', () => {
  const { vcpu, counters } = rig();
  vcpu.inb(PORTS + 8);
  vcpu.outb(PORTS + 8, 1);
  expect(found(counters.all(), 'IN')).toMatchObject({ reads: 1, writes: 0 });
  expect(found(counters.all(), 'OUT')).toMatchObject({ reads: 0, writes: 1 });
});

it('reaches what is behind an index, whoever has written it', () => {
  const { vcpu, counters, plain, machine, registry } = rig();
  vcpu.inb(PORTS + 11);
  expect(found(counters.all(), 'FIRST', 'ports[INDEX]').reads).toBe(0);
  vcpu.outb(PORTS + 10, 0x81);
  covered(plain, counters.buffer, { machine, registry }).outb(PORTS + 11, 7);
  expect(found(counters.all(), 'SECOND', 'ports[INDEX]')).toMatchObject({ reads: 0, writes: 1 });
  // Index and data in one access.
  vcpu.outw(PORTS + 10, 0xff00);
  expect(fieldOf(found(counters.all(), 'FIRST', 'ports[INDEX]'), 'FIRST')).toMatchObject({ wroteSet: 0xff });
  counters.clear();
  expect(counters.touched()).toEqual([]);
});

function pciMachine() {
  const { vcpu, bound } = testMachine((builder) => {
    builder.add('i440fx-pcihost');
    builder.add('pci-testdev', { slot: 5 });
  });
  const registry = registryOf(catalogOf([]));
  return { vcpu, machine: bound, registry, counters: new Counters(bound.blueprint, registry) };
}

/** Reads two bytes of the header, and writes a register of the first BAR. */
function useTestdev(vcpu: Vcpu): void {
  const fn = pci.host(vcpu).find({ vendor: 0x1b36, device: 0x0005 });
  vcpu.writeb(fn.map(0).address, 1);
}

it('reaches PCI configuration space, and a BAR where it lies at that moment', () => {
  const { vcpu, machine, registry, counters } = pciMachine();
  useTestdev(covered(vcpu, counters.buffer, { machine, registry }));
  const used = counters.touched();
  const id = found(used, 'DEVICE_ID', 'config', 'pcitest0');
  expect(id.fields).toMatchObject([{ seenSet: 0x0005, seenClear: 0xfffa, wroteSet: 0 }]);
  expect(found(used, 'TEST', 'mmio', 'pcitest0')).toMatchObject({ reads: 0, writes: 1 });
});

it("knows where an emulator's BARs lie", async () => {
  const emulator = pciMachine();
  // Nobody's VCPU keeps the lock of this one.
  const { machine, counters } = pciMachine();
  machine.lock.releaseAll();
  expect(await coveredEmulated(emulator.vcpu, undefined, machine.handle)).toBe(emulator.vcpu);
  useTestdev(await coveredEmulated(emulator.vcpu, counters.buffer, machine.handle));
  expect(found(counters.touched(), 'TEST', 'mmio', 'pcitest0')).toMatchObject({ reads: 0, writes: 1 });
});

it('is of how much there was to do', () => {
  const { vcpu, counters } = rig();
  const bank = (name: string) => [{ name: 'ports', registers: [found(counters.all(), name)] }];
  expect(itemsOf(bank('CTRL'))).toEqual({ used: 0, items: 2 + 8 });
  expect(itemsOf(bank('STATUS'))).toEqual({ used: 0, items: 2 + 4 });
  expect(itemsOf(bank('IN'))).toEqual({ used: 0, items: 1 });
  expect(itemsOf(bank('KEY'))).toEqual({ used: 0, items: 1 + 8 });
  vcpu.outb(PORTS, 0x21);
  vcpu.inb(PORTS);
  expect(itemsOf(bank('CTRL'))).toEqual({ used: 2 + 4, items: 10 });
  expect(missingOf(found(counters.all(), 'CTRL'))).toBe('never seen set: MODE[2,0]; never seen clear: MODE[1], EN');
  expect(missingOf(found(counters.all(), 'KEY'))).toBe(
    'never written; never written with ones; never written with zeroes',
  );
  expect(missingOf(found(counters.all(), 'STATUS'))).toBe(
    'never read; never written; never read while set: IRQ; never set by writing 1: GO; never cleared by writing 0: ERR; never cleared by writing 1: DONE',
  );
  expect(percentOf({ used: 0, items: 0 })).toBe(100);
});

it('is summed up by types, over devices, cases and runs', () => {
  const { vcpu, counters } = rig();
  const total = new CoverageTotal();
  total.add(counters.all());
  vcpu.outb(PORTS, 0x70);
  vcpu.inb(PORTS);
  const first = counters.touched();
  counters.clear();
  vcpu.outb(0x400, 0x01);
  vcpu.inb(0x400);
  const second = counters.touched();
  total.add(first);
  total.add(second);
  const [type, ...others] = total.types();
  expect(others).toEqual([]);
  expect(type).toMatchObject({ type: 'part', used: 10 });
  const all = type?.banks.flatMap(({ registers }) => registers) ?? [];
  expect(all.find(({ name }) => name === 'CTRL')).toMatchObject({
    reads: 2,
    writes: 2,
    fields: [{ values: [0, 7] }, {}],
  });
  expect(all).toHaveLength(counters.all()[0]?.banks.flatMap(({ registers }) => registers).length ?? 0);
  const again = coverageOfRuns([{ coverage: first }, {}, { coverage: second }, { coverage: first }]);
  expect(again).toMatchObject([{ device: 'part0' }, { device: 'other' }]);
  expect(found(again ?? [], 'CTRL')).toMatchObject({ reads: 2 });
  expect(coverageOfRuns([{}, {}])).toBeUndefined();
});

it('is told with what is missing', () => {
  const { vcpu, counters } = rig();
  const total = new CoverageTotal();
  total.add(counters.all().map(({ banks }) => ({ type: 'other', banks })));
  vcpu.outb(PORTS, 0x70);
  vcpu.inb(PORTS);
  total.add(counters.all());
  expect(coverageLines(total.types()).join('\n')).toMatchInlineSnapshot(`
    "register coverage

    device       read  written  seen set  seen clear  effects  coverage
    part         1/12     1/12     3/118       1/118      0/4     2.3 %
    all devices  1/24     1/24     3/236       1/236      0/8     1.1 %

    part lacks
      ports: never touched: STATUS, WIDE, IN, OUT, KEY, INDEX, DATA
      ports CTRL: never seen clear: MODE; never seen set: EN
      ports[INDEX]: never touched: FIRST, SECOND
      mmio: never touched: CTRL, WIDE

    no register touched: other
    "
  `);
});
