import type { ClockKind } from '@qtest/sdk';
import { isPlugin } from '@qtest/sdk/support';
import { fileURLToPath } from 'node:url';
import type { Schedule } from '../src/config/schedule.ts';
import { createHooks, type HookSet } from '../src/hooks.ts';
import { collectCases } from '../src/plugins/cases.ts';
import type { LoadedPlugin } from '../src/plugins/types.ts';
import type { CaseResult, SelectedCase } from '../src/report/events.ts';
import { KeptLane } from '../src/runner/kept-lane.ts';
import { Lane } from '../src/runner/lane.ts';
import { runCase, type CaseOptions } from '../src/runner/run-case.ts';
import { runScheduled } from '../src/runner/scheduled.ts';
import { catalogOf } from '../src/plugins/devices.ts';

/** How a plugin's cases are to be run. */
export interface Settings {
  readonly clock?: ClockKind;
  readonly schedule?: 'seeded' | 'free';
  readonly hooks?: HookSet;
  readonly stallLimit?: number;
}

interface RunSettings {
  readonly timeout?: bigint;
  readonly signal?: AbortSignal;
}

/** A plugin of `host/testing/plugins`, on a machine of its own, its VCPUs on threads of their own: as the command runs it. */
export class PluginRun {
  readonly #plugin: LoadedPlugin;
  readonly #settings: Settings;
  readonly #hooks: HookSet;
  readonly #lane: KeptLane<Lane>;

  private constructor(plugin: LoadedPlugin, settings: Settings) {
    this.#plugin = plugin;
    this.#settings = settings;
    this.#hooks = settings.hooks ?? createHooks();
    const { schedule, stallLimit = 5_000_000 } = settings;
    this.#lane = new KeptLane((clock) =>
      Lane.create({
        plugin,
        clock,
        hooks: this.#hooks,
        known: catalogOf([plugin]),
        stallLimit,
        ...(schedule !== undefined && { schedule }),
      }),
    );
  }

  static async load(name: string, settings: Settings = {}): Promise<PluginRun> {
    const { href } = new URL(`./plugins/${name}.ts`, import.meta.url);
    const { default: plugin }: { default: unknown } = await import(href);
    if (!isPlugin(plugin)) throw new Error(`${name} is no plugin`);
    const root = fileURLToPath(new URL('./plugins', import.meta.url));
    return new PluginRun(
      {
        name: plugin.name,
        description: plugin.description,
        spec: name,
        url: href,
        root,
        plugin,
        options: {},
        cases: collectCases(plugin),
      },
      settings,
    );
  }

  /** The machine of the last case; a new one when that was given up. */
  lane(): Promise<Lane> {
    return this.#lane.get(this.#settings.clock ?? 'virtual');
  }

  async run(name: string, { seed = 1, ...given }: RunSettings & { readonly seed?: number } = {}): Promise<CaseResult> {
    const lane = await this.lane();
    return runCase(lane, this.#selected(lane, name), { ...this.#options(given), seed });
  }

  /** As the command runs it with `--schedule`. */
  async scheduled(name: string, schedule: Schedule, given: RunSettings = {}): Promise<CaseResult> {
    const lane = await this.lane();
    return runScheduled(lane, this.#selected(lane, name), this.#options(given), schedule);
  }

  #selected(lane: Lane, name: string): SelectedCase {
    const item = this.#plugin.cases.find((candidate) => candidate.name === name);
    if (item === undefined) throw new Error(`${this.#plugin.name} has no case ${name}`);
    return { plugin: this.#plugin.name, name, clock: lane.context.clock, vcpus: item.vcpus };
  }

  #options({ timeout = 20_000_000_000n, signal = new AbortController().signal }: RunSettings): CaseOptions {
    return { hooks: this.#hooks, timeout, failOn: [], root: this.#plugin.root, signal };
  }

  async dispose(): Promise<void> {
    await this.#lane.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
