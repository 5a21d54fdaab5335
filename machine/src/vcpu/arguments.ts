/** Checks of what a test passes to its VCPU. Each throws a RangeError that names the call, what it got and what is right. */

export const MAX_ADDRESS = 2 ** 53 - 1;

/** As the test may have written it: what is wrong may be the type. */
function shown(value: unknown): string {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return `0x${value.toString(16)}`;
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

export function badPort(call: string, port: unknown): never {
  throw new RangeError(`${call}(${shown(port)}): a port is an integer from 0 to 0xffff`);
}

export function badValue(call: string, value: unknown, bits: number): never {
  throw new RangeError(
    `${call}(…, ${shown(value)}): the value is an integer from 0 to 0x${(2 ** bits - 1).toString(16)} (${bits} bits)`,
  );
}

export function checkAddress(call: string, address: number, size: number): void {
  if (!(Number.isSafeInteger(address) && address >= 0 && address <= MAX_ADDRESS - size + 1)) {
    throw new RangeError(`${call}(${shown(address)}): an address is an integer from 0 to 2^53 - ${size}`);
  }
}

export function checkSize(call: string, size: number): void {
  if (!(Number.isSafeInteger(size) && size >= 0 && size <= 2 ** 31)) {
    throw new RangeError(`${call}(…, ${shown(size)}): the size is an integer from 0 to 2^31 bytes`);
  }
}

export function checkLong(call: string, value: unknown): void {
  if (!(typeof value === 'bigint' && value >= 0n && value < 2n ** 64n)) {
    throw new RangeError(`${call}(…, ${shown(value)}): the value is a bigint from 0n to 2n ** 64n - 1n`);
  }
}

export function checkVector(vector: number): void {
  if (!(Number.isInteger(vector) && vector >= 0 && vector <= 0xff)) {
    throw new RangeError(`onInterrupt(${shown(vector)}): a vector is an integer from 0 to 0xff`);
  }
}
