import type { MachineBuilder } from '@qtest/sdk';
import { describe, test } from 'vitest';
import { driver, listener, probe, ticker } from '../../../test/support/devices.ts';
import { i440fxHost } from '@qtest/devices/pc/i440fx';
import { i8042 } from '@qtest/devices/pc/i8042';
import { i8254 } from '@qtest/devices/pc/i8254';
import { i8259 } from '@qtest/devices/pc/i8259';
import { hpet } from '@qtest/devices/pc/hpet';
import { mc146818rtc } from '@qtest/devices/pc/mc146818rtc';
import { ns16550a } from '@qtest/devices/pc/ns16550a';
import { ownDevices } from '../../../test/support/machine.ts';
import { deviceContract, machineContract } from './contract.ts';

/** A hundred thousand accesses take longer beside other tests. */
const TIMES = { timeout: 60_000 };

describe.each(ownDevices())('$schema.type', (definition) => {
  test.each(deviceContract(definition))('$name', TIMES, ({ run }) => run());
});

/** What properties change of a device, with fewer accesses. The tables tell of the defaults, so they are not checked. */
const accesses = 20_000;

describe.each([
  ['i8259, requests kept', deviceContract(i8259, { accesses, properties: { fallenRequest: 'latched' } })],
  [
    'i8254, running',
    deviceContract(i8254, { accesses, properties: { reset: 'running', drivenOuts: 7, tiedGates: 0 } }),
  ],
  ['i8042, bytes take time', deviceContract(i8042, { accesses, properties: { byteTime: '1ms' } })],
  ['ns16550a, modem inputs', deviceContract(ns16550a, { accesses, properties: { tiedInputs: 0, irqGate: 'none' } })],
  ['hpet, 32 timers', deviceContract(hpet, { accesses, properties: { timers: 32 } })],
  [
    'mc146818rtc, slow, before a change of summer time',
    deviceContract(mc146818rtc, { accesses, properties: { epoch: '2011-10-30T00:59:58Z', updateCycle: '1984us' } }),
  ],
  [
    'mc146818rtc, as QEMU',
    deviceContract(mc146818rtc, {
      accesses,
      properties: { calendar: 'gregorian', periodicFlag: 'enabled', modeChange: 'convert' },
    }),
  ],
  ['i440fx-pcihost, strict', deviceContract(i440fxHost, { accesses, properties: { configAddress: 'strict' } })],
] as const)('%s', (_name, checks) => {
  test.each(checks.filter(({ name }) => !/^(?:reset-values|bits)/.test(name)))('$name', TIMES, ({ run }) => run());
});

describe('the whole pc', () => {
  const init = (machine: MachineBuilder): void => {
    machine.pc({ ram: 0x4000 });
    machine.add('isa-testdev', { faults: false });
  };
  test.each(machineContract(init))('$name', TIMES, ({ run }) => run());
});

describe('an I/O APIC and local APICs', () => {
  const init = (machine: MachineBuilder): void => {
    machine.ram(0, 0x2000);
    const isa = machine.add('isa-bus');
    machine.add('i8259');
    machine.add('apic', { cpus: 2, virtualWire: true });
    const io = machine.add('ioapic', { version: 0x20 });
    for (let irq = 0; irq < 16; irq++) machine.connect(machine.line(isa, irq), machine.input(io, 'intin', irq));
  };
  test.each(machineContract(init))('$name', ({ run }) => run());
});

describe("the tests' own devices", () => {
  const init = (machine: MachineBuilder): void => {
    machine.ram(0, 0x2000);
    machine.add(probe, { max: '4', base: 0x100 });
    machine.add(ticker);
    const out = machine.add(driver);
    const listens = machine.add(listener);
    for (const pin of [0, 1, 2])
      machine.connect(machine.output(out, 'out', pin), machine.input(listens, 'in', pin >> 1), { shared: true });
  };
  const devices = [probe, ticker, driver, listener];
  test.each(machineContract(init, { devices }))('$name', TIMES, ({ run }) => run());
});
