import { OWNER, RING_ENTRIES, TAKING, VCPU_STATUS, VCPU_WORD, vcpuWord, WORD, type Control } from './control.ts';

/**
 * A case runs in this process and can reach the machine's memory, by accident or on purpose. So no thread believes what it finds in the control
 * area: loops are bounded by what there can be, and the host looks whether each word is one that the threads could have written.
 */

/** What the words can be. */
export interface Bounds {
  /** VCPUs of the case. */
  readonly vcpus: number;
  /** Devices of the machine. */
  readonly devices: number;
  /** Ids that the lock's owner can have while the case runs. */
  readonly owners: ReadonlySet<number>;
  /** The event ring's entries that this host has taken out, for ever. */
  readonly taken: number;
  /** Ticks that this host has dealt with. */
  readonly ticks: number;
  /** Ticks that there can be beyond those. */
  readonly newTicks: number;
  /** Threads beside the VCPUs that take the lock: the I/O thread in real time. */
  readonly others: number;
}

/** The bit of the lock's word that says that somebody sleeps on it. */
const CONTENDED = 0x8000_0000 | 0;

/** Says which word cannot be what it is; undefined when none. `ended`: no VCPU runs any more. */
export function damage({ words }: Control, bounds: Bounds, ended: boolean): string | undefined {
  const { vcpus, devices, owners, taken, ticks, newTicks, others } = bounds;
  const at = (word: number): number => Atomics.load(words, word);
  // Read in this order: what has been written cannot be behind what has been read.
  const owner = at(WORD.LOCK) & ~CONTENDED;
  const waiting = ended ? 0 : vcpus;
  const claims = waiting + others + (ended ? 0 : 1);
  const found: readonly (readonly [what: string, value: number, min: number, max: number])[] = [
    ['new entries of the event ring', (at(WORD.RING_HEAD) - taken) | 0, 0, RING_ENTRIES],
    ['entries taken out of the event ring', at(WORD.RING_TAIL), taken, taken],
    ['events lost', at(WORD.RING_LOST), 0, 0x7fff_ffff],
    ['new ticks', (at(WORD.TICKS) - ticks) | 0, 0, newTicks],
    ['ticks dealt with', at(WORD.TICKS_SEEN), ticks, ticks],
    ['claims of the lock', at(WORD.CLAIMS), 0, claims],
    ['urgent claims of the lock', at(WORD.URGENT), 0, claims],
    ['whether a VCPU has failed', at(WORD.ABANDONED), 0, 1],
    ['the device that failed', at(WORD.FAULT), 0, devices],
    ['VCPUs of the case', at(WORD.VCPUS), vcpus, vcpus],
    ['the VCPU that has the turn', at(WORD.TURN), 0, vcpus - 1],
    ['VCPUs at the barrier', at(WORD.BARRIER_COUNT), 0, vcpus],
    ['VCPUs that have begun', at(WORD.STARTED), 0, vcpus],
    // Both are changed one after the other: for a moment they may be out by as many as there are VCPUs.
    ['VCPUs that wait', at(WORD.WAITERS), -waiting, 2 * waiting],
    ['VCPUs that are ready', at(WORD.READY), -waiting, 2 * waiting],
    ['the end of the I/O thread', at(WORD.IO_STOP), 0, 0],
    ['the end of the machine', at(WORD.POISONED), 0, 0],
    ...Array.from(
      { length: vcpus },
      (_, vcpu) =>
        [
          `how VCPU ${vcpu} takes what rises`,
          at(vcpuWord(vcpu) + VCPU_WORD.TAKING),
          TAKING.NOT,
          TAKING.HANDLES,
        ] as const,
    ),
    ...Array.from({ length: vcpus }, (_, vcpu) => {
      const status = at(vcpuWord(vcpu) + VCPU_WORD.STATUS);
      return [
        `the status of VCPU ${vcpu}`,
        status,
        VCPU_STATUS.OFF,
        ended ? VCPU_STATUS.OFF : VCPU_STATUS.WOKEN,
      ] as const;
    }),
  ];
  for (const [what, value, min, max] of found) {
    if (value >= min && value <= max) continue;
    return `${what}: ${value}, where ${min === max ? String(min) : `${min} to ${max}`} is possible`;
  }
  if (owner === 0 || (owner === OWNER.IO && others > 0) || (!ended && owners.has(owner))) return undefined;
  return `the owner of the lock: ${owner}, which is none of the machine's threads`;
}

/** What a case's result says of it. */
export function damageMessage(what: string): string {
  return (
    `the memory that the machine's threads share has been damaged (${what}), and the machine is given up. ` +
    `The case, or a module that it loads, has written to it: to reach the machine, use 'vcpu', 'machine' and 'clock' alone`
  );
}
