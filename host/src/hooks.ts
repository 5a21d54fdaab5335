import type {
  CaseEnd,
  CaseStart,
  GuestEvent,
  HostHooks,
  IrqEvent,
  MachineBuilder,
  MachineContext,
  MachineReady,
  Plugin,
  ReportEvent,
  ResolvedConfig,
  RunSummary,
  Tick,
  VcpuStart,
} from '@qtest/sdk';
import { AsyncSeriesHook, SyncHook } from 'tapable';

import { hostError, messageOf } from '@qtest/sdk/support';
import { awaitForeign, callForeign, foreignBound, isInterruption, isThenable } from './foreign/bounded.ts';
import type { Foreign } from './foreign/foreign.ts';

/** Longest that a tap is waited for, ms. */
const TAP_BOUND = 10_000;

/** What is noted down of each tap. */
interface Origin {
  readonly plugin: string;
}

type Series<T> = AsyncSeriesHook<T, Origin>;
type Sync<T> = SyncHook<T, void, Origin>;

/**
 * Every hook of the host, as the host calls it: `isUsed()`, `promise(…)`, `call(…)`. All run on the host's main thread,
 * the taps of each in the order of the plugins. An error in a tap comes out as HOOK, naming plugin and hook, and the taps
 * after it are not called.
 */
export interface HookSet extends HostHooks {
  /** Once, when config and plugins are loaded, before the first machine. Changes nothing. An error ends the command. */
  readonly configResolved: Series<[ResolvedConfig]>;
  /** For each machine, after the plugin's `init()`, before it is sealed. May add devices, memory and wiring. An error fails the plugin's cases. */
  readonly machineInit: Series<[MachineBuilder, MachineContext]>;
  /** For each machine, sealed and reset, before its first VCPU. Changes nothing. An error fails the plugin's cases. */
  readonly machineReady: Series<[MachineReady]>;
  /** Before each case, and each seed that it is tried with, its machine pristine, no VCPU running. May skip the case. An error fails it. */
  readonly caseStart: Series<[CaseStart]>;
  /** Before each VCPU of a case. May refuse it. An error fails the case. */
  readonly vcpuStart: Series<[VcpuStart]>;
  /** Each instant at which a timer fired, lock released: the virtual clock waits for it, the real one puts instants together. Changes nothing. */
  readonly tick: Sync<[Tick]>;
  /** Each change of an IRQ line's level, after the fact and before `caseEnd`. Changes nothing. */
  readonly irq: Sync<[IrqEvent]>;
  /** Each time the guest did what hardware does not allow; as `irq`. */
  readonly guestError: Sync<[GuestEvent]>;
  /** Each time the guest used what a model lacks; as `irq`. */
  readonly unimplemented: Sync<[GuestEvent]>;
  /** After each case, and each seed, its events all delivered, its VCPUs gone. May fail a case that passed. An error fails it. */
  readonly caseEnd: Series<[CaseEnd]>;
  /** Each event of the run, as the reporters are told it. Changes nothing. An error is a warning, makes the command fail, and ends the events. */
  readonly report: Sync<[ReportEvent]>;
  /** Once, at the end, also when interrupted. Changes nothing. An error makes the command fail. */
  readonly done: Series<[RunSummary]>;
}

/** Makes the hooks of a run. A tap that has not come back, or settled, after `bound` milliseconds is given up, with an error. */
export function createHooks({ bound = foreignBound(TAP_BOUND) }: { readonly bound?: number } = {}): HookSet {
  return {
    configResolved: series(new AsyncSeriesHook(['config'], 'configResolved'), bound),
    machineInit: series(new AsyncSeriesHook(['machine', 'context'], 'machineInit'), bound),
    machineReady: series(new AsyncSeriesHook(['machine'], 'machineReady'), bound),
    caseStart: series(new AsyncSeriesHook(['event'], 'caseStart'), bound),
    vcpuStart: series(new AsyncSeriesHook(['event'], 'vcpuStart'), bound),
    tick: sync(new SyncHook(['event'], 'tick'), bound),
    irq: sync(new SyncHook(['event'], 'irq'), bound),
    guestError: sync(new SyncHook(['event'], 'guestError'), bound),
    unimplemented: sync(new SyncHook(['event'], 'unimplemented'), bound),
    caseEnd: series(new AsyncSeriesHook(['event'], 'caseEnd'), bound),
    report: sync(new SyncHook(['event'], 'report'), bound),
    done: series(new AsyncSeriesHook(['summary'], 'done'), bound),
  };
}

/** What `applyPlugin` needs of a plugin; a `LoadedPlugin` has it. */
export interface Applicable {
  readonly name: string;
  readonly plugin: Pick<Plugin, 'apply'>;
  readonly options: unknown;
}

/**
 * Lets a plugin tap the hooks, by its `apply()`. Its taps are known as the plugin's whatever name it gives them, and it
 * cannot call a hook.
 * @throws PLUGIN_LOAD, naming the plugin, when `apply()` throws or is asynchronous.
 */
export function applyPlugin(hooks: HookSet, { name, plugin, options }: Applicable): void {
  let isPromise: boolean;
  try {
    const call = (): unknown => plugin.apply?.({ hooks: tapsOnly(hooks, { plugin: name }) }, { options });
    isPromise = isThenable(callForeign({ what: `plugin '${name}': apply()`, exit: 2 }, call, foreignBound(TAP_BOUND)));
  } catch (error) {
    if (isInterruption(error)) throw error;
    throw hostError('PLUGIN_LOAD', `plugin '${name}': apply(): ${messageOf(error)}`, { cause: error });
  }
  if (!isPromise) return;
  throw hostError(
    'PLUGIN_LOAD',
    `plugin '${name}': apply() must not be asynchronous: tap the hooks at once, and wait in an asynchronous tap`,
  );
}

function tapsOnly(hooks: HookSet, origin: Origin): HostHooks {
  return Object.freeze({
    configResolved: hooks.configResolved.withOptions(origin),
    machineInit: hooks.machineInit.withOptions(origin),
    machineReady: hooks.machineReady.withOptions(origin),
    caseStart: hooks.caseStart.withOptions(origin),
    vcpuStart: hooks.vcpuStart.withOptions(origin),
    tick: hooks.tick.withOptions(origin),
    irq: hooks.irq.withOptions(origin),
    guestError: hooks.guestError.withOptions(origin),
    unimplemented: hooks.unimplemented.withOptions(origin),
    caseEnd: hooks.caseEnd.withOptions(origin),
    report: hooks.report.withOptions(origin),
    done: hooks.done.withOptions(origin),
  });
}

/** Makes every tap a bounded promise whose error names plugin and hook. */
function series<T>(hook: Series<T>, bound: number): Series<T> {
  hook.intercept({
    register: (tap) => {
      const run = tap.type === 'async' ? withCallback(tap.fn) : tap.fn;
      const fn = async (...args: unknown[]): Promise<void> => {
        try {
          // An async function in a plain tap() is waited for as well: tapable alone would drop its promise.
          await awaitForeign(foreignOf(tap, hook.name), () => run(...args), bound);
        } catch (error) {
          throw hookError(tap, hook.name, error);
        }
      };
      return { ...tap, type: 'promise', fn };
    },
  });
  return countingTaps(hook);
}

/** Makes every tap one whose error names plugin and hook, and refuses asynchronous functions. */
function sync<T>(hook: Sync<T>, bound: number): Sync<T> {
  hook.intercept({
    register: (tap) => {
      const fn = (...args: unknown[]): void => {
        let isPromise: boolean;
        try {
          isPromise = isThenable(callForeign(foreignOf(tap, hook.name), () => tap.fn(...args), bound));
        } catch (error) {
          throw hookError(tap, hook.name, error);
        }
        if (!isPromise) return;
        throw hookError(tap, hook.name, 'it is synchronous, but was tapped with an asynchronous function');
      };
      return { ...tap, fn };
    },
  });
  return countingTaps(hook);
}

/** To tapable a hook with an interceptor is in use; here every one has one, and a tap is what counts. */
function countingTaps<H extends { readonly taps: readonly unknown[]; isUsed(): boolean }>(hook: H): H {
  hook.isUsed = () => hook.taps.length > 0;
  return hook;
}

/** A tap that calls back, as one that gives a promise. */
function withCallback(fn: (typeof Object)['constructor']): (...args: unknown[]) => Promise<void> {
  return (...args) =>
    new Promise((resolve, reject) => {
      fn(...args, (error?: unknown) => (error ? reject(error) : resolve()));
    });
}

type Tap = Partial<Origin> & { readonly name: string };

function foreignOf(tap: Tap, hook: string | undefined): Foreign {
  return { what: `plugin '${tap.plugin ?? tap.name}', hook '${hook}'`, exit: 1 };
}

function hookError(tap: Tap, hook: string | undefined, error: unknown): unknown {
  if (isInterruption(error)) return error;
  const message = `${foreignOf(tap, hook).what}: ${messageOf(error)}`;
  return hostError('HOOK', message, { cause: error });
}
