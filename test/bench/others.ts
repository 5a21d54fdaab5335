import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { timed } from './timed.ts';

/**
 * What our accesses are compared with, each in a process of its own: `node others.ts v86` (v86's own port read) and
 * `node others.ts plain` (an RTC of plain fields behind a table of ports, nothing shared, no lock). Prints nanoseconds an access.
 */

const COUNT = 200_000;

function time(read: () => number): number {
  return timed(COUNT, (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += read();
    return sum;
  });
}

interface V86Io {
  port_read8(port: number): number;
  port_write8(port: number, value: number): void;
}

interface V86Emulator {
  add_listener(event: string, listener: () => void): void;
  readonly v86: { readonly cpu: { readonly io: V86Io } };
}

async function v86(): Promise<number> {
  const entry = createRequire(import.meta.url).resolve('v86');
  const module = (await import(pathToFileURL(entry).href)) as { V86: new (options: object) => V86Emulator };
  const emulator = new module.V86({
    wasm_path: join(dirname(entry), 'v86.wasm'),
    autostart: false,
    memory_size: 16 * 2 ** 20,
    bios: { buffer: new ArrayBuffer(65_536) },
    disable_speaker: true,
  });
  await new Promise<void>((resolve) => emulator.add_listener('emulator-ready', resolve));
  const { io } = emulator.v86.cpu;
  io.port_write8(0x70, 0x0b);
  return time(() => io.port_read8(0x71));
}

function plain(): number {
  class PlainRtc {
    index = 0x0b;
    readonly cells = new Uint8Array(128).fill(2);
    read(port: number): number {
      return port === 0x70 ? 0xff : (this.cells[this.index] ?? 0xff);
    }
  }
  const rtc = new PlainRtc();
  const ports = Array.from({ length: 0x1_0000 }, (_, port) => (port === 0x70 || port === 0x71 ? rtc : undefined));
  return time(() => ports[0x71]?.read(0x71) ?? 0xff);
}

const result = process.argv[2] === 'v86' ? await v86() : plain();
process.stdout.write(`${result}\n`, () => process.exit());
