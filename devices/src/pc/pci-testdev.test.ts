import { describe, expect, test } from 'vitest';
import { pci } from '@qtest/parts/pc';
import { testMachine } from '../../../test/support/machine.ts';

const TEST = 0;
const WIDTH = 1;
const OFFSET = 4;
const DATA = 8;
const COUNT = 12;
const NAME = 16;

function build() {
  const machine = testMachine((m) => {
    m.add('i440fx-pcihost');
    m.add('pci-testdev', { slot: 5 });
  });
  const { vcpu } = machine;
  const fn = pci.host(vcpu).find({ vendor: 0x1b36, device: 0x0005 });
  const memory = fn.map(0).address;
  const ports = fn.map(1).address;
  const name = (at: (offset: number) => number): string => {
    let text = '';
    for (let offset = NAME; at(offset) !== 0; offset++) text += String.fromCharCode(at(offset));
    return text;
  };
  return {
    ...machine,
    fn,
    memory,
    ports,
    nameThere: () => name((n) => vcpu.readb(memory + n)),
    nameHere: () => name((n) => vcpu.inb(ports + n)),
  };
}

describe('pci-testdev', () => {
  test('config/header', () => {
    const { fn } = build();
    expect(fn.classCode).toBe(0x00_ff00);
    expect(fn.interruptPin).toBe(0);
    expect(fn.capabilities()).toEqual([]);
    expect(fn.bars()).toMatchObject([
      { bar: 0, kind: 'memory32', size: 4096 },
      { bar: 1, kind: 'io', size: 256 },
    ]);
  });

  test('header/zeroes-before-a-test-is-selected', () => {
    const { vcpu, memory, ports } = build();
    expect(vcpu.read(memory, 64)).toEqual(new Uint8Array(64));
    expect(vcpu.inl(ports + OFFSET)).toBe(0);
  });

  test('header/of-each-test-in-memory', () => {
    const { vcpu, memory, nameThere } = build();
    const seen = [0, 1, 2].map((n) => {
      vcpu.writeb(memory + TEST, n);
      return [
        vcpu.readb(memory + WIDTH),
        vcpu.readl(memory + OFFSET),
        vcpu.readb(memory + DATA),
        vcpu.readl(memory + COUNT),
        nameThere(),
      ];
    });
    expect(seen).toEqual([
      [1, 2048, 0xfa, 0, 'mmio-no-eventfd'],
      [1, 2049, 0xce, 0, 'mmio-wildcard-eventfd'],
      [1, 2050, 0xfa, 0, 'mmio-datamatch-eventfd'],
    ]);
  });

  test('header/of-each-test-at-ports', () => {
    const { vcpu, ports, nameHere } = build();
    const seen = [0, 1, 2].map((n) => {
      vcpu.outb(ports + TEST, n);
      return [vcpu.inb(ports + TEST), vcpu.inl(ports + OFFSET), vcpu.inl(ports + DATA), nameHere()];
    });
    expect(seen).toEqual([
      [3, 131, 0xfa, 'portio-no-eventfd'],
      [4, 132, 0xce, 'portio-wildcard-eventfd'],
      [5, 133, 0xfa, 'portio-datamatch-eventfd'],
    ]);
  });

  test.each([
    ['memory', 'the value alone', 0, 0xfa, 0xfb],
    ['memory', 'any value', 1, 0xce, 0x12],
    ['memory', 'the value alone', 2, 0xfa, 0xce],
    ['ports', 'the value alone', 0, 0xfa, 0xfb],
    ['ports', 'any value', 1, 0xce, 0x12],
  ] as const)('count/%s/%s/test-%i', (where, _, n, value, other) => {
    const { vcpu, memory, ports } = build();
    const base = where === 'memory' ? memory : ports;
    const write = (offset: number, byte: number): void =>
      where === 'memory' ? vcpu.writeb(base + offset, byte) : vcpu.outb(base + offset, byte);
    const read = (offset: number): number => (where === 'memory' ? vcpu.readl(base + offset) : vcpu.inl(base + offset));
    write(TEST, n);
    const offset = read(OFFSET);
    for (let i = 0; i < 300; i++) write(offset, value);
    expect(read(COUNT)).toBe(300);
    write(offset, other);
    expect(read(COUNT)).toBe(n === 1 ? 301 : 300);
    write(offset + 8, value);
    expect(read(COUNT)).toBe(n === 1 ? 301 : 300);
    write(TEST, n);
    expect(read(COUNT)).toBe(0);
  });

  test('count/a-wide-write-is-bytes', () => {
    const { vcpu, memory } = build();
    vcpu.writeb(memory + TEST, 0);
    vcpu.writel(memory + vcpu.readl(memory + OFFSET), 0xfafa_fafa);
    expect(vcpu.readl(memory + COUNT)).toBe(1);
  });

  test('select/a-number-of-no-test-ends-it', () => {
    const { vcpu, memory } = build();
    vcpu.writeb(memory + TEST, 0);
    vcpu.writeb(memory + TEST, 3);
    expect(vcpu.readl(memory + OFFSET)).toBe(0);
    vcpu.writeb(memory + 2048, 0xfa);
    vcpu.writeb(memory + TEST, 0xff);
    expect(vcpu.readl(memory + OFFSET)).toBe(0);
  });

  test('select/both-bars-show-the-last-one', () => {
    const { vcpu, memory, ports } = build();
    vcpu.writeb(memory + TEST, 0);
    expect(vcpu.inl(ports + OFFSET)).toBe(2048);
    vcpu.outb(ports + TEST, 0);
    expect(vcpu.readl(memory + OFFSET)).toBe(131);
  });

  test('select/the-header-is-read-only', () => {
    const { vcpu, memory } = build();
    vcpu.writeb(memory + TEST, 0);
    const before = vcpu.read(memory, 40);
    for (let offset = 1; offset < 40; offset++) vcpu.writeb(memory + offset, 0xff);
    expect(vcpu.read(memory, 40)).toEqual(before);
  });

  test('reset/no-test-runs', () => {
    const { vcpu, fn, memory, machine } = build();
    vcpu.writeb(memory + TEST, 1);
    machine.reset();
    fn.setBar(0, memory);
    fn.enable({ memory: true });
    expect(vcpu.read(memory, 40)).toEqual(new Uint8Array(40));
  });

  test('snapshot/keeps-the-count', () => {
    const { vcpu, memory, machine } = build();
    vcpu.writeb(memory + TEST, 1);
    vcpu.writeb(memory + 2049, 1);
    const snapshot = machine.snapshot();
    vcpu.writeb(memory + 2049, 1);
    machine.restore(snapshot);
    expect(vcpu.readl(memory + COUNT)).toBe(1);
  });
});
