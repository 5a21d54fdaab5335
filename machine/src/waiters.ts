import { MAX_VCPUS, VCPU_STATUS, VCPU_WORD, vcpuWord, WORD, type Control } from './control.ts';

/**
 * VCPUs that run, wait and have ended. Statuses change under the machine's lock; whoever makes something happen makes every
 * waiter ready, and each looks again at what it waits for.
 */

/** The word that counts the VCPUs of a status, by status. */
const COUNTERS = [undefined, WORD.READY, WORD.WAITERS, WORD.READY] as const;

export function statusOf({ words }: Control, vcpu: number): number {
  return Atomics.load(words, vcpuWord(vcpu) + VCPU_WORD.STATUS);
}

export function setStatus({ words }: Control, vcpu: number, status: number): void {
  const before = Atomics.exchange(words, vcpuWord(vcpu) + VCPU_WORD.STATUS, status);
  if (status === before) return;
  const less = COUNTERS[before];
  const more = COUNTERS[status];
  if (less !== undefined) Atomics.sub(words, less, 1);
  if (more !== undefined) Atomics.add(words, more, 1);
}

/** VCPUs of the case: no more than there can be, whatever the word says. */
export function vcpuCount({ words }: Control): number {
  return Math.min(words[WORD.VCPUS] ?? 0, MAX_VCPUS);
}

/** Puts all statuses, and the counts of them, into those of a case that starts. */
export function startStatuses({ words }: Control, vcpus: number): void {
  words[WORD.VCPUS] = vcpus;
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
    const status = vcpu < vcpus ? VCPU_STATUS.READY : VCPU_STATUS.OFF;
    Atomics.store(words, vcpuWord(vcpu) + VCPU_WORD.STATUS, status);
  }
  Atomics.store(words, WORD.WAITERS, 0);
  Atomics.store(words, WORD.READY, vcpus);
}

/** VCPUs of the case that can run, in order. */
export function runnable(control: Control): number[] {
  const found: number[] = [];
  const count = vcpuCount(control);
  for (let vcpu = 0; vcpu < count; vcpu++) {
    const status = statusOf(control, vcpu);
    if (status === VCPU_STATUS.READY || status === VCPU_STATUS.WOKEN) found.push(vcpu);
  }
  return found;
}

/** VCPUs of the case that have the status, in order. */
export function withStatus(control: Control, status: number): number[] {
  const found: number[] = [];
  const count = vcpuCount(control);
  for (let vcpu = 0; vcpu < count; vcpu++) if (statusOf(control, vcpu) === status) found.push(vcpu);
  return found;
}

/** Ends a VCPU's sleep on its futex, if it sleeps. */
export function rouse({ words }: Control, vcpu: number): void {
  const at = vcpuWord(vcpu) + VCPU_WORD.WAKE;
  Atomics.add(words, at, 1);
  Atomics.notify(words, at);
}

/** Lets every waiting VCPU look again. */
export function readyWaiters(control: Control): void {
  // No array: a waiting VCPU comes by here at each interrupt, and what it leaves for the collector makes it late.
  const count = vcpuCount(control);
  for (let vcpu = 0; vcpu < count; vcpu++) {
    if (statusOf(control, vcpu) !== VCPU_STATUS.WAITING) continue;
    setStatus(control, vcpu, VCPU_STATUS.WOKEN);
    rouse(control, vcpu);
  }
}

/** Wakes every sleeper of a machine: VCPUs, the I/O thread, whoever waits for the host or for the lock. */
export function rouseAll(control: Control): void {
  const { words } = control;
  Atomics.add(words, WORD.ATTENTION, 1);
  for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) rouse(control, vcpu);
  Atomics.add(words, WORD.IO_WAKE, 1);
  for (const word of [WORD.IO_WAKE, WORD.TICKS_SEEN, WORD.LOCK, WORD.CLAIMS, WORD.URGENT]) Atomics.notify(words, word);
}

/** Real time: a timer has been armed for earlier than those who sleep know. */
export function rouseForTimer(control: Control): void {
  const { words } = control;
  Atomics.add(words, WORD.IO_WAKE, 1);
  Atomics.notify(words, WORD.IO_WAKE);
  if ((words[WORD.WAITERS] ?? 0) > 0) for (const vcpu of withStatus(control, VCPU_STATUS.WAITING)) rouse(control, vcpu);
}
