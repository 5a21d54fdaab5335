import { PAGE_BYTES, type MachineHandle, type RamImage } from './blueprint.ts';
import { BoundMachine, type Registry } from './bound-machine.ts';
import type { Builder } from './builder.ts';
import { OWNER } from './control.ts';
import { keepPristine } from './snapshot.ts';
import '@qtest/sdk/support';

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 65_536;

let serial = 0;

/** Seals a builder, makes the machine's memory, powers the machine on and keeps that state as its pristine one. */
export function createMachine(builder: Builder, registry: Registry): BoundMachine {
  const { blueprint, contents } = builder.seal();
  const pages = blueprint.layout.totalBytes / WASM_PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const u8 = new Uint8Array(memory.buffer);
  const used = new Set<number>();
  for (const { offset, data } of contents) {
    u8.set(data, blueprint.layout.ram + offset);
    for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < offset + data.length; page++) used.add(page);
  }
  const image: RamImage = {
    pages: Uint32Array.from(used),
    bytes: new Uint8Array(new SharedArrayBuffer(used.size * PAGE_BYTES)),
  };
  for (const [index, page] of [...used].entries()) {
    const at = blueprint.layout.ram + page * PAGE_BYTES;
    image.bytes.set(u8.subarray(at, at + PAGE_BYTES), index * PAGE_BYTES);
  }
  const handle: MachineHandle = { serial: ++serial, blueprint, memory, image };
  const machine = new BoundMachine(handle, registry, OWNER.HOST);
  machine.time.initialise();
  machine.lock.acquire();
  try {
    machine.reset('cold');
  } finally {
    machine.lock.release();
  }
  keepPristine(machine);
  return machine;
}
