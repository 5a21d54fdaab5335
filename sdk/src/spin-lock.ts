import type { CaseContext } from './plugin.ts';

/**
 * A lock between the VCPUs of a case: gives a function that runs what it is given while no other VCPU runs anything under the same lock, as
 * an index port and its data port need it. It lies in a word of `shared`, 0 at the case's start; by default the first.
 * It does not nest: who holds it must not take it, nor an interrupt handler that may come in between.
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
