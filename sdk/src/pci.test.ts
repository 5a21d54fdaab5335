import { describe, expect, it } from 'vitest';
import { definePciFunction, register, ro, rw, wo, type BarSpec, type CapabilitySpec, type Register } from './index.ts';

const IDENTITY = { vendor: 0x1234, device: 0x5678, classCode: 0x12_3456 };

const answer = { read: () => 0, write: () => {} };

function withBar(bar: BarSpec) {
  return () =>
    definePciFunction(
      { type: 'x', description: '', pci: { ...IDENTITY, bars: { bar } } },
      { regions: { bar: answer } },
    );
}

function withCapabilities(...capabilities: CapabilitySpec[]) {
  return () => definePciFunction({ type: 'x', description: '', pci: { ...IDENTITY, capabilities } }, {});
}

function withRegisters(...registers: Register[]) {
  return () => definePciFunction({ type: 'x', description: '', pci: { ...IDENTITY, registers } }, {});
}

/** The configuration space of a definition as its register table says. */
function table({ schema }: ReturnType<ReturnType<typeof withRegisters>>): Record<string, Register> {
  return Object.fromEntries((schema.registers?.config?.registers ?? []).map((item) => [item.name, item]));
}

describe('definePciFunction', () => {
  it.each([
    [
      'is no power of two',
      { bar: 0, kind: 'memory32', size: 3000 },
      /BAR 'bar' has the size 3000; expected a power of two from 16/,
    ],
    ['is too small for memory', { bar: 0, kind: 'memory32', size: 8 }, /from 16 to 2147483648/],
    ['is too small for ports', { bar: 0, kind: 'io', size: 2 }, /from 4 to 65536/],
    ['is too small for a ROM', { bar: 'rom', kind: 'memory32', size: 1024 }, /from 2048 to 16777216/],
    ['does not fit 32 bits', { bar: 0, kind: 'memory32', size: 2 ** 32 }, /power of two/],
    ['is negative', { bar: 0, kind: 'io', size: -16 }, /power of two/],
    ['is no number', { bar: 0, kind: 'io', size: Number.NaN }, /power of two/],
    ['has 64 bits and is the last', { bar: 5, kind: 'memory64', size: 16 }, /no BAR after it/],
    ['is a ROM of ports', { bar: 'rom', kind: 'io', size: 2048 }, /expected 'memory32'/],
  ] as const)('refuses a BAR that %s', (_, bar, message) => {
    expect(withBar(bar)).toThrow(message);
  });

  it('refuses a BAR where a 64-bit one has its upper half', () => {
    const define = (): unknown =>
      definePciFunction(
        {
          type: 'x',
          description: '',
          pci: { ...IDENTITY, bars: { a: { bar: 0, kind: 'memory64', size: 16 }, b: { bar: 1, kind: 'io', size: 4 } } },
        },
        { regions: { a: answer, b: answer } },
      );
    expect(define).toThrow(/registers BAR1 and BAR1 overlap at 0x14/);
  });

  it.each([
    ['in the header', { kind: 'msi', offset: 0x3c }, /multiple of 4 from 0x40/],
    ['that is not aligned', { kind: 'msi', offset: 0x42 }, /multiple of 4 from 0x40/],
    ['beyond the end', { kind: 'msi', offset: 0xf8 }, /ends beyond the 256 bytes/],
    ['of 3 vectors', { kind: 'msi', offset: 0x40, vectors: 3 }, /MSI has 3 vectors; expected 1, 2, 4/],
    ['of 64 vectors', { kind: 'msi', offset: 0x40, vectors: 64 }, /MSI has 64 vectors/],
  ] as const)('refuses a capability %s', (_, capability, message) => {
    expect(withCapabilities(capability)).toThrow(message);
  });

  it('refuses capabilities and registers that overlap', () => {
    expect(withCapabilities({ kind: 'msi', offset: 0x40 }, { kind: 'vendor', offset: 0x4c, content: [3] })).toThrow(
      /MSI_DATA and CAP_4C_ID overlap at 0x4c/,
    );
    expect(withRegisters(register('A', { offset: 0x50, width: 32 }), register('B', { offset: 0x52 }))).toThrow(
      /registers A and B overlap at 0x52/,
    );
  });

  it('refuses a register with a kind of access that a configuration space has not', () => {
    expect(withRegisters(register('A', { offset: 0x50, fields: { GO: wo(0) } }))).toThrow(/field GO of A is 'wo'/);
  });

  it('has a table of every register, in order', () => {
    const registers = table(
      withRegisters(register('OWN', { offset: 0x50, reset: 3, fields: { X: rw(1), Y: ro(0) } }))(),
    );
    expect(Object.keys(registers)).toEqual(
      'VENDOR_ID DEVICE_ID COMMAND STATUS REVISION_ID PROGRAMMING_INTERFACE CLASS CACHE_LINE_SIZE LATENCY_TIMER HEADER_TYPE BIST SUBSYSTEM_VENDOR_ID SUBSYSTEM_ID CAPABILITIES INTERRUPT_LINE INTERRUPT_PIN OWN'.split(
        ' ',
      ),
    );
    expect(registers['CLASS']).toMatchObject({ reset: 0x1234, writable: 0 });
    expect(registers['PROGRAMMING_INTERFACE']?.reset).toBe(0x56);
    expect(registers['OWN']).toMatchObject({ reset: 3, writable: 2 });
  });

  it('lets a part replace a register of the header', () => {
    const command = register('PCICMD', { offset: 4, width: 16, reset: 6, fields: { MASTER: ro(2), MEMORY: ro(1) } });
    const registers = table(withRegisters(command)());
    expect(registers['COMMAND']).toBeUndefined();
    expect(registers['PCICMD']).toMatchObject({ reset: 6, writable: 0 });
  });

  it('has BARs in its table, of every kind and size', () => {
    const names = (bar: BarSpec): [string, number | undefined, number][] =>
      Object.entries(table(withBar(bar)() as never))
        .filter(([name]) => name.includes('BAR'))
        .map(([name, item]) => [name, item.reset, item.writable]);
    expect(names({ bar: 2, kind: 'io', size: 4 })).toEqual([['BAR2', 1, 0xffff_fffc]]);
    expect(names({ bar: 0, kind: 'memory32', size: 16, prefetchable: true })).toEqual([['BAR0', 8, 0xffff_fff0]]);
    expect(names({ bar: 0, kind: 'memory32', size: 2 ** 31 })).toEqual([['BAR0', 0, 0x8000_0000]]);
    expect(names({ bar: 4, kind: 'memory64', size: 16 })).toEqual([
      ['BAR4', 4, 0xffff_fff0],
      ['BAR5', 0, 0xffff_ffff],
    ]);
    expect(names({ bar: 0, kind: 'memory64', size: 2 ** 34, prefetchable: true })).toEqual([
      ['BAR0', 12, 0],
      ['BAR1', 0, 0xffff_fffc],
    ]);
    expect(names({ bar: 'rom', kind: 'memory32', size: 2 ** 16 })).toEqual([['ROM_BAR', 0, 0xffff_0001]]);
  });
});
