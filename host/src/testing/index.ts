/**
 * What authors import into the unit tests of a plugin or a device, whatever their test runner.
 * @module @qtest/host/testing
 */
export { testMachine, wantedMachine, type TestMachine, type TestMachineOptions } from './machine.ts';
export { CaseError, pluginCases, type PluginCases, type PluginCasesOptions, type TestCase } from './plugin-cases.ts';
