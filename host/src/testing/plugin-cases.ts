import { fileURLToPath } from 'node:url';

import type { ClockKind } from '@qtest/sdk';

import type { CaseLane } from '../runner/backend.ts';
import { settingsOf, type Settings } from '../config/settings.ts';
import { applyPlugin, createHooks, type HookSet } from '../hooks.ts';
import { isOwnFrame } from '@qtest/sdk/support';
import '../own-files.ts';
import { loadPlugins } from '../plugins/load.ts';
import { selectCases } from '../plugins/select.ts';
import type { LoadedPlugin } from '../plugins/types.ts';
import type { CaseResult, SelectedCase } from '../report/events.ts';
import { catalogOf } from '../plugins/devices.ts';
import { KeptLane } from '../runner/kept-lane.ts';
import { native } from '../runner/lane.ts';
import { runScheduled } from '../runner/scheduled.ts';

/** Wall time that a test has beyond its case's, ms: the case's own time-out says more than a test runner's. */
const GRACE = 15_000;

/** Options of `pluginCases()`. */
export interface PluginCasesOptions {
  /** The plugin's options, as a config gives them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The clock of the machines. Cases that need the other one are skipped. Default: each case's own clock, or the virtual one. */
  readonly clock?: ClockKind;
  /** Events that fail a case: `guestError`, `unimplemented`. */
  readonly failOn?: readonly string[];
}

/** A case as a test. */
export interface TestCase {
  /** A path: `periodic/drift`. */
  readonly name: string;
  /** The time in milliseconds that the test runner must wait at least. */
  readonly timeout: number;
  /**
   * Runs the case on a machine as `init()` left it.
   * @param context what the test runner gives to a test. Its `skip` reports a case that is skipped.
   * @throws a `CaseError` when the case does not pass.
   */
  readonly run: (context: { skip(reason: string): unknown }) => Promise<void>;
}

/** A plugin's cases. `dispose` ends the machine and the threads that they run on. */
export interface PluginCases extends AsyncDisposable {
  /** The plugin's name. */
  readonly name: string;
  readonly cases: readonly TestCase[];
  readonly dispose: () => Promise<void>;
}

/** The error of a case that did not pass. Its stack is that of what the case threw, so a test runner shows that line. */
export class CaseError extends Error {
  override readonly name = 'CaseError';
  /** Everything that the command would report. */
  readonly result: CaseResult;
  readonly actual?: string;
  readonly expected?: string;

  constructor(result: CaseResult) {
    super(messageOf(result));
    this.result = result;
    const [failure] = result.failures;
    const frames = framesOf(failure?.stack ?? '');
    if (frames.length > 0) this.stack = [`CaseError: ${this.message}`, ...frames].join('\n');
    if (failure?.actual === undefined || failure.expected === undefined) return;
    this.actual = failure.actual;
    this.expected = failure.expected;
  }

  /** What a runner may show beside the message. The message has told the rest. */
  toJSON(): object {
    const { actual, expected } = this;
    return actual === undefined ? {} : { actual, expected };
  }
}

/** The frames of a stack, without the host's own. */
function framesOf(stack: string): readonly string[] {
  return stack.split('\n').filter((line) => line.startsWith('    at ') && !isOwnFrame(line));
}

/**
 * Gives the cases of a plugin as tests, for any test runner. They run as the command runs them, on their own threads, one at a time.
 * The hooks `configResolved`, `report` and `done` are not called: they belong to the command.
 * @param plugin the URL of its module: `new URL('./index.ts', import.meta.url)`.
 * @throws what loading the plugin throws.
 * @example
 * const clock = await pluginCases(new URL('./clock.ts', import.meta.url));
 * for (const { name, run, timeout } of clock.cases) test(name, run, timeout);
 * afterAll(clock.dispose);
 */
export async function pluginCases(plugin: URL, given: PluginCasesOptions = {}): Promise<PluginCases> {
  const { options, clock, failOn } = given;
  const spec = fileURLToPath(plugin);
  const from = fileURLToPath(new URL('.', plugin));
  const [loaded] = await loadPlugins([{ spec, from, ...(options !== undefined && { options }) }]);
  if (loaded === undefined) throw new Error(`${spec} was not loaded`);
  const settings = settingsOf({}, { ...(clock !== undefined && { clock }), ...(failOn !== undefined && { failOn }) });
  const selection = await selectCases([loaded], { patterns: [], clock, defaultClock: 'virtual', backend: native });
  const machines = new Machines(loaded, settings);
  const reasons = new Map(selection.skipped.map(({ case: { name }, reason }) => [name, reason]));
  const dispose = (): Promise<void> => machines.dispose();
  return {
    name: loaded.name,
    cases: selection.cases.map((selected) => ({
      name: selected.name,
      timeout: Number(machines.timeoutOf(selected) / 1_000_000n) + GRACE,
      run: async (context) => {
        const reason = reasons.get(selected.name);
        if (reason !== undefined) return void context.skip(reason);
        const result = await machines.run(selected);
        if (result.status === 'skip') return void context.skip(result.reason ?? '');
        if (result.status !== 'pass' && result.status !== 'known') throw new CaseError(result);
      },
    })),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Runs cases one at a time: a test runner may start several at once. */
class Machines {
  readonly #plugin: LoadedPlugin;
  readonly #settings: Settings;
  readonly #hooks: HookSet = createHooks();
  readonly #lane: KeptLane<CaseLane>;
  /** The case before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(plugin: LoadedPlugin, settings: Settings) {
    this.#plugin = plugin;
    this.#settings = settings;
    applyPlugin(this.#hooks, plugin);
    const known = catalogOf([plugin]);
    const { stallLimit } = settings;
    this.#lane = new KeptLane((clock) => native.createLane({ plugin, clock, hooks: this.#hooks, known, stallLimit }));
  }

  timeoutOf({ name }: SelectedCase): bigint {
    const found = this.#plugin.cases.find((item) => item.name === name);
    return found?.timeout ?? this.#settings.timeout;
  }

  run(selected: SelectedCase): Promise<CaseResult> {
    const result = this.#last.then(() => this.#runNow(selected));
    this.#last = result.catch(() => {});
    return result;
  }

  async dispose(): Promise<void> {
    await this.#last;
    await this.#lane.dispose();
  }

  async #runNow(selected: SelectedCase): Promise<CaseResult> {
    const plugin = this.#plugin;
    const { schedule, failOn } = this.#settings;
    const expect = plugin.cases.find(({ name }) => name === selected.name)?.expect?.native;
    const { signal } = new AbortController();
    const timeout = this.timeoutOf(selected);
    return await runScheduled(
      await this.#lane.get(selected.clock),
      selected,
      { hooks: this.#hooks, timeout, failOn, root: plugin.root, signal, expect },
      schedule,
    );
  }
}

/** What happened, and what the VCPU did before. */
function messageOf({ status, failures, log, notes, accesses }: CaseResult): string {
  const told = failures.map(
    ({ name, message, vcpu }) => `${vcpu === undefined ? '' : `VCPU ${vcpu}: `}${name}: ${message}`,
  );
  const parts = [
    ['', told.length === 0 ? [status] : told],
    ['log', log],
    ['last accesses', accesses],
    ['notes', notes],
  ] as const;
  return parts
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) =>
      title === '' ? lines.join('\n') : [title, ...lines.map((line) => `  ${line}`)].join('\n'),
    )
    .join('\n\n');
}
