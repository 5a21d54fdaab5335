import { apply, Operations, textOf, type Op } from './ops.ts';
import { ContractError } from './problem.ts';
import { Random } from '@qtest/sdk/support';
import type { Binding, Rig } from './rig.ts';
import { restore, save, type SavedState } from '@qtest/machine';

/** Sequences that are compared, and operations of each of their parts. */
const ROUNDS = 20;
const LENGTH = 60;

/** What software sees of an operation. */
interface Seen {
  readonly op: Op;
  readonly answer: string;
}

/** Bindings in turn. */
type Turn = (n: number) => 0 | 1;
const one: Turn = () => 0;
const inTurn: Turn = (n) => (n % 2 === 0 ? 0 : 1);

function run(rig: Rig, ops: readonly Op[], turn: Turn): Seen[] {
  return ops.map((op, n) => {
    const binding = rig.bindings[turn(n)];
    const answer = apply(rig, binding, op);
    const events: string[] = [];
    rig.events.drain(({ kind, source, value, now, message }) =>
      events.push(`event ${kind} of ${source}: ${value} ${message} at ${now} ns`),
    );
    const { now, deadline } = binding.clock;
    return { op, answer: [String(answer), `now ${now} ns`, `next deadline ${deadline} ns`, ...events].join('; ') };
  });
}

/** Everything that the device remembers is in the machine's bytes: so another thread has the same answers, and a restored snapshot too. */
export function checkSnapshot(rig: Rig, seed: number): void {
  const operations = new Operations(rig, new Random(seed));
  const [first, second] = rig.bindings;
  for (let round = 0; round < ROUNDS; round++) {
    rig.renew('ready');
    const many = (): Op[] => Array.from({ length: LENGTH }, () => operations.next());
    const [before, between, after] = [many(), many(), many()];
    const context = { rig, seed, round };
    const compare = (what: string, seen: readonly Seen[], expected: readonly Seen[], end: Uint8Array): void => {
      compareSeen(what, seen, expected, context);
      compareState(what, rig.state(true), end, context);
    };
    rig.within(() => {
      const straight = run(rig, [...before, ...after], one);
      const end = rig.state(true);
      const tail = straight.slice(before.length);

      rig.renew('ready');
      compare('two threads in turn, in place of one', run(rig, [...before, ...after], inTurn), straight, end);

      rig.renew('ready');
      run(rig, before, inTurn);
      const saved = snapshot(first);
      const then = rig.state(true);
      compare('a snapshot that was taken before it', run(rig, after, one), tail, end);
      back(first, saved);
      compareState('a snapshot that was put back', rig.state(true), then, context);
      run(rig, between, inTurn);
      back(first, saved);
      compare('a snapshot that was put back after other accesses', run(rig, after, one), tail, end);
      run(rig, between, inTurn);
      back(second, saved);
      compare(
        'a snapshot that another thread has put back',
        run(rig, after, () => 1),
        tail,
        end,
      );
    });
  }
}

/** A cold reset gives the machine of its first instant, whatever went before. */
export function checkReset(rig: Rig, seed: number): void {
  const operations = new Operations(rig, new Random(seed));
  rig.renew('reset');
  const first = rig.state(false);
  for (let round = 0; round < ROUNDS; round++) {
    rig.renew('reset');
    // Time goes on over a reset, so it is not moved.
    const ops = Array.from({ length: LENGTH }, () => operations.next()).filter(({ kind }) => kind !== 'step');
    rig.within(() => {
      rig.setup(rig.bindings[0]);
      run(rig, [...ops, { kind: 'reset', cold: true, setup: false }], one);
      compareState('a cold reset', rig.state(false), first, { rig, seed, round });
    });
  }
}

function snapshot({ bound, vcpu }: Binding): SavedState {
  return vcpu.locked(() => save(bound));
}

function back({ bound, vcpu }: Binding, saved: SavedState): void {
  vcpu.locked(() => restore(bound, saved));
}

interface Context {
  readonly rig: Rig;
  readonly seed: number;
  readonly round: number;
}

function compareSeen(
  what: string,
  seen: readonly Seen[],
  expected: readonly Seen[],
  { rig, seed, round }: Context,
): void {
  const n = seen.findIndex(({ answer }, i) => answer !== expected[i]?.answer);
  if (n < 0) return;
  const op = seen[n]?.op;
  const before = seen.slice(Math.max(0, n - 5), n).map(({ op }) => `\n    ${textOf(rig, op)}`);
  throw new ContractError(
    `device '${rig.id}' answers otherwise after ${what}: it remembers something outside state, timers and out\n` +
      `  operation ${n} of round ${round} of seed ${seed}: ${op === undefined ? '' : textOf(rig, op)}` +
      (before.length === 0 ? '' : `\n  before it:${before.join('')}`),
    { actual: seen[n]?.answer, expected: expected[n]?.answer },
  );
}

function compareState(what: string, found: Uint8Array, expected: Uint8Array, { rig, seed, round }: Context): void {
  if (Buffer.compare(found, expected) === 0) return;
  const at = found.findIndex((byte, i) => byte !== expected[i]);
  throw new ContractError(
    `the machine of '${rig.id}' is in another state after ${what}: ${rig.nameOf(at)} differs (round ${round} of seed ${seed})`,
    { actual: found[at], expected: expected[at] },
  );
}
