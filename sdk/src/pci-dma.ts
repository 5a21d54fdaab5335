import type { Dma } from './device.ts';
import { COMMAND, HEADER, readConfig, type PciDevice } from './pci-config.ts';

/**
 * The device's DMA, while the guest lets the device be a bus master; undefined while it does not. An access to the function's own BARs is
 * refused and reported, because a function does not answer its own cycles.
 */
export function busMaster(device: PciDevice): Dma | undefined {
  return COMMAND.MASTER.test(readConfig(device.state.config, HEADER.COMMAND, 2)) ? new OutwardDma(device) : undefined;
}

class OutwardDma implements Dma {
  readonly #device: PciDevice;

  constructor(device: PciDevice) {
    this.#device = device;
  }

  read(address: number, target: Uint8Array): void {
    if (this.#refuses('read', address, target.length)) target.fill(0xff);
    else this.#device.dma.read(address, target);
  }

  write(address: number, data: Uint8Array): void {
    if (!this.#refuses('write', address, data.length)) this.#device.dma.write(address, data);
  }

  isOwn(address: number, size: number): boolean {
    return this.#device.dma.isOwn(address, size);
  }

  readb(address: number): number {
    return this.#refuses('read', address, 1) ? 0xff : this.#device.dma.readb(address);
  }

  readw(address: number): number {
    return this.#refuses('read', address, 2) ? 0xffff : this.#device.dma.readw(address);
  }

  readl(address: number): number {
    return this.#refuses('read', address, 4) ? 0xffff_ffff : this.#device.dma.readl(address);
  }

  writeb(address: number, value: number): void {
    if (!this.#refuses('write', address, 1)) this.#device.dma.writeb(address, value);
  }

  writew(address: number, value: number): void {
    if (!this.#refuses('write', address, 2)) this.#device.dma.writew(address, value);
  }

  writel(address: number, value: number): void {
    if (!this.#refuses('write', address, 4)) this.#device.dma.writel(address, value);
  }

  #refuses(what: 'read' | 'write', address: number, size: number): boolean {
    if (!this.isOwn(address, size)) return false;
    this.#device.guestError(`DMA ${what} of ${size} bytes at 0x${address.toString(16)}, in its own BAR, refused`);
    return true;
  }
}
