import { type Blueprint, type BoundMachine, type Registry, OP } from '@qtest/machine';
import { accessName, Decoder, describeAccess, describeTarget } from '../trace/decode.ts';
import { formatNanoseconds, hex } from '@qtest/sdk';
import { ALSO, isRead, isWrite, lowestIrq, reachedBy, reachesDevice, stepOf, type Access } from './access.ts';
import type { Found } from './hunt.ts';

/** Width of an access, before what it reaches. */
const WIDTH = 24;

/** An access for a reader. */
export interface DecodedAccess {
  readonly access: string;
  /** `rtc0.B {PIE, 24H}`; empty where no device of ours answers. */
  readonly reaches: string;
}

/** The accesses by the register tables; of a read what it reaches, without its value. */
export function decoded(accesses: readonly Access[], bound: BoundMachine, registry: Registry): DecodedAccess[] {
  const decoder = new Decoder(bound, registry);
  return accesses.map((access) => {
    if (access.op === OP.STEP) return { access: `clock +${formatNanoseconds(stepOf(access))}`, reaches: '' };
    if (access.op === ALSO.RESET) return { access: 'machine reset', reaches: '' };
    if (access.op === ALSO.IRQS) return { access: irqName(access), reaches: 'its level' };
    return {
      access: isRead(access) ? describeTarget(access) : describeAccess(access),
      reaches: reachedBy(decoder, { ...access, value: isRead(access) ? 0 : access.value })?.text() ?? '',
    };
  });
}

/** The last access's two answers: the value, and the fields in it. */
export function decodedAnswers(
  { accesses, answers, failure }: Found,
  bound: BoundMachine,
  registry: Registry,
): string[] {
  if (failure !== undefined) return ['goes on', failure];
  const last = accesses.at(-1);
  return answers.map((value) => {
    if (last?.op === ALSO.IRQS) return value === 0 ? 'low' : 'high';
    const decoder = new Decoder(bound, registry);
    const texts = accesses.map(
      (access) => reachedBy(decoder, access === last ? { ...access, value } : access)?.text() ?? '',
    );
    const fields = /\{.*\}$/.exec(texts.at(-1) ?? '')?.[0] ?? '';
    return `${hex(value, 2 * (last?.size ?? 1))}  ${fields}`.trimEnd();
  });
}

export function linesOf(steps: readonly DecodedAccess[]): string[] {
  return steps.map(({ access, reaches }) => `${access.padEnd(WIDTH)} ${reaches}`.trimEnd());
}

/** A case that passes where the last access is answered as by the first machine. */
export function caseOf(
  found: Found,
  name: string,
  comment: string,
  decodes: readonly DecodedAccess[],
  { devices }: Blueprint,
): string {
  const isa = devices.find(({ busName }) => busName === 'isa')?.id ?? '';
  const { accesses, answers } = found;
  const asserts = found.failure === undefined;
  const steps = accesses.some(({ op }) => op === OP.STEP);
  const uses = [
    ...(accesses.some(reachesDevice) ? ['vcpu'] : []),
    ...(accesses.some(({ op }) => op === ALSO.RESET || op === ALSO.IRQS) ? ['machine'] : []),
    ...(steps ? ['clock'] : []),
    ...(asserts ? ['assert'] : []),
  ];
  const width = 2 * (accesses.at(-1)?.size ?? 1);
  const statements = accesses.map((access, index) => {
    const call = callOf(access, isa);
    if (!asserts || index < accesses.length - 1) return `${call};`;
    if (access.op === ALSO.IRQS) return `assert.equal(${call}, ${answers[0] !== 0}, ${quote(irqName(access))});`;
    const reaches = decodes[index]?.reaches ?? '';
    return `assert.equal(${call}, ${hex(answers[0], width)}, ${quote(reaches === '' ? 'its answer' : reaches)});`;
  });
  return [
    `// ${comment}`,
    `${quote(name)}({ ${uses.join(', ')} }) {`,
    ...statements.map((one) => `  ${one}`),
    '},',
    '',
  ].join('\n');
}

/** @param isa the ISA bus's id. */
function callOf(access: Access, isa: string): string {
  if (access.op === OP.STEP) return `clock.step(${stepOf(access)}n)`;
  if (access.op === ALSO.RESET) return 'machine.reset()';
  if (access.op === ALSO.IRQS) return `machine.irq(${quote(isa)}, ${lowestIrq(access.value)}).level`;
  const address = hex(access.address, access.op === OP.IN || access.op === OP.OUT ? 2 : 8);
  const value = isWrite(access) ? `, ${hex(access.value, 2 * access.size)}` : '';
  return `vcpu.${accessName(access)}(${address}${value})`;
}

function irqName({ value }: Access): string {
  return `IRQ ${lowestIrq(value)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
