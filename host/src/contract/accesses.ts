import { boundedSteps, neverEnded } from '../foreign/bounded.ts';
import type { Parts, Subject } from './machine.ts';
import { apply, Operations, textOf, type Op } from './ops.ts';
import { ContractError } from './problem.ts';
import { Random } from '@qtest/sdk/support';
import { Rig } from './rig.ts';

/** Operations before a failure that are told. */
const TOLD = 6;

/** Whatever a guest does, the device does not throw, comes back, and arms its timers for times to come. */
export function checkAccesses(
  subject: Subject,
  parts: Parts,
  { seed, accesses }: { seed: number; accesses: number },
): void {
  const rig = Rig.make(subject, parts);
  const [binding] = rig.bindings;
  const operations = new Operations(rig, new Random(seed));
  const last: Op[] = [];
  let op: Op | undefined;
  let made = 0;
  const fail = (what: string, options?: ErrorOptions): never => {
    const where = op === undefined ? 'power-on' : `access ${made} of seed ${seed}`;
    const told = last.map((one) => textOf(rig, one));
    const before = told
      .slice(0, -1)
      .map((text) => `\n    ${text}`)
      .join('');
    throw new ContractError(
      `${what}\n  ${where}${parts === 'absent' ? ', without its optional parts' : ''}: ${told.at(-1) ?? ''}` +
        (before === '' ? '' : `\n  before it:${before}`),
      undefined,
      options,
    );
  };
  rig.renew('ready');
  const cameBack = boundedSteps(() => {
    op = operations.next();
    if (last.push(op) > TOLD) last.shift();
    if (op.kind === 'read' || op.kind === 'write') made++;
    apply(rig, binding, op);
    const problem = rig.problem();
    if (problem !== undefined) fail(problem.what, problem.options);
    return made < accesses && (rig.regions.length > 0 || ++made < accesses);
  }, subject.seconds);
  if (!cameBack) fail(`device '${rig.id}' ${neverEnded(subject.seconds)}`);
}
