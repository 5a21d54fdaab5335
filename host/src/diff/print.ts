import { MACHINE_ARGS } from '../backends/qemu/process.ts';
import { type Blueprint, type BoundMachine, type Registry, OP } from '@qtest/machine';
import { shellQuote } from '../report/format.ts';
import { accessName, Decoder, describeAccess, describeTarget } from '../trace/decode.ts';
import { formatNanoseconds, hex } from '@qtest/sdk';
import { ALSO, isRead, isWrite, lowestIrq, reachedBy, reachesDevice, stepOf, type Access } from './access.ts';
import type { Found } from './hunt.ts';
import { requestOf } from './pipeline.ts';
import type { QemuSide } from './stand.ts';

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

/** A line of a shell for each request, after those that start QEMU as it was started. */
export function scriptOf(
  accesses: readonly Access[],
  { detected: { command }, accelerator, mapping }: Pick<QemuSide, 'detected' | 'accelerator' | 'mapping'>,
): string {
  const resets = accesses.some(({ op }) => op === ALSO.RESET);
  const args = [
    ...MACHINE_ARGS,
    ...['-accel', accelerator, '-bios', 'park.rom'],
    ...mapping.chardevs.flatMap((_, n) => ['-chardev', `null,id=serial${n}`]),
    ...mapping.args,
    ...(resets ? ['-monitor', 'pipe:monitor'] : []),
    ...['-qtest', 'stdio'],
  ];
  const start = `timeout 5 ${[command, ...args].map(shellQuote).join(' ')}`;
  const rom = "head -c 65536 /dev/zero | tr '\\0' '\\364' >park.rom  # its CPU halts";
  // QEMU tells of each change of a level then.
  const watches = accesses.some(({ op }) => op === ALSO.IRQS) ? ['irq_intercept_in ioapic'] : [];
  const requests = accesses.filter(({ op }) => op !== ALSO.IRQS).map(requestOf);
  if (!resets) return [rom, `${start} <<'END'`, ...watches, ...requests, 'END', ''].join('\n');
  const [first = [], ...others] = parts([...watches, ...requests], 'system_reset');
  return [
    rom,
    'mkfifo monitor.in monitor.out',
    '# What was asked before is answered first.',
    'reset() { sleep 0.5; echo system_reset >monitor.in; sleep 0.5; }',
    '{',
    ...heredoc(first),
    ...others.flatMap((part) => ['reset', ...heredoc(part)]),
    `} | ${start}`,
    'rm monitor.in monitor.out',
    '',
  ].join('\n');
}

/** The parts between the separators. */
function parts(lines: readonly string[], separator: string): string[][] {
  const found: string[][] = [[]];
  for (const line of lines) {
    if (line === separator) found.push([]);
    else found.at(-1)?.push(line);
  }
  return found;
}

function heredoc(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["cat <<'END'", ...lines, 'END'];
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
