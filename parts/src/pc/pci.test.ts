import { describe, expect, it } from 'vitest';
import type { Vcpu } from '@qtest/sdk';
import { pci } from './index.ts';

/** As much of a VCPU as the driver uses, on functions that are 256 bytes each, by bus, slot and function. */
function bench(functions: Readonly<Record<string, Readonly<Record<number, number>>>>) {
  const spaces = new Map(
    Object.entries(functions).map(([at, dwords]) => {
      const view = new DataView(new ArrayBuffer(256));
      for (const [offset, value] of Object.entries(dwords)) view.setUint32(Number(offset), value, true);
      return [at, view];
    }),
  );
  let address = 0;
  const find = (): DataView | undefined =>
    spaces.get([(address >>> 16) & 0xff, (address >>> 11) & 31, (address >>> 8) & 7].join('.'));
  const at = (port: number): number => (address & 0xfc) | (port - 0xcfc);
  const vcpu = {
    inb: (port: number) => find()?.getUint8(at(port)) ?? 0xff,
    inw: (port: number) => find()?.getUint16(at(port), true) ?? 0xffff,
    inl: (port: number) => find()?.getUint32(at(port), true) ?? 0xffff_ffff,
    outl(port: number, value: number) {
      if (port === 0xcf8) address = value;
    },
    outw: () => {},
  };
  return pci.host(vcpu as unknown as Vcpu);
}

const DEVICE = 0x0001_8086;
const bridge = (secondary: number): Record<number, number> => ({
  0x00: DEVICE,
  0x0c: 0x0001_0000,
  0x18: secondary << 8,
});

const places = (host: pci.PciHost): string[] =>
  host.scan().map(({ bus, slot, function: fn }) => `${bus}.${slot}.${fn}`);

describe('scan', () => {
  it('goes behind bridges, each bus once', () => {
    const host = bench({
      '0.1.0': bridge(2),
      '0.2.0': bridge(2),
      '0.3.0': { 0: DEVICE },
      '2.0.0': bridge(3),
      '2.4.0': { 0: DEVICE },
      '3.5.0': { 0: DEVICE },
    });
    expect(places(host)).toEqual(['0.1.0', '2.0.0', '3.5.0', '2.4.0', '0.2.0', '0.3.0']);
  });

  it('does not follow a bridge without a number, or back to where it came from', () => {
    expect(places(bench({ '0.1.0': bridge(0), '0.2.0': bridge(1), '1.0.0': bridge(1), '1.1.0': bridge(0) }))).toEqual([
      '0.1.0',
      '0.2.0',
      '1.0.0',
      '1.1.0',
    ]);
  });

  it('looks at other functions only of a slot that says that it has them', () => {
    const host = bench({
      '0.1.0': { 0: DEVICE },
      '0.1.1': { 0: DEVICE },
      '0.2.0': { 0: DEVICE, 0x0c: 0x0080_0000 },
      '0.2.3': { 0: DEVICE },
      '0.3.1': { 0: DEVICE },
    });
    expect(places(host)).toEqual(['0.1.0', '0.2.0', '0.2.3']);
  });
});

describe('capabilities', () => {
  const fn = (dwords: Record<number, number>): pci.PciFunction => {
    const found = bench({ '0.0.0': { 0: DEVICE, 4: 0x0010_0000, ...dwords } }).at({ slot: 0 });
    if (found === undefined) throw new Error('nobody');
    return found;
  };

  it('come in the order of the list', () => {
    expect(fn({ 0x34: 0x53, 0x50: 0x4005, 0x40: 0x0009 }).capabilities()).toEqual([
      { id: 5, offset: 0x50 },
      { id: 9, offset: 0x40 },
    ]);
  });

  it('end where the list bites its tail', () => {
    expect(fn({ 0x34: 0x40, 0x40: 0x5005, 0x50: 0x4009 }).capabilities()).toHaveLength(2);
    expect(fn({ 0x34: 0x40, 0x40: 0x4005 }).capabilities()).toHaveLength(1);
  });

  it('are none where the list points into the header, or the status says so', () => {
    expect(fn({ 0x34: 0x10 }).capabilities()).toEqual([]);
    expect(fn({ 4: 0, 0x34: 0x40, 0x40: 5 }).capabilities()).toEqual([]);
  });
});
