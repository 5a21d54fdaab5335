import type { IrqLine } from '@qtest/sdk';
import { ns16550 } from '@qtest/parts/pc';
import {
  device,
  devices,
  list,
  number,
  otherEnd,
  serveIrq,
  states,
  VIRTUAL,
  type Cases,
  type Context,
} from './support.ts';

const { DLL, DLM, FCR, IER, IIR, INTERRUPT, LCR, LSR, MCR, MSR, RBR, SCR, THR } = ns16550;

/** Divisor and format in most cases: 9600 baud, 8N1. */
const SETUP = { baud: 9600, trigger: 0 } as const;
/** Nanoseconds of a character then. */
const FRAME = ns16550.frameNs(ns16550.lcrFor(), ns16550.divisorFor(SETUP.baud));

/** IIR, without the bits that tell of FIFOs: no interrupt, or one of `INTERRUPT`. */
const NO_INTERRUPT = IIR.PENDING_N.mask;
const identified = (id: number): number => IIR.ID.set(0, id);

interface Bench {
  readonly dev: ns16550.Uart;
  readonly line: IrqLine;
  /** IIR without its FIFO bits. */
  iir(): number;
  /** Lets `frames` characters' time go by. */
  frames(frames: number): void;
  /** Sends characters in loopback, and waits until all have been received. */
  loop(...bytes: readonly number[]): void;
}

/** The first serial port, at 9600 baud, without FIFOs and interrupts. */
function bench(context: Context, init: ns16550.UartInit = {}, needs: Record<string, string> = {}): Bench {
  const { clock, machine, vcpu } = context;
  const part = device(context, 'ns16550a', needs);
  const dev = ns16550.uart(vcpu, number(part, 'ioBase', ns16550.BASE), number(part, 'clock', ns16550.CRYSTAL));
  dev.init({ ...SETUP, ...init });
  const frames = (count: number): void => {
    clock.step((FRAME * BigInt(Math.round(count * 100))) / 100n);
  };
  return {
    dev,
    line: machine.irq(part.id, 'irq'),
    iir: () => dev.read(IIR) & ~IIR.FIFOS.mask,
    frames,
    loop(...bytes) {
      dev.write(MCR, dev.read(MCR) | MCR.LOOP.mask);
      for (const byte of bytes) {
        dev.write(THR, byte);
        frames(1.1);
      }
    },
  };
}

export const uart: Cases = {
  'uart/reset': states(
    'A reset clears IER, FCR, LCR and MCR; THR and shift register are empty, nothing is pending.',
    (context) => {
      const { assert, machine } = context;
      const { dev, line } = bench(context, { trigger: 14, mcr: 0x0f, ier: 0x0f });
      dev.write(LCR, 0x1b);
      dev.write(SCR, 0x5a);
      machine.reset();
      assert.equal(dev.read(IER), 0, '16550D, table I: IER');
      assert.equal(dev.read(IIR), IIR.PENDING_N.mask, '16550D, table I: IIR, no interrupt, FIFOs off');
      assert.equal(dev.read(LCR), 0, '16550D, table I: LCR');
      assert.equal(dev.read(MCR), 0, '16550D, table I: MCR');
      assert.equal(dev.read(LSR), LSR.THRE.mask | LSR.TEMT.mask, '16550D, table I: LSR');
      assert(!line.level, '16550D, table I: INTR is low');
      assert.equal(dev.readDivisor(), 12, '16550D, table I: the divisor latch is not reset');
      assert.equal(dev.read(SCR), 0x5a, '16550D, table I: the scratch register is not reset');
    },
  ),

  'uart/scratch': states('The scratch register holds a byte, and does nothing.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const value of [0x00, 0xff, 0x55, 0xaa]) {
      dev.write(SCR, value);
      assert.equal(dev.read(SCR), value, '16550D, 8.9: it is intended to hold data temporarily');
    }
  }),

  'uart/reserved-bits': states('Bits 7:4 of IER and 7:5 of MCR are always 0.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    dev.write(IER, 0xf0);
    assert.equal(dev.read(IER), 0, '16550D, 8.7: bits 4 through 7 are always logic 0');
    dev.write(MCR, 0xe3);
    assert.equal(dev.read(MCR), 0x03, '16550D, 8.6: bits 5 through 7 are permanently set to logic 0');
    for (let value = 0; value < 0x80; value++) {
      dev.write(LCR, value);
      assert.equal(dev.read(LCR), value, '16550D, 8.1: the contents may be retrieved');
    }
  }),

  'uart/registers': states('IER, MCR and SCR read as they were written.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const [register, values, section] of [
      [IER, 0x10, '8.7'],
      [MCR, 0x20, '8.6'],
      [SCR, 0x100, '8.9'],
    ] as const) {
      for (let value = 0; value < values; value++) {
        dev.write(register, value);
        assert.equal(dev.read(register), value, `16550D, ${section}: ${register.name}`);
      }
      dev.write(register, 0);
    }
  }),

  'uart/divisor-latch': states(
    'With DLAB the first two ports are the divisor latch, and without it are not.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      dev.write(IER, 0x05);
      dev.write(LCR, LCR.DLAB.mask);
      dev.write(DLL, 0x34);
      dev.write(DLM, 0x12);
      assert.deepEqual([dev.read(DLL), dev.read(DLM)], [0x34, 0x12], '16550D, 8.1: DLAB = 1');
      dev.write(LCR, 0);
      assert.equal(dev.read(IER), 0x05, '16550D, 8.1: DLAB = 0');
      assert.equal(dev.readDivisor(), 0x1234, '16550D, 8.3: DLM and DLL');
    },
  ),

  'uart/apart': states('Each serial port has registers and a line of its own.', (context) => {
    const { assert, machine, skip, vcpu } = context;
    const ports = devices(context, 'ns16550a').map((part) => ({
      dev: ns16550.uart(vcpu, number(part, 'ioBase', ns16550.BASE)),
      line: machine.irq(part.id, 'irq'),
    }));
    if (ports.length < 2) return skip(`this machine has ${ports.length} serial ports`);
    for (const [n, { dev }] of ports.entries()) {
      dev.init({ baud: 9600 / (n + 1), trigger: 0 });
      dev.write(SCR, n);
    }
    for (const [n, { dev, line }] of ports.entries()) {
      assert.equal(dev.read(SCR), n);
      assert.equal(dev.readDivisor(), 12 * (n + 1));
      dev.write(IER, IER.ETBEI.mask);
      assert.deepEqual(
        ports.map((port) => port.line.level),
        ports.map((port) => port.line === line),
        'its line alone',
      );
      dev.write(IER, 0);
    }
  }),

  'uart/transmit/line': states('What is written to THR goes out, in its order.', (context) => {
    const { assert } = context;
    const { dev, frames } = bench(context);
    const far = otherEnd(context, device(context, 'ns16550a'));
    dev.send('Hello, world\n');
    dev.drain();
    frames(1);
    assert.equal(new TextDecoder().decode(far.read()), 'Hello, world\n', '16550D, 8.0: parallel to serial');
  }),

  'uart/transmit/empty': states(
    'THRE is 1 while THR is empty, TEMT while the shift register is empty too.',
    (context) => {
      const { assert } = context;
      const { dev, frames } = bench(context);
      const state = (): number => dev.read(LSR) & (LSR.THRE.mask | LSR.TEMT.mask);
      const both = LSR.THRE.mask | LSR.TEMT.mask;
      assert.equal(state(), both, '16550D, 8.4: nothing is being sent');
      dev.write(THR, 0x11);
      frames(0.5);
      assert.equal(state(), LSR.THRE.mask, '16550D, 8.4: THR has gone to the shift register');
      dev.write(THR, 0x22);
      frames(0.25);
      assert.equal(state(), 0, '16550D, 8.4: both are full');
      frames(0.75);
      assert.equal(state(), LSR.THRE.mask, '16550D, 8.4: the second character is on its way');
      frames(1);
      assert.equal(state(), both, '16550D, 8.4: both have gone');
    },
    VIRTUAL,
  ),

  'uart/transmit/frame': states(
    'A character takes its start, data, parity and stop bits, of 16 · divisor ticks of the crystal.',
    (context) => {
      const { assert, clock } = context;
      const { dev } = bench(context);
      const formats: readonly ns16550.UartFormat[] = [
        { bits: 8 },
        { bits: 7, parity: 'even' },
        { bits: 5, stop: 2 },
        { bits: 8, parity: 'mark', stop: 2 },
      ];
      for (const format of formats) {
        for (const baud of [115_200, 300]) {
          dev.init({ baud, trigger: 0, ...format });
          const divisor = ns16550.divisorFor(baud);
          const frame = ns16550.frameNs(ns16550.lcrFor(format), divisor);
          const halfBit = (8n * BigInt(divisor) * 1_000_000_000n) / BigInt(ns16550.CRYSTAL);
          dev.write(THR, 0x55);
          clock.step(frame - halfBit);
          const what = `${JSON.stringify(format)} at ${baud} baud`;
          assert(!LSR.TEMT.test(dev.read(LSR)), `16550D, 8.1, 8.3: ${what}: the last bit is on the line`);
          clock.step(2n * halfBit);
          assert(LSR.TEMT.test(dev.read(LSR)), `16550D, 8.1, 8.3: ${what}: it is over`);
        }
      }
    },
    VIRTUAL,
  ),

  'uart/receive/line': states('What comes in is read from RBR, in its order, while DR is 1.', (context) => {
    const { assert, clock } = context;
    const { dev } = bench(context, { trigger: 1 });
    const far = otherEnd(context, device(context, 'ns16550a'));
    assert(!LSR.DR.test(dev.read(LSR)), '16550D, 8.4: nothing has come');
    far.write('ping');
    assert.equal(new TextDecoder().decode(dev.receive(4)), 'ping', '16550D, 8.0: serial to parallel');
    clock.step('5ms');
    assert(!LSR.DR.test(dev.read(LSR)), '16550D, 8.4: reading RBR resets DR');
  }),

  'uart/loopback/data': states('In loopback what is sent is received, in as many bits as LCR says.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const bits of [5, 6, 7, 8] as const) {
      dev.init({ ...SETUP, bits });
      const sent = [0x00, 0xff, 0xa5, 0x5a];
      const mask = (1 << bits) - 1;
      assert.deepEqual(
        list(dev.echo(Uint8Array.from(sent))),
        sent.map((byte) => byte & mask),
        `16550D, 8.6: ${bits} bits of each`,
      );
    }
  }),

  'uart/loopback/off-line': states('In loopback nothing goes out, and nothing comes in.', (context) => {
    const { assert } = context;
    // With FIFOs there is room for both characters, so it does not matter which an emulator takes first.
    const { dev, frames } = bench(context, { trigger: 14 });
    const far = otherEnd(context, device(context, 'ns16550a'));
    dev.loopback(() => {
      far.write('x');
      frames(2);
      dev.write(THR, 0x41);
      frames(2);
      dev.drain();
      assert.deepEqual(list(dev.receiveNow()), [0x41], '16550D, 8.6: SIN is disconnected');
    });
    assert.deepEqual(list(far.read()), [], '16550D, 8.6: SOUT is set to marking');
  }),

  'uart/loopback/modem-lines': states('In loopback DTR is DSR, RTS is CTS, OUT1 is RI and OUT2 is DCD.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const [output, input, name] of [
      [MCR.DTR, MSR.DSR, 'DTR'],
      [MCR.RTS, MSR.CTS, 'RTS'],
      [MCR.OUT1, MSR.RI, 'OUT1'],
      [MCR.OUT2, MSR.DCD, 'OUT2'],
    ] as const) {
      dev.write(MCR, MCR.LOOP.mask | output.mask);
      assert.equal(dev.read(MSR) & 0xf0, input.mask, `16550D, 8.6: ${name}`);
    }
    dev.write(MCR, MCR.LOOP.mask);
    assert.equal(dev.read(MSR) & 0xf0, 0, '16550D, 8.6: none');
  }),

  'uart/loopback/modem-deltas': states(
    'DCTS, DDSR and DDCD tell of each change, TERI of RI’s end; reading MSR clears them.',
    (context) => {
      const { assert } = context;
      const { dev } = bench(context);
      const all = MCR.DTR.mask | MCR.RTS.mask | MCR.OUT1.mask | MCR.OUT2.mask;
      const deltas = (): number => dev.read(MSR) & 0x0f;
      dev.write(MCR, MCR.LOOP.mask);
      dev.read(MSR);
      dev.write(MCR, MCR.LOOP.mask | all);
      const changed = MSR.DCTS.mask | MSR.DDSR.mask | MSR.DDCD.mask;
      assert.equal(deltas(), changed, '16550D, 8.8: RI going active is not its trailing edge');
      assert.equal(deltas(), 0, '16550D, 8.8: reset by reading MSR');
      dev.write(MCR, MCR.LOOP.mask);
      assert.equal(deltas(), changed | MSR.TERI.mask, '16550D, 8.8: RI going inactive is');
      dev.write(MCR, MCR.LOOP.mask | MCR.RTS.mask);
      dev.write(MCR, MCR.LOOP.mask);
      assert.equal(deltas(), MSR.DCTS.mask, '16550D, 8.8: since the last time it was read');
    },
  ),

  'uart/overrun': states(
    'Without FIFOs a character that is not read in time is lost to the next, and OE says so until LSR is read.',
    (context) => {
      const { assert } = context;
      const { dev, loop } = bench(context);
      loop(0x11, 0x22);
      assert.equal(dev.read(LSR) & 0x1f, LSR.DR.mask | LSR.OE.mask, '16550D, 8.4: OE');
      assert.equal(dev.read(LSR) & 0x1f, LSR.DR.mask, '16550D, 8.4: OE is reset by reading LSR');
      assert.equal(dev.read(RBR), 0x22, '16550D, 8.4: the previous character is destroyed');
      assert.equal(dev.read(LSR) & 0x1f, 0);
    },
    VIRTUAL,
  ),

  'uart/fifo/identification': states('IIR bits 7:6 are 1 with FIFOs and 0 without.', (context) => {
    const { assert } = context;
    const { dev } = bench(context);
    for (const on of [1, 0, 1]) {
      dev.write(FCR, on);
      assert.equal(IIR.FIFOS.get(dev.read(IIR)), on * 3, '16550D, 8.5: set when FCR0 = 1');
    }
  }),

  'uart/fifo/depth': states(
    'The receiver’s FIFO holds 16; of more the FIFO keeps what it has, and OE is set.',
    (context) => {
      const { assert } = context;
      const { dev, loop } = bench(context, { trigger: 14 });
      const sent = Array.from({ length: 16 }, (_, n) => 0x40 + n);
      loop(...sent);
      assert(!LSR.OE.test(dev.read(LSR)), '16550D, 8.4: the FIFO is full');
      loop(0x77);
      assert(LSR.OE.test(dev.read(LSR)), '16550D, 8.4: and the next character completely received');
      assert.deepEqual(list(dev.receiveNow()), sent, '16550D, 8.4: it is not transferred to the FIFO');
    },
    VIRTUAL,
  ),

  'uart/fifo/transmit': states(
    'The transmitter’s FIFO takes 16 characters at once; THRE is 1 when it is empty.',
    (context) => {
      const { assert } = context;
      const { dev, frames } = bench(context, { trigger: 14, mcr: MCR.LOOP.mask });
      const sent = Array.from({ length: 16 }, (_, n) => 0x60 + n);
      for (const byte of sent) dev.write(THR, byte);
      assert(!LSR.THRE.test(dev.read(LSR)), '16550D, 8.4: at least one byte is in the XMIT FIFO');
      frames(14.5);
      assert(!LSR.THRE.test(dev.read(LSR)), '16550D, 8.4: at least one byte is in the XMIT FIFO');
      frames(1);
      assert.equal(dev.read(LSR) & 0x60, LSR.THRE.mask, '16550D, 8.4: the last one is being sent');
      frames(1);
      assert.equal(dev.read(LSR) & 0x60, LSR.THRE.mask | LSR.TEMT.mask, '16550D, 8.4: and has gone');
      assert.deepEqual(list(dev.receiveNow()), sent, '16550D: in their order');
    },
    VIRTUAL,
  ),

  'uart/fifo/reset': states(
    'RFR empties the receiver’s FIFO, XFR the transmitter’s but not its shift register; both fall again.',
    (context) => {
      const { assert } = context;
      const { dev, frames, loop } = bench(context, { trigger: 14 });
      loop(0x01, 0x02, 0x03);
      assert(LSR.DR.test(dev.read(LSR)));
      dev.write(FCR, FCR.FE.mask | FCR.RFR.mask);
      assert(!LSR.DR.test(dev.read(LSR)), '16550D, 8.5: FCR1 clears all bytes in the RCVR FIFO');
      for (const byte of [0x11, 0x22, 0x33]) dev.write(THR, byte);
      frames(0.5);
      dev.write(FCR, FCR.FE.mask | FCR.XFR.mask);
      assert.equal(dev.read(LSR) & 0x60, LSR.THRE.mask, '16550D, 8.5: FCR2 clears all bytes in the XMIT FIFO');
      frames(4);
      assert.deepEqual(list(dev.receiveNow()), [0x11], '16550D, 8.5: the shift register is not cleared');
      loop(0x44);
      assert.deepEqual(list(dev.receiveNow()), [0x44], '16550D, 8.5: the 1 that is written is self-clearing');
    },
    VIRTUAL,
  ),

  'uart/fifo/change-clears': states(
    'A change of FCR0 clears the FIFOs.',
    (context) => {
      const { assert } = context;
      const { dev, loop } = bench(context, { trigger: 14 });
      loop(0x01, 0x02);
      dev.write(FCR, 0);
      assert(!LSR.DR.test(dev.read(LSR)), '16550D, 8.5: from FIFO mode to 16450 mode, data is cleared');
      dev.write(FCR, FCR.FE.mask);
      assert(!LSR.DR.test(dev.read(LSR)), '16550D, 8.5: and the other way');
    },
    VIRTUAL,
  ),

  'uart/fifo/trigger-level': states(
    'Received data interrupts when the FIFO has come to its trigger level, until it falls below it.',
    (context) => {
      const { assert } = context;
      const { dev, iir, line, loop } = bench(context);
      for (const level of ns16550.TRIGGER_LEVELS) {
        dev.init({ ...SETUP, trigger: level, ier: IER.ERBFI.mask });
        for (let n = 1; n <= level; n++) {
          assert.equal(iir(), NO_INTERRUPT, `16550D, 8.5: ${n - 1} of ${level} characters`);
          loop(n);
        }
        assert.equal(iir(), identified(INTERRUPT.RECEIVED_DATA), `16550D, 8.5: ${level} of ${level} characters`);
        assert(line.level, '16550D, 8.5: INTR');
        dev.read(RBR);
        assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: cleared as soon as it drops below');
        assert(!line.level, '16550D, FIFO interrupt mode A: INTR');
      }
    },
    VIRTUAL,
  ),

  'uart/fifo/timeout': states(
    'Characters below the trigger level interrupt when for four characters’ time none has come or been read.',
    (context) => {
      const { assert } = context;
      const { dev, frames, iir, loop } = bench(context, { trigger: 14, ier: IER.ERBFI.mask });
      loop(1, 2, 3);
      frames(2.5);
      assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: less than four characters’ time');
      loop(4);
      frames(3.5);
      assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: a character begins it anew');
      dev.read(RBR);
      frames(3.5);
      assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: and so does a read');
      frames(1);
      assert.equal(iir(), identified(INTERRUPT.TIMEOUT), '16550D, FIFO interrupt mode A: character time-out');
      dev.read(RBR);
      assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: cleared by reading one character');
      frames(4.5);
      assert.equal(iir(), identified(INTERRUPT.TIMEOUT), '16550D, FIFO interrupt mode A: two are left');
      dev.receiveNow();
      frames(10);
      assert.equal(iir(), NO_INTERRUPT, '16550D, FIFO interrupt mode A: none is left');
    },
    VIRTUAL,
  ),

  'uart/interrupt/priority': states(
    'IIR names the highest of line status, received data, THR empty, modem status; each is ended in its own way.',
    (context) => {
      const { assert } = context;
      const { dev, iir, line, loop } = bench(context, { mcr: MCR.LOOP.mask });
      loop(0x11, 0x22);
      dev.write(MCR, MCR.LOOP.mask | MCR.RTS.mask);
      dev.write(IER, 0x0f);
      assert(line.level || !MCR.OUT2.test(dev.read(MCR)), '16550D, table II: INTR');
      assert.equal(iir(), identified(INTERRUPT.LINE_STATUS), '16550D, table II: first, the overrun');
      assert.equal(iir(), identified(INTERRUPT.LINE_STATUS), '16550D, table II: reading IIR does not end it');
      dev.read(LSR);
      assert.equal(iir(), identified(INTERRUPT.RECEIVED_DATA), '16550D, table II: second, after LSR was read');
      dev.read(RBR);
      assert.equal(iir(), identified(INTERRUPT.THR_EMPTY), '16550D, table II: third, after RBR was read');
      assert.equal(iir(), identified(INTERRUPT.MODEM_STATUS), '16550D, table II: fourth, after IIR was read');
      dev.read(MSR);
      assert.equal(iir(), NO_INTERRUPT, '16550D, table II: none, after MSR was read');
    },
    VIRTUAL,
  ),

  'uart/interrupt/enables': states('Each interrupt has its enable; IIR and the line go by it.', (context) => {
    const { assert } = context;
    const { dev, iir, line } = bench(context);
    dev.write(MCR, MCR.OUT2.mask);
    assert.equal(iir(), NO_INTERRUPT, '16550D, 8.7: none is enabled, though THR is empty');
    for (let n = 0; n < 2; n++) {
      dev.write(IER, IER.ETBEI.mask);
      assert(line.level, '16550D, 8.7: INTR, as THR is empty');
      dev.write(IER, IER.ERBFI.mask | IER.ELSI.mask | IER.EDSSI.mask);
      assert(!line.level, '16550D, 8.7: ETBEI = 0 inhibits it');
    }
  }),

  'uart/interrupt/thr-empty': states(
    'THR empty interrupts once: reading IIR or writing THR ends it.',
    (context) => {
      const { assert } = context;
      const { dev, frames, iir, line } = bench(context, { ier: IER.ETBEI.mask });
      assert(line.level, '16550D, table II: THR is empty');
      assert.equal(iir(), identified(INTERRUPT.THR_EMPTY));
      assert(!line.level, '16550D, table II: reset by reading IIR, if it is the source');
      assert.equal(iir(), NO_INTERRUPT, '16550D, table II: and only once');
      dev.write(THR, 1);
      dev.write(THR, 2);
      assert(!line.level, '16550D, table II: reset by writing THR');
      frames(1.5);
      assert(line.level, '16550D, table II: THR is empty again');
      dev.write(THR, 3);
      assert(!line.level, '16550D, table II: reset by writing THR');
      frames(3);
      assert.equal(iir(), identified(INTERRUPT.THR_EMPTY));
    },
    VIRTUAL,
  ),

  'uart/interrupt/out2-gate': states('On a PC the interrupt passes while OUT2 is active.', (context) => {
    const { assert } = context;
    const { dev, line } = bench(context, { ier: IER.ETBEI.mask, mcr: 0 }, { irqGate: 'out2' });
    assert(!line.level, 'PC/AT, Serial/Parallel Adapter: OUT2 inactive');
    dev.write(MCR, MCR.OUT2.mask);
    assert(line.level, 'PC/AT, Serial/Parallel Adapter: OUT2 active');
    dev.write(MCR, MCR.OUT2.mask | MCR.LOOP.mask);
    assert(!line.level, '16550D, 8.6: in loopback the pin is inactive');
    dev.write(MCR, MCR.OUT2.mask);
    assert(line.level);
  }),

  'uart/interrupt/vector': states(
    'An interrupt for each character reaches the VCPU by the 8259A.',
    (context) => {
      const { assert, vcpu } = context;
      const { dev, loop } = bench(context);
      device(context, 'i8259');
      const part = device(context, 'ns16550a');
      const irq = number(part, 'irq', ns16550.IRQ);
      const received: number[] = [];
      serveIrq(context, irq, () => {
        if (LSR.DR.test(dev.read(LSR))) received.push(dev.read(RBR));
      });
      dev.write(IER, IER.ERBFI.mask);
      const sent = [0x51, 0x54, 0x45, 0x53, 0x54];
      loop(...sent);
      vcpu.inb(0x80);
      assert.deepEqual(received, sent, '16550D, table II: received data available');
    },
    { requires: ['virtual-clock', 'interrupt-acknowledge'] },
  ),
};
