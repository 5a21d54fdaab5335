const BRAND = Symbol.for('@qtest/error');

/** An error of the framework. Its `code` says what has happened. `isQtestError()` knows it, whichever copy of this package made it. */
export class QtestError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'QtestError';
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Whether `value` is an error of the framework, from any copy of this package. */
export function isQtestError(value: unknown): value is QtestError {
  try {
    return typeof value === 'object' && value !== null && BRAND in value;
  } catch {
    // A proxy that refuses to be looked at.
    return false;
  }
}
