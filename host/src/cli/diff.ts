import type { BackendName } from '@qtest/sdk';

import { NATIVE } from '../backends/find.ts';
import { settingsOf } from '../config/settings.ts';
import type { Counts } from '../diff/compare.ts';
import type { Found, Hunted } from '../diff/hunt.ts';
import type { DecodedAccess } from '../diff/print.ts';
import type { MachineSource } from '../diff/source.ts';
import type { Stand } from '../diff/stand.ts';
import { hostError } from '@qtest/sdk/support';
import { catalogOf } from '../plugins/devices.ts';
import { loadPlugins } from '../plugins/load.ts';
import { count, indented, shellQuote } from '../report/format.ts';
import { jsonText } from '../report/json-text.ts';
import { print, styleFor } from '../report/style.ts';
import { emulatorNamed } from './backends.ts';
import { catchInterrupts, INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { pluginRequests, readConfig } from './prepare.ts';

const DEFAULT_SEED = 1;
const DEFAULT_COUNT = 100_000;

/** What `qtest diff --json` writes. Version 1 gains keys and loses none. */
export interface DiffReport {
  readonly version: 1;
  readonly seed: number;
  /** The two that are compared, as they are named elsewhere. */
  readonly backends: readonly [string, string];
  /** Ids of the devices that were accessed. */
  readonly devices: readonly string[];
  readonly counts: Counts;
  /** Differences that did not show again. */
  readonly unsteady: number;
  /** That the comparison took, without the starts of QEMUs and without shrinking. */
  readonly seconds: number;
  readonly difference: DiffDifference | null;
}

export interface DiffDifference {
  readonly accesses: readonly DecodedAccess[];
  /** Of the last access, by the first backend and by the second. */
  readonly answers: readonly [number, number];
  /** The same for a reader, `0x10  {PF}`. */
  readonly decoded: readonly string[];
  /** Requests of the qtest protocol. */
  readonly requests: readonly string[];
  /** A shell script that makes them on the emulator alone; null where its backend writes none. */
  readonly script: string | null;
  /** A case for a package's `run`. */
  readonly case: string;
}

/** `qtest diff`: the same accesses on two machines, up to the first that they answer differently. */
export async function diff(options: CliOptions, io: Io): Promise<number> {
  const { standOf } = await import('../diff/stand.ts');
  const config = await readConfig(options, io);
  const settings = settingsOf(config.config, options);
  const other = secondOf(options.backends ?? [settings.backend]);
  if (other === NATIVE && options.clock === 'realtime')
    throw hostError('USAGE', "two machines of the host run on the virtual clock: leave out '--clock realtime'");
  const stand = await standOf({
    source: await sourceOf(options, io),
    other:
      other === NATIVE ? undefined : await emulatorNamed(other, { settings, file: config.file, options, cwd: io.cwd }),
    clock: options.clock,
    devices: options.device ?? [],
    ignore: options.ignore ?? [],
    set: options.set ?? [],
    seed: options.seed ?? DEFAULT_SEED,
    count: options.count ?? DEFAULT_COUNT,
  });
  const interrupt = catchInterrupts(io);
  try {
    const hunted = await stand.hunt(interrupt.signal);
    const report = await reportOf(stand, hunted, options);
    if (options.json === true) io.stdout.write(`${jsonText(report)}\n`);
    else print(io.stdout, await textOf(report, hunted.found, stand, options, io));
    if (hunted.found !== undefined) return 1;
    return interrupt.signal.aborted ? INTERRUPTED : 0;
  } finally {
    interrupt.release();
    await stand.end();
  }
}

/** What the host's machine is compared with. */
function secondOf(backends: readonly BackendName[]): BackendName {
  const [second, third] = backends.length > 1 && backends[0] === NATIVE ? backends.slice(1) : backends;
  if (third === undefined && second !== undefined) return second;
  throw hostError(
    'USAGE',
    `--backend ${backends.join(',')}: 'diff' compares a machine of the host with another one (native) or with an emulator's (qemu; native,qemu)`,
  );
}

/** The machine of the plugin that was named, or one of the host's. */
async function sourceOf(options: CliOptions, io: Io): Promise<MachineSource> {
  const { ownMachine, pluginMachine } = await import('../diff/source.ts');
  if (options.plugin.length === 0) return ownMachine(options.machine ?? 'pc', options.device ?? []);
  if (options.machine !== undefined)
    throw hostError('USAGE', '--machine and --plugin both name the machine to compare: give one of them');
  const config = await readConfig(options, io);
  const plugins = await loadPlugins(pluginRequests(options, io, config));
  return pluginMachine(plugins, catalogOf(plugins, config));
}

async function reportOf(
  stand: Stand,
  { found, counts, unsteady, seconds }: Hunted,
  { seed = DEFAULT_SEED }: CliOptions,
): Promise<DiffReport> {
  return {
    version: 1,
    seed,
    backends: stand.names,
    devices: stand.devices,
    counts,
    unsteady,
    seconds,
    difference: found === undefined ? null : await differenceOf(stand, found, seed),
  };
}

async function differenceOf(
  { bound, registry, names, emulator }: Stand,
  found: Found,
  seed: number,
): Promise<DiffDifference> {
  const { caseOf, decoded, decodedAnswers } = await import('../diff/print.ts');
  const { requestOf } = await import('@qtest/sdk/backend');
  const { accesses, answers } = found;
  const steps = decoded(accesses, bound, registry);
  const both = decodedAnswers(found, bound, registry);
  const verb = found.failure === undefined ? ' answers' : ':';
  const told = names.map((name, n) => `${name}${verb} ${both[n]?.split('\n')[0]?.replace(/ +/, ' ')}`);
  const comment = `qtest diff --seed ${seed}: ${told.join(', ')}`;
  return {
    accesses: steps,
    answers,
    decoded: both,
    requests: accesses.map(requestOf),
    script: emulator?.backend.script?.(emulator.mapping.settings, emulator, accesses) ?? null,
    case: caseOf(found, `diff/seed-${seed}`, comment, steps, bound.blueprint),
  };
}

async function textOf(
  report: DiffReport,
  found: Found | undefined,
  { emulator, warnings }: Stand,
  options: CliOptions,
  io: Io,
): Promise<string> {
  const { linesOf } = await import('../diff/print.ts');
  const style = styleFor(io.stdout);
  const { backends, devices, counts, difference, unsteady, seconds, seed } = report;
  const [a, b] = backends;
  const build =
    emulator === undefined ? '' : ` (${emulator.backend.title} ${emulator.backend.version}, ${emulator.clock})`;
  const lines = [
    `${style('bold', `${a} and ${b}${build}`)}  seed ${seed}`,
    `  ${devices.join(', ')}`,
    ...warnings.map((warning) => `  left out: ${warning}`),
    '',
  ];
  const compared = [
    `${count(counts.answers, 'answer')} to ${count(counts.accesses, 'access', 'accesses')} compared in ${seconds.toFixed(2)} s`,
    ...(counts.moved > 0 ? [`${counts.moved} of them differed in what time moves`] : []),
    ...(counts.ignored > 0 ? [`${counts.ignored} with a known difference`] : []),
    ...(unsteady > 0 ? [`${unsteady} differed once and not again`] : []),
  ].join('; ');
  if (difference === null || found === undefined)
    return [...lines, style('green', 'No difference.'), compared, ''].join('\n');
  const [steps, last] = [difference.accesses.slice(0, -1), difference.accesses.slice(-1)];
  const width = Math.max(a.length, b.length);
  lines.push(
    style(
      'red',
      `A difference, in ${count(difference.accesses.length, 'access', 'accesses')} of ${found.before}, which were shrunk in ${count(found.tries, 'try', 'tries')}`,
    ),
    '',
    ...linesOf([...steps, ...last]).map((line) => `  ${line}`),
    ...difference.decoded.map(
      (text, n) => `    ${(backends[n] ?? '').padEnd(width)}  ${text.replaceAll('\n', '\n    ')}`,
    ),
    '',
  );
  if (difference.script !== null)
    lines.push(style('bold', `On ${emulator?.backend.title} alone`), '', ...indented(difference.script, '  '));
  lines.push(
    style('bold', 'As a case'),
    '',
    ...indented(difference.case, '  '),
    compared,
    `again: ${again(options)}`,
    '',
  );
  return lines.join('\n');
}

/** The command that does the same. */
function again({
  backends = [],
  qemu,
  plugin,
  machine,
  device = [],
  ignore = [],
  set = [],
  ...options
}: CliOptions): string {
  const each = (name: string, values: readonly (string | undefined)[]): string[] =>
    values.flatMap((value) => (value === undefined ? [] : [name, value]));
  return [
    ...['npx', 'qtest', 'diff'],
    ...each('--backend', backends.length === 0 ? [] : [backends.join(',')]),
    ...each('--qemu', [qemu]),
    ...each('--clock', [options.clock]),
    ...each('--plugin', plugin),
    ...each('--machine', [machine]),
    ...each('--device', device),
    ...each('--ignore', ignore),
    ...each('--set', set),
    ...['--seed', String(options.seed ?? DEFAULT_SEED), '--count', String(options.count ?? DEFAULT_COUNT)],
  ]
    .map(shellQuote)
    .join(' ');
}
