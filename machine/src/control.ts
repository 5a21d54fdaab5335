/**
 * The control area: the words by which the threads of one machine deal with each other. It lies at the start of the
 * machine's memory and outside what a snapshot holds.
 */

/** VCPUs that a machine can have. */
export const MAX_VCPUS = 8;

/** Indices of 32-bit words. The lock is word 0: the WebAssembly code knows that. */
export const WORD = {
  /** Owner of the machine's lock (BQL), 0 when free; bit 31 says that somebody sleeps on it. */
  LOCK: 0,
  /** Set when the lock could not be had to kill a VCPU: nobody may use the machine any more. */
  POISONED: 1,
  /** Counts changes that a thread must look at before its next access: the memory map, a claim, an end. */
  ATTENTION: 2,
  /** Counts changes of the memory map. */
  GENERATION: 3,
  /** Threads that want a lock which its owner keeps between accesses. */
  CLAIMS: 4,
  /** Counts rises of IRQ lines. */
  IRQ_SEQUENCE: 5,
  /** Set when the case is over for all its VCPUs, because one has failed. */
  ABANDONED: 6,
  /** What the host listens to, bits of `TAP`. */
  TAPS: 7,
  /** Index of the device that threw, plus 1. */
  FAULT: 8,
  /** Event ring: entries written, entries read, entries lost. */
  RING_HEAD: 9,
  RING_TAIL: 10,
  RING_LOST: 11,
  /** Ticks that VCPUs have announced and that the host has dealt with (virtual time), or have happened (real time). */
  TICKS: 12,
  TICKS_SEEN: 13,
  /** Futex of the I/O thread; its stop flag. */
  IO_WAKE: 14,
  IO_STOP: 15,
  /** VCPUs of the running case. */
  VCPUS: 16,
  /** The VCPU that may run under the seeded scheduler. */
  TURN: 17,
  /** State of the scheduler's random numbers. */
  RANDOM: 18,
  /** Barrier: VCPUs that have come, and how often it has opened. */
  BARRIER_COUNT: 19,
  BARRIER_PHASE: 20,
  /** VCPUs that wait. */
  WAITERS: 21,
  /** VCPUs that have begun the running case; 0 between cases, when real time stands still. */
  STARTED: 22,
  /** VCPUs that run, or could. */
  READY: 23,
  /** A device has asked for a reset: the first thread that is about to make an access does it. */
  RESET: 24,
  /** The seeded scheduler switches VCPUs where these bits of a random number are 0. */
  SWITCH_MASK: 25,
  /** Threads that want the lock and have lost a race for it, or have a bound: whoever takes it for each access gives way to them. */
  URGENT: 26,
  /** Real time: what `IRQ_SEQUENCE` was when the last instant had fired. */
  FIRED: 27,
} as const;

/** Bits of `WORD.TAPS`. */
export const TAP = { TICK: 1, IRQ: 2 } as const;

/** Owner ids of the lock; a VCPU's thread adds its thread id to `THREAD0`. */
export const OWNER = { HOST: 1, IO: 2, THREAD0: 16 } as const;

/** Indices of 64-bit words (BigInt64Array) and doubles (Float64Array) in the control area. */
export const LONG = {
  /** Real time: the host's monotonic clock, in ns, at machine time 0. */
  REAL_BASE: 16,
  /** Real time: the next deadline on the host's monotonic clock, in ms, as a double; +Infinity when there is none. */
  REAL_NEXT: 17,
  /** Machine time of the last tick. */
  TICK_NOW: 18,
  /** The host's monotonic clock, in ns, when the first VCPU of the running case began; 0 before. */
  BEGAN: 19,
} as const;

/** A VCPU's record: words from `vcpuWord(index)`. */
export const VCPU_WORD = {
  /** One of `VCPU_STATUS`. */
  STATUS: 0,
  /** Futex on which it sleeps. */
  WAKE: 1,
  /** Real time: how it takes what rises, one of `TAKING`. */
  TAKING: 2,
  /** Its wait can never end: nobody was left who could have woken it. */
  DEADLOCKED: 3,
  /** Machine time at which its wait ends, ns, two words; −1 for none. */
  WAIT_DEADLINE: 4,
  /** Real time: what `IRQ_SEQUENCE` was when it had taken all that had risen. */
  TAKEN: 6,
} as const;

/**
 * How a VCPU takes what rises. `NOT`: it has no handler, and waits for no line. `COMPUTES`: it has a handler, and may come to it.
 * `RETURNS`: it has waited, and mostly waits again soon. `WAITS`: it sleeps, and takes it at once. `HANDLES`: it does.
 */
export const TAKING = { NOT: 0, COMPUTES: 1, RETURNS: 2, WAITS: 3, HANDLES: 4 } as const;

/** `WOKEN`: it waits, and is to look again at what it waits for. */
export const VCPU_STATUS = { OFF: 0, READY: 1, WAITING: 2, WOKEN: 3 } as const;

const VCPU_RECORD_WORDS = 16;
const FIRST_VCPU_WORD = 64;

/** First word of a VCPU's record. */
export function vcpuWord(index: number): number {
  return FIRST_VCPU_WORD + index * VCPU_RECORD_WORDS;
}

/** Entries of a VCPU's trace ring; each is four words: what, address, value, value's upper half. */
export const TRACE_ENTRIES = 64;
const FIRST_TRACE_WORD = FIRST_VCPU_WORD + MAX_VCPUS * VCPU_RECORD_WORDS;

/** First word of a VCPU's trace ring: its entries, and the count of those written. */
export function traceWord(index: number): number {
  return FIRST_TRACE_WORD + index * (TRACE_ENTRIES * 4 + 8);
}

/** The event ring: its first byte, its entries, bytes of an entry. */
export const RING_OFFSET = 16_384;
export const RING_ENTRIES = 4096;
export const RING_ENTRY_BYTES = 128;

/** Bytes of the control area. */
export const CONTROL_BYTES = RING_OFFSET + RING_ENTRIES * RING_ENTRY_BYTES;

/** Typed views of the control area, one set for each thread. */
export interface Control {
  readonly words: Int32Array;
  readonly longs: BigInt64Array;
  readonly doubles: Float64Array;
}

export function controlOf(memory: WebAssembly.Memory): Control {
  return {
    words: new Int32Array(memory.buffer, 0, CONTROL_BYTES >> 2),
    longs: new BigInt64Array(memory.buffer, 0, CONTROL_BYTES >> 3),
    doubles: new Float64Array(memory.buffer, 0, CONTROL_BYTES >> 3),
  };
}
