import type { Duplex } from 'node:stream';
import type { Emulator } from '../emulator/emulator.ts';
import { LineReader } from '../server/line-reader.ts';
import { runHuman } from './hmp.ts';
import { versionText } from './version.ts';

const MAX_LINE = 4096;
/** Bytes that wait for a client to read them, from which on no further command is run. */
const MAX_PENDING = 2 ** 20;
const PROMPT = '(qemu) ';

/** The monitor for humans on a stream: a prompt, a command line, what it prints. */
export class HumanMonitor {
  /** @param after is called when a command has been dealt with. */
  constructor(stream: Duplex, emulator: Emulator, after: () => void) {
    const reader = new LineReader(MAX_LINE);
    stream.write(
      `QEMU ${versionText(emulator.settings.version)} monitor - type 'help' for more information\r\n${PROMPT}`,
    );
    const work = (): void => {
      while (stream.writableLength < MAX_PENDING) {
        const line = reader.next();
        if (line === null) {
          stream.resume();
          return;
        }
        stream.write(`${line === undefined ? '' : runHuman(emulator, line)}${PROMPT}`);
        after();
      }
      stream.pause();
    };
    stream.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      work();
    });
    stream.on('drain', work);
  }
}
