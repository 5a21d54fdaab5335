import type { ServedMachine } from '../server/served-machine.ts';

/** Offsets that differ by so many seconds are the same: the time is in whole seconds, and ticks on between two looks. */
const SLACK = 1;

/** Places in the RTC's state. */
const CELL = { SECONDS: 0, MINUTES: 2, HOURS: 4, DAY: 7, MONTH: 8, YEAR: 9, B: 11 } as const;
const SET = 0x80;
const BINARY = 0x04;
const HOURS_24 = 0x02;
const PM = 0x80;

/** Notices that a guest has set the real-time clock: its time is no longer as far from the machine's as it was. */
export class ClockWatch {
  readonly #machine: ServedMachine;
  readonly #changed: (offset: number) => void;
  readonly #id: string | undefined;
  /** Seconds since 1970 of the RTC, less those of the machine's clock. */
  readonly #start: number;
  #last: number;

  /** @param changed is told by how many seconds the RTC is ahead of one that nobody has set. */
  constructor(machine: ServedMachine, changed: (offset: number) => void) {
    this.#machine = machine;
    this.#changed = changed;
    this.#id = machine.bound.blueprint.devices.find(({ type }) => type === 'mc146818rtc')?.id;
    this.#start = this.#offset() ?? 0;
    this.#last = this.#start;
  }

  look(): void {
    const offset = this.#offset();
    if (offset === undefined || Math.abs(offset - this.#last) <= SLACK) return;
    this.#last = offset;
    this.#changed(offset - this.#start);
  }

  #offset(): number | undefined {
    const time = this.#time();
    return time === undefined ? undefined : time - Number(this.#machine.now / 1_000_000_000n);
  }

  /** The RTC's time, seconds since 1970; undefined while it is being set, or where it tells no time. */
  get time(): number | undefined {
    return this.#time();
  }

  #time(): number | undefined {
    const cells = this.#id === undefined ? undefined : this.#machine.bound.context(this.#id)?.state['cells'];
    if (typeof cells !== 'object') return undefined;
    const at = (cell: number): number => cells.get(cell);
    const b = at(CELL.B);
    if ((b & SET) !== 0) return undefined;
    const number = (byte: number): number => ((b & BINARY) !== 0 ? byte : (byte >> 4) * 10 + (byte & 0x0f));
    const hours = at(CELL.HOURS);
    const hour = (b & HOURS_24) !== 0 ? number(hours) : (number(hours & ~PM) % 12) + ((hours & PM) !== 0 ? 12 : 0);
    const year = number(at(CELL.YEAR));
    const [month, day] = [number(at(CELL.MONTH)), number(at(CELL.DAY))];
    if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
    const century = number(at(0x32)) || 20;
    return (
      Date.UTC(century * 100 + year, month - 1, day, hour, number(at(CELL.MINUTES)), number(at(CELL.SECONDS))) / 1000
    );
  }
}
