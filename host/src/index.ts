/**
 * What programs that embed the host import. Authors of plugins need `@qtest/sdk` alone.
 * @module @qtest/host
 */
export { loadConfig, type LoadConfigOptions, type LoadedConfig } from './config/load.ts';
export { settingsOf, type Settings } from './config/settings.ts';
export { ERRORS, type ErrorCode } from '@qtest/sdk/support';
export { applyPlugin, createHooks, type Applicable, type HookSet } from './hooks.ts';
export { loadPlugins } from './plugins/load.ts';
export type { LoadedPlugin, PluginCase, PluginRequest } from './plugins/types.ts';
export type { CaseResult, Failure, Reporter, SelectedCase, SourceLocation } from './report/events.ts';
export type { RunCases, RunOptions } from './runner/run-options.ts';
