import { lapic } from '@qtest/parts/pc';
import { input, ioApic, localApic, VECTOR } from './apics.ts';
import { device, states, type Cases } from './support.ts';

const { DFR, LDR, MODEL, SVR, TPR } = lapic;

const PAIR = { vcpus: 2, requires: ['interrupt-acknowledge', 'multi-vcpu'] } as const;

export const smp: Cases = {
  'smp/by-initiator': states(
    'Each CPU reaches its own local APIC at the address that all have.',
    (context) => {
      const { assert, vcpu } = context;
      const { local } = localApic(context, []);
      for (let n = 0; n < 50; n++) {
        const value = (vcpu.index << 4) | (n & 0xf);
        local.write(TPR, value);
        assert.equal(local.read(TPR), value, 'SDM 3: a register of its own');
      }
      assert.equal(local.id(), vcpu.index, 'SDM 3, ID');
    },
    { ...PAIR, vcpus: 4 },
  ),

  'smp/ipi': states(
    'An IPI reaches the CPU that it names, all others by shorthand, and no other.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context, [VECTOR, VECTOR + 1]);
      vcpu.barrier();
      if (vcpu.index === 0) {
        local.sendIpi({ vector: VECTOR, destination: 2 });
        local.sendIpi({ vector: VECTOR + 1, to: 'others' });
      }
      const expected = vcpu.index === 0 ? [] : vcpu.index === 2 ? [VECTOR, VECTOR + 1] : [VECTOR + 1];
      while (taken.length < expected.length) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
        'SDM 3, ICR',
      );
    },
    { ...PAIR, vcpus: 4 },
  ),

  'smp/ioapic': states(
    'The I/O APIC sends to the CPU whose ID the entry has, or to the sets of them that LDR makes.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context, [VECTOR, VECTOR + 1, VECTOR + 2]);
      local.write(LDR, 0x0100_0000 << vcpu.index);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const io = ioApic(context);
        const { pin, set } = input(context);
        for (const [n, to] of [
          { destination: 1 },
          { destination: 0b10, logical: true },
          { destination: 0b11, logical: true },
        ].entries()) {
          io.redirect(pin, { vector: VECTOR + n, ...to });
          set(true);
          set(false);
        }
      }
      const expected = vcpu.index === 0 ? [VECTOR + 2] : [VECTOR, VECTOR + 1, VECTOR + 2];
      while (taken.length < expected.length) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
        '82093AA, 3.2.4, Destination Field; SDM 3, LDR',
      );
    },
    PAIR,
  ),

  'smp/cluster': states(
    'In the cluster model a logical destination is a cluster and a set of its CPUs.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context, [VECTOR, VECTOR + 1, VECTOR + 2]);
      // CPUs 0 and 1 are cluster 1, the others cluster 2.
      const cluster = vcpu.index < 2 ? 1 : 2;
      local.write(DFR, DFR.MODEL.set(0, MODEL.CLUSTER));
      local.write(LDR, LDR.LOGICAL_ID.set(0, (cluster << 4) | (1 << (vcpu.index % 2))));
      vcpu.barrier();
      if (vcpu.index === 0)
        for (const [n, destination] of [0x22, 0x23, 0x13].entries())
          local.sendIpi({ vector: VECTOR + n, destination, logical: true });
      const expected = [[VECTOR + 2], [VECTOR + 2], [VECTOR + 1], [VECTOR, VECTOR + 1]][vcpu.index] ?? [];
      while (taken.length < expected.length) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
        'SDM 3, Logical Destination Mode: cluster model',
      );
    },
    { ...PAIR, vcpus: 4 },
  ),

  'smp/init': states(
    'An INIT resets the local APIC that it names, but for its ID; a SIPI reaches it then.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const { local } = localApic(context);
      const { id } = device(context, 'apic');
      const seen = { init: 0, sipi: 0 };
      for (const name of ['init', 'sipi'] as const) vcpu.onIrq(machine.irq(id, name, vcpu.index), () => seen[name]++);
      local.write(TPR, 0x20);
      vcpu.barrier();
      if (vcpu.index === 0) {
        local.sendIpi({ vector: 0, delivery: 'init', destination: 1 });
        local.sendIpi({ vector: 0x10, delivery: 'sipi', destination: 1 });
      }
      while (vcpu.index === 1 && seen.sipi === 0) vcpu.idle();
      vcpu.barrier();
      assert.deepEqual(seen, { init: vcpu.index, sipi: vcpu.index }, 'SDM 3, ICR: delivery modes INIT and Start-Up');
      const [tpr, svr] = vcpu.index === 0 ? [0x20, 0x1ff] : [0, 0xff];
      assert.deepEqual([local.read(TPR), local.read(SVR)], [tpr, svr], 'SDM 3, APIC state after an INIT reset');
      assert.equal(local.id(), vcpu.index, 'SDM 3, APIC state after an INIT reset: the ID is not changed');
    },
    PAIR,
  ),

  'smp/lowest-priority': states(
    'Lowest priority goes to the one CPU of those named whose task priority is the lowest.',
    (context) => {
      const { assert, vcpu } = context;
      const { local, taken } = localApic(context);
      local.write(TPR, vcpu.index === 0 ? 0x30 : 0x20);
      vcpu.barrier();
      if (vcpu.index === 0) {
        const io = ioApic(context);
        const { pin, set } = input(context);
        io.redirect(pin, { vector: VECTOR, destination: lapic.BROADCAST, delivery: 'lowest' });
        set(true);
        set(false);
      }
      while (vcpu.index === 1 && taken.length === 0) vcpu.idle();
      vcpu.barrier();
      assert.equal(taken.length, vcpu.index, 'SDM 3, Lowest priority delivery mode');
    },
    PAIR,
  ),

  'smp/nmi': states(
    'An NMI by IPI reaches a CPU whatever its priority, and is no vector.',
    (context) => {
      const { assert, machine, vcpu } = context;
      const { local, taken } = localApic(context);
      const line = machine.irq(device(context, 'apic').id, 'nmi', vcpu.index);
      let nmis = 0;
      vcpu.onIrq(line, () => nmis++);
      local.write(TPR, 0xff);
      vcpu.barrier();
      if (vcpu.index === 0) local.sendIpi({ vector: VECTOR, delivery: 'nmi', destination: 1 });
      while (vcpu.index === 1 && nmis === 0) vcpu.idle();
      vcpu.barrier();
      assert.equal(nmis, vcpu.index, 'SDM 3, ICR: delivery mode NMI');
      assert.deepEqual(taken, [], 'SDM 3, ICR: the vector is ignored');
    },
    PAIR,
  ),
};
