import { workerData } from 'node:worker_threads';
import { codeOf } from '@qtest/sdk/support';
import type { MachineHandle } from './blueprint.ts';
import { BoundMachine } from './bound-machine.ts';
import { MAX_VCPUS, OWNER, TAKING, WORD } from './control.ts';
import { loadDefinitions } from './definitions.ts';
import { giveUpOn, owedBy, takenBy } from './taking.ts';

/**
 * The I/O thread of a machine in real time: fires timers when no VCPU gets there first. It sleeps until a little after the next
 * deadline, so that a VCPU that waits for it is not woken twice. It fires one instant, and leaves the next one to the VCPUs until they have
 * taken what that has raised.
 */

/** ms that VCPUs have before this thread steps in. */
const GRACE = 5;
const GRACE_NS = BigInt(GRACE) * 1_000_000n;
/** ms that a VCPU which does not wait has to take an interrupt before time goes on without it. */
const PATIENCE = 50;
/** ms for which timers may be late on end: the VCPUs take longer over their interrupts than these take to come. */
const OVERLOAD = 1000;
/** Longest sleep, ms. */
const RECHECK = 50;
/** Instants fired before the VCPUs come to the lock: a timer may come again faster than it can be fired. */
const AT_ONCE = 1000;

const { handle } = workerData as { handle: MachineHandle };
const machine = new BoundMachine(handle, await loadDefinitions(handle.blueprint), OWNER.IO);
const { control } = machine;
const { words } = control;

/** When it has looked last, ms. */
let looked = performance.now();
/** ms for which timers have been late on end. */
let late = 0;
/** Of each VCPU, what it had taken at the last look, and the ms for which it has taken nothing. */
const vcpus = Array.from({ length: MAX_VCPUS }, () => ({ taken: 0, still: 0 }));

const isLate = (): boolean => machine.time.isDue(machine.time.now() - GRACE_NS);

/** Time is not to wait for a VCPU that computes, nor for those that cannot keep up; lock held. */
function losePatience(): void {
  const now = performance.now();
  // While the host stood still the VCPUs did as well.
  const passed = Math.min(now - looked, 2 * GRACE);
  looked = now;
  late = isLate() ? late + passed : 0;
  for (const [vcpu, seen] of vcpus.entries()) {
    const how = owedBy(control, vcpu);
    const taken = takenBy(control, vcpu);
    const sleeps = how === TAKING.NOT || how === TAKING.WAITS;
    seen.still = !sleeps && taken === seen.taken ? seen.still + passed : 0;
    seen.taken = taken;
    if (seen.still > PATIENCE || late > OVERLOAD) giveUpOn(control, vcpu, how);
  }
  if (late > OVERLOAD) late = 0;
}

/** Fires what no VCPU has got to; lock held. */
function fireLate(): void {
  const isOwed = (): boolean => vcpus.some((_, vcpu) => owedBy(control, vcpu) !== TAKING.NOT);
  for (let n = 0; n < AT_ONCE && isLate() && !isOwed(); n++) machine.fireDue();
}

function serve(): void {
  while (Atomics.load(words, WORD.IO_STOP) === 0) {
    const seen = Atomics.load(words, WORD.IO_WAKE);
    // Bounded, so that a VCPU that has died inside a device does not keep this thread from hearing that it is to stop.
    if (!machine.lock.tryAcquire(RECHECK)) continue;
    let wait = RECHECK;
    try {
      machine.bus.refresh();
      const started = Atomics.load(words, WORD.STARTED) > 0;
      if (started) {
        losePatience();
        fireLate();
      }
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
