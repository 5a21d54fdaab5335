import { definePlugin, spinLock, type CaseContext, type CaseFunction } from '@qtest/sdk';

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

/** One waits for a word of the others' that no access of the machine changes. */
function waitsForWord(pause: boolean): CaseFunction {
  return ({ vcpu, shared }) => {
    const words = new Int32Array(shared);
    for (let n = 1; n <= 20; n++) {
      Atomics.add(words, 0, 1);
      while (Atomics.load(words, 0) < 2 * n) if (pause) vcpu.pause();
    }
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
    guarded(context) {
      const guard = spinLock(context, 7);
      for (let n = 0; n < 20; n++) guard(() => increment(context));
      context.vcpu.barrier();
      context.assert.equal(context.vcpu.readl(COUNT), 40);
      context.assert.throws(() => guard(() => context.assert.fail('inside')), /inside/);
      guard(() => undefined);
    },
    'word/pause': waitsForWord(true),
    'word/spin': waitsForWord(false),
    /** Gives how often VCPU 0 has paused before VCPU 1 had come, ten times. */
    'pause/gives-the-turn'({ vcpu, shared }) {
      const words = new Int32Array(shared);
      let pauses = 0;
      for (let n = 1; n <= 10; n++) {
        vcpu.barrier();
        words[vcpu.index] = n;
        for (; words[1 - vcpu.index] !== n; pauses++) vcpu.pause();
      }
      return vcpu.index === 0 ? pauses : undefined;
    },
    /** The one that waits learns of the failure where it pauses. */
    'word/pause-for-ever'({ vcpu, assert }) {
      if (vcpu.index === 1) assert.fail('mine');
      for (;;) vcpu.pause();
    },
    'window/1': window(1),
    'window/100': window(100),
    passes(context) {
      for (let n = 0; n < 10; n++) increment(context);
    },
    slow({ shared }) {
      Atomics.wait(new Int32Array(shared), 0, 0, 50);
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
