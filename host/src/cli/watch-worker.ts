import { enableCompileCache } from 'node:module';

import { beforeForeign } from '../foreign/foreign.ts';
import { EventReporter } from '../report/broadcast.ts';
import { titleOf } from '../report/format.ts';
import { isBad } from '../report/marks.ts';
import { guardStandardStreams } from '@qtest/sdk/support';
import { startWatchdog } from '../foreign/watchdog.ts';
import { ModuleGraph } from '../watch/graph.ts';
import type { Order, Report, Wanted } from '../watch/messages.ts';
import { keepListening } from './interrupt.ts';
import type { CliOptions } from './options.ts';
import type { Prepared } from './prepare.ts';
import type { Selection } from '../plugins/select.ts';

/**
 * The process that runs the cases of `qtest --watch`, once. A module can't be loaded anew in a process that has loaded it; so there is
 * another for each run, which has loaded the host, and waits, when it is told what to run.
 */

enableCompileCache();
guardStandardStreams('qtest');
keepListening();
beforeForeign(startWatchdog);
const since = Date.now();
const graph = new ModuleGraph();
graph.record();

function tell(report: Report): void {
  process.send?.(report);
}

// Whoever has started it is gone.
process.on('disconnect', () => process.exit());
const ordered = new Promise<Order<CliOptions>>((resolve) => process.once('message', resolve));

const { run } = await import('./run.ts');
const { explain } = await import('./fail.ts');
// What nearly every run needs.
await Promise.all([import('../runner/runner.ts'), import('../runner/lane.ts'), import('../report/spec.ts')]);
tell({ type: 'ready', files: graph.files(), since });
await obey(await ordered);

async function obey({ options, cwd, wanted }: Order<CliOptions>): Promise<void> {
  const io = { cwd, stdout: process.stdout, stderr: process.stderr };
  const reporter = new EventReporter((event) => {
    if (event.type === 'caseEnd' && event.result.status !== 'skip')
      tell({ type: 'case', title: titleOf(event.result), isBad: isBad(event.result) });
  });
  const started = Date.now();
  const loaded = (isWhole: boolean, more: readonly string[] = []): void =>
    tell({ type: 'loaded', files: [...graph.files(), ...more], since: started, isWhole });
  const narrow = async (selection: Selection, prepared: Prepared): Promise<Selection> => {
    loaded(true, prepared.file === undefined ? [] : [prepared.file]);
    tell({ type: 'cases', titles: prepared.plugins.flatMap(titlesOf) });
    return await narrowed(selection, prepared, wanted);
  };
  try {
    await run(options, io, undefined, { narrow, reporter });
  } catch (error) {
    loaded(false, configFile(options));
    explain(error, io);
  }
  // What a plugin has left running is not waited for.
  process.stdout.write('', () => process.stderr.write('', () => process.disconnect()));
}

function titlesOf({ name: plugin, cases }: Prepared['plugins'][number]): string[] {
  return cases.map(({ name }) => titleOf({ plugin, name }));
}

/** A config that could not be read is waited for. */
function configFile({ config }: CliOptions): string[] {
  return typeof config === 'string' ? [config] : [];
}

async function narrowed(
  selection: Selection,
  { plugins, file }: Prepared,
  { changed, titles, plugin: pattern }: Wanted,
): Promise<Selection> {
  const files = new Map(plugins.map(({ name, url }) => [name, graph.filesOf(url)]));
  const isAnybodys = (path: string): boolean => path !== file && [...files.values()].some((own) => own.has(path));
  const touched = plugins.filter(({ name }) => changed?.some((path) => files.get(name)?.has(path) === true));
  // One that taps hooks, and one that has no cases, is there for the cases of others.
  const isForOthers = touched.some(({ plugin, cases }) => plugin.apply !== undefined || cases.length === 0);
  const isForAll = changed === undefined || isForOthers || !changed.every(isAnybodys);
  const names = new Set((isForAll ? plugins : touched).map(({ name }) => name));
  const match =
    pattern === undefined ? undefined : await (await import('../plugins/patterns.ts')).matcher([pattern], [...names]);
  const keep = (one: Selection['cases'][number]): boolean =>
    names.has(one.plugin) &&
    match?.test(one.plugin) !== false &&
    (titles === undefined || titles.includes(titleOf(one)));
  return {
    ...selection,
    cases: selection.cases.filter(keep),
    selected: selection.selected.filter(keep),
    skipped: selection.skipped.filter((one) => keep(one.case)),
  };
}
