import { setImmediate } from 'node:timers/promises';

import type { AnyDeviceDefinition, CaseStatus } from '@qtest/sdk';

import { isInterruption } from '../foreign/bounded.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ContractCheck } from '../contract/contract.ts';
import { hostError, didYouMean } from '@qtest/sdk/support';
import { loadPlugins } from '../plugins/load.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { CaseResult, Reporter, SelectedCase } from '../report/events.ts';
import { shellQuote } from '../report/format.ts';
import { Unfinished } from '../report/unfinished.ts';
import { setLastWords } from '../foreign/watchdog.ts';
import { catchInterrupts, INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { nothingToRun, pluginRequests, readConfig } from './prepare.ts';
import { durationText } from './rerun.ts';

/** The name under which the host's own devices are reported. */
const HOST = 'qtest';

/** A device to be checked, and whose it is. */
interface Subject {
  readonly definition: AnyDeviceDefinition;
  readonly owner: LoadedPlugin | undefined;
}

/** `qtest contract`: holds devices to the contract that every device has to keep. */
export async function contract(options: CliOptions, io: Io): Promise<number> {
  if (options.clock === 'realtime')
    throw hostError('USAGE', "'contract' runs on the virtual clock: leave out --clock realtime");
  const { device: types = [] } = options;
  const config = await readConfig(options, io);
  const requests = pluginRequests(options, io, config);
  if (requests.length === 0 && types.length === 0)
    throw hostError(
      'USAGE',
      `${nothingToRun(config.file)}\n  or a device of the host:   qtest contract --device i8254`,
    );
  const plugins = await loadPlugins(requests);
  const subjects = await select(plugins, types, config);
  const checks = await checksOf(subjects, plugins, options);
  const { cases, unmatched } = await matching(checks, options);
  const reporter = await makeReporter(options, io, plugins);
  for (const pattern of unmatched) reporter.warning?.(`-t '${pattern}' matched no check`);
  return await runAll(cases, reporter, io);
}

/** The devices of the plugins, or those of the types that were named, the host's own and those of device packages included. */
async function select(
  plugins: readonly LoadedPlugin[],
  types: readonly string[],
  config: LoadedConfig,
): Promise<readonly Subject[]> {
  const own = new Map<string, Subject>();
  for (const owner of plugins) {
    for (const definition of owner.plugin.devices ?? [])
      if (!own.has(definition.schema.type)) own.set(definition.schema.type, { definition, owner });
  }
  if (types.length === 0) {
    if (own.size > 0) return [...own.values()];
    const loaded = plugins.map(({ name }) => name).join(', ');
    throw hostError(
      'NO_CASES',
      `no devices: the plugins that were loaded (${loaded}) bring none: list them in 'devices' of definePlugin(), or name one of the host's, as --device i8254`,
    );
  }
  const { catalogOf } = await import('../plugins/devices.ts');
  const all = new Map<string, Subject>(
    [...catalogOf(plugins, config)].map(([type, { definition }]) => [type, { definition, owner: undefined }]),
  );
  for (const [type, subject] of own) all.set(type, subject);
  return [...new Set(types)].map((type) => {
    const found = all.get(type);
    if (found !== undefined) return found;
    const known = [...all.keys()];
    throw hostError(
      'USAGE',
      `--device '${type}': there is no such type.${didYouMean(type, known)} Known are ${known.toSorted().join(', ')}`,
    );
  });
}

/** A check as a case. */
interface Check {
  readonly selected: SelectedCase;
  readonly run: ContractCheck['run'];
  /** Where what the device throws is looked for. */
  readonly root: string;
}

async function checksOf(
  subjects: readonly Subject[],
  plugins: readonly LoadedPlugin[],
  { seed = 1, timeout }: CliOptions,
): Promise<readonly Check[]> {
  const { deviceContract } = await import('../contract/contract.ts');
  const devices = plugins.flatMap(({ plugin }) => plugin.devices ?? []);
  return subjects.flatMap(({ definition, owner }) =>
    deviceContract(definition, { devices, seed, ...(timeout !== undefined && { timeout }) }).map(({ name, run }) => ({
      selected: {
        plugin: owner?.name ?? HOST,
        name: `${definition.schema.type}/${name}`,
        clock: 'virtual',
        vcpus: 1,
      },
      run,
      root: owner?.root ?? '',
    })),
  );
}

async function matching(
  checks: readonly Check[],
  { test }: CliOptions,
): Promise<{ cases: readonly Check[]; unmatched: readonly string[] }> {
  if (test.length === 0) return { cases: checks, unmatched: [] };
  const { matcher } = await import('../plugins/patterns.ts');
  const match = await matcher(
    test,
    checks.map(({ selected }) => selected.name),
  );
  const cases = checks.filter(({ selected }) => match.test(selected.name));
  if (cases.length > 0) return { cases, unmatched: match.unmatched };
  const given = test.map((pattern) => `-t '${pattern}'`).join(' ');
  throw hostError(
    'NO_CASES',
    `no checks matched ${given}; there are ${checks.length}, as '${checks[0]?.selected.name}'`,
  );
}

async function runAll(cases: readonly Check[], given: Reporter, io: Io): Promise<number> {
  const { describeFailure } = await import('../runner/failure.ts');
  const interrupt = catchInterrupts(io);
  const { signal } = interrupt;
  const reporter = new Unfinished(given);
  setLastWords((message, isInterrupted) => reporter.close(message, isInterrupted));
  const started = performance.now();
  const counts: Record<CaseStatus, number> = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0 };
  const report = (result: CaseResult): void => {
    counts[result.status]++;
    reporter.caseEnd(result);
  };
  try {
    reporter.runStart?.(cases.map(({ selected }) => selected));
    for (const { selected, run, root } of cases) {
      // A check keeps this thread to itself: in between it sees signals, and draws.
      await setImmediate();
      const begun = performance.now();
      const empty = { log: [], failures: [], accesses: [], notes: [] };
      if (signal.aborted) {
        report({ ...selected, ...empty, status: 'skip', duration: 0, reason: 'interrupted' });
        continue;
      }
      reporter.caseStart?.(selected);
      try {
        run();
        report({ ...selected, ...empty, status: 'pass', duration: performance.now() - begun });
      } catch (error) {
        if (isInterruption(error)) {
          report({ ...selected, ...empty, status: 'skip', duration: 0, reason: 'interrupted' });
          continue;
        }
        const failures = [describeFailure(error, root)];
        report({ ...selected, ...empty, status: 'fail', duration: performance.now() - begun, failures });
      }
    }
    reporter.done({ ...counts, duration: performance.now() - started }, { interrupted: signal.aborted });
  } finally {
    setLastWords(undefined);
    interrupt.release();
  }
  if (signal.aborted) return INTERRUPTED;
  return counts.fail === 0 ? 0 : 1;
}

async function makeReporter(options: CliOptions, io: Io, plugins: readonly LoadedPlugin[]): Promise<Reporter> {
  if (options.json === true) {
    const { JsonReporter } = await import('../report/json.ts');
    return new JsonReporter(io.stdout);
  }
  const { SpecReporter } = await import('../report/spec.ts');
  return new SpecReporter({
    output: io.stdout,
    cwd: io.cwd,
    descriptions: new Map([
      ...plugins.map(({ name, description }) => [name, description] as const),
      [HOST, "the host's own devices"] as const,
    ]),
    rerun: ({ name }) => rerunCommand(name, options),
  });
}

/** The command that runs one check again. */
function rerunCommand(name: string, options: CliOptions): string {
  const words = ['npx', 'qtest', 'contract', ...options.plugin.flatMap((spec) => ['--plugin', spec])];
  words.push('--device', name.split('/')[0] ?? name, '-t', name, '--seed', String(options.seed ?? 1));
  if (options.config === false) words.push('--no-config');
  else if (options.config !== undefined) words.push('--config', options.config);
  if (options.timeout !== undefined) words.push('--timeout', durationText(options.timeout));
  return words.map(shellQuote).join(' ');
}
