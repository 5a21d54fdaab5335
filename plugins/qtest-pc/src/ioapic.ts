import { ioapic } from '@qtest/parts/pc';
import { ACKNOWLEDGE, input, ioApic, localApic, VECTOR } from './apics.ts';
import { hex, isaIrq, states, type Cases } from './support.ts';

const { IOAPICARB, IOAPICID, IOAPICVER, IOREDTBL } = ioapic;

export const ioapicCases: Cases = {
  'ioapic/version': states('IOAPICVER tells of 24 entries, and cannot be written.', (context) => {
    const { assert } = context;
    const io = ioApic(context);
    const version = io.read(IOAPICVER);
    assert.equal(IOAPICVER.MAX_ENTRY.get(version), ioapic.PINS - 1, '82093AA, 3.2.2: the last entry is 17h');
    io.write(IOAPICVER, ~version >>> 0);
    assert.equal(io.read(IOAPICVER), version, '82093AA, 3.2.2: read only');
  }),

  'ioapic/id': states('IOAPICID keeps bits 27:24, and a write of it sets IOAPICARB.', (context) => {
    const { assert } = context;
    const io = ioApic(context);
    for (const id of [0xf, 0x5, 0x0]) {
      io.write(IOAPICID, (id * 0x0100_0000 + 0x00ff_ffff) >>> 0);
      assert.equal(io.read(IOAPICID), id * 0x0100_0000, '82093AA, 3.2.1: bits 27:24');
      assert.equal(io.read(IOAPICARB), id * 0x0100_0000, '82093AA, 3.2.3: loaded when IOAPICID is written');
    }
  }),

  'ioapic/table/reset': states('After a reset every entry is masked.', (context) => {
    const { assert, machine } = context;
    const io = ioApic(context);
    for (let pin = 0; pin < ioapic.PINS; pin++) io.redirect(pin, { vector: VECTOR + pin, level: true });
    machine.reset();
    for (let pin = 0; pin < ioapic.PINS; pin++) {
      assert(IOREDTBL.MASK.test(io.entry(pin)[0]), `82093AA, 3.2.4: the interrupt mask of input ${pin} is set`);
    }
  }),

  'ioapic/table/entries': states(
    'Each entry keeps its own bits; delivery status, remote IRR and reserved bits cannot be written.',
    (context) => {
      const { assert } = context;
      const io = ioApic(context);
      for (let pin = 0; pin < ioapic.PINS; pin++) {
        io.write(ioapic.entryIndex(pin), (IOREDTBL.MASK.mask | 0xfffe_5000 | pin) >>> 0);
        io.write(ioapic.entryIndex(pin) + 1, (pin * 0x0100_0000 + 0x00ff_ffff) >>> 0);
      }
      for (let pin = 0; pin < ioapic.PINS; pin++) {
        const [low, high] = io.entry(pin);
        assert.equal(low, IOREDTBL.MASK.mask | pin, `82093AA, 3.2.4: entry ${pin} is ${hex(low, 8)}`);
        assert.equal(high, pin * 0x0100_0000, `82093AA, 3.2.4: destination of entry ${pin}`);
      }
    },
  ),

  'ioapic/table/bits': states('Each bit of an entry is kept by itself.', (context) => {
    const { assert } = context;
    const io = ioApic(context);
    const { DELIVS, MASK, REMOTE_IRR } = IOREDTBL;
    for (let pin = 0; pin < ioapic.PINS; pin++) {
      for (let bit = 1; bit < MASK.mask; bit *= 2) {
        if (bit === DELIVS.mask || bit === REMOTE_IRR.mask) continue;
        io.write(ioapic.entryIndex(pin), MASK.mask | bit);
        assert.equal(io.entry(pin)[0], MASK.mask | bit, `82093AA, 3.2.4: bit ${hex(bit, 4)} of entry ${pin}`);
      }
      for (let bit = 0x0100_0000; bit < 2 ** 32; bit *= 2) {
        io.write(ioapic.entryIndex(pin) + 1, bit);
        assert.equal(io.entry(pin)[1], bit, `82093AA, 3.2.4: bit ${hex(bit, 8)} of the destination of entry ${pin}`);
      }
    }
  }),

  'ioapic/edge': states(
    'An edge is one interrupt; one at a masked input is none, then or later.',
    (context) => {
      const { assert } = context;
      const { taken } = localApic(context);
      const io = ioApic(context);
      const { pin, set } = input(context);
      io.redirect(pin, { vector: VECTOR });
      set(true);
      assert.equal(taken.length, 1, '82093AA, 3.2.4: at the edge');
      set(false);
      assert.equal(taken.length, 1, '82093AA, 3.2.4: not at the other edge');
      io.mask(pin);
      set(true);
      io.unmask(pin);
      assert.equal(taken.length, 1, '82093AA, 3.2.4, Interrupt Mask: not held pending');
    },
    ACKNOWLEDGE,
  ),

  'ioapic/level': states(
    'A level interrupts until it falls, once for each EOI; the remote IRR is set from one to the other.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      const io = ioApic(context);
      const { pin, set } = input(context);
      const remote: boolean[] = [];
      vcpu.onInterrupt(VECTOR, () => {
        remote.push(io.remoteIrr(pin));
        if (remote.length === 3) set(false);
        local.eoi();
      });
      io.redirect(pin, { vector: VECTOR, level: true, masked: true });
      set(true);
      assert.deepEqual(remote, [], '82093AA, 3.2.4: not while it is masked');
      io.unmask(pin);
      assert.deepEqual(remote, [true, true, true], '82093AA, 3.2.4, Remote IRR: until the EOI');
      assert(!io.remoteIrr(pin), '82093AA, 3.2.4, Remote IRR: reset by the EOI');
    },
    ACKNOWLEDGE,
  ),

  'ioapic/irq-0': states(
    'The PIT’s IRQ 0 is at input 2, as the tables of a PC say.',
    (context) => {
      const { assert, clock } = context;
      const { taken } = localApic(context, [VECTOR, VECTOR + 1]);
      const io = ioApic(context);
      io.redirect(0, { vector: VECTOR });
      io.redirect(ioapic.IRQ0_PIN, { vector: VECTOR + 1 });
      const { edges } = isaIrq(context, 0);
      clock.step('200ms');
      const risen = isaIrq(context, 0).edges - edges;
      assert(risen > 0, 'the PIT runs');
      assert.deepEqual(taken, Array(risen).fill(VECTOR + 1), 'PC: interrupt source override of IRQ 0');
    },
    { requires: ['interrupt-acknowledge', 'virtual-clock'] },
  ),
};
