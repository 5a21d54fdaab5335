import { hex, type AccessSize, type Field, type Register } from '@qtest/sdk';
import { apply, Operations } from './ops.ts';
import { ContractError } from './problem.ts';
import { Random } from '@qtest/sdk/support';
import type { Region, Rig } from './rig.ts';

/** A register of the device's tables, and how it is reached. */
export interface Place {
  /** Name of its region. */
  readonly region: string;
  readonly register: Register;
  /** Behind an index and a data port, at these offsets; `width` is the index port's. */
  readonly indexed?: { readonly index: number; readonly data: number; readonly width: Register['width'] };
}

const SIZE: Readonly<Record<Register['width'], AccessSize>> = { 8: 1, 16: 2, 32: 4 };

/** A register as the guest reaches it. */
class Probe {
  readonly rig: Rig;
  readonly place: Place;
  readonly #region: Region;
  /** The state in which it is looked at: the first in which its region answers. */
  readonly #from: 'reset' | 'ready';

  constructor(rig: Rig, place: Place) {
    this.rig = rig;
    this.place = place;
    const region = rig.regions.find(({ name }) => name === place.region);
    if (region === undefined)
      throw new ContractError(`the device has registers in '${place.region}', which is no region of it`);
    this.#region = region;
    rig.renew('reset');
    this.#from = rig.baseOf(region) === undefined ? 'ready' : 'reset';
    rig.renew(this.#from);
    if (rig.baseOf(region) === undefined) throw unreachable(region);
  }

  renew(): void {
    this.rig.renew(this.#from);
  }

  read(): number {
    const { register, indexed } = this.place;
    this.#select();
    return this.rig.read(this.#region, indexed?.data ?? register.offset, SIZE[register.width]);
  }

  write(value: number): void {
    const { register, indexed } = this.place;
    this.#select();
    this.rig.write(this.#region, indexed?.data ?? register.offset, value, SIZE[register.width]);
  }

  #select(): void {
    const { register, indexed } = this.place;
    if (indexed !== undefined) this.rig.write(this.#region, indexed.index, register.offset, SIZE[indexed.width]);
  }

  text(value: number): string {
    return hex(value, this.place.register.width / 4);
  }
}

/** A region that nothing maps: its registers cannot be checked, which is to be known. */
export function unreachable({ name }: Region): ContractError {
  return new ContractError(
    `region '${name}' answers nowhere after a reset: say how a guest maps it, in the schema's contract: { setup(vcpu, properties) { … } }`,
  );
}

const maskOf = (fields: readonly Field[], ...kinds: readonly Field['access'][]): number =>
  fields.reduce((mask, field) => (kinds.includes(field.access) ? mask | field.mask : mask), 0) >>> 0;

/** Every register reads as its reset value at power-on. */
export function checkResetValues(rig: Rig, places: readonly Place[]): void {
  rig.within(() => findResetValues(rig, places), 'its registers were read');
}

/** A register keeps of what is written what its fields' access says, in every pattern. */
export function checkBits(rig: Rig, place: Place, seed: number): void {
  rig.within(() => bitBash(rig, place, seed), `${place.register.name} was read and written`);
}

function findResetValues(rig: Rig, places: readonly Place[]): void {
  const wrong = places.flatMap((place): string[] => {
    const { register, region } = place;
    if (register.reset === undefined) return [];
    const probe = new Probe(rig, place);
    probe.renew();
    const found = probe.read();
    const expected = register.reset;
    if (found === expected) return [];
    const fields = fieldsOf(register, (found ^ expected) >>> 0);
    return [`${region}.${register.name}: expected ${probe.text(expected)}, found ${probe.text(found)} (${fields})`];
  });
  if (wrong.length > 0)
    throw new ContractError(`after power-on ${rig.id} does not hold its reset values:\n  ${wrong.join('\n  ')}`);
}

function bitBash(rig: Rig, place: Place, seed: number): void {
  const { register } = place;
  const probe = new Probe(rig, place);
  const all = 2 ** register.width - 1;
  const random = new Random(seed);
  const patterns = [all, 0, 0x5555_5555 & all, (0xaaaa_aaaa & all) >>> 0, (random.next() & all) >>> 0];
  for (let bit = 0; bit < register.width; bit++) patterns.push(2 ** bit);
  probe.renew();
  const initial = probe.read();
  for (const pattern of patterns) {
    // Over what it held, and over the opposite.
    for (const writes of [[pattern], [(~pattern & all) >>> 0, pattern]]) {
      probe.renew();
      for (const value of writes) probe.write(value);
      compare(probe, probe.read(), expectedAfter(register, initial, writes), { writes, initial });
    }
  }
  if (maskOf(register.fields, 'rc') !== 0) {
    probe.renew();
    probe.read();
    const again = probe.read();
    compareBits(probe, again, 0, maskOf(register.fields, 'rc'), `was read a second time`);
  }
  checkFlags(probe, seed);
}

function expectedAfter(register: Register, initial: number, writes: readonly number[]): number {
  const held = writes.reduce((value, written) => register.write(value, written), initial);
  // What is write-only never shows.
  const hidden = maskOf(register.fields, 'wo');
  return ((held & ~hidden) | (initial & hidden)) >>> 0;
}

/** Operations that may set a flag, and after how many of them it is looked at. */
const FLAG_OPERATIONS = 1500;
const LOOK_EVERY = 15;

/** Flags are 0 at reset: they are checked where random operations have set them. */
function checkFlags(probe: Probe, seed: number): void {
  const { rig, place } = probe;
  const { register } = place;
  const [w1c, w0c, rc] = [
    maskOf(register.fields, 'w1c'),
    maskOf(register.fields, 'w0c'),
    maskOf(register.fields, 'rc'),
  ];
  if (((w1c | w0c | rc) & ~register.volatile) === 0) return;
  const operations = new Operations(rig, new Random(seed));
  const [binding] = rig.bindings;
  rig.renew('ready');
  for (let n = 0; n < FLAG_OPERATIONS; n++) {
    apply(rig, binding, operations.next());
    if (n % LOOK_EVERY !== 0) continue;
    const snapshot = binding.machine.snapshot();
    const from = (): void => binding.machine.restore(snapshot);
    const held = probe.read();
    const again = probe.read();
    if ((held & rc) !== 0) compareBits(probe, again, 0, rc, `held ${probe.text(held)}, was read and read again`);
    for (const mask of [w1c, w0c]) {
      for (let bit = 1; bit <= register.width; bit++) {
        const flag = 2 ** (bit - 1);
        if ((mask & held & flag) === 0) continue;
        // Alone, so that the others must stay.
        const written = mask === w1c ? flag : (~flag & (2 ** register.width - 1)) >>> 0;
        from();
        probe.write(written);
        const found = probe.read();
        compareBits(probe, found, held & ~flag, flag, `held ${probe.text(held)}, was written ${probe.text(written)}`);
      }
    }
    from();
    rig.forget();
  }
}

function compare(
  probe: Probe,
  found: number,
  expected: number,
  { writes, initial }: { writes: readonly number[]; initial: number },
): void {
  const all = 2 ** probe.place.register.width - 1;
  const told = writes.map((value) => probe.text(value)).join(', then ');
  compareBits(probe, found, expected, all, `held ${probe.text(initial)}, was written ${told}`);
}

function compareBits(probe: Probe, found: number, expected: number, mask: number, what: string): void {
  const { register } = probe.place;
  const wrong = ((found ^ expected) & mask & ~register.volatile) >>> 0;
  if (wrong === 0) return;
  throw new ContractError(
    `${probe.rig.id}: ${register.name} ${what}: expected ${probe.text(((found ^ wrong) & (2 ** register.width - 1)) >>> 0)}, ` +
      `found ${probe.text(found)} (${fieldsOf(register, wrong)})`,
  );
}

/** The fields that some bits belong to: `ZERO, reserved, 7–3`. */
function fieldsOf({ fields, width }: Register, bits: number): string {
  const named = fields
    .filter(({ mask }) => (mask & bits) !== 0)
    .map(({ name, access, msb, lsb }) => `${name} ${access}(${msb === lsb ? msb : `${msb}, ${lsb}`})`);
  const other = fields.reduce((left, { mask }) => left & ~mask, bits) >>> 0;
  return [...named, ...(other === 0 ? [] : [`bits ${hex(other, width / 4)} of no field`])].join(', ');
}
