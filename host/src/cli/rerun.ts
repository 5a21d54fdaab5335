import { shellQuote } from '../report/format.ts';
import type { CaseResult } from '../report/events.ts';
import type { CliOptions } from './options.ts';

export interface RerunContext {
  readonly options: CliOptions;
  /** How the command line names each plugin, by the plugin's own name. */
  readonly specs: ReadonlyMap<string, string>;
  /** Plugins without cases: they extend the host, so that a case may behave otherwise without them. */
  readonly extensions: readonly string[];
}

/** A duration as the command line takes it, exactly. */
export function durationText(ns: bigint): string {
  if (ns % 1_000_000_000n === 0n) return `${ns / 1_000_000_000n}s`;
  return ns % 1_000_000n === 0n ? `${ns / 1_000_000n}ms` : `${ns}ns`;
}

/** The command that runs one case again as it was run. */
export function rerunCommand(
  { plugin, name, schedule }: Pick<CaseResult, 'plugin' | 'name' | 'schedule'>,
  { options, specs, extensions }: RerunContext,
): string {
  const plugins = [...extensions, plugin].map((own) => specs.get(own) ?? own);
  const words = ['npx', 'qtest', ...plugins.flatMap((spec) => ['--plugin', spec]), '-t', name];
  if (options.config === false) words.push('--no-config');
  else if (options.config !== undefined) words.push('--config', options.config);
  if (options.backend !== undefined) words.push('--backend', options.backend);
  if (options.qemu !== undefined) words.push('--qemu', options.qemu);
  if (options.clock !== undefined) words.push('--clock', options.clock);
  if (options.timeout !== undefined) words.push('--timeout', durationText(options.timeout));
  // Whatever the config and the command said: the seed that this is about.
  if (schedule !== undefined) words.push('--schedule', String(schedule));
  return words.map(shellQuote).join(' ');
}
