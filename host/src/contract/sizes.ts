import type { AccessSize } from '@qtest/sdk';
import { boundedSteps, neverEnded } from '../foreign/bounded.ts';
import { unreachable } from './bits.ts';
import { apply, textOf, type Op } from './ops.ts';
import { ContractError } from './problem.ts';
import type { Region, Rig } from './rig.ts';
import type { Target } from '@qtest/machine';

const SIZES = [1, 2, 4] as const;

/** Bytes from each end of a region at which every size is tried. */
const EDGE = 32;

/** Every size at every alignment, in a region and across its ends: no throw, an answer in range, and a wide access is its parts. */
export function checkSizes(rig: Rig, name: string): void {
  const region = rig.regions.find((found) => found.name === name);
  const target = region === undefined ? undefined : rig.bindings[0].targets[region.index];
  if (region === undefined || target === undefined) throw new ContractError(`the device has no region '${name}'`);
  rig.renew('ready');
  const base = rig.baseOf(region);
  if (base === undefined) throw unreachable(region);
  const accesses = offsetsOf(region).flatMap((offset) =>
    SIZES.flatMap((size): Access[] => [
      { kind: 'read', region, offset, size },
      ...[0, 0xffff_ffff, 0xa5c3_695a].map(
        (value) => ({ kind: 'write', region, offset, size, value: value % 2 ** (8 * size) }) as const,
      ),
    ]),
  );
  let n = 0;
  const cameBack = boundedSteps(() => {
    const op = accesses[n];
    if (op !== undefined) check(rig, op, splits(target, base, op));
    return ++n < accesses.length;
  }, rig.subject.seconds);
  const op = accesses[n];
  if (!cameBack && op !== undefined)
    throw new ContractError(`device '${rig.id}' ${neverEnded(rig.subject.seconds)}\n  access: ${textOf(rig, op)}`);
}

function offsetsOf({ size }: Region): readonly number[] {
  const near = Array.from({ length: 2 * EDGE }, (_, n) => n - 4);
  return [...new Set([...near, ...near.map((n) => size - n)])].filter((offset) => offset >= -4 && offset < size + 4);
}

type Access = Extract<Op, { kind: 'read' | 'write' }>;

function check(rig: Rig, op: Access, parts: readonly Part[] | undefined): void {
  const [binding] = rig.bindings;
  rig.renew('ready');
  const fail = (what: string, sides?: { actual: unknown; expected: unknown }, options?: ErrorOptions): never => {
    throw new ContractError(`${what}\n  access: ${textOf(rig, op)}`, sides, options);
  };
  const whole = apply(rig, binding, op);
  const problem = rig.problem();
  if (problem !== undefined) fail(problem.what, undefined, problem.options);
  if (parts === undefined) return;
  const state = rig.state(true);
  rig.renew('ready');
  const answers = parts.map(({ at, size }) => {
    const offset = op.offset + at;
    if (op.kind === 'read') return apply(rig, binding, { ...op, offset, size });
    return apply(rig, binding, { ...op, offset, size, value: Math.floor(op.value / 2 ** (8 * at)) % 2 ** (8 * size) });
  });
  const sum = parts.reduce((value, { at }, n) => value + Number(answers[n] ?? 0) * 2 ** (8 * at), 0);
  if (op.kind === 'read' && whole !== sum)
    fail(`device '${rig.id}' answers a wide read otherwise than its parts`, { actual: whole, expected: sum });
  const now = rig.state(true);
  if (Buffer.compare(state, now) === 0) return;
  const name = rig.nameOf(state.findIndex((byte, n) => byte !== now[n]));
  fail(`device '${rig.id}' is not as after the parts of a wide access (${name})`);
}

interface Part {
  readonly at: number;
  readonly size: AccessSize;
}

/** The parts into which a region splits an access that lies in it; undefined when it takes it whole or refuses it. */
function splits(target: Target, base: number, { offset, size }: Access): readonly Part[] | undefined {
  const { min, max, strict, unaligned } = target;
  if (strict || size < min || offset < 0 || offset + size > target.size) return undefined;
  const address = base + offset;
  const aligned = unaligned || address % Math.min(size, max) === 0;
  const part = SIZES.find((one) => one === (aligned ? Math.min(size, max) : min));
  if (part === undefined || part === size || (!unaligned && address % part !== 0)) return undefined;
  return Array.from({ length: size / part }, (_, n) => ({ at: n * part, size: part }));
}
