/**
 * What authors of devices import into their unit tests: the contract that every device is held to.
 * @module @qtest/host/contract
 */
export { deviceContract, type ContractCheck, type ContractOptions } from './contract.ts';
export type { Parts } from './machine.ts';
export { ContractError } from './problem.ts';
