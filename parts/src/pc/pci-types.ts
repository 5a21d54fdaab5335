/** PCI as a driver sees it: `pci.host(vcpu)` gives these. */

/** Where a function is. */
export interface PciAddress {
  /** Default 0. */
  readonly bus?: number;
  /** 0 to 31. */
  readonly slot: number;
  /** 0 to 7; default 0. */
  readonly function?: number;
}

/** What a base address register is for, and how wide it is. */
export type BarKind = 'io' | 'memory32' | 'memory64';

/** A base address register as its function has it now. */
export interface PciBar {
  /** 0 to 5, or `rom`. */
  readonly bar: number | 'rom';
  readonly kind: BarKind;
  /** Bytes. */
  readonly size: number;
  readonly prefetchable: boolean;
  /** What it holds: where the function answers while its command register lets it; 0 is nowhere. */
  readonly address: number;
}

/** Bits of the command register, by what they let a function do. */
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

/** Where a function's messages go. */
export interface MsiSetup {
  /** Where the function writes, a multiple of 4. */
  readonly address: number;
  /** What it writes, 16 bits; the low bits are replaced by the vector's number if there are several. */
  readonly data: number;
  /** 1, 2, 4 … 32. Default 1. */
  readonly vectors?: number;
}

/** The message of one vector of MSI-X. */
export interface MsixMessage {
  /** Where the function writes, a multiple of 4. */
  readonly address: number;
  /** What it writes, 32 bits. */
  readonly data: number;
}

/** The MSI-X table of a function that has been enabled. */
export interface Msix {
  /** Entries of the table. */
  readonly vectors: number;
  /** Addresses of the table and of the pending bits. */
  readonly table: number;
  readonly pba: number;
  /** Sets the message of a vector, masked meanwhile, and unmasks it. */
  set(vector: number, message: MsixMessage): void;
  mask(vector: number, masked: boolean): void;
  /** Masks all vectors, or leaves them to their own masks. */
  maskAll(masked: boolean): void;
  /** Whether a message waits for its mask to go. */
  isPending(vector: number): boolean;
  disable(): void;
}

/** Where an interrupt pin leads. */
export interface IntxRoute {
  /** Line of bus 0: 0 for PIRQA to 3 for PIRQD. */
  readonly pirq: number;
  /** ISA IRQ to which the PC's ISA bridge routes that; undefined while it does not, or when there is none. */
  readonly irq: number | undefined;
}

/** One function. Offsets are into its configuration space and aligned to the access. */
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
   * Looks at a BAR: finds its kind and size, with decoding switched off meanwhile, and leaves it as it was. Undefined when the function
   * does not have it, or when it is the upper half of a 64-bit one.
   */
  bar(bar: number | 'rom'): PciBar | undefined;
  /** All its BARs, the ROM's last. */
  bars(): readonly PciBar[];
  /** Moves a BAR. It does not switch decoding on. */
  setBar(bar: number | 'rom', address: number): void;
  /**
   * Gives a BAR an address that no other has of this driver, unless it has one already, and lets the function answer there.
   * @throws QtestError `DRIVER` when it does not have the BAR, or the window is full; or when the function is behind a bridge and has no
   * address, which `assign()` gives it.
   */
  map(bar: number | 'rom'): PciBar;
  /** Switches bits of the command register; those that are left out stay as they are. */
  enable(what: PciEnables): void;
  /** Offset of the first capability of the kind, one of `CAPABILITY`. */
  capability(id: number): number | undefined;
  /** Its capabilities in the order of the list, which may be broken: it ends at the first that comes twice. */
  capabilities(): readonly { readonly id: number; readonly offset: number }[];
  /**
   * Has it send MSI in the place of INTx. It must be a bus master for that, too: `enable({ master: true })`.
   * @throws QtestError `DRIVER` when it has no MSI capability, or one with fewer vectors.
   */
  enableMsi(setup: MsiSetup): void;
  disableMsi(): void;
  /**
   * Has it send MSI-X in the place of INTx, with every vector masked. It must be a bus master for that, too. The BAR of the table must have
   * an address, or gets one, as `map` does.
   * @throws QtestError `DRIVER` when it has no MSI-X capability.
   */
  enableMsix(): Msix;
  /** ISA IRQ that the firmware, or a test, has noted for its INTx pin; 0xff is none. */
  interruptLine: number;
  /** 1 for INTA to 4 for INTD; 0 for none. */
  readonly interruptPin: number;
}

/** A criterion for functions: what is left out may be anything. */
export interface PciMatch {
  readonly vendor?: number;
  readonly device?: number;
  /** Base class and sub-class, 16 bits, or with the programming interface, 24 bits. */
  readonly classCode?: number;
}

/** PCI as a VCPU sees it. */
export interface PciHost {
  /** Reads `size` bytes of any function's configuration space, whether it is there or not. */
  read(at: PciAddress, offset: number, size: 1 | 2 | 4): number;
  write(at: PciAddress, offset: number, value: number, size: 1 | 2 | 4): void;
  /** The function at an address; undefined when none answers. */
  at(address: PciAddress): PciFunction | undefined;
  /** Every function, in the order of the addresses; those behind a bridge, which must have been given its bus numbers, after it. */
  scan(): readonly PciFunction[];
  /** Numbers the buses behind all bridges, depth first, as firmware does. Gives every function, as `scan` does then. */
  enumerate(): readonly PciFunction[];
  /**
   * Gives every BAR of every function a new address, behind bridges too, and opens the bridges' windows for them; a bridge that has no
   * bus numbers is left out. Functions answer as before, or not; bridges forward, DMA too. 64-bit prefetchable BARs lie above 4 GiB if
   * they do not fit below, or by `above4g`.
   * @throws QtestError `DRIVER` when there is no room.
   */
  assign(options?: { readonly above4g?: boolean }): void;
  /** Where the INTx pin of a function leads, through the bridges above it; undefined when it has none, or a bridge is not numbered. */
  intx(fn: PciFunction): IntxRoute | undefined;
  /**
   * Has the PC's ISA bridge route a line of bus 0 to an ISA IRQ, or to none.
   * @throws QtestError `DRIVER` when there is none.
   */
  route(pirq: number, irq: number | undefined): void;
  /**
   * The first function that matches.
   * @throws QtestError `DRIVER` when there is none; it names those that there are.
   */
  find(match: PciMatch): PciFunction;
}
