import { workerData } from 'node:worker_threads';
import { codeOf } from '@qtest/sdk/support';
import type { MachineHandle } from './blueprint.ts';
import { BoundMachine } from './bound-machine.ts';
import { OWNER, WORD } from './control.ts';
import { loadDefinitions } from './definitions.ts';

/**
 * The I/O thread of a machine in real time: fires timers when no VCPU gets there first. It sleeps until a little after the next
 * deadline, so that a VCPU that waits for it is not woken twice.
 */

/** ms that VCPUs have before this thread steps in. */
const GRACE = 5;
const GRACE_NS = BigInt(GRACE) * 1_000_000n;
/** Longest sleep, ms. */
const RECHECK = 50;
/** Instants fired before the VCPUs come to the lock: a timer may come again faster than it can be fired. */
const AT_ONCE = 1000;

const { handle } = workerData as { handle: MachineHandle };
const machine = new BoundMachine(handle, await loadDefinitions(handle.blueprint), OWNER.IO);
const { words } = machine.control;

function serve(): void {
  while (Atomics.load(words, WORD.IO_STOP) === 0) {
    const seen = Atomics.load(words, WORD.IO_WAKE);
    // Bounded, so that a VCPU that has died inside a device does not keep this thread from hearing that it is to stop.
    if (!machine.lock.tryAcquire(RECHECK)) continue;
    let wait = RECHECK;
    try {
      machine.bus.refresh();
      const started = Atomics.load(words, WORD.STARTED) > 0;
      // What no VCPU has got to in that time.
      for (let n = 0; n < AT_ONCE && started && machine.time.isDue(machine.time.now() - GRACE_NS); n++)
        machine.fireDue();
      const { next } = machine.time;
      if (started && next >= 0n) wait = Math.min(RECHECK, Math.max(0, Number(next - machine.time.now()) / 1e6) + GRACE);
    } finally {
      machine.lock.release();
    }
    Atomics.wait(words, WORD.IO_WAKE, seen, wait);
  }
}

try {
  serve();
} catch (error) {
  if (codeOf(error) !== 'POISONED') throw error;
}
