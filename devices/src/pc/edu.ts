/**
 * QEMU's educational PCI device, 1234:11e8, made for writing drivers against: identification, liveness check, factorial, interrupts,
 * DMA to and from a buffer of its own.
 *
 * Published specification: QEMU, docs/specs/edu.rst: "PCI specs", "MMIO area spec", "IRQ controller", "DMA controller". BAR 0 is 1 MiB
 * of memory, with accesses of 4 bytes below 0x80 and 4 or 8 above; a VCPU's access of 8 bytes comes as two of 4, low one first. The
 * buffer of 4 KiB is at 0x40000 for DMA alone: as memory, nothing answers there. A DMA command takes 100 ms.
 *
 * Factorials are of 32 bits: that of 34 and of anything above is 0. `factorialTime` is how long one takes; at 0 it is done before the
 * write has ended, and COMPUTING is never seen. The interrupt of an end is that of IRQFACT then, not at its start.
 *
 * Other than QEMU's: a DMA outside the buffer moves nothing, where QEMU goes beyond it (or, in older versions, ends); the same goes for
 * one while the guest does not let the device be a bus master. Both end as others do, with their interrupt. The upper halves of the DMA
 * registers can be accessed by themselves; a write to the lower half clears the upper one, as there. 8 bytes at once below 0x80 are two
 * registers, where QEMU gives all ones. While MSI is enabled the INTx pin is down whatever it did before. A reset clears the device,
 * which QEMU's does not.
 */
import {
  array,
  busMaster,
  bytes,
  definePciFunction,
  msiEnabled,
  property,
  register,
  ro,
  rw,
  sendMsi,
  setIntx,
  type Device,
  type PciDevice,
} from '@qtest/sdk';

const ID = register('ID', { offset: 0x00, width: 32, reset: 0x0100_00ed, access: 'ro' });
const LIVENESS = register('LIVENESS', {
  offset: 0x04,
  width: 32,
  reset: 0,
  effect: 'reads as the inverse of what is written',
  volatile: true,
});
const FACTORIAL = register('FACTORIAL', {
  offset: 0x08,
  width: 32,
  reset: 0,
  effect: 'writing n computes n!, which is read when COMPUTING is 0',
  volatile: true,
});
const STATUS = register('STATUS', { offset: 0x20, width: 32, reset: 0, fields: { IRQFACT: rw(7), COMPUTING: ro(0) } });
const IRQ_STATUS = register('IRQ_STATUS', { offset: 0x24, width: 32, reset: 0, access: 'ro' });
const IRQ_RAISE = register('IRQ_RAISE', { offset: 0x60, width: 32, access: 'wo', effect: 'sets bits of IRQ_STATUS' });
const IRQ_ACK = register('IRQ_ACK', { offset: 0x64, width: 32, access: 'wo', effect: 'clears bits of IRQ_STATUS' });
const DMA_REGISTERS = ['DMA_SRC', 'DMA_DST', 'DMA_COUNT'].flatMap((name, n) => [
  register(name, {
    offset: 0x80 + 8 * n,
    width: 32,
    reset: 0,
    effect: 'clears its upper half; ignored while RUN is 1',
  }),
  register(`${name}_HIGH`, { offset: 0x84 + 8 * n, width: 32, reset: 0, effect: 'ignored while RUN is 1' }),
]);
const DMA_COMMAND = register('DMA_COMMAND', {
  offset: 0x98,
  width: 32,
  reset: 0,
  fields: { REST: rw(31, 3), IRQ: rw(2), TO_RAM: rw(1), RUN: rw(0) },
  effect: 'RUN starts a transfer; a write without it is ignored',
  volatile: true,
});

/** Values of IRQ_STATUS that the device raises itself. */
const FACTORIAL_DONE = 0x0000_0001;
const DMA_DONE = 0x0000_0100;

/** Where the buffer is, as DMA sees it, and its bytes. */
const BUFFER = 0x4_0000n;
const BUFFER_BYTES = 4096;

const DMA_TIME = 100_000_000n;

/** Where `msi_init` of QEMU puts the capability. */
const MSI_AT = 0x40;

/** Index in the state of the low half of a DMA register. */
const SOURCE = 0;
const DESTINATION = 2;
const COUNT = 4;

const FLOATING = 0xffff_ffff;

const properties = {
  dmaMask: property.number({
    max: Number.MAX_SAFE_INTEGER,
    default: 0x0fff_ffff,
    description: 'bits of a memory address that DMA has',
  }),
  factorialTime: property.duration({ default: 0n, description: 'how long a factorial takes' }),
};

const state = {
  liveness: 'u32',
  factorial: 'u32',
  status: 'u32',
  irqStatus: 'u32',
  /** Source, destination and count, each low half first. */
  dma: array('u32', 6),
  command: 'u32',
  buffer: bytes(BUFFER_BYTES),
} as const;

type Edu = PciDevice & Device<typeof properties, typeof state, 'factorial' | 'dma'>;

export const edu = definePciFunction(
  {
    type: 'edu',
    description: 'QEMU’s educational PCI device',
    properties,
    state,
    pci: {
      vendor: 0x1234,
      device: 0x11e8,
      revision: 0x10,
      classCode: 0x00_ff00,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      interruptPin: 1,
      bars: { mmio: { bar: 0, kind: 'memory32', size: 2 ** 20, access: { min: 4, max: 4, strict: true } } },
      capabilities: [{ kind: 'msi', offset: MSI_AT }],
    },
    registers: {
      mmio: {
        registers: [ID, LIVENESS, FACTORIAL, STATUS, IRQ_STATUS, IRQ_RAISE, IRQ_ACK, ...DMA_REGISTERS, DMA_COMMAND],
      },
    },
    timers: ['factorial', 'dma'],
  },
  {
    reset({ state: own, timers }) {
      own.liveness = 0;
      own.factorial = 0;
      own.status = 0;
      own.irqStatus = 0;
      own.dma.fill(0);
      own.command = 0;
      own.buffer.fill(0);
      timers.factorial.cancel();
      timers.dma.cancel();
    },
    updateIrq,
    regions: { mmio: { read, write } },
    timers: { factorial: endFactorial, dma: endDma },
    // MSI may have been switched on or off.
    configWritten: updateIrq,
  },
);

/** The level of INTx; an MSI is sent where a cause is raised. */
function updateIrq(device: Edu): void {
  setIntx(device, device.state.irqStatus !== 0 && !msiEnabled(device, MSI_AT));
}

function raise(device: Edu, causes: number): void {
  device.state.irqStatus |= causes;
  if (device.state.irqStatus !== 0) sendMsi(device, MSI_AT);
  updateIrq(device);
}

function read({ state: own }: Edu, offset: number): number {
  switch (offset) {
    case ID.offset:
      return ID.reset ?? 0;
    case LIVENESS.offset:
      return own.liveness;
    case FACTORIAL.offset:
      return own.factorial;
    case STATUS.offset:
      return own.status;
    case IRQ_STATUS.offset:
      return own.irqStatus;
    case DMA_COMMAND.offset:
      return own.command;
    case DMA_COMMAND.offset + 4:
      return 0;
    default:
      return isDma(offset) ? own.dma.get((offset - FIRST_DMA) >> 2) : FLOATING;
  }
}

function write(device: Edu, offset: number, value: number): void {
  const { state: own } = device;
  switch (offset) {
    case LIVENESS.offset:
      own.liveness = ~value;
      return;
    case FACTORIAL.offset:
      startFactorial(device, value);
      return;
    case STATUS.offset:
      own.status = STATUS.write(own.status, value);
      return;
    case IRQ_RAISE.offset:
      raise(device, value);
      return;
    case IRQ_ACK.offset:
      own.irqStatus &= ~value;
      updateIrq(device);
      return;
    case DMA_COMMAND.offset:
      startDma(device, value);
      return;
    default:
      if (isDma(offset)) writeDma(device, (offset - FIRST_DMA) >> 2, value);
  }
}

// Factorials.

function startFactorial(device: Edu, value: number): void {
  const {
    state: own,
    timers,
    properties: { factorialTime },
  } = device;
  if (STATUS.COMPUTING.test(own.status)) return;
  own.factorial = value;
  own.status |= STATUS.COMPUTING.mask;
  if (factorialTime > 0n) timers.factorial.arm(device.now() + factorialTime);
  else endFactorial(device);
}

function endFactorial(device: Edu): void {
  const { state: own } = device;
  own.factorial = factorial(own.factorial);
  own.status &= ~STATUS.COMPUTING.mask;
  if (STATUS.IRQFACT.test(own.status)) raise(device, FACTORIAL_DONE);
}

/** n! modulo 2³². 34! has 32 factors of two. */
function factorial(n: number): number {
  if (n >= 34) return 0;
  let product = 1;
  for (let factor = 2; factor <= n; factor++) product = Math.imul(product, factor);
  return product >>> 0;
}

// DMA.

const FIRST_DMA = 0x80;

function isDma(offset: number): boolean {
  return offset >= FIRST_DMA && offset < DMA_COMMAND.offset;
}

function writeDma({ state: { dma, command } }: Edu, index: number, value: number): void {
  if (DMA_COMMAND.RUN.test(command)) return;
  dma.set(index, value);
  if (index % 2 === 0) dma.set(index + 1, 0);
}

function startDma(device: Edu, value: number): void {
  if (!DMA_COMMAND.RUN.test(value) || DMA_COMMAND.RUN.test(device.state.command)) return;
  device.state.command = value;
  device.timers.dma.arm(device.now() + DMA_TIME);
}

function endDma(device: Edu): void {
  const { state: own } = device;
  move(device, DMA_COMMAND.TO_RAM.test(own.command));
  own.command &= ~DMA_COMMAND.RUN.mask;
  if (DMA_COMMAND.IRQ.test(own.command)) raise(device, DMA_DONE);
}

function move(device: Edu, toRam: boolean): void {
  const {
    state: { buffer },
    properties: { dmaMask },
  } = device;
  const inBuffer = dmaRegister(device, toRam ? SOURCE : DESTINATION);
  const inRam = dmaRegister(device, toRam ? DESTINATION : SOURCE);
  const count = dmaRegister(device, COUNT);
  if (inBuffer < BUFFER || inBuffer + count > BUFFER + BigInt(BUFFER_BYTES)) {
    device.guestError(`DMA of ${count} bytes at 0x${inBuffer.toString(16)}, outside its buffer`);
    return;
  }
  const address = inRam & BigInt(dmaMask);
  if (address !== inRam) device.guestError(`DMA address 0x${inRam.toString(16)} masked to 0x${address.toString(16)}`);
  const dma = busMaster(device);
  if (dma === undefined) {
    device.guestError('DMA while not a bus master');
    return;
  }
  const start = Number(inBuffer - BUFFER);
  if (toRam) {
    dma.write(Number(address), buffer.read(start, Number(count)));
  } else {
    const data = new Uint8Array(Number(count));
    dma.read(Number(address), data);
    buffer.write(start, data);
  }
}

function dmaRegister({ state: { dma } }: Edu, index: number): bigint {
  return (BigInt(dma.get(index + 1)) << 32n) | BigInt(dma.get(index));
}
