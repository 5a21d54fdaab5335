/**
 * The lock's fast paths in WebAssembly: an atomic operation costs half of what `Atomics` does, for TurboFan does not inline that.
 *
 *     (module
 *       (import "m" "m" (memory 1 65536 shared))
 *       (func (export "acquire") (param $owner i32) (result i32)      ;; the word before: 0 when the lock was free, and is ours now
 *         (if (i32.eqz (local.get $owner)) (then …))                   ;; never: see ROOM
 *         (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (local.get $owner)))
 *       (func (export "retake") (param $owner i32) (result i32)       ;; the same, however little stack is left
 *         (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (local.get $owner)))
 *       (func (export "room") (param $one i32) (result i32)           ;; nothing, where there is stack enough
 *         (if (i32.eqz (local.get $one)) (then …))
 *         (local.get $one))
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
  return [id, ...leb(body.length), ...body];
};
const code = (body: number[]): number[] => [...leb(body.length + 2), 0, ...body, END];

/** As many bytes as a number of LEB128 needs. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/**
 * Words in the frame of `acquire` and `room`: 16 KiB. A stack that overflows between the taking of the lock and its release leaves it held,
 * and no `finally` helps, for what it calls overflows too. So the lock is taken only where there is stack for all that the host does under it:
 * V8 compares a frame's size with the stack that is left before it makes the frame, and throws its RangeError while nothing has been done.
 */
const ROOM_WORDS = 2048;

/** Code that is never run, as the parameter is never 0: so many words are loaded before the first is used that they need a frame. */
const ROOM = [
  ...[0x20, 0, 0x45, 0x04, I32],
  ...Array.from({ length: ROOM_WORDS }, (_, word) => [...CONST_0, 0x28, 2, ...leb(4 * word)]).flat(),
  ...Array.from({ length: ROOM_WORDS - 1 }, () => 0x6a),
  ...[0x05, 0x20, 0, END, 0x1a],
];

const EXCHANGE = [...CONST_0, ...CONST_0, 0x20, 0, 0xfe, 0x48, 2, 0];

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

const BYTES = Uint8Array.from([
  ...MAGIC,
  ...section(1, [0x60, 1, I32, 1, I32], [0x60, 0, 1, I32], [0x60, 3, I32, I32, I32, 0]),
  // A shared memory (3) of 1 to 65536 pages (LEB128).
  ...section(2, [...name('m'), ...name('m'), 2, 3, 1, 0x80, 0x80, 0x04]),
  ...section(3, [0], [0], [0], [1], [2]),
  ...section(
    7,
    ...['acquire', 'retake', 'room', 'release', 'copy'].map((exported, index) => [...name(exported), 0, index]),
  ),
  ...section(
    10,
    code([...ROOM, ...EXCHANGE]),
    code(EXCHANGE),
    code([...ROOM, 0x20, 0]),
    code([...CONST_0, ...CONST_0, 0xfe, 0x41, 2, 0]),
    code([0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 0x0a, 0, 0]),
  ),
]);

let compiled: WebAssembly.Module | undefined;

export interface LockCode {
  /** @throws RangeError where there is too little stack for what is done with the lock held. */
  acquire(owner: number): number;
  /** For who has given the lock up in the middle of something. */
  retake(owner: number): number;
  /**
   * @param one anything but 0.
   * @throws RangeError where `acquire` would.
   */
  room(one: number): number;
  release(): number;
  copy(to: number, from: number, bytes: number): void;
}

/** The lock's code, bound to a machine's memory. */
export function lockCode(memory: WebAssembly.Memory): LockCode {
  compiled ??= new WebAssembly.Module(BYTES);
  const { exports } = new WebAssembly.Instance(compiled, { m: { m: memory } });
  const { acquire, retake, room, release, copy } = exports;
  if (![acquire, retake, room, release, copy].every((exported) => typeof exported === 'function')) {
    throw new TypeError('the lock module lacks an export');
  }
  return {
    acquire: acquire as LockCode['acquire'],
    retake: retake as LockCode['retake'],
    room: room as LockCode['room'],
    release: release as LockCode['release'],
    copy: copy as LockCode['copy'],
  };
}
