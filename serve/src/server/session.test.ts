import { defineDevice, deviceSchema } from '@qtest/sdk';
import { describe, expect, it } from 'vitest';
import { MAX_TRANSFER } from './limits.ts';
import { testSession } from './testing.ts';

const pc = () => testSession((machine) => machine.pc({ serial: 2, hpet: true, edu: true }));

describe('ports and memory', () => {
  it('has at least four digits for a port, and sixteen for memory', () => {
    const { ask } = pc();
    expect(ask('outb 0x70 0xa')).toBe('OK');
    expect(ask('inb 0x71')).toBe('OK 0x0026');
    expect(ask('inw 0x71')).toBe('OK 0xff26');
    expect(ask('inl 0x5000')).toBe('OK 0xffffffff');
    expect(ask('outl 0xcf8 0x80000000')).toBe('OK');
    expect(ask('inl 0xcfc')).toBe('OK 0x12378086');
    expect(ask('writel 0x1000 0x12345678')).toBe('OK');
    expect(ask('readb 0x1000')).toBe('OK 0x0000000000000078');
    expect(ask('readw 0x1000')).toBe('OK 0x0000000000005678');
    expect(ask('readl 0x1000')).toBe('OK 0x0000000012345678');
    expect(ask('writeq 0x1000 0x1122334455667788')).toBe('OK');
    expect(ask('readq 0x1000')).toBe('OK 0x1122334455667788');
    expect(ask('writew 0x1002 0xabcd')).toBe('OK');
    expect(ask('writeb 0x1007 0xee')).toBe('OK');
    expect(ask('readq 0x1000')).toBe('OK 0xee223344abcd7788');
  });

  it('takes values of which the low bytes count, and numbers of any base', () => {
    const { ask } = pc();
    expect(ask('outb 112 0x10a')).toBe('OK');
    expect(ask('inb 0161')).toBe('OK 0x0026');
    expect(ask('writel 0 -1')).toBe('OK');
    expect(ask('writeb 1 0xfffffffffffffff0')).toBe('OK');
    expect(ask('readl 0')).toBe('OK 0x00000000fffff0ff');
  });

  it('reads and writes bytes as hex and as base64', () => {
    const { ask } = pc();
    expect(ask('write 0x100 4 0xAbcd')).toBe('OK');
    expect(ask('read 0x100 4')).toBe('OK 0xabcd0000');
    expect(ask('write 0x100 2 0x010203040')).toBe('OK');
    expect(ask('read 0x100 4')).toBe('OK 0x01020000');
    expect(ask('b64write 0x102 2 /+8=')).toBe('OK');
    expect(ask('b64read 0x100 4')).toBe('OK AQL/7w==');
    expect(ask('memset 0x101 2 0x5a')).toBe('OK');
    expect(ask('memset 0x100 0 0xff')).toBe('OK');
    expect(ask('read 0x100 4')).toBe('OK 0x015a5aef');
    expect(ask('memset 0x10000 0x20001 0x77')).toBe('OK');
    expect(ask('read 0x2ffff 3')).toBe('OK 0x777700');
  });

  it('answers beyond all addresses as where nothing is', () => {
    const { ask } = pc();
    for (const address of ['0x1ffffffffffffe', '0x20000000000000', '0xfffffffffffffffe', '-1']) {
      expect(ask(`writeq ${address} 1`)).toBe('OK');
      expect(ask(`readq ${address}`)).toBe('OK 0xffffffffffffffff');
      expect(ask(`readb ${address}`)).toBe('OK 0x00000000000000ff');
      expect(ask(`write ${address} 4 0x01`)).toBe('OK');
      expect(ask(`read ${address} 4`)).toBe('OK 0xffffffff');
    }
  });
});

describe('the clock', () => {
  it('starts at 0 and stops at deadlines', () => {
    const { ask, machine } = testSession((builder) => void builder.add('isa-bus').id);
    expect(machine.now).toBe(0n);
    expect(ask('clock_step')).toBe(
      'FAIL cannot advance clock to the next deadline because there is no pending deadline',
    );
    expect(ask('clock_step 100')).toBe('OK 100');
    expect(ask('clock_set 0x100')).toBe('OK 256');
    expect(ask('clock_set 255')).toBe('FAIL 256');
    expect(ask('clock_step -1')).toBe('FAIL could not advance time');
    expect(ask('clock_step 0')).toBe('FAIL could not advance time');
    expect(ask('clock_set 9223372036854775807')).toBe('OK 9223372036854775807');
    expect(ask('clock_step 1')).toBe('FAIL could not advance time');
  });

  it('fires what is due on the way, each at its own time', () => {
    const { ask } = testSession((machine) => machine.isapc());
    expect(ask('irq_intercept_in pic0')).toBe('OK');
    // Counter 0 in mode 2, 100 ticks of 1.193182 MHz.
    for (const request of ['outb 0x43 0x34', 'outb 0x40 100', 'outb 0x40 0']) ask(request);
    const lines = ask('clock_step 200000').split('\n');
    expect(lines.filter((line) => line === 'IRQ raise 0').length).toBe(2);
    expect(lines.at(-1)).toBe('OK 200000');
    expect(ask('clock_step').split('\n').at(-1)).toMatch(/^OK 2\d{5}$/);
  });

  it('goes on in slices, and gives up when its client goes', () => {
    const { session, machine } = testSession((builder) => builder.isapc());
    expect(session.execute('clock_step 1000000000000000000')).toBeUndefined();
    const here = machine.now;
    expect(session.goOn()).toBeUndefined();
    expect(machine.now).toBeGreaterThan(here);
    session.open = false;
    session.open = true;
    const there = machine.now;
    expect(session.goOn()).toBeUndefined();
    expect(machine.now).toBe(there);
    expect(session.execute('inb 0x70')).toBe('OK 0x00ff\n');
  });
});

describe('interrupt lines', () => {
  it('tells of the inputs of the I/O APIC by ISA number, before the reply', () => {
    const { ask } = pc();
    expect(ask('irq_intercept_in ioapic')).toBe('OK');
    // The periodic interrupt of the RTC, through the HPET, at 1024 Hz.
    for (const request of ['outb 0x70 0xb', 'outb 0x71 0x42', 'outb 0x70 0xc']) ask(request);
    expect(ask('clock_step 1000000')).toBe('IRQ raise 8\nOK 1000000');
    expect(ask('inb 0x71')).toBe('IRQ lower 8\nOK 0x00c0');
    // The PIT's is told of as 0, although it is wired to input 2.
    for (const request of ['outb 0x43 0x30', 'outb 0x40 10', 'outb 0x40 0']) ask(request);
    expect(ask('clock_step 100000')).toBe('IRQ raise 0\nOK 1100000');
  });

  it('takes the names that QEMU and that the host have for a device', () => {
    for (const path of [
      'ioapic',
      'i440fx/ioapic',
      '/machine/i440fx/ioapic',
      'ioapic0',
      'isa-i8259',
      'i8259',
      'pic0',
      'mc146818rtc',
      'edu',
      'edu0',
    ]) {
      const { ask } = pc();
      expect([path, ask(`irq_intercept_${/rtc|edu/.test(path) ? 'out' : 'in'} ${path}`)]).toEqual([path, 'OK']);
    }
    const { ask } = pc();
    for (const path of ['foo', '/machine', '/machine/unattached/device[99]', 'machine/ioapic', 'isa-serial', ''])
      expect([path, ask(`irq_intercept_in ${path}`)]).toEqual([path, 'FAIL Unknown device']);
  });

  it('intercepts one device a client, in one way', () => {
    const { ask } = pc();
    expect(ask('irq_intercept_in ioapic intin')).toBe('FAIL Interception of named in-GPIOs not yet supported');
    expect(ask('irq_intercept_out rtc0 nope')).toBe('FAIL No intercepts installed');
    expect(ask('irq_intercept_out rtc0 irq')).toBe('OK');
    expect(ask('irq_intercept_out rtc0')).toBe('OK');
    expect(ask('irq_intercept_in ioapic')).toBe('FAIL IRQ intercept already enabled');
    for (const request of ['outb 0x70 0xb', 'outb 0x71 0x42']) ask(request);
    expect(ask('clock_step 1000000')).toBe('IRQ raise 0\nOK 1000000');
  });

  it('drives an input that is wired', () => {
    const { ask } = pc();
    ask('irq_intercept_in ioapic');
    expect(ask('set_irq_in ioapic unnamed-gpio-in 5 1')).toBe('IRQ raise 5\nOK');
    expect(ask('set_irq_in ioapic intin 5 1')).toBe('OK');
    expect(ask('set_irq_in ioapic intin 5 0')).toBe('IRQ lower 5\nOK');
    expect(ask('set_irq_in nobody intin 5 0')).toBe('FAIL Unknown device');
    expect(ask('set_irq_in ioapic intin 99 0')).toMatch(/^FAIL set_irq_in: 'ioapic' has no input/);
    expect(ask('set_irq_in ioapic foo 5 0')).toMatch(/^FAIL set_irq_in: 'ioapic' has no input 'foo'/);
  });
});

describe('what cannot be done', () => {
  it.each([
    ['', "FAIL Unknown command ''"],
    ['inb  0x70', "FAIL inb: '' is no port: expected 0 to 0xffff"],
    ['INB 0x70', "FAIL Unknown command 'INB'"],
    ['\0\u00ffx', "FAIL Unknown command '??x'"],
    [`${'a'.repeat(100)} b`, `FAIL Unknown command '${'a'.repeat(64)}...'`],
    ['inb', 'FAIL inb: argument 1 is missing'],
    ['inb 0x10000', "FAIL inb: '0x10000' is no port: expected 0 to 0xffff"],
    ['outb 0x70', 'FAIL outb: argument 2 is missing'],
    ['outb 0x70 x', "FAIL outb: argument 2, 'x', is no integer"],
    ['outb 0x70 1\r', "FAIL outb: argument 2, '1?', is no integer"],
    ['readl z', "FAIL readl: argument 1, 'z', is no integer"],
    ['readl 0x10000000000000000', "FAIL readl: argument 1, '0x10000000000000000', is no integer"],
    ['read 0 0', 'FAIL read: the size is 0'],
    ['read 0 -1', `FAIL read: 18446744073709551615 bytes; at most ${MAX_TRANSFER} at once`],
    ['write 0 4', 'FAIL write: argument 3 is missing'],
    ['write 0 4 01020304', 'FAIL write: the data is not 0x and hexadecimal digits'],
    ['write 0 4 0x010g0304', 'FAIL write: the data is not 0x and hexadecimal digits'],
    ['b64write 0 4 ****', 'FAIL b64write: the data is not base64'],
    ['memset 0 0x100000001 0', 'FAIL memset: 4294967297 bytes; at most 4294967296 at once'],
    ['clock_set', 'FAIL clock_set: argument 1 is missing'],
    ['module_load hw- foo', 'FAIL'],
  ])('%j: %s', (line, reply) => {
    const { ask } = pc();
    ask('outb 0x70 0x0f');
    expect(ask(line)).toBe(reply);
    expect(ask('inb 0x71')).toBe('OK 0x0000');
  });

  it('names the device that threw, from then on', () => {
    const schema = deviceSchema({
      type: 'broken',
      description: 'throws',
      regions: () => ({ ports: { space: 'io', base: 0x300, size: 1 } }),
    });
    const broken = defineDevice(schema, {
      regions: {
        ports: {
          read: () => {
            throw new Error('out\nof order');
          },
          write: () => {},
        },
      },
    });
    const { ask } = testSession((machine) => void machine.add(broken), [broken]);
    expect(ask('endianness')).toBe('OK little');
    const reply = "FAIL device 'broken0' threw, which is a bug of the device: Error: out?of order";
    expect(ask('inb 0x300')).toBe(reply);
    expect(ask('endianness')).toBe(reply);
  });
});
