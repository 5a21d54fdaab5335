/**
 * pci-testfn, 1234:7e57: a PCI function of this package's own, with what QEMU's test devices lack: a BAR of each kind, an expansion ROM,
 * MSI of several vectors, MSI-X, and a capability of its vendor's. No real part: this is its specification.
 *
 * `ports`, BAR 0, 16 bytes of I/O
 *   0 INTX      RW   0: the function asks for its interrupt, INTB#
 *   4 MSI       WO   the vector of a message to be sent by MSI
 *   8 MSIX      WO   the vector of a message to be sent by MSI-X
 *   c SCRATCH   RW
 * `registers`, BAR 1, 4 KiB of memory
 *   0 DMA_ADDRESS, 4 DMA_ADDRESS_HIGH, 8 DMA_DATA  RW
 *   c DMA_COMMAND    WO   WRITE 0: DMA_DATA is written to memory at DMA_ADDRESS · READ 1: it is read from there
 * `long`, BAR 2 and 3, 2 MiB of 64-bit prefetchable memory: RAM in the first 256 bytes, then each dword reads as 4c000000h plus its offset
 * `table`, BAR 4, 4 KiB of memory: the table of MSI-X, 4 vectors, and at 800h its pending bits
 * ROM, 4 KiB: an image as 6.3.1 of the PCI specification has it, without code; beyond its headers each byte is its offset's low one
 */
import {
  busMaster,
  bytes,
  CAPABILITY,
  definePciFunction,
  msiEnabled,
  msixEnabled,
  nothingElse,
  register,
  rw,
  sendMsi,
  sendMsix,
  setIntx,
  wo,
  type Device,
  type PciDevice,
} from '@qtest/sdk';

export const TESTFN = { vendor: 0x1234, device: 0x7e57, classCode: 0xff_0000 } as const;

export const INTX = register('INTX', { offset: 0x0, width: 32, reset: 0, fields: { ASK: rw(0) } });
export const MSI_SEND = register('MSI', { offset: 0x4, width: 32, access: 'wo', effect: 'sends a message by MSI' });
export const MSIX_SEND = register('MSIX', { offset: 0x8, width: 32, access: 'wo', effect: 'sends a message by MSI-X' });
export const SCRATCH = register('SCRATCH', { offset: 0xc, width: 32, reset: 0 });
export const PORTS_BYTES = 16;

export const DMA_ADDRESS = register('DMA_ADDRESS', { offset: 0x0, width: 32, reset: 0 });
export const DMA_ADDRESS_HIGH = register('DMA_ADDRESS_HIGH', { offset: 0x4, width: 32, reset: 0 });
export const DMA_DATA = register('DMA_DATA', { offset: 0x8, width: 32, reset: 0 });
export const DMA_COMMAND = register('DMA_COMMAND', {
  offset: 0xc,
  width: 32,
  fields: { WRITE: wo(0), READ: wo(1) },
  effect: 'makes an access as a bus master',
});

export const LONG_BYTES = 2 ** 21;
export const RAM_BYTES = 256;
export const PATTERN = 0x4c00_0000;

export const MSI_AT = 0x40;
export const MSI_VECTORS = 4;
export const MSIX_AT = 0x60;
export const MSIX_VECTORS = 4;
export const PBA_AT = 0x800;
export const VENDOR_AT = 0x70;
/** What the vendor's capability holds behind ID and pointer: its length, and five bytes, of which two can be written in part. */
export const VENDOR_CONTENT = [8, 0x51, 0x54, 0x00, 0xf0, 0x01] as const;
export const VENDOR_WRITABLE = [0, 0, 0, 0xff, 0x0f, 0] as const;

export const ROM_BYTES = 4096;
/** Where the ROM has its PCI data structure. */
export const PCIR_AT = 0x20;

/** An expansion ROM's header and PCI data structure (6.3.1.1, 6.3.1.2). */
function romImage(): readonly number[] {
  const image = Array.from({ length: ROM_BYTES }, (_, offset) => offset & 0xff);
  const put = (at: number, ...values: number[]): void => {
    for (const [i, value] of values.entries()) image[at + i] = value;
  };
  put(0, 0x55, 0xaa, ROM_BYTES / 512);
  put(0x18, PCIR_AT, 0);
  put(
    PCIR_AT,
    0x50,
    0x43,
    0x49,
    0x52,
    TESTFN.vendor & 0xff,
    TESTFN.vendor >> 8,
    TESTFN.device & 0xff,
    TESTFN.device >> 8,
  );
  put(PCIR_AT + 8, 0, 0, 0x18, 0, 0, 0, 0, 0xff, ROM_BYTES / 512, 0, 0, 0, 0xff, 0x80, 0, 0);
  return image;
}

const ROM = romImage();

const state = {
  intx: 'u32',
  scratch: 'u32',
  dmaAddress: 'u32',
  dmaAddressHigh: 'u32',
  dmaData: 'u32',
  ram: bytes(RAM_BYTES),
} as const;

type Testfn = PciDevice & Device<{}, typeof state>;

/** With either kind of message enabled the pin stays down (6.8.3.3). */
function updateIrq(device: Testfn): void {
  const messages = msiEnabled(device, MSI_AT) || msixEnabled(device, MSIX_AT);
  setIntx(device, INTX.ASK.test(device.state.intx) && !messages);
}

export const testfn = definePciFunction(
  {
    type: 'pci-testfn',
    idPrefix: 'testfn',
    description: 'a PCI function with a BAR of each kind, MSI and MSI-X',
    state,
    pci: {
      ...TESTFN,
      subsystemVendor: TESTFN.vendor,
      subsystem: TESTFN.device,
      interruptPin: 2,
      bars: {
        ports: { bar: 0, kind: 'io', size: PORTS_BYTES, access: { min: 4, max: 4 } },
        registers: { bar: 1, kind: 'memory32', size: 4096, access: { min: 4, max: 4 } },
        long: { bar: 2, kind: 'memory64', size: LONG_BYTES, prefetchable: true, access: { max: 4 } },
        table: { bar: 4, kind: 'memory32', size: 4096, access: { min: 4, max: 4 } },
        rom: { bar: 'rom', kind: 'memory32', size: ROM_BYTES },
      },
      capabilities: [
        { kind: 'msi', offset: MSI_AT, vectors: MSI_VECTORS, masking: true },
        { kind: 'msix', offset: MSIX_AT, vectors: MSIX_VECTORS, bar: 'table', pba: PBA_AT },
        {
          kind: 'vendor',
          offset: VENDOR_AT,
          id: CAPABILITY.VENDOR,
          content: VENDOR_CONTENT,
          writable: VENDOR_WRITABLE,
        },
      ],
    },
    registers: {
      ports: { registers: [INTX, MSI_SEND, MSIX_SEND, SCRATCH] },
      registers: { registers: [DMA_ADDRESS, DMA_ADDRESS_HIGH, DMA_DATA, DMA_COMMAND] },
    },
  },
  {
    reset({ state: own }) {
      own.intx = 0;
      own.scratch = 0;
      own.dmaAddress = 0;
      own.dmaAddressHigh = 0;
      own.dmaData = 0;
      own.ram.fill(0);
    },
    updateIrq,
    configWritten: updateIrq,
    regions: {
      ports: {
        read: ({ state: own }, offset) =>
          offset === INTX.offset ? own.intx : offset === SCRATCH.offset ? own.scratch : 0,
        write(device, offset, value) {
          if (offset === INTX.offset) device.state.intx = INTX.write(device.state.intx, value);
          else if (offset === SCRATCH.offset) device.state.scratch = value;
          else send(device, offset, value);
          updateIrq(device);
        },
      },
      registers: { read: readRegister, write: writeRegister },
      long: { read: readLong, write: writeLong },
      table: nothingElse,
      rom: {
        read: (_device, offset) => ROM[offset] ?? 0xff,
        write: (device, offset) => device.guestError(`write to offset ${offset} of the ROM`),
      },
    },
  },
);

function send(device: Testfn, offset: number, vector: number): void {
  const vectors = offset === MSI_SEND.offset ? MSI_VECTORS : MSIX_VECTORS;
  if (vector >= vectors) device.guestError(`vector ${vector}: there are ${vectors}`);
  else if (offset === MSI_SEND.offset) sendMsi(device, MSI_AT, vector);
  else sendMsix(device, MSIX_AT, vector);
}

function readRegister({ state: own }: Testfn, offset: number): number {
  switch (offset) {
    case DMA_ADDRESS.offset:
      return own.dmaAddress;
    case DMA_ADDRESS_HIGH.offset:
      return own.dmaAddressHigh;
    case DMA_DATA.offset:
      return own.dmaData;
    default:
      return 0;
  }
}

function writeRegister(device: Testfn, offset: number, value: number): void {
  const { state: own } = device;
  if (offset === DMA_ADDRESS.offset) own.dmaAddress = value;
  else if (offset === DMA_ADDRESS_HIGH.offset) own.dmaAddressHigh = value;
  else if (offset === DMA_DATA.offset) own.dmaData = value;
  else if (offset === DMA_COMMAND.offset) access(device, value);
}

function access(device: Testfn, command: number): void {
  const { state: own } = device;
  const dma = busMaster(device);
  if (dma === undefined) {
    device.guestError('DMA while not a bus master');
    return;
  }
  const address = own.dmaAddressHigh * 2 ** 32 + own.dmaAddress;
  if (DMA_COMMAND.WRITE.test(command)) dma.writel(address, own.dmaData);
  if (DMA_COMMAND.READ.test(command)) own.dmaData = dma.readl(address);
}

function readLong({ state: { ram } }: Testfn, offset: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) {
    const at = offset + i;
    const byte = at < RAM_BYTES ? ram.get(at) : ((PATTERN + (at & ~3)) >>> (8 * (at & 3))) & 0xff;
    value = value * 256 + byte;
  }
  return value;
}

function writeLong({ state: { ram } }: Testfn, offset: number, value: number, size: number): void {
  for (let i = 0; i < size && offset + i < RAM_BYTES; i++) ram.set(offset + i, (value >>> (8 * i)) & 0xff);
}
