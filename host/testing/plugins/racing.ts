import { definePlugin, type CaseContext, type CaseFunction } from '@qtest/sdk';

/** Cases whose end depends on who comes between whose accesses. */

const COUNT = 0x1000;
const FLAG = 0x2000;

/** Adds one, as two accesses: when the other VCPU comes in between, one of the two is lost. */
function increment({ vcpu }: CaseContext): void {
  vcpu.writel(COUNT, vcpu.readl(COUNT) + 1);
}

/** Fails when the other VCPU goes through all of a long stretch while this one is between two accesses. */
function window(accesses: number): CaseFunction {
  return ({ vcpu, assert }) => {
    if (vcpu.index === 1) {
      for (let n = 0; n < accesses; n++) vcpu.readl(COUNT);
      vcpu.writel(FLAG, 1);
      return;
    }
    for (let n = 0; n < 8; n++) assert.equal(vcpu.readl(FLAG), vcpu.readl(FLAG), 'it has not changed meanwhile');
  };
}

export default definePlugin({
  name: 'racing',
  description: 'races',
  vcpus: 2,
  init(machine) {
    machine.ram(0, 0x1_0000);
  },
  run: {
    'lost-update'(context) {
      increment(context);
      context.vcpu.barrier();
      context.assert.equal(context.vcpu.readl(COUNT), 2);
    },
    'window/1': window(1),
    'window/100': window(100),
    passes(context) {
      for (let n = 0; n < 10; n++) increment(context);
    },
    slow({ shared }) {
      Atomics.wait(new Int32Array(shared), 0, 0, 100);
    },
    skips: ({ skip }) => skip('not here'),
    /** Under some seeds VCPU 1 comes in between, and VCPU 0 ends no more. */
    'hangs-by-seed'(context) {
      const { vcpu } = context;
      if (vcpu.index === 1) return vcpu.writel(FLAG, 1);
      if (vcpu.readl(FLAG) !== vcpu.readl(FLAG)) for (;;);
    },
    alone: { vcpus: 1, run: increment },
    realtime: { clock: 'realtime', run: increment },
  },
});
