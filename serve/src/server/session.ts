import type { AccessSize } from '@qtest/sdk';
import { inputLines, outputLines, type Watched } from './intercept.ts';
import { FILL_CHUNK, MAX_FILL, MAX_TRANSFER } from './limits.ts';
import { parseSigned, parseSmall, parseUnsigned } from './numbers.ts';
import type { Paths } from './paths.ts';
import type { ServedMachine } from './served-machine.ts';

/** Characters of an unknown command that the reply repeats. */
const MAX_ECHO = 64;

const ADDRESS_END = 2n ** 53n;
const MASK_32 = 0xffff_ffff;

const OK = 'OK\n';

/** A request that cannot be done as it stands; its message is the reply. */
class Malformed extends Error {
  /** Which of its words is wrong. */
  readonly word: number;

  constructor(message: string, word: number) {
    super(message);
    this.word = word;
  }
}

const SIZE_OF: Readonly<Record<string, AccessSize>> = { b: 1, w: 2, l: 4 };

/** One client's end of the protocol: executes its requests against the machine, and tells it of the IRQ lines that it watches. */
export class Session {
  readonly #machine: ServedMachine;
  readonly #paths: Paths;
  readonly #send: (line: string) => void;
  #watch: { readonly path: string; readonly id: string; readonly lines: () => readonly Watched[] } | undefined;
  /** Level of each number as it was told last. */
  readonly #levels = new Map<number, boolean>();
  /** Counts installations: lines that were watched before stay silent. */
  #installed = 0;
  #open = true;
  /** Why the last request is none, and which of its words is wrong; undefined when it is one. */
  malformed: { readonly message: string; readonly word: number } | undefined;
  /** A request that moves the time, and has not come there yet. */
  #moving: { readonly end: bigint; readonly reply: () => string } | undefined;

  /** @param send takes a line that comes before the reply. */
  constructor(machine: ServedMachine, paths: Paths, send: (line: string) => void) {
    this.#machine = machine;
    this.#paths = paths;
    this.#send = send;
    machine.onReplaced.push(() => this.#install());
  }

  /** The client has gone, or has come: the machine stays as it is, and no level has been told yet. */
  set open(open: boolean) {
    this.#open = open;
    this.#moving = undefined;
    this.#levels.clear();
  }

  /** Executes a request; gives the reply, with its end of line, or undefined when it takes longer: see `goOn()`. Never throws. */
  execute(line: string): string | undefined {
    this.malformed = undefined;
    try {
      // Most of what clients send, and the one request of which its taking apart would be half of the cost.
      if (line.startsWith('inb ')) {
        const port = parseSmall(line.slice(4));
        if (port <= 0xffff) return this.#unlessFault(`OK 0x${hex4(this.#machine.inb(port))}\n`);
      }
      return this.#unlessFault(this.#run(line.split(' ')));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.malformed = { message: error.message, word: error.word };
      return `FAIL ${error.message}\n`;
    }
  }

  /** Goes on with a request that takes longer; gives its reply when it is done. */
  goOn(): string | undefined {
    const moving = this.#moving;
    if (moving === undefined) return undefined;
    if (this.#machine.fault === undefined && !this.#machine.advance(moving.end)) return undefined;
    this.#moving = undefined;
    return this.#unlessFault(moving.reply());
  }

  #unlessFault(reply: string | undefined): string | undefined {
    const { fault } = this.#machine;
    return fault === undefined ? reply : `FAIL device '${fault.device}' ${fault.did}: ${oneLine(fault.message)}\n`;
  }

  #run(words: readonly string[]): string | undefined {
    const [command = ''] = words;
    const machine = this.#machine;
    switch (command) {
      case 'inb':
        return `OK 0x${hex4(machine.inb(this.#port(words)))}\n`;
      case 'inw':
        return `OK 0x${hex4(machine.ioRead(this.#port(words), 2))}\n`;
      case 'inl':
        return `OK 0x${hex4(machine.ioRead(this.#port(words), 4))}\n`;
      case 'outb':
      case 'outw':
      case 'outl': {
        const size = SIZE_OF[command.charAt(3)] ?? 1;
        const port = this.#port(words);
        machine.ioWrite(port, value32(words, 2, size), size);
        return OK;
      }
      case 'readb':
      case 'readw':
      case 'readl':
      case 'readq':
        return `OK 0x${this.#read(command, words)}\n`;
      case 'writeb':
      case 'writew':
      case 'writel':
      case 'writeq':
        return this.#write(command, words);
      case 'read': {
        const [address, size] = transfer(words);
        // libqtest would take an empty reply for garbage; QEMU aborts.
        if (size === 0) throw new Malformed('read: the size is 0', 2);
        return `OK 0x${this.#bytes(address, size).toString('hex')}\n`;
      }
      case 'b64read': {
        const [address, size] = transfer(words);
        return `OK ${this.#bytes(address, size).toString('base64')}\n`;
      }
      case 'write': {
        const [address, size] = transfer(words);
        machine.writeBulk(address, hexData(word(words, 3), size));
        return OK;
      }
      case 'b64write': {
        const [address, size] = transfer(words);
        machine.writeBulk(address, base64Data(word(words, 3), size));
        return OK;
      }
      case 'memset':
        return this.#memset(words);
      case 'endianness':
        return 'OK little\n';
      case 'clock_step':
        return this.#clockStep(words);
      case 'clock_set': {
        const end = parseSigned(word(words, 1)) ?? malformed(words, 1);
        return this.#move(end, () => `${machine.now === end ? 'OK' : 'FAIL'} ${machine.now}\n`);
      }
      case 'irq_intercept_in':
      case 'irq_intercept_out':
        return this.#intercept(words);
      case 'set_irq_in':
        return this.#setIrq(words);
      case 'module_load':
        word(words, 2);
        // Every device that there is, is there already: no module adds one.
        return 'FAIL\n';
      default:
        throw new Malformed(`Unknown command '${oneLine(command)}'`, 0);
    }
  }

  #port(words: readonly string[]): number {
    const given = word(words, 1);
    const port = parseSmall(given);
    if (port <= 0xffff) return port;
    throw new Malformed(`${words[0]}: '${oneLine(given)}' is no port: expected 0 to 0xffff`, 1);
  }

  #read(command: string, words: readonly string[]): string {
    const address = addressOf(words);
    if (command === 'readq') {
      const low = this.#readAt(address, 4);
      const high = this.#readAt(address + 4, 4);
      return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
    }
    return this.#readAt(address, SIZE_OF[command.charAt(4)] ?? 1)
      .toString(16)
      .padStart(16, '0');
  }

  #readAt(address: number, size: AccessSize): number {
    if (address + size <= Number.MAX_SAFE_INTEGER) return this.#machine.read(address, size);
    if (this.#machine.bound.blueprint.emptyMemory === 0) return 0;
    return size === 4 ? MASK_32 : 2 ** (8 * size) - 1;
  }

  #write(command: string, words: readonly string[]): string {
    const address = addressOf(words);
    const writeAt = (at: number, value: number, size: AccessSize): void => {
      if (at + size <= Number.MAX_SAFE_INTEGER) this.#machine.write(at, value, size);
    };
    if (command === 'writeq') {
      const value = parseUnsigned(word(words, 2)) ?? malformed(words, 2);
      writeAt(address, Number(value & 0xffff_ffffn), 4);
      writeAt(address + 4, Number(value >> 32n), 4);
      return OK;
    }
    const size = SIZE_OF[command.charAt(5)] ?? 1;
    writeAt(address, value32(words, 2, size), size);
    return OK;
  }

  #bytes(address: number, size: number): Buffer {
    const target = Buffer.allocUnsafe(size);
    this.#machine.readBulk(address, target);
    return target;
  }

  #memset(words: readonly string[]): string {
    const address = addressOf(words);
    const size = parseUnsigned(word(words, 2)) ?? malformed(words, 2);
    const value = value32(words, 3, 1);
    if (size > MAX_FILL) throw new Malformed(`memset: ${size} bytes; at most ${MAX_FILL} at once`, 2);
    const total = Number(size);
    const chunk = new Uint8Array(Math.min(total, FILL_CHUNK)).fill(value);
    for (let done = 0; done < total; done += chunk.length)
      this.#machine.writeBulk(address + done, chunk.subarray(0, Math.min(chunk.length, total - done)));
    return OK;
  }

  /** Moves the time, and replies when it is there. */
  #move(end: bigint, reply: () => string): string | undefined {
    if (this.#machine.advance(end)) return reply();
    this.#moving = { end, reply };
    return undefined;
  }

  #clockStep(words: readonly string[]): string | undefined {
    const machine = this.#machine;
    const start = machine.now;
    let end: bigint | undefined;
    if (words.length > 1) end = start + (parseSigned(word(words, 1)) ?? malformed(words, 1));
    else end = machine.deadline;
    if (end === undefined)
      return 'FAIL cannot advance clock to the next deadline because there is no pending deadline\n';
    return this.#move(end, () => (machine.now > start ? `OK ${machine.now}\n` : 'FAIL could not advance time\n'));
  }

  #intercept(words: readonly string[]): string {
    const [command = '', , name] = words;
    const path = word(words, 1);
    const id = this.#paths.device(path);
    if (id === undefined) return 'FAIL Unknown device\n';
    const outbound = command === 'irq_intercept_out';
    if (name !== undefined && !outbound) return 'FAIL Interception of named in-GPIOs not yet supported\n';
    if (this.#watch !== undefined) return this.#watch.id === id ? OK : 'FAIL IRQ intercept already enabled\n';
    const lines = (): readonly Watched[] => {
      const { bound } = this.#machine;
      const index = bound.blueprint.devices.findIndex((device) => device.id === id);
      return outbound ? outputLines(bound, index, name) : inputLines(bound, index);
    };
    if (lines().length === 0) return 'FAIL No intercepts installed\n';
    this.#watch = { path, id, lines };
    this.#install();
    return OK;
  }

  #install(): void {
    if (this.#watch === undefined) return;
    const installed = ++this.#installed;
    for (const { line, number } of this.#watch.lines()) {
      this.#machine.bound.lines.attach(line, 0, (_pin, level) => {
        if (installed === this.#installed) this.#tell(number, level);
      });
    }
  }

  #tell(number: number, level: boolean): void {
    if (!this.#open || (this.#levels.get(number) ?? false) === level) return;
    this.#levels.set(number, level);
    this.#send(`IRQ ${level ? 'raise' : 'lower'} ${number}\n`);
  }

  #setIrq(words: readonly string[]): string {
    const path = word(words, 1);
    const name = word(words, 2);
    const pin = parseSigned(word(words, 3)) ?? malformed(words, 3);
    const level = parseSigned(word(words, 4)) ?? malformed(words, 4);
    const id = this.#paths.device(path);
    if (id === undefined) return 'FAIL Unknown device\n';
    const { bound } = this.#machine;
    const index = bound.blueprint.devices.findIndex((device) => device.id === id);
    const line = bound.blueprint.lines.findIndex(({ sinks }) =>
      sinks.some(
        (sink) =>
          sink.device === index && BigInt(sink.pin) === pin && (name === 'unnamed-gpio-in' || sink.input === name),
      ),
    );
    if (line < 0)
      throw new Malformed(`set_irq_in: '${oneLine(path)}' has no input '${oneLine(name)}' ${pin} that is wired`, 3);
    this.#machine.drive(line, level !== 0n);
    return OK;
  }
}

/** A number in hexadecimal, of at least four digits. */
function hex4(value: number): string {
  const digits = value.toString(16);
  return digits.length >= 4 ? digits : digits.padStart(4, '0');
}

/** A word that must be there. */
function word(words: readonly string[], n: number): string {
  const found = words[n];
  if (found !== undefined) return found;
  throw new Malformed(`${words[0]}: argument ${n} is missing`, n);
}

function malformed(words: readonly string[], n: number): never {
  throw new Malformed(`${words[0]}: argument ${n}, '${oneLine(words[n] ?? '')}', is no integer`, n);
}

function addressOf(words: readonly string[]): number {
  const small = parseSmall(word(words, 1));
  if (!Number.isNaN(small)) return small;
  const address = parseUnsigned(word(words, 1)) ?? malformed(words, 1);
  // Nothing is there, and there is nothing to tell these addresses apart by.
  return Number(address < ADDRESS_END ? address : ADDRESS_END);
}

/** An argument of which the low `size` bytes count. */
function value32(words: readonly string[], n: number, size: AccessSize): number {
  const mask = size === 4 ? MASK_32 : 2 ** (8 * size) - 1;
  const small = parseSmall(word(words, n));
  if (small <= mask) return small;
  const value = parseUnsigned(word(words, n)) ?? malformed(words, n);
  return Number(value & BigInt(mask));
}

/** Address and size of a transfer. */
function transfer(words: readonly string[]): [number, number] {
  const address = addressOf(words);
  const size = parseUnsigned(word(words, 2)) ?? malformed(words, 2);
  if (size <= MAX_TRANSFER) return [address, Number(size)];
  throw new Malformed(`${words[0]}: ${size} bytes; at most ${MAX_TRANSFER} at once`, 2);
}

/** What `write` is given: short data is filled up with zeros, what is too much is ignored. */
function hexData(text: string, size: number): Uint8Array {
  const data = Buffer.alloc(size);
  const digits = Math.min((text.length - 2) & ~1, 2 * size);
  if (
    text.length < 3 ||
    !/^0[xX]$/.test(text.slice(0, 2)) ||
    data.write(text.slice(2, 2 + digits), 'hex') * 2 !== digits
  )
    throw new Malformed('write: the data is not 0x and hexadecimal digits', 3);
  return data;
}

function base64Data(text: string, size: number): Uint8Array {
  // Buffer leaves out what is no base64.
  if (text.length < 3 || !/^[A-Za-z\d+/]*={0,2}$/.test(text))
    throw new Malformed('b64write: the data is not base64', 3);
  const data = Buffer.alloc(size);
  data.write(text, 'base64');
  return data;
}

/** What a client or a device has said, safe to repeat within a line. */
function oneLine(text: string): string {
  const short = text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}...` : text;
  return short.replaceAll(/[^\x20-\x7e]/g, '?');
}
