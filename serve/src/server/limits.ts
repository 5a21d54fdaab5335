/** Most bytes that one `read`, `write`, `b64read` or `b64write` moves. */
export const MAX_TRANSFER: number = 2 ** 24;
/** Most bytes that one `memset` fills: all that a 32-bit machine has. */
export const MAX_FILL: bigint = 2n ** 32n;
/** Bytes that `memset` fills at once. */
export const FILL_CHUNK: number = 2 ** 16;
/** Longest line: a `write` of MAX_TRANSFER bytes, with room for its first words. */
export const MAX_LINE: number = 2 * MAX_TRANSFER + 256;
