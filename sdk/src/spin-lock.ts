import type { CaseContext } from './plugin.ts';

/**
 * A lock between the VCPUs of a case. It gives a function `guard`. While `guard(run)` runs `run`, no other VCPU runs anything under the same
 * lock. Accesses to an index port and its data port need this, for example. The lock lies in word `word` of `shared`.
 * It does not nest: the VCPU that holds the lock must not take it again, and neither may an interrupt handler that comes in between.
 */
export function spinLock({ vcpu, shared }: Pick<CaseContext, 'vcpu' | 'shared'>, word = 0): <T>(run: () => T) => T {
  const words = new Int32Array(shared);
  return (run) => {
    while (Atomics.compareExchange(words, word, 0, 1) !== 0) vcpu.pause();
    try {
      return run();
    } finally {
      Atomics.store(words, word, 0);
    }
  };
}
