import type { Duration } from './duration.ts';

/**
 * The host's devices and the properties they take. This page is the contract between the host, whose devices are checked against it,
 * and authors, who need it without importing the host.
 */
export interface DeviceTypes {
  /** An ISA bus: sixteen IRQ lines. */
  'isa-bus': {};
  /** The PC's pair of 8259A interrupt controllers, master and slave, with the edge/level control registers. */
  i8259: {
    /** Port of the master's A0 = 0. Default 0x20. */
    readonly masterBase?: number;
    /** Port of the slave's A0 = 0. Default 0xa0. */
    readonly slaveBase?: number;
    /** Port of the master's edge/level control register; the slave's follows. 0 leaves them out. Default 0x4d0. */
    readonly elcrBase?: number;
    /** Bits of the master's ELCR that can be set. Default 0xf8. */
    readonly elcrMask?: number;
    /** Bits of the slave's ELCR that can be set. Default 0xde. */
    readonly slaveElcrMask?: number;
    /**
     * What becomes of an edge-triggered request that falls before its acknowledge: `datasheet` gives the spurious IR7,
     * `latched` keeps it, as QEMU does. Default `datasheet`.
     */
    readonly fallenRequest?: 'datasheet' | 'latched';
  };
  /** The MC146818A real-time clock with 128 bytes of RAM. */
  mc146818rtc: {
    /** ISA IRQ. Default 8. */
    readonly irq?: number;
    /** Port of the index; the data port follows. Default 0x70. */
    readonly ioBase?: number;
    /** Its time at the machine's start, ISO 8601 in UTC. Default `2000-01-01T00:00:00Z`. */
    readonly epoch?: string;
    /**
     * `counter-chain`: the part: two-digit year, every fourth a leap year, a weekday counter of its own. `gregorian`: impossible dates
     * are normalised, century and weekday kept right, as QEMU does. Default `counter-chain`.
     */
    readonly calendar?: 'counter-chain' | 'gregorian';
    /** How long UIP stays up in an update. 0 as QEMU, `'1984us'` as the data sheet. Default 0. */
    readonly updateCycle?: Duration;
    /** Index of the century byte: 0x32 (AT), 0x37 (PS/2), or 0 for none. Default 0x32. */
    readonly centuryByte?: number;
    /**
     * `always`: PF is set whether or not PIE is, by a tap of the divider, as the data sheet says. `enabled`: only with PIE, and counted
     * from its setting or from the last interrupt, as QEMU. Default `always`.
     */
    readonly periodicFlag?: 'always' | 'enabled';
    /**
     * What a change of DM or 24/12 does to the time while the clock runs: `keep`, nothing, as the data sheet says; `convert`, the time is
     * converted to the new format, as QEMU does. Default `keep`.
     */
    readonly modeChange?: 'keep' | 'convert';
  };
  /** A device for the framework's own tests: registers of every kind, a timer, an IRQ, DMA and faults on request. */
  'isa-testdev': {
    /** First of its 32 ports. Default 0x300. */
    readonly ioBase?: number;
    /** ISA IRQ. Default 5. */
    readonly irq?: number;
  };
}
