import { resolve } from 'node:path';

import { isQtestError, type BackendName } from '@qtest/sdk';

import type { Backend, CaseLane } from '../runner/backend.ts';
import { cellOf, differing, isUnexpected, keyOf, type Cell, type Difference, type Row } from '../compat/matrix.ts';
import { settingsOf, type Settings } from '../config/settings.ts';
import { hostError, messageOf, readBounded } from '@qtest/sdk/support';
import { writeWhole } from '../files/partial-file.ts';
import { whyNotWritten } from '../files/why-not-written.ts';
import type { HookSet } from '../hooks.ts';
import type { Reporter, SelectedCase } from '../report/events.ts';
import { styleFor, print } from '../report/style.ts';
import { backendNamed, tappedHooks, backendsThere, checkNames } from './backends.ts';
import { catchInterrupts, INTERRUPTED } from './interrupt.ts';
import type { Io } from './io.ts';
import type { CliOptions } from './options.ts';
import { prepare, type Prepared } from './prepare.ts';
import { selectCases, type Selection } from '../plugins/select.ts';
import { catchStrays } from './strays.ts';

/** Runs that a case gets beyond the first when it fails: a busy host is late for some. */
const RETRIES = 2;

/** What `qtest compat --json` writes. Version 1 gains keys and loses none. */
export interface CompatReport {
  readonly version: 1;
  readonly interrupted: boolean;
  readonly backends: readonly { readonly name: BackendName; readonly version?: string }[];
  readonly cases: readonly Row[];
  /** What belongs to no case. */
  readonly warnings: readonly string[];
}

/** `qtest compat`: runs the cases on several backends, and shows where they differ, and why. */
export async function compat(options: CliOptions, io: Io): Promise<number> {
  const prepared = await prepare(options, io);
  const { into } = options;
  const [plugin, ...others] = prepared.plugins;
  if (into !== undefined && others.length > 0)
    throw hostError(
      'USAGE',
      `--into ${into}: a README has the matrix of one plugin, and there are ${others.length + 1}`,
    );
  const readme = into === undefined ? undefined : await readReadme(resolve(io.cwd, into));
  const run = new Comparison(prepared, options, io);
  await run.findBackends();
  const interrupt = catchInterrupts(io);
  const strays = catchStrays((message) => run.warn(message));
  try {
    await run.runAll(interrupt.signal);
    // A README has no room for traces.
    const explains = options.markdown !== true && into === undefined;
    const rows = await run.rows(interrupt.signal, explains);
    if (interrupt.signal.aborted) run.warn('interrupted: the cases that were left have been skipped');
    if (readme !== undefined && into !== undefined && !interrupt.signal.aborted) {
      const { insertMatrix, markdownOf } = await import('../compat/markdown.ts');
      const own = rows.filter((row) => row.plugin === plugin?.name);
      writeReadme(into, insertMatrix(readme, markdownOf(own, run.backends)), io);
    }
    await report(rows, run, options, io, interrupt.signal.aborted);
    if (interrupt.signal.aborted) return INTERRUPTED;
    const hasFailed = rows.some(({ cells }) => Object.values(cells).some(isUnexpected));
    return hasFailed || run.hooksFailed || strays.count > 0 ? 1 : 0;
  } finally {
    strays.release();
    interrupt.release();
  }
}

/** Bytes of a README. */
const MAX_README = 2 ** 24;

async function readReadme(file: string): Promise<string> {
  try {
    const readme = readBounded(file, MAX_README).toString();
    // Before the cases run, rather than after.
    (await import('../compat/markdown.ts')).insertMatrix(readme, '');
    return readme;
  } catch (error) {
    throw hostError('USAGE', `--into ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** @throws REPORT when it can't be written. */
function writeReadme(into: string, text: string, { cwd }: Io): void {
  try {
    writeWhole(resolve(cwd, into), text);
  } catch (error) {
    throw hostError('REPORT', `--into ${into} can't be written: ${whyNotWritten(error)}`, { cause: error });
  }
}

async function report(
  rows: readonly Row[],
  { backends, warnings }: Comparison,
  options: CliOptions,
  io: Io,
  interrupted: boolean,
): Promise<void> {
  const columns = backends.map(({ name, version }) => ({ name, ...(version !== undefined && { version }) }));
  if (options.json === true) {
    const { jsonText } = await import('../report/json-text.ts');
    const document: CompatReport = { version: 1, interrupted, backends: columns, cases: rows, warnings };
    io.stdout.write(`${jsonText(document)}\n`);
    return;
  }
  for (const warning of warnings) print(io.stderr, `qtest: warning: ${warning}\n`);
  if (options.markdown === true) {
    const { markdownOf } = await import('../compat/markdown.ts');
    for (const plugin of new Set(rows.map((row) => row.plugin)))
      print(
        io.stdout,
        `${markdownOf(
          rows.filter((row) => row.plugin === plugin),
          columns,
        )}\n`,
      );
    return;
  }
  const { writeMatrix } = await import('../compat/text.ts');
  writeMatrix(rows, columns, { output: io.stdout, style: styleFor(io.stdout) });
}

/** A run of the same cases on several backends. */
class Comparison {
  readonly warnings: string[] = [];
  hooksFailed = false;
  #backends: readonly Backend[] = [];
  readonly #prepared: Prepared;
  readonly #options: CliOptions;
  readonly #io: Io;
  readonly #settings: Settings;
  readonly #selections = new Map<BackendName, Selection>();
  readonly #hooks = new Map<BackendName, HookSet>();
  readonly #results = new Map<BackendName, Map<string, Cell>>();

  constructor(prepared: Prepared, options: CliOptions, io: Io) {
    this.#prepared = prepared;
    this.#options = options;
    this.#io = io;
    this.#settings = settingsOf(prepared.config, options);
  }

  get backends(): readonly Backend[] {
    return this.#backends;
  }

  warn(message: string): void {
    this.warnings.push(message);
  }

  /** Those that were named; without names, all that can be used. */
  async findBackends(): Promise<void> {
    const { backends: named } = this.#options;
    const { file } = this.#prepared;
    const { cwd } = this.#io;
    const places = { settings: this.#settings, file, options: this.#options, cwd };
    const found: Backend[] = [];
    const there = named ?? backendsThere(file, cwd);
    for (const name of there) {
      try {
        found.push(await backendNamed(name, places));
      } catch (error) {
        if (named !== undefined || !isQtestError(error)) throw error;
        this.warn(`the backend ${name} is left out: ${error.message}`);
      }
    }
    if (named !== undefined) checkNames(found, named);
    this.#backends = found;
    if (there.length === 1 && named === undefined)
      this.warn('no other backend is installed (npm install --save-dev @qtest/backend-qemu, for one)');
  }

  /** Runs the cases on one backend after another. */
  async runAll(signal: AbortSignal): Promise<void> {
    for (const backend of this.#backends) {
      const { plugins } = this.#prepared;
      const selection = await selectCases(plugins, {
        patterns: this.#options.test,
        clock: this.#options.clock,
        defaultClock: this.#settings.clock,
        backend,
      });
      if (this.#selections.size === 0)
        for (const pattern of selection.unmatched) this.warn(`-t '${pattern}' matched no case`);
      const hooks = await tappedHooks(plugins);
      const { file } = this.#prepared;
      const { clock, jobs, timeout } = this.#settings;
      await hooks.configResolved.promise({ file, plugins: plugins.map(({ name }) => name), clock, jobs, timeout });
      this.#selections.set(backend.name, selection);
      this.#hooks.set(backend.name, hooks);
      this.#results.set(backend.name, await this.#runOn(backend, selection, hooks, signal));
    }
  }

  async #runOn(
    backend: Backend,
    { selected, skipped }: Selection,
    hooks: HookSet,
    signal: AbortSignal,
  ): Promise<Map<string, Cell>> {
    const { runCases } = await import('../runner/runner.ts');
    const cells = new Map<string, Cell>();
    const reporter: Reporter = {
      caseEnd: (result) => void cells.set(keyOf(result), cellOf(result)),
      warning: (message) => this.warn(message),
      done: () => {},
    };
    const { plugins, catalog } = this.#prepared;
    const run = {
      ...this.#settings,
      trace: 'off',
      retries: RETRIES,
      backend,
      plugins,
      catalog,
      hooks,
      reporter,
      signal,
    } as const;
    const summary = await runCases({ ...run, selected, skipped });
    try {
      await hooks.done.promise(summary);
    } catch (error) {
      this.hooksFailed = true;
      this.warn(messageOf(error));
    }
    return cells;
  }

  /** The matrix. With `explains` the cases that differ are run once more, and their accesses compared. */
  async rows(signal: AbortSignal, explains: boolean): Promise<readonly Row[]> {
    const [cases = []] = [...this.#selections.values()].map((selection) => selection.cases);
    const rows: Row[] = [];
    for (const { plugin, name } of cases) {
      const cells: Record<BackendName, Cell> = {};
      for (const [backend, results] of this.#results) {
        const cell = results.get(keyOf({ plugin, name }));
        if (cell !== undefined) cells[backend] = cell;
      }
      const differences: Difference[] = [];
      for (const { reference, other } of explains ? differing(cells, this.#backends) : []) {
        if (signal.aborted) break;
        const found = await this.#explain({ plugin, name }, reference, other, signal);
        if (found !== undefined) differences.push(found);
      }
      rows.push({ plugin, name, cells, differences });
    }
    return rows;
  }

  async #explain(
    wanted: { readonly plugin: string; readonly name: string },
    reference: BackendName,
    other: BackendName,
    signal: AbortSignal,
  ): Promise<Difference | undefined> {
    const theirs = this.#selected(wanted, other);
    const plugin = this.#prepared.plugins.find(({ name }) => name === wanted.plugin);
    const found = plugin?.cases.find(({ name }) => name === wanted.name);
    if (theirs === undefined || plugin === undefined || found === undefined) return undefined;
    // On the clock of the other, if the reference has it: what depends on the time should depend on the same.
    const clocks = this.#backends.find(({ name }) => name === reference)?.clocks ?? [];
    const ours = clocks.includes(theirs.clock) ? theirs : this.#selected(wanted, reference);
    if (ours === undefined) return undefined;
    const { explain } = await import('../compat/explain.ts');
    const lanes: CaseLane[] = [];
    try {
      const lane = async (name: BackendName, selected: SelectedCase): Promise<CaseLane> => {
        const made = await this.#lane(name, selected);
        lanes.push(made);
        return made;
      };
      const { failOn, timeout } = this.#settings;
      const hooks = this.#hooks.get(reference);
      if (hooks === undefined) return undefined;
      return await explain(
        { lane: await lane(reference, ours), selected: ours },
        { lane: await lane(other, theirs), selected: theirs },
        { hooks, timeout: found.timeout ?? timeout, failOn, root: plugin.root, signal },
      );
    } catch (error) {
      this.warn(`${wanted.plugin} › ${wanted.name}: its difference on ${other} cannot be traced: ${messageOf(error)}`);
      return undefined;
    } finally {
      for (const made of lanes) await made.dispose();
    }
  }

  #selected({ plugin, name }: { plugin: string; name: string }, backend: BackendName): SelectedCase | undefined {
    return this.#selections.get(backend)?.cases.find((item) => item.plugin === plugin && item.name === name);
  }

  async #lane(name: BackendName, { plugin: owner, clock }: SelectedCase): Promise<CaseLane> {
    const { plugins, catalog: known } = this.#prepared;
    const plugin = plugins.find((loaded) => loaded.name === owner);
    const backend = this.#backends.find((candidate) => candidate.name === name);
    const hooks = this.#hooks.get(name);
    if (plugin === undefined || backend === undefined || hooks === undefined) throw new Error(`no lane for ${name}`);
    const { stallLimit } = this.#settings;
    return await backend.createLane({ plugin, clock, hooks, known, stallLimit });
  }
}
