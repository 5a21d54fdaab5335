import type { QemuMapping } from '../backends/qemu/command-line.ts';
import { MACHINE_ARGS } from '../backends/qemu/process.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import { shellQuote } from '../report/format.ts';
import { accessName, Decoder, describeAccess, describeTarget } from '../vcpu/decode.ts';
import { OP } from '../vcpu/trace.ts';
import { formatNanoseconds } from '@qtest/sdk';
import { isRead, isWrite, stepOf, type Access } from './access.ts';
import type { Found } from './hunt.ts';
import { requestOf } from './pipeline.ts';

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
    return {
      access: isRead(access) ? describeTarget(access) : describeAccess(access),
      reaches: decoder.next({ ...access, value: isRead(access) ? 0 : access.value })?.text() ?? '',
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
  return answers.map((value) => {
    const decoder = new Decoder(bound, registry);
    const last = accesses.at(-1);
    const texts = accesses.map((access) => decoder.next(access === last ? { ...access, value } : access)?.text() ?? '');
    const fields = /\{.*\}$/.exec(texts.at(-1) ?? '')?.[0] ?? '';
    return `${hex(value, 2 * (last?.size ?? 1))}  ${fields}`.trimEnd();
  });
}

export function linesOf(steps: readonly DecodedAccess[]): string[] {
  return steps.map(({ access, reaches }) => `${access.padEnd(WIDTH)} ${reaches}`.trimEnd());
}

/** A line of a shell for each request, after those that start QEMU as it was started. */
export function scriptOf(
  accesses: readonly Access[],
  command: string,
  accelerator: string,
  mapping: QemuMapping,
): string {
  const args = [
    ...MACHINE_ARGS,
    ...['-accel', accelerator, '-bios', 'park.rom'],
    ...mapping.chardevs.flatMap((_, n) => ['-chardev', `null,id=serial${n}`]),
    ...mapping.args,
    ...['-qtest', 'stdio'],
  ];
  return [
    "head -c 65536 /dev/zero | tr '\\0' '\\364' >park.rom  # its CPU halts",
    `timeout 5 ${[command, ...args].map(shellQuote).join(' ')} <<'END'`,
    ...accesses.map(requestOf),
    'END',
    '',
  ].join('\n');
}

/** A case that passes where the last access is answered as by the first machine. */
export function caseOf(found: Found, name: string, comment: string, decodes: readonly DecodedAccess[]): string {
  const { accesses, answers } = found;
  const asserts = found.failure === undefined;
  const steps = accesses.some(({ op }) => op === OP.STEP);
  const uses = ['vcpu', ...(steps ? ['clock'] : []), ...(asserts ? ['assert'] : [])];
  const width = 2 * (accesses.at(-1)?.size ?? 1);
  const statements = accesses.map((access, index) => {
    const call = callOf(access);
    if (!asserts || index < accesses.length - 1) return `${call};`;
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

function callOf(access: Access): string {
  if (access.op === OP.STEP) return `clock.step(${stepOf(access)}n)`;
  const address = hex(access.address, access.op === OP.IN || access.op === OP.OUT ? 2 : 8);
  const value = isWrite(access) ? `, ${hex(access.value, 2 * access.size)}` : '';
  return `vcpu.${accessName(access)}(${address}${value})`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
