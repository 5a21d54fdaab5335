import { pci } from '@qtest/parts/pc';
import { bus, hex, states, type Bus, type Cases, type Context, type PciFunction } from './support.ts';
import {
  INTX,
  MSI_AT,
  MSI_SEND,
  MSI_VECTORS,
  MSIX_AT,
  MSIX_SEND,
  MSIX_VECTORS,
  PBA_AT,
  VENDOR_AT,
  VENDOR_CONTENT,
  VENDOR_WRITABLE,
} from './testfn.ts';

const { CAPABILITY, HEADER, MSI, MSIX, STATUS } = pci;

/** Where messages go: RAM, in place of an interrupt controller. */
const MAIL = 0x2_0000;
const DATA = 0x4140;

interface Sender {
  readonly fn: PciFunction;
  readonly on: Bus;
  sendMsi(vector: number): void;
  sendMsix(vector: number): void;
  askIntx(ask: boolean): void;
}

/** The pci-testfn, as a bus master. */
function sender(context: Context): Sender {
  const { vcpu } = context;
  const on = bus(context);
  const fn = on.one('pci-testfn');
  const { address } = fn.map(0);
  fn.enable({ master: true });
  return {
    fn,
    on,
    sendMsi: (vector) => vcpu.outl(address + MSI_SEND.offset, vector),
    sendMsix: (vector) => vcpu.outl(address + MSIX_SEND.offset, vector),
    askIntx: (ask) => vcpu.outl(address + INTX.offset, Number(ask)),
  };
}

/** With MSI-X enabled, and each vector's message to a dword of its own. */
function withMsix(context: Context): Sender & { msix: pci.Msix; mail(vector: number): number } {
  const from = sender(context);
  const msix = from.fn.enableMsix();
  for (let vector = 0; vector < msix.vectors; vector++)
    msix.set(vector, { address: MAIL + 4 * vector, data: DATA + vector });
  return { ...from, msix, mail: (vector) => context.vcpu.readl(MAIL + 4 * vector) };
}

const capabilities: Cases = {
  'config/capabilities/walk': states('The list leads to each capability that a part has, once.', (context) => {
    const { assert } = context;
    const fn = bus(context).one('pci-testfn');
    assert(STATUS.CAPABILITIES.test(fn.readw(HEADER.STATUS)), '6.2.3: there is a list');
    assert.deepEqual(
      fn.capabilities(),
      [
        { id: CAPABILITY.MSI, offset: MSI_AT },
        { id: CAPABILITY.MSIX, offset: MSIX_AT },
        { id: CAPABILITY.VENDOR, offset: VENDOR_AT },
      ],
      '6.7: each points to the next',
    );
    assert.equal(fn.readb(VENDOR_AT + 1), 0, '6.7: and the last to nothing');
  }),

  'config/capabilities/vendor': states(
    'A vendor’s capability tells its length, and keeps what its vendor lets be written.',
    (context) => {
      const { assert } = context;
      const fn = bus(context).one('pci-testfn');
      const at = fn.capability(CAPABILITY.VENDOR) ?? 0;
      const read = (): number[] => VENDOR_CONTENT.map((_, i) => fn.readb(at + 2 + i));
      assert.deepEqual(read(), [...VENDOR_CONTENT], '6.8, appendix H: length, then the vendor’s');
      for (let i = 0; i < VENDOR_CONTENT.length; i++) fn.writeb(at + 2 + i, 0xff);
      assert.deepEqual(
        read(),
        VENDOR_CONTENT.map((byte, i) => byte | (VENDOR_WRITABLE[i] ?? 0)),
        'pci-testfn: what can be written is',
      );
    },
  ),
};

const msi: Cases = {
  'msi/vectors': states('With several messages the low bits of the data are the vector’s number.', (context) => {
    const { assert, vcpu } = context;
    const { fn, sendMsi } = sender(context);
    for (const vectors of [4, 2, 1]) {
      fn.enableMsi({ address: MAIL, data: DATA | 3, vectors });
      for (let vector = 0; vector < MSI_VECTORS; vector++) {
        sendMsi(vector);
        const expected = ((DATA | 3) & ~(vectors - 1)) | (vector & (vectors - 1));
        assert.equal(vcpu.readl(MAIL), expected, `6.8.1.6: ${vectors} messages allocated, vector ${vector}`);
      }
    }
  }),

  'msi/mask': states('A message of MSI that is masked waits, and is sent when the mask goes.', (context) => {
    const { assert, skip, vcpu } = context;
    const { fn, sendMsi } = sender(context);
    const control = fn.readw(MSI_AT + MSI.CONTROL.offset);
    if (!MSI.CONTROL.MASKING.test(control)) return skip('its MSI has no masks');
    fn.enableMsi({ address: MAIL, data: DATA, vectors: 4 });
    const [mask, pending] = [MSI_AT + MSI.MASK.offset, MSI_AT + MSI.PENDING.offset];
    fn.writel(mask, 0b0100);
    sendMsi(2);
    assert.equal(vcpu.readl(MAIL), 0, '6.8.1.7: a masked vector sends nothing');
    assert.equal(fn.readl(pending), 0b0100, '6.8.1.8: its pending bit is set');
    sendMsi(1);
    assert.equal(vcpu.readl(MAIL), DATA | 1, '6.8.1.7: the others are sent');
    fn.writel(mask, 0);
    assert.equal(vcpu.readl(MAIL), DATA | 2, '6.8.1.8: unmasked, the message is sent');
    assert.equal(fn.readl(pending), 0, '6.8.1.8: and waits no more');
  }),
};

const msix: Cases = {
  'msix/capability': states(
    'The MSI-X capability tells the table’s size and the BARs of table and pending bits.',
    (context) => {
      const { assert } = context;
      const { fn } = sender(context);
      const at = fn.capability(CAPABILITY.MSIX) ?? 0;
      const read = (offset: number): number => fn.readl(at + offset);
      const control = fn.readw(at + MSIX.CONTROL.offset);
      assert(!MSIX.CONTROL.ENABLE.test(control), '6.8.2.3: off at reset');
      assert(!MSIX.CONTROL.FUNCTION_MASK.test(control), '6.8.2.3: the function is not masked at reset');
      assert.equal(MSIX.CONTROL.SIZE.get(control), MSIX_VECTORS - 1, '6.8.2.3: the size, less one');
      assert.equal(read(MSIX.TABLE.offset), 4, '6.8.2.4: offset 0 of BAR 4');
      assert.equal(read(MSIX.PBA.offset), PBA_AT | 4, '6.8.2.5: the pending bits are in it, too');
      for (const offset of [MSIX.TABLE.offset, MSIX.PBA.offset]) {
        const before = read(offset);
        fn.writel(at + offset, ~before >>> 0);
        assert.equal(read(offset), before, '6.8.2.4, 6.8.2.5: read-only');
      }
      fn.writew(at + MSIX.CONTROL.offset, 0xffff);
      assert.equal(fn.readw(at + MSIX.CONTROL.offset), 0xc000 | control, '6.8.2.3: two bits can be written');
    },
  ),

  'msix/table': states('Every vector is masked at reset; its message reads as it was written.', (context) => {
    const { assert, vcpu } = context;
    const { fn } = sender(context);
    const { address } = fn.map(4);
    for (let vector = 0; vector < MSIX_VECTORS; vector++) {
      const entry = address + 16 * vector;
      assert.equal(vcpu.readl(entry + 12) & 1, 1, `6.8.2.9: vector ${vector} is masked`);
      const [low, high, data] = [0x1234_5000 + 4 * vector, 0x9abc_def0 + vector, 0x8765_4320 + vector];
      for (const [i, value] of [low, high, data].entries()) vcpu.writel(entry + 4 * i, value);
    }
    for (let vector = 0; vector < MSIX_VECTORS; vector++) {
      const entry = address + 16 * vector;
      assert.equal(vcpu.readl(entry), 0x1234_5000 + 4 * vector, '6.8.2.7: the address');
      assert.equal(vcpu.readl(entry + 4), 0x9abc_def0 + vector, '6.8.2.8: its upper half');
      assert.equal(vcpu.readl(entry + 8), 0x8765_4320 + vector, '6.8.2.6: the data');
    }
    vcpu.writeq(address, 0x1122_3344_5566_7788n);
    assert.equal(vcpu.readq(address), 0x1122_3344_5566_7788n, '6.8.2: quadwords are allowed');
  }),

  'msix/message': states('Each vector writes its own data to its own address.', (context) => {
    const { assert } = context;
    const { sendMsix, mail } = withMsix(context);
    for (let vector = 0; vector < MSIX_VECTORS; vector++) {
      assert.equal(mail(vector), 0, `6.8.2: nothing yet (${vector})`);
      sendMsix(vector);
      assert.equal(mail(vector), DATA + vector, `6.8.2: 32 bits of data as they are (${vector})`);
    }
  }),

  'msix/disabled': states('Without MSI-X Enable no message is sent, and the pin is used.', (context) => {
    const { assert } = context;
    const { fn, on, msix: table, sendMsix, askIntx, mail } = withMsix(context);
    const line = on.pirq((fn.slot + fn.interruptPin - 2) & 3);
    askIntx(true);
    assert(!line.level, '6.8.3.3: while MSI-X is enabled INTx# is not used');
    table.disable();
    assert(line.level, '6.8.2.3: without, it is');
    sendMsix(0);
    assert.equal(mail(0), 0, '6.8.2.3: and no message is sent');
    assert(!table.isPending(0), '6.8.2.3: nor does one wait');
  }),

  'msix/mask': states('A vector that is masked keeps its message until the mask goes.', (context) => {
    const { assert } = context;
    const { msix: table, sendMsix, mail } = withMsix(context);
    table.mask(2, true);
    sendMsix(2);
    sendMsix(1);
    assert.equal(mail(2), 0, '6.8.2.9: a masked vector sends nothing');
    assert.equal(mail(1), DATA + 1, '6.8.2.9: the others are sent');
    assert(table.isPending(2) && !table.isPending(1), '6.8.2.10: its pending bit is set, and no other');
    table.mask(2, false);
    assert.equal(mail(2), DATA + 2, '6.8.2.10: unmasked, it is sent');
    assert(!table.isPending(2), '6.8.2.10: and waits no more');
  }),

  'msix/function-mask': states('The function’s mask is over those of its vectors.', (context) => {
    const { assert } = context;
    const { msix: table, sendMsix, mail } = withMsix(context);
    table.mask(3, true);
    table.maskAll(true);
    for (const vector of [0, 3]) sendMsix(vector);
    assert.deepEqual([mail(0), mail(3)], [0, 0], '6.8.2.3: all are masked, whatever their own bits');
    assert.deepEqual([0, 1, 2, 3].map(table.isPending), [true, false, false, true], '6.8.2.10: those sent wait');
    table.maskAll(false);
    assert.equal(mail(0), DATA, '6.8.2.3: each has its own mask again');
    assert.equal(mail(3), 0, '6.8.2.3: which is set for this one');
    table.mask(3, false);
    assert.equal(mail(3), DATA + 3, '6.8.2.10: now it is sent');
  }),

  'msix/changed-while-masked': states('What a vector is set to while it is masked is what is sent.', (context) => {
    const { assert, vcpu } = context;
    const { msix: table, sendMsix, mail } = withMsix(context);
    table.mask(0, true);
    sendMsix(0);
    table.set(0, { address: MAIL + 0x100, data: 0x99 });
    assert.equal(vcpu.readl(MAIL + 0x100), 0x99, '6.8.2: the message of now');
    assert.equal(mail(0), 0, '6.8.2: nothing went where it would have gone before');
  }),

  'msix/pending-read-only': states('Pending bits cannot be written.', (context) => {
    const { assert, vcpu } = context;
    const { msix: table, sendMsix } = withMsix(context);
    vcpu.writel(table.pba, 0xffff_ffff);
    assert.equal(vcpu.readl(table.pba), 0, '6.8.2: software should never write them; none is set');
    table.mask(1, true);
    sendMsix(1);
    vcpu.writel(table.pba, 0);
    assert.equal(vcpu.readl(table.pba), 0b10, '6.8.2: none is cleared');
  }),

  'msix/bus-master-off': states('Without Bus Master no message of MSI-X is sent.', (context) => {
    const { assert } = context;
    const { fn, sendMsix, mail } = withMsix(context);
    fn.enable({ master: false });
    sendMsix(0);
    assert.equal(mail(0), 0, '6.2.2: a message is a memory write');
    fn.enable({ master: true });
    sendMsix(0);
    assert.equal(mail(0), DATA, '6.2.2: with the bit it is');
  }),

  'msix/table-moves': states('The table goes with its BAR, and keeps what it holds.', (context) => {
    const { assert, vcpu } = context;
    const { fn, msix: table, sendMsix, mail } = withMsix(context);
    const before = Array.from({ length: 4 * MSIX_VECTORS }, (_, n) => vcpu.readl(table.table + 4 * n));
    const there = 0xf000_0000;
    fn.setBar(4, there);
    assert.deepEqual(
      before.map((_, n) => vcpu.readl(there + 4 * n)),
      before,
      '6.8.2: it is at an offset of the BAR',
    );
    assert.equal(vcpu.readl(table.table), 0xffff_ffff, `6.2.5.1: nothing is left at ${hex(table.table)}`);
    sendMsix(1);
    assert.equal(mail(1), DATA + 1, '6.8.2: messages do not go by where the table lies');
  }),

  'msix/reset': states('A reset masks every vector, and nothing waits after it.', (context) => {
    const { assert, machine, vcpu } = context;
    const { fn, msix: table, sendMsix } = withMsix(context);
    table.mask(0, true);
    sendMsix(0);
    machine.reset();
    fn.setBar(4, table.table);
    fn.enable({ memory: true });
    for (let vector = 0; vector < MSIX_VECTORS; vector++)
      assert.equal(vcpu.readl(table.table + 16 * vector + 12) & 1, 1, `6.8.2.9: vector ${vector} is masked`);
    assert.equal(vcpu.readl(table.pba), 0, '6.8.2.10: nothing waits');
    const control = fn.readw(MSIX_AT + MSIX.CONTROL.offset);
    assert(!MSIX.CONTROL.ENABLE.test(control), '6.8.2.3: and MSI-X is off');
  }),
};

export const messages: Cases = { ...capabilities, ...msi, ...msix };
