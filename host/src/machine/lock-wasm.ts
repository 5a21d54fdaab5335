/**
 * The lock's fast paths in WebAssembly: an atomic operation costs half of what `Atomics` does, for TurboFan does not inline that.
 *
 *     (module
 *       (import "m" "m" (memory 1 65536 shared))
 *       (func (export "acquire") (param $owner i32) (result i32)      ;; the word before: 0 when the lock was free, and is ours now
 *         (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (local.get $owner)))
 *       (func (export "release") (result i32)                         ;; the word before: bit 31 when somebody sleeps
 *         (i32.atomic.rmw.xchg (i32.const 0) (i32.const 0)))
 *       (func (export "copy") (param $to i32) (param $from i32) (param $bytes i32)
 *         (memory.copy (local.get $to) (local.get $from) (local.get $bytes))))
 */

const I32 = 0x7f;
const CONST_0 = [0x41, 0x00];
const END = 0x0b;

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, ...items: number[][]): number[] => {
  const body = [items.length, ...items.flat()];
  return [id, body.length, ...body];
};
const code = (...body: number[]): number[] => [body.length + 2, 0, ...body, END];

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

const BYTES = Uint8Array.from([
  ...MAGIC,
  ...section(1, [0x60, 1, I32, 1, I32], [0x60, 0, 1, I32], [0x60, 3, I32, I32, I32, 0]),
  // A shared memory (3) of 1 to 65536 pages (LEB128).
  ...section(2, [...name('m'), ...name('m'), 2, 3, 1, 0x80, 0x80, 0x04]),
  ...section(3, [0], [1], [2]),
  ...section(7, [...name('acquire'), 0, 0], [...name('release'), 0, 1], [...name('copy'), 0, 2]),
  ...section(
    10,
    code(...CONST_0, ...CONST_0, 0x20, 0, 0xfe, 0x48, 2, 0),
    code(...CONST_0, ...CONST_0, 0xfe, 0x41, 2, 0),
    code(0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x0a, 0, 0),
  ),
]);

let compiled: WebAssembly.Module | undefined;

export interface LockCode {
  acquire(owner: number): number;
  release(): number;
  copy(to: number, from: number, bytes: number): void;
}

/** The lock's code, bound to a machine's memory. */
export function lockCode(memory: WebAssembly.Memory): LockCode {
  compiled ??= new WebAssembly.Module(BYTES);
  const { acquire, release, copy } = new WebAssembly.Instance(compiled, { m: { m: memory } }).exports;
  if (typeof acquire !== 'function' || typeof release !== 'function' || typeof copy !== 'function') {
    throw new TypeError('the lock module lacks an export');
  }
  return {
    acquire: acquire as LockCode['acquire'],
    release: release as LockCode['release'],
    copy: copy as LockCode['copy'],
  };
}
