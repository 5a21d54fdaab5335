import { describe, expect, test } from 'vitest';
import {
  definePciFunction,
  msixEnabled,
  MSIX_ENTRY,
  nothingElse,
  sendMsi,
  sendMsix,
  withdrawMsix,
  type AccessSize,
  type CapabilitySpec,
  type MsixSpec,
} from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import { deviceContract } from '../../host/src/contract/contract.ts';
import { testMachine } from '../../test/support/machine.ts';

/** MSI-X and MSI with masks, on functions of these tests' own. */

const { CAPABILITY, HEADER, MSI, MSIX } = pci;

const MSI_AT = 0x40;
const MSIX_AT = 0x60;
/** Ports of the sender: a vector is sent by MSI, by MSI-X, or taken back. */
const SEND_MSI = 0;
const SEND_MSIX = 1;
const WITHDRAW = 2;
const SENT = 3;

const VECTORS = 5;
const PBA = 0x200;
const OWN = 0x300;

/** MSI-X of 5 vectors in a BAR that has registers of the part's own, too, which are bytes if `max` says so. */
const sender = (max: AccessSize) =>
  definePciFunction(
    {
      type: 'sender',
      description: 'sends messages',
      state: { own: 'u32', sent: 'bool' },
      pci: {
        vendor: 0xabcd,
        device: 1,
        classCode: 0xff_0000,
        bars: {
          ports: { bar: 0, kind: 'io', size: 4 },
          memory: { bar: 1, kind: 'memory32', size: 4096, access: { max } },
        },
        capabilities: [
          { kind: 'msi', offset: MSI_AT, vectors: 4, masking: true },
          { kind: 'msix', offset: MSIX_AT, vectors: VECTORS, bar: 'memory', pba: PBA },
        ],
      },
    },
    {
      regions: {
        ports: {
          read: ({ state }) => Number(state.sent),
          write(device, offset, value) {
            if (offset === SEND_MSI) device.state.sent = sendMsi(device, MSI_AT, value);
            // A guest's number is no vector before it has been looked at.
            if (offset === SEND_MSIX) device.state.sent = sendMsix(device, MSIX_AT, value % VECTORS);
            if (offset === WITHDRAW) withdrawMsix(device, MSIX_AT, value % VECTORS);
          },
        },
        memory: {
          read: ({ state }, offset) => (offset === OWN ? state.own : 0x77),
          write: ({ state }, offset, value) => void (state.own = offset === OWN ? value : 0xdead),
        },
      },
    },
  );

const RAM = 0x4000;

function build(max: AccessSize = 4) {
  const definition = sender(max);
  const machine = testMachine(
    (m) => {
      m.ram(0, 0x1_0000);
      m.add(definition, { bus: m.add('i440fx-pcihost'), slot: 3 });
    },
    { devices: [definition] },
  );
  const { vcpu } = machine;
  const fn = pci.host(vcpu).find({ vendor: 0xabcd });
  fn.enable({ master: true });
  const ports = fn.map(0).address;
  return {
    ...machine,
    fn,
    ports,
    memory: fn.map(1).address,
    send: (what: number, vector: number) => vcpu.outb(ports + what, vector),
  };
}

describe('MSI-X', () => {
  test('capability/registers', () => {
    const { fn } = build();
    expect(fn.capability(CAPABILITY.MSIX)).toBe(MSIX_AT);
    expect([0, 4, 8].map((at) => fn.readl(MSIX_AT + at))).toEqual([0x0004_0011, 0x0000_0001, PBA | 1]);
    for (const at of [0, 4, 8]) fn.writel(MSIX_AT + at, 0xffff_ffff);
    expect([0, 4, 8].map((at) => fn.readl(MSIX_AT + at))).toEqual([0xc004_0011, 0x0000_0001, PBA | 1]);
  });

  test.each([1, 2, 4] as const)('table/reads-back-in-accesses-of-%d', (max) => {
    const { vcpu, memory } = build(max);
    for (let n = 0; n < 20; n++) {
      expect(vcpu.readl(memory + 4 * n)).toBe(n % 4 === 3 ? 1 : 0);
      vcpu.writel(memory + 4 * n, 0xffff_ff00 + n);
    }
    const written = (n: number): number =>
      [0xffff_fffc & (0xffff_ff00 + n), 0xffff_ff00 + n, 0xffff_ff00 + n, n & 1][n % 4] ?? 0;
    for (let n = 0; n < 20; n++) expect(vcpu.readl(memory + 4 * n)).toBe(written(n) >>> 0);
    vcpu.writeb(memory + 5, 0x12);
    expect(vcpu.readl(memory + 4)).toBe(0xffff_1201);
    vcpu.writeq(memory + 16, 0x1122_3344_5566_7788n);
    expect(vcpu.readq(memory + 16)).toBe(0x1122_3344_5566_7788n);
  });

  test('table/the-rest-of-the-bar-is-the-parts-own', () => {
    const { vcpu, memory } = build();
    vcpu.writel(memory + OWN, 0x1234_5678);
    expect(vcpu.readl(memory + OWN)).toBe(0x1234_5678);
    expect(vcpu.readl(memory + 5 * 16)).toBe(0x77);
    expect(vcpu.readl(memory + PBA + 8)).toBe(0x77);
    vcpu.writel(memory + PBA - 4, 0);
    expect(vcpu.readl(memory + OWN)).toBe(0xdead);
  });

  test('pending/cannot-be-written', () => {
    const { vcpu, memory, events } = build();
    vcpu.writel(memory + PBA, 0xffff_ffff);
    expect(vcpu.readl(memory + PBA)).toBe(0);
    expect(events()).toMatchObject(
      [{ kind: 'guestError', device: 'sender0', message: /pending bits of MSI-X/ }].map((event) => ({
        ...event,
        message: expect.stringMatching(event.message),
      })),
    );
  });

  test('send/each-vector-its-message', () => {
    const { fn, vcpu, send, ports } = build();
    const msix = fn.enableMsix();
    expect(msix).toMatchObject({ vectors: 5 });
    for (let vector = 0; vector < 5; vector++)
      msix.set(vector, { address: RAM + 4 * vector, data: 0x8000_0000 + vector });
    for (let vector = 0; vector < 5; vector++) {
      expect(vcpu.readl(RAM + 4 * vector)).toBe(0);
      send(SEND_MSIX, vector);
      expect(vcpu.inb(ports + SENT)).toBe(1);
      expect(vcpu.readl(RAM + 4 * vector)).toBe(0x8000_0000 + vector);
    }
  });

  test('send/not-while-disabled', () => {
    const { fn, vcpu, send, ports } = build();
    const msix = fn.enableMsix();
    msix.set(0, { address: RAM, data: 7 });
    msix.disable();
    send(SEND_MSIX, 0);
    expect(vcpu.inb(ports + SENT)).toBe(0);
    expect([vcpu.readl(RAM), msix.isPending(0)]).toEqual([0, false]);
  });

  test('send/not-without-bus-mastering', () => {
    const { fn, vcpu, send } = build();
    const msix = fn.enableMsix();
    msix.set(0, { address: RAM, data: 7 });
    fn.enable({ master: false });
    send(SEND_MSIX, 0);
    expect([vcpu.readl(RAM), msix.isPending(0)]).toEqual([0, false]);
  });

  test('mask/of-a-vector-keeps-its-message', () => {
    const { fn, vcpu, send } = build();
    const msix = fn.enableMsix();
    for (const vector of [1, 4]) msix.set(vector, { address: RAM + vector * 4, data: 7 });
    msix.mask(4, true);
    for (const vector of [1, 4]) send(SEND_MSIX, vector);
    expect([1, 4].map((vector) => [vcpu.readl(RAM + vector * 4), msix.isPending(vector)])).toEqual([
      [7, false],
      [0, true],
    ]);
    expect(vcpu.readl(msix.pba)).toBe(1 << 4);
    msix.mask(4, false);
    expect([vcpu.readl(RAM + 16), msix.isPending(4)]).toEqual([7, false]);
    // Once.
    vcpu.writel(RAM + 16, 0);
    msix.mask(4, false);
    expect(vcpu.readl(RAM + 16)).toBe(0);
  });

  test('mask/of-the-function', () => {
    const { fn, vcpu, send } = build();
    const msix = fn.enableMsix();
    for (const vector of [0, 4]) msix.set(vector, { address: RAM + vector * 4, data: 7 });
    msix.mask(0, true);
    msix.maskAll(true);
    for (const vector of [0, 4]) send(SEND_MSIX, vector);
    expect([0, 4].map((vector) => msix.isPending(vector))).toEqual([true, true]);
    // Its own mask does not matter then.
    msix.mask(4, true);
    msix.mask(4, false);
    expect(msix.isPending(4)).toBe(true);
    msix.maskAll(false);
    expect([0, 4].map((vector) => [vcpu.readl(RAM + vector * 4), msix.isPending(vector)])).toEqual([
      [0, true],
      [7, false],
    ]);
    msix.mask(0, false);
    expect(vcpu.readl(RAM)).toBe(7);
  });

  test('mask/a-message-waits-through-a-time-of-being-disabled', () => {
    const { fn, vcpu, send } = build();
    const msix = fn.enableMsix();
    msix.set(0, { address: RAM, data: 7 });
    msix.mask(0, true);
    send(SEND_MSIX, 0);
    msix.disable();
    msix.mask(0, false);
    expect([vcpu.readl(RAM), msix.isPending(0)]).toEqual([0, true]);
    fn.writew(MSIX_AT + MSIX.CONTROL.offset, MSIX.CONTROL.ENABLE.mask);
    expect([vcpu.readl(RAM), msix.isPending(0)]).toEqual([7, false]);
  });

  test('mask/what-was-served-is-withdrawn', () => {
    const { fn, vcpu, send } = build();
    const msix = fn.enableMsix();
    msix.set(2, { address: RAM, data: 7 });
    msix.mask(2, true);
    send(SEND_MSIX, 2);
    send(WITHDRAW, 2);
    expect(msix.isPending(2)).toBe(false);
    msix.mask(2, false);
    expect(vcpu.readl(RAM)).toBe(0);
  });

  test('reset/masks-all-and-forgets', () => {
    const { fn, vcpu, send, machine } = build();
    const { table, pba, set, mask } = fn.enableMsix();
    set(0, { address: RAM, data: 7 });
    mask(0, true);
    send(SEND_MSIX, 0);
    machine.reset();
    expect(fn.readw(MSIX_AT + MSIX.CONTROL.offset)).toBe(4);
    fn.setBar(1, table);
    fn.enable({ memory: true });
    expect([0, 4, 8, 12].map((at) => vcpu.readl(table + at))).toEqual([0, 0, 0, 1]);
    expect(vcpu.readl(pba)).toBe(0);
  });

  test('snapshot/table-and-pending-bits', () => {
    const { fn, vcpu, send, machine } = build();
    const msix = fn.enableMsix();
    msix.set(0, { address: RAM, data: 7 });
    msix.mask(0, true);
    send(SEND_MSIX, 0);
    const snapshot = machine.snapshot();
    msix.set(0, { address: RAM + 8, data: 9 });
    machine.restore(snapshot);
    expect(msix.isPending(0)).toBe(true);
    msix.mask(0, false);
    expect([vcpu.readl(RAM), vcpu.readl(RAM + 8)]).toEqual([7, 0]);
  });

  test('trace/entries-are-registers-of-the-bar', () => {
    const { registers } = sender(4).schema;
    const names = registers?.memory?.registers.map(({ name, offset }) => `${name} ${offset}`) ?? [];
    expect(names).toHaveLength(5 * 4 + 2);
    expect(names.slice(4, 8)).toEqual([
      'MSIX_ADDRESS 16',
      'MSIX_ADDRESS_HIGH 20',
      'MSIX_DATA 24',
      'MSIX_VECTOR_CONTROL 28',
    ]);
    expect(names.at(-1)).toBe(`MSIX_PENDING ${PBA + 4}`);
    expect(MSIX_ENTRY.VECTOR_CONTROL.reset).toBe(1);
  });

  test('many/two-thousand-vectors-in-a-bar-of-their-own', () => {
    const many = definePciFunction(
      {
        type: 'many',
        description: '',
        pci: {
          vendor: 0xabcd,
          device: 2,
          classCode: 0xff_0000,
          bars: {
            table: { bar: 4, kind: 'memory64', size: 2 ** 16, access: { max: 4 } },
            ports: { bar: 0, kind: 'io', size: 4, access: { max: 4 } },
          },
          capabilities: [{ kind: 'msix', offset: MSIX_AT, vectors: 2048, bar: 'table' }],
        },
      },
      {
        regions: {
          table: nothingElse,
          ports: {
            read: (device) => Number(msixEnabled(device, MSIX_AT)),
            write: (device, _offset, value) => void sendMsix(device, MSIX_AT, value),
          },
        },
      },
    );
    const { vcpu } = testMachine(
      (m) => {
        m.ram(0, 0x1_0000);
        m.add(many, { bus: m.add('i440fx-pcihost'), slot: 3 });
      },
      { devices: [many] },
    );
    const fn = pci.host(vcpu).find({ device: 2 });
    fn.enable({ master: true });
    const ports = fn.map(0).address;
    const msix = fn.enableMsix();
    expect(msix).toMatchObject({ vectors: 2048, pba: msix.table + 0x8000 });
    expect(vcpu.inl(ports)).toBe(1);
    vcpu.outl(ports, 2047);
    expect([2046, 2047].map((vector) => msix.isPending(vector))).toEqual([false, true]);
    expect(vcpu.readl(msix.pba + 0xfc)).toBe(0x8000_0000);
    msix.set(2047, { address: RAM, data: 5 });
    expect(vcpu.readl(RAM)).toBe(5);
    vcpu.writel(msix.pba + 0x100, 0xffff_ffff);
    expect(vcpu.readl(msix.pba + 0x100)).toBe(0);
  });
});

describe('MSI with masks', () => {
  test('capability/mask-and-pending', () => {
    const { fn } = build();
    expect(fn.readw(MSI_AT + 2)).toBe(0x0184);
    fn.writel(MSI_AT + MSI.MASK.offset, 0xffff_ffff);
    fn.writel(MSI_AT + MSI.PENDING.offset, 0xffff_ffff);
    expect([MSI.MASK, MSI.PENDING].map(({ offset }) => fn.readl(MSI_AT + offset))).toEqual([0xf, 0]);
  });

  test('mask/keeps-the-message-of-its-vector', () => {
    const { fn, vcpu, send } = build();
    fn.enableMsi({ address: RAM, data: 0x40, vectors: 4 });
    fn.writel(MSI_AT + MSI.MASK.offset, 0b0100);
    send(SEND_MSI, 2);
    expect([vcpu.readl(RAM), fn.readl(MSI_AT + MSI.PENDING.offset)]).toEqual([0, 0b0100]);
    send(SEND_MSI, 1);
    expect(vcpu.readl(RAM)).toBe(0x41);
    fn.writel(MSI_AT + MSI.MASK.offset, 0);
    expect([vcpu.readl(RAM), fn.readl(MSI_AT + MSI.PENDING.offset)]).toEqual([0x42, 0]);
  });

  test('mask/a-message-waits-until-it-is-enabled', () => {
    const { fn, vcpu, send } = build();
    fn.enableMsi({ address: RAM, data: 0x40, vectors: 4 });
    fn.writel(MSI_AT + MSI.MASK.offset, 0b1000);
    send(SEND_MSI, 3);
    fn.disableMsi();
    fn.writel(MSI_AT + MSI.MASK.offset, 0);
    expect(vcpu.readl(RAM)).toBe(0);
    fn.enableMsi({ address: RAM, data: 0x40, vectors: 4 });
    expect(vcpu.readl(RAM)).toBe(0x43);
    expect(fn.readl(MSI_AT + MSI.PENDING.offset)).toBe(0);
  });
});

describe('definePciFunction', () => {
  const define = (msix: Partial<MsixSpec>, more: readonly CapabilitySpec[] = []): unknown =>
    definePciFunction(
      {
        type: 'x',
        description: '',
        pci: {
          vendor: 1,
          device: 2,
          classCode: 3,
          bars: { bar: { bar: 0, kind: 'memory32', size: 0x100 }, ports: { bar: 1, kind: 'io', size: 0x100 } },
          capabilities: [{ kind: 'msix', offset: 0x40, vectors: 4, bar: 'bar', ...msix }, ...more],
        },
      },
      { regions: { bar: nothingElse, ports: nothingElse } },
    );

  test.each([
    ['no vectors', { vectors: 0 }, /MSI-X has 0 vectors; expected 1 to 2048/],
    ['too many vectors', { vectors: 2049 }, /MSI-X has 2049 vectors/],
    ['a BAR that is not there', { bar: 'mmio' }, /MSI-X lies in 'mmio'; expected the name of a memory BAR/],
    ['a BAR of ports', { bar: 'ports' }, /MSI-X lies in 'ports'/],
    ['no room', { vectors: 16 }, /with room for 256 and 8 bytes in its 256/],
    ['an odd place', { table: 4 }, /multiples of 8/],
    ['a place below it', { table: -8 }, /multiples of 8/],
    ['pending bits in its table', { pba: 0x30 }, /its table at 0 and its pending bits at 48/],
    ['a table in its pending bits', { table: 0x80, pba: 0x7c }, /multiples of 8/],
  ] as const)('refuses MSI-X with %s', (_, msix, message) => {
    expect(() => define(msix)).toThrow(message);
  });

  test('refuses state of PCI’s names', () => {
    const named = (): unknown =>
      definePciFunction(
        { type: 'x', description: '', state: { msix: 'u8' }, pci: { vendor: 1, device: 2, classCode: 3 } },
        {},
      );
    expect(named).toThrow(/the state field 'msix' is PCI's/);
  });

  test('refuses a second MSI-X', () => {
    expect(() => define({}, [{ kind: 'msix', offset: 0x80, vectors: 1, bar: 'bar', table: 0x80 }])).toThrow(
      /more than one/,
    );
  });
});

test.each(deviceContract(sender(4), { accesses: 20_000 }))('contract/$name', { timeout: 60_000 }, ({ run }) => run());

test('header/the-pointer-leads-through-both', () => {
  const { fn } = build();
  expect(fn.readb(HEADER.CAPABILITIES)).toBe(MSI_AT);
  expect(fn.capabilities()).toEqual([
    { id: CAPABILITY.MSI, offset: MSI_AT },
    { id: CAPABILITY.MSIX, offset: MSIX_AT },
  ]);
});
