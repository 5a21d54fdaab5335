/** What a check of the contract has found. Its name is what a report shows before the message. */
export class ContractError extends Error {
  /** Both sides of a comparison, for the report's difference. */
  declare readonly actual?: unknown;
  declare readonly expected?: unknown;

  constructor(
    message: string,
    sides?: { readonly actual: unknown; readonly expected: unknown },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ContractError';
    // Its message says all there is; the stack would show the contract's own code.
    this.stack = `${this.name}: ${message}`;
    Object.assign(this, sides);
  }
}
