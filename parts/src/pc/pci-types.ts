/** The types of the PCI driver, `pci.host(vcpu)`. */

/** Where a function is. */
export interface PciAddress {
  /** Default 0. */
  readonly bus?: number;
  /** 0 to 31. */
  readonly slot: number;
  /** 0 to 7; default 0. */
  readonly function?: number;
}

/** The space of a base address register, and its width. */
export type BarKind = 'io' | 'memory32' | 'memory64';

/** A base address register as its function has it now. */
export interface PciBar {
  /** 0 to 5, or `rom`. */
  readonly bar: number | 'rom';
  readonly kind: BarKind;
  /** Bytes. */
  readonly size: number;
  readonly prefetchable: boolean;
  /** The address in it: the function answers there while its command register lets it. 0 means nowhere. */
  readonly address: number;
}

/** Bits of the command register: what the function may do. */
export interface PciEnables {
  /** Answer at ports. */
  readonly io?: boolean;
  /** Answer in memory. */
  readonly memory?: boolean;
  /** Make accesses of its own: DMA and MSI. */
  readonly master?: boolean;
  /** Drive its INTx pin. */
  readonly intx?: boolean;
}

/**
 * The argument of `enableMsi()`: which message the function sends. `lapic.message()` gives the address and the data of an interrupt of a VCPU.
 * @example fn.enableMsi({ ...lapic.message({ vector: 0x41, destination: 0 }), vectors: 1 })
 */
export interface MsiSetup {
  /** The address that the function writes to, a multiple of 4. */
  readonly address: number;
  /** The 16 bits that it writes. If there are several vectors, the number of the vector replaces the low bits. */
  readonly data: number;
  /** The number of vectors that the function may use: 1, 2, 4 … 32, and at most as many as it has. Default 1. */
  readonly vectors?: number;
}

/** The message of one vector of MSI-X. */
export interface MsixMessage {
  /** The address that the function writes to, a multiple of 4. */
  readonly address: number;
  /** The 32 bits that it writes. */
  readonly data: number;
}

/** The MSI-X table of a function, when MSI-X is enabled. */
export interface Msix {
  /** Entries of the table. */
  readonly vectors: number;
  /** Addresses of the table and of the pending bits. */
  readonly table: number;
  readonly pba: number;
  /** Sets the message of a vector, and unmasks it. It is masked while the message changes. */
  set(vector: number, message: MsixMessage): void;
  mask(vector: number, masked: boolean): void;
  /** Masks all vectors. With false, each vector has its own mask again. */
  maskAll(masked: boolean): void;
  /** Whether a message of the vector waits, because it is masked. */
  isPending(vector: number): boolean;
  disable(): void;
}

/** Where an interrupt pin leads. */
export interface IntxRoute {
  /** Line of bus 0: 0 for PIRQA to 3 for PIRQD. */
  readonly pirq: number;
  /** The ISA IRQ to which the PC's ISA bridge routes that line; undefined when it routes it to none, or when there is no bridge. */
  readonly irq: number | undefined;
}

/** One function. Offsets are in its configuration space, and aligned to the access. */
export interface PciFunction {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  /** Base class, sub-class and programming interface, 24 bits. */
  readonly classCode: number;
  readb(offset: number): number;
  readw(offset: number): number;
  readl(offset: number): number;
  writeb(offset: number, value: number): void;
  writew(offset: number, value: number): void;
  writel(offset: number, value: number): void;
  /**
   * Finds the kind and the size of a BAR. Decoding is off meanwhile, and the BAR is afterwards as before. It gives undefined when the function
   * does not have the BAR, or when it is the upper half of a 64-bit BAR.
   */
  bar(bar: number | 'rom'): PciBar | undefined;
  /** All its BARs, the ROM's last. */
  bars(): readonly PciBar[];
  /** Moves a BAR. It does not switch decoding on. */
  setBar(bar: number | 'rom', address: number): void;
  /**
   * Gives a BAR an address, unless it has one already, and lets the function answer there. This driver gives each address only once.
   * @throws QtestError `DRIVER` when the function does not have the BAR; when the window is full; or when the function is behind a bridge and
   * has no address: call `assign()` first.
   */
  map(bar: number | 'rom'): PciBar;
  /** Sets and clears bits of the command register. Those that are left out stay as they are. */
  enable(what: PciEnables): void;
  /** Offset of the first capability of the kind, one of `CAPABILITY`. */
  capability(id: number): number | undefined;
  /** Its capabilities, in the order of the list. If the list is broken, it ends at the first that comes twice. */
  capabilities(): readonly { readonly id: number; readonly offset: number }[];
  /**
   * Makes the function send MSI in place of INTx. It must also be a bus master: `enable({ master: true })`.
   * @throws QtestError `DRIVER` when it has no MSI capability, or fewer vectors.
   */
  enableMsi(setup: MsiSetup): void;
  disableMsi(): void;
  /**
   * Makes the function send MSI-X in place of INTx. Every vector is masked at first. The function must also be a bus master. If the BAR of the
   * table has no address, it gets one, as by `map`.
   * @throws QtestError `DRIVER` when it has no MSI-X capability.
   */
  enableMsix(): Msix;
  /** The ISA IRQ that the firmware or a test has noted for its INTx pin. 0xff means none. */
  interruptLine: number;
  /** 1 for INTA to 4 for INTD; 0 for none. */
  readonly interruptPin: number;
}

/** Which functions to find. What is left out may be anything. */
export interface PciMatch {
  readonly vendor?: number;
  readonly device?: number;
  /** Base class and sub-class in 16 bits; or with the programming interface, in 24 bits. */
  readonly classCode?: number;
}

/** The driver of the host bridge, on a VCPU. */
export interface PciHost {
  /** Reads `size` bytes of a function's configuration space, whether the function exists or not. */
  read(at: PciAddress, offset: number, size: 1 | 2 | 4): number;
  write(at: PciAddress, offset: number, value: number, size: 1 | 2 | 4): void;
  /** The function at an address. Undefined when none answers. */
  at(address: PciAddress): PciFunction | undefined;
  /** Every function, in the order of the addresses. Those behind a bridge come after it; the bridge must have its bus numbers. */
  scan(): readonly PciFunction[];
  /** Numbers the buses behind all bridges, depth first, as firmware does. Then it gives every function, as `scan` does. */
  enumerate(): readonly PciFunction[];
  /**
   * Gives every BAR of every function a new address, behind bridges too, and opens the bridges' windows for them. A bridge without
   * bus numbers is left out. Whether a function answers does not change. Bridges forward, and DMA too. 64-bit prefetchable BARs lie above
   * 4 GiB if they do not fit below, or if `above4g` is set.
   * @throws QtestError `DRIVER` when there is no room.
   */
  assign(options?: { readonly above4g?: boolean }): void;
  /** Where the INTx pin of a function leads, through the bridges above it. Undefined when it has no pin, or when a bridge has no number. */
  intx(fn: PciFunction): IntxRoute | undefined;
  /**
   * Makes the PC's ISA bridge route a line of bus 0 to an ISA IRQ, or to none.
   * @throws QtestError `DRIVER` when there is no ISA bridge.
   */
  route(pirq: number, irq: number | undefined): void;
  /**
   * The first function that matches.
   * @throws QtestError `DRIVER` when there is none. The message names those that exist.
   */
  find(match: PciMatch): PciFunction;
}
