import type { V86Settings } from './mapping.ts';

/**
 * v86's insides, as far as they are used. They are not an API of it: each is looked for when an emulator has been made.
 * Sources: v86 0.5.462, src/cpu.js, src/io.js, src/rust/cpu/pic.rs.
 */
interface Cpu {
  readonly io: {
    port_read8(port: number): number;
    port_read16(port: number): number;
    port_read32(port: number): number;
    port_write8(port: number, value: number): void;
    port_write16(port: number, value: number): void;
    port_write32(port: number, value: number): void;
    mmap_register(
      address: number,
      size: number,
      read8: (address: number) => number,
      write8: (address: number, value: number) => void,
    ): void;
  };
  readonly devices: { readonly rtc: { rtc_time: number; last_update: number } };
  readonly mem8: Uint8Array;
  readonly memory_size: Uint32Array;
  readonly reg32: Int32Array;
  readonly flags: Int32Array;
  readonly in_hlt: Uint8Array;
  readonly instruction_pointer: Int32Array;
  readonly segment_offsets: Int32Array;
  device_raise_irq: (irq: number) => void;
  device_lower_irq: (irq: number) => void;
  read8(address: number): number;
  read16(address: number): number;
  read32s(address: number): number;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  read_blob(address: number, length: number): Uint8Array;
  write_blob(data: Uint8Array, address: number): void;
  fill_cmos(rtc: object, settings: object): void;
  run_hardware_timers(acpi: number, now: number): number;
  reboot_internal(): void;
  handle_irqs(): void;
  main_loop(): number;
}

const FUNCTIONS = [
  ...['device_raise_irq', 'device_lower_irq', 'read8', 'read16', 'read32s', 'write8', 'write16', 'write32'],
  ...['read_blob', 'write_blob', 'fill_cmos', 'run_hardware_timers', 'reboot_internal', 'handle_irqs', 'main_loop'],
] as const satisfies readonly (keyof Cpu)[];
const OBJECTS = [
  ...['io', 'devices', 'mem8', 'memory_size', 'reg32', 'flags', 'in_hlt', 'instruction_pointer', 'segment_offsets'],
] as const;

/** What the package's module gives. */
export interface V86Emulator {
  add_listener(event: string, listener: (value: unknown) => void): void;
  readonly bus: { send(event: string, value: unknown): void };
  readonly v86: { readonly cpu: unknown };
}
export type V86Constructor = new (options: object) => V86Emulator;

/** The unit in which v86 maps memory. */
const MAP_UNIT = 0x2_0000;

/** Ports that its 8259As answer at: v86 keeps these inside its compiled half, which only instructions of its CPU reach. */
const PIC_PORTS = new Set([0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1]);

/** Instructions of one access each, and where they are in the hidden page: `in` and `out` with the port in DX, and `hlt`. */
const CODE: Readonly<Record<string, { readonly at: number; readonly bytes: readonly number[] }>> = {
  in1: { at: 0x00, bytes: [0xec, 0xf4] },
  in2: { at: 0x10, bytes: [0xed, 0xf4] },
  in4: { at: 0x20, bytes: [0x66, 0xed, 0xf4] },
  out1: { at: 0x30, bytes: [0xee, 0xf4] },
  out2: { at: 0x40, bytes: [0xef, 0xf4] },
  out4: { at: 0x50, bytes: [0x66, 0xef, 0xf4] },
};
/** Ports of its UARTs, the offset of the modem status register, and the inputs in it as v86 names them. */
const SERIAL = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const MSR = 6;
const MODEM_INPUTS = [
  [7, 'carrier-detect'],
  [6, 'ring-indicator'],
  [5, 'data-set-ready'],
  [4, 'clear-to-send'],
] as const;

/** Where in the hidden page return addresses are pushed to. */
const STACK = 0xf000;

/** Interrupt vectors of real mode: a word of offset, which is the vector, and one of segment. */
const VECTORS = new Uint8Array(1024);
for (let vector = 0; vector < 256; vector++) VECTORS[4 * vector] = vector;

const EAX = 0;
const EDX = 2;
const ESP = 4;
const CS = 1;
const SS = 2;
const IF = 0x200;

/** A v86 whose CPU does nothing of itself. Its devices are polled, as its own main loop does, before each access and between. */
export class Emulator {
  readonly #emulator: V86Emulator;
  readonly #cpu: Cpu;
  /** End of RAM; a page that the guest does not see is behind it. */
  readonly #hidden: number;
  readonly #sent: number[][] = [[], [], [], []];

  private constructor(emulator: V86Emulator, cpu: Cpu, ram: number, drive: (irq: number, level: boolean) => void) {
    this.#emulator = emulator;
    this.#cpu = cpu;
    this.#hidden = ram;
    cpu.memory_size[0] = ram;
    cpu.fill_cmos(cpu.devices.rtc, {});
    for (const { at, bytes } of Object.values(CODE)) cpu.mem8.set(bytes, ram + at);
    cpu.io.mmap_register(
      ram,
      MAP_UNIT,
      () => 0xff,
      () => {},
    );
    this.#watchIrqs(drive);
    for (const [port, bytes] of this.#sent.entries())
      emulator.add_listener(`serial${port}-output-byte`, (byte) => void bytes.push(Number(byte)));
  }

  /**
   * Makes one.
   * @param drive is told the level of an IRQ whenever a device sets it.
   * @throws an error that names what this v86 has not.
   */
  static async create(
    V86: V86Constructor,
    wasm: WebAssembly.Module,
    { ram, serial }: V86Settings,
    drive: (irq: number, level: boolean) => void,
  ): Promise<Emulator> {
    const emulator = new V86({
      wasm_fn: async (imports: WebAssembly.Imports) => (await WebAssembly.instantiate(wasm, imports)).exports,
      autostart: false,
      // With the hidden page.
      memory_size: ram + MAP_UNIT,
      vga_memory_size: 2 ** 20,
      disable_speaker: true,
      disable_jit: true,
      ...Object.fromEntries(serial.map(({ port }) => [`uart${port}`, true])),
    });
    await new Promise((resolve) => emulator.add_listener('emulator-ready', resolve));
    const cpu = checked(emulator.v86.cpu);
    for (const { port, inputs } of serial) {
      for (const [bit, name] of MODEM_INPUTS)
        emulator.bus.send(`serial${port}-${name}-input`, (inputs & (1 << bit)) !== 0);
      // They have always been as they are: no delta is told of.
      cpu.io.port_read8((SERIAL[port] ?? 0) + MSR);
    }
    return new Emulator(emulator, cpu, ram, drive);
  }

  /** The case begins: the RTC shows its epoch, ms since 1970. */
  begin(epoch: number | undefined): void {
    const { rtc } = this.#cpu.devices;
    if (epoch !== undefined) rtc.rtc_time = epoch;
    rtc.last_update = Date.now();
  }

  /** Lets what is due happen. Gives how long until the next, ms. */
  poll(): number {
    return this.#cpu.run_hardware_timers(0, performance.now());
  }

  in(port: number, size: number): number {
    const { io, reg32 } = this.#cpu;
    if (touchesPic(port, size)) {
      reg32[EDX] = port;
      this.#execute(`in${size}`);
      return masked(reg32[EAX] ?? 0, size);
    }
    return masked(size === 1 ? io.port_read8(port) : size === 2 ? io.port_read16(port) : io.port_read32(port), size);
  }

  out(port: number, value: number, size: number): void {
    const { io, reg32 } = this.#cpu;
    if (touchesPic(port, size)) {
      reg32[EDX] = port;
      reg32[EAX] = value;
      this.#execute(`out${size}`);
    } else if (size === 1) io.port_write8(port, value);
    else if (size === 2) io.port_write16(port, value);
    else io.port_write32(port, value);
  }

  read(address: number, size: number): number {
    const cpu = this.#cpu;
    return masked(size === 1 ? cpu.read8(address) : size === 2 ? cpu.read16(address) : cpu.read32s(address), size);
  }

  write(address: number, value: number, size: number): void {
    const cpu = this.#cpu;
    if (size === 1) cpu.write8(address, value);
    else if (size === 2) cpu.write16(address, value);
    else cpu.write32(address, value);
  }

  readBlock(address: number, target: Uint8Array): void {
    if (this.#isRam(address, target.length)) {
      const blob = this.#cpu.read_blob(address, target.length);
      if (blob.length !== target.length) throw new Error(`${blob.length} bytes are read, and not ${target.length}`);
      target.set(blob);
    } else for (let i = 0; i < target.length; i++) target[i] = this.read(address + i, 1);
  }

  writeBlock(address: number, data: Uint8Array): void {
    if (this.#isRam(address, data.length)) this.#cpu.write_blob(data, address);
    else for (const [i, byte] of data.entries()) this.write(address + i, byte, 1);
  }

  /**
   * An interrupt acknowledge cycle: gives the vector, or −1 for none. v86's CPU does it, in real mode: for that moment the guest's table
   * of handlers is one whose addresses are the vectors. Nothing there is executed.
   */
  acknowledge(): number {
    const { flags, instruction_pointer, mem8, reg32, segment_offsets } = this.#cpu;
    const guests = mem8.slice(0, VECTORS.length);
    mem8.set(VECTORS, 0);
    segment_offsets[SS] = this.#hidden;
    reg32[ESP] = STACK;
    instruction_pointer[0] = -1;
    flags[0] = (flags[0] ?? 0) | IF;
    this.#cpu.handle_irqs();
    flags[0] = (flags[0] ?? 0) & ~IF;
    mem8.set(guests, 0);
    const [vector = -1] = instruction_pointer;
    if (vector < -1 || vector > 0xff) throw new Error(`the interrupt vector is ${vector}, which is none`);
    return vector;
  }

  /** v86's own reset, as of its button. */
  reset(): void {
    this.#cpu.reboot_internal();
  }

  /** A serial port receives bytes. */
  send(port: number, bytes: Uint8Array): void {
    for (const byte of bytes) this.#emulator.bus.send(`serial${port}-input`, byte);
  }

  /** What a serial port has sent since the last call, at most `limit` bytes. */
  receive(port: number, limit: number): number[] {
    return this.#sent[port]?.splice(0, limit) ?? [];
  }

  #isRam(address: number, size: number): boolean {
    const end = address + size;
    return end <= this.#hidden && (end <= 0xa_0000 || address >= 0xc_0000);
  }

  #execute(name: string): void {
    const { flags, in_hlt, segment_offsets, instruction_pointer } = this.#cpu;
    in_hlt[0] = 0;
    // Nothing interrupts it.
    flags[0] = (flags[0] ?? 0) & ~IF;
    segment_offsets[CS] = this.#hidden;
    instruction_pointer[0] = this.#hidden + (CODE[name]?.at ?? 0);
    this.#cpu.main_loop();
  }

  #watchIrqs(drive: (irq: number, level: boolean) => void): void {
    const cpu = this.#cpu;
    const { device_raise_irq: raise, device_lower_irq: lower } = cpu;
    cpu.device_raise_irq = (irq) => {
      raise(irq);
      drive(irq, true);
    };
    cpu.device_lower_irq = (irq) => {
      lower(irq);
      drive(irq, false);
    };
  }
}

function touchesPic(port: number, size: number): boolean {
  for (let at = port; at < port + size; at++) if (PIC_PORTS.has(at)) return true;
  return false;
}

function masked(value: number, size: number): number {
  return size === 4 ? value >>> 0 : value & (size === 1 ? 0xff : 0xffff);
}

function checked(cpu: unknown): Cpu {
  const has = (name: string, type: string): boolean =>
    typeof cpu === 'object' && cpu !== null && typeof Reflect.get(cpu, name) === type;
  const lacking = [
    ...FUNCTIONS.filter((name) => !has(name, 'function')),
    ...OBJECTS.filter((name) => !has(name, 'object')),
  ];
  if (lacking.length === 0) return cpu as Cpu;
  throw new Error(`its CPU has no ${lacking.join(', ')}, by which it is driven`);
}
