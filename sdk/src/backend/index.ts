/**
 * What authors of backends import: a package that brings an emulator, to run every test package on. A backend has two halves: one in the
 * host, which finds and starts the emulator (`defineBackend`), and one in the thread of a VCPU, which makes its accesses
 * (`defineConnector`).
 * @module @qtest/sdk/backend
 */
export * from './backend.ts';
export * from './batch.ts';
export * from './connector.ts';
export * from './errors.ts';
export type * from './machine.ts';
export * from './offers.ts';
