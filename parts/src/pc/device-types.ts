import type { DeviceRef, DeviceTypes, Duration } from '@qtest/sdk';

/** Where a PCI function is on its bus, beside its `slot`. */
export interface PciPlacement {
  /** Function number in its slot. Default 0. */
  readonly function?: number;
  /** Whether its slot has other functions. Default false. */
  readonly multifunction?: boolean;
}

declare module '@qtest/sdk' {
  interface DeviceTypes {
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
       * What happens to a request that falls before its acknowledge cycle. `datasheet` gives the spurious IR7.
       * `latched` keeps the request, as QEMU does. Default `datasheet`.
       */
      readonly fallenRequest?: 'datasheet' | 'latched';
    };
    /** The I/O APIC. It sends the interrupts of its 24 inputs to local APICs. */
    ioapic: {
      /** Address of its registers, 4 KiB. Default 0xfec00000. */
      readonly base?: number;
      /** The content of IOAPICVER. From 0x20 on there is an EOI register. Default 0x11, as in the 82093AA; QEMU's is 0x20. */
      readonly version?: number;
      /** Address of the MiB to which it writes interrupt messages. Default 0xfee00000. */
      readonly lapic?: number;
    };
    /** The local APICs of the VCPUs. The interrupt controller beside them drives LINT0, and no longer INTR of a VCPU. */
    apic: {
      /** The number of CPUs that have one, from VCPU 0 on, up to 8. Default 1. */
      readonly cpus?: number;
      /** Address of the registers. A write of a device to the MiB from there is an interrupt message. Default 0xfee00000. */
      readonly base?: number;
      /** Hz of the clock that the timers count, before their divider, 10⁶ to 10⁹. Default 10⁹, as QEMU. */
      readonly busFrequency?: number;
      /** Whether CPU 0 begins as a BIOS leaves it: LINT0 is ExtINT, LINT1 is NMI, and both are unmasked. The SDM says that they are masked. Default false. */
      readonly virtualWire?: boolean;
      /** Address of the I/O APIC. It is told of the end of level-triggered interrupts. 0 for none. Default 0xfec00000. */
      readonly ioapic?: number;
    };
    /** The MC146818A real-time clock with 128 bytes of RAM. */
    mc146818rtc: {
      /** ISA IRQ; −1 leaves the pin to be wired by the machine. Default 8. */
      readonly irq?: number;
      /** Port of the index; the data port follows. Default 0x70. */
      readonly ioBase?: number;
      /** Its time at the machine's start, ISO 8601 in UTC. Default `2000-01-01T00:00:00Z`. */
      readonly epoch?: string;
      /**
       * `counter-chain` is the part: it has a two-digit year, every fourth year is a leap year, and the weekday has its own counter.
       * `gregorian` normalises impossible dates and keeps century and weekday right, as QEMU does. Default `counter-chain`.
       */
      readonly calendar?: 'counter-chain' | 'gregorian';
      /** How long UIP stays up in an update: 0 as in QEMU, `'1984us'` as in the data sheet. Default 0. */
      readonly updateCycle?: Duration;
      /** Index of the century byte: 0x32 (AT), 0x37 (PS/2), or 0 for none. Default 0x32. */
      readonly centuryByte?: number;
      /**
       * `always`: a tap of the divider sets PF, whether PIE is set or not, as the data sheet says. `enabled`: PF is set only with PIE. The time
       * counts from the setting of PIE or from the last interrupt, as in QEMU. Default `always`.
       */
      readonly periodicFlag?: 'always' | 'enabled';
      /**
       * What a change of DM or 24/12 does to the time while the clock runs. `keep` changes nothing, as the data sheet says. `convert`
       * converts the time to the new format, as QEMU does. Default `keep`.
       */
      readonly modeChange?: 'keep' | 'convert';
      /** The contents of the RAM at power-on, as `mc146818.cmos()` makes it: JSON of indices and bytes in hex. Default: zeros. */
      readonly cmos?: string;
    };
    /** The 8254 programmable interval timer, with the clock and the wiring of a PC. */
    i8254: {
      /** ISA IRQ of counter 0; −1 leaves the pin to be wired by the machine. Default 0. */
      readonly irq?: number;
      /** Port of counter 0; those of the others and of the control word follow. Default 0x40. */
      readonly ioBase?: number;
      /** The GATE inputs that are wired high, bit n for counter n. Default 0b011: GATE 2 is an input. */
      readonly tiedGates?: number;
      /**
       * The OUT pins that are driven, bit n for counter n. The others stay low and need no timer; a read-back command gives their levels.
       * Default 0b101: nobody listens to OUT 1 of a PC.
       */
      readonly drivenOuts?: number;
      /**
       * What a reset does. `none` is the part: it has no RESET, and counts nothing at power-on. `running` starts every counter
       * in mode 3 with 65536, as QEMU does. Default `none`.
       */
      readonly reset?: 'none' | 'running';
    };
    /** Port 0x61 of the PC: GATE 2 and OUT 2 of the PIT, and the speaker. */
    pcspk: {
      /** Its port. Default 0x61. */
      readonly ioBase?: number;
      /** What changes the bit REFRESH. `time`: it changes every 15.086 us. `read`: each read changes it, as in QEMU. Default `time`. */
      readonly refresh?: 'time' | 'read';
    };
    /** The watchdog of the iBASE IB700. */
    ib700: {
      /** Port that disables; the one that enables is 2 above it. Default 0x441. */
      readonly ioBase?: number;
      /** The output that pulses when the time is over, in addition to `expired`. `inject-nmi` is the output `nmi`. Default `reset`. */
      readonly action?: 'reset' | 'shutdown' | 'poweroff' | 'pause' | 'debug' | 'none' | 'inject-nmi';
    };
    /** pvpanic on the ISA bus. A guest uses it to tell that it has panicked. */
    pvpanic: {
      /** Its port. Default 0x505. */
      readonly ioBase?: number;
      /** Events that it knows: panicked 1, crashloaded 2, shutdown 4. Default 7. */
      readonly events?: number;
    };
    /** A block of IA-PC high precision event timers, with a 64-bit counter of 100 MHz. */
    hpet: {
      /** Address of its registers, 1 KiB. Default 0xfed00000. */
      readonly base?: number;
      /** The number of timers, 3 to 32. Default 3. */
      readonly timers?: number;
      /** The pins of its output `irq` to which a timer can be routed, a bit for each. Default 0x4, as in QEMU's i440FX machine. */
      readonly intcap?: number;
    };
    /** QEMU's firmware configuration device, with its files and DMA. */
    fw_cfg: {
      /** Port of the selector; the data port follows, the DMA address is 4 further. Default 0x510. */
      readonly ioBase?: number;
      /** Whether it has the DMA interface. Default true. */
      readonly dma?: boolean;
      /** The size of RAM that it tells, in bytes. Default 128 MiB. */
      readonly ramSize?: number;
      /** The number of CPUs that it tells. Default 1. */
      readonly cpus?: number;
      /** One more than the greatest ID of a local APIC. Default 1. */
      readonly maxCpus?: number;
      /** Whether the firmware is to show a boot menu. Default false. */
      readonly bootMenu?: boolean;
      /** The device paths for the file `bootorder`, one on each line. Default none. */
      readonly bootorder?: string;
      /** More files, as `fwCfg.files()` makes them: JSON of names and contents in hex. */
      readonly files?: string;
      /** More items, as `fwCfg.items()` makes them: JSON of keys and contents in hex. */
      readonly items?: string;
    };
    /** QEMU's ISA device for tests: registers, 24 interrupt lines to drive, 64 KiB of memory. */
    'pc-testdev': {
      /** First of its twelve ports of registers. Default 0xe0. */
      readonly ioBase?: number;
      /** Port of interrupt line 0; the others follow. Default 0x2000. */
      readonly irqBase?: number;
      /** Address of its memory. Default 0xff000000. */
      readonly memoryBase?: number;
    };
    /** The 440FX's host bridge: PCI bus 0 and configuration mechanism #1. */
    'i440fx-pcihost': {
      /** What happens to bits 1:0 of a write to 0xCF8. `qemu` keeps them and ORs them into the offset, as QEMU does. `strict` makes them zero. Default `qemu`. */
      readonly configAddress?: 'qemu' | 'strict';
    };
    /** The 440FX's function 0:0.0, with its PAM and SMRAM registers. */
    i440fx: PciPlacement & {
      /** Its device number. Default 0. */
      readonly slot?: number;
      /**
       * When RAM answers at 0xA0000. `datasheet`: while SMRAM has G_SMRAME and DOPEN; DLCK ends that for good. `qemu`: while SMRAM has DOPEN.
       * Default `datasheet`.
       */
      readonly smram?: 'datasheet' | 'qemu';
    };
    /** The PIIX3's function 0: the ISA bus, the routing of PCI interrupts to it, and the reset control register. */
    piix3: PciPlacement & {
      /** Its device number. Default 1. */
      readonly slot?: number;
    };
    /** The registers of ACPI for hot plug on PCI bus 0. */
    'acpi-pci-hotplug': {
      /** First of its twenty ports. Default 0xae00. */
      readonly ioBase?: number;
      /** The slots that cannot be unplugged, a bit for each. Default 0. */
      readonly fixed?: number;
    };
    /** QEMU's educational PCI device: factorials, interrupts, DMA. */
    edu: PciPlacement & {
      readonly slot: number;
      /** The bits of a memory address that its DMA uses. Default 0x0fffffff. */
      readonly dmaMask?: number;
      /** How long a factorial takes. Default 0: it is done before the write has ended. */
      readonly factorialTime?: Duration;
    };
    /** pvpanic on the PCI bus. */
    'pvpanic-pci': PciPlacement & {
      readonly slot: number;
      /** Events that it knows: panicked 1, crashloaded 2, shutdown 4. Default 7. */
      readonly events?: number;
    };
    /** QEMU's PCI test device: it counts writes. */
    'pci-testdev': PciPlacement & { readonly slot: number };
    /** QEMU's PCI-to-PCI bridge. It is a bus: give it as the `bus` of functions behind it. */
    'pci-bridge': PciPlacement & { readonly slot: number };
    /** The PC's keyboard controller, with a PS/2 keyboard and a mouse. `machine.chardev(id)` presses keys: it takes their scan codes (set 2). */
    i8042: {
      /** ISA IRQ of the keyboard. Default 1. */
      readonly irq?: number;
      /** ISA IRQ of the mouse. Default 12. */
      readonly auxIrq?: number;
      /** Data port; that of status and commands is 4 above it. Default 0x60. */
      readonly ioBase?: number;
      /** Whether there is a keyboard. Default true. */
      readonly keyboard?: boolean;
      /** Whether there is a mouse. Default true. */
      readonly mouse?: boolean;
      /** How long a byte from a device takes: 0 as in QEMU, `'1ms'` as in the part. Default 0. */
      readonly byteTime?: Duration;
    };
    /** The NS16550A UART. `machine.chardev(id)` is the other end of its line. */
    ns16550a: {
      /** ISA IRQ; −1 leaves the pin to be wired by the machine. Default 4. */
      readonly irq?: number;
      /** First of its eight ports. Default 0x3f8. */
      readonly ioBase?: number;
      /** Hz of the crystal. Default 1843200. */
      readonly clock?: number;
      /** What gates the IRQ: the pin OUT2 (MCR.OUT2 without LOOP), as in a PC, or nothing, as in QEMU. Default `out2`. */
      readonly irqGate?: 'out2' | 'none';
      /** The modem inputs that are wired active, by their bits in MSR. Default 0xb0: DCD, DSR and CTS. */
      readonly tiedInputs?: number;
    };
    /** A device for the framework's own tests: registers of every kind, a timer, an IRQ, DMA and faults on request. */
    'isa-testdev': {
      /** First of its 32 ports. Default 0x300. */
      readonly ioBase?: number;
      /** ISA IRQ. Default 5. */
      readonly irq?: number;
      /** Whether it goes wrong on request. If false, such a request, DMA to itself and periods below 100 ns are a `guestError`. Default true. */
      readonly faults?: boolean;
    };
  }

  interface Boards {
    /** The normal machine: what a plugin without `init()` gets. A PC of 440FX and PIIX3. */
    pc(options?: PcOptions): PcMachine;
    /** A PC without PCI. */
    isapc(options?: IsaPcOptions): IsaPcMachine;
  }
}

/** A part that a machine has only on request: `true` with its defaults, or an object of properties. */
type Part<T extends keyof DeviceTypes> = boolean | Partial<DeviceTypes[T]>;

/** Options of `machine.isapc()`. Find the optional parts by their ids: `machine.get('hpet0')`. */
export interface IsaPcOptions {
  /**
   * The size of RAM in bytes, a multiple of 4096, up to 3 GiB. From 640 KiB to 1 MiB an `isapc` has no RAM; in a `pc` it shows when the
   * 440FX's registers SMRAM and PAM say so. Default 128 MiB.
   */
  readonly ram?: number;
  /** The number of CPUs that the firmware's tables tell and that have a local APIC, up to 8. Default: the greatest number of VCPUs of the plugin's cases. */
  readonly cpus?: number;
  /** Properties of the RTC. By default it behaves as QEMU's does. `cmos` replaces the contents that the board gives it. */
  readonly rtc?: DeviceTypes['mc146818rtc'];
  /** Bytes of the CMOS by their indices. They replace those that the board puts there for the firmware, such as the boot order at 0x38 and 0x3d. */
  readonly cmos?: Readonly<Record<number, number>>;
  /** Properties of `fw_cfg0`, such as its files. */
  readonly fwCfg?: Partial<DeviceTypes['fw_cfg']>;
  /** Serial ports: COM1 at 0x3f8, IRQ 4; COM2 at 0x2f8, IRQ 3; COM3 at 0x3e8, IRQ 4; COM4 at 0x2e8, IRQ 3. Default 1. */
  readonly serial?: number;
  /** `hpet0`. PIT and RTC then reach IRQ 0 and 8 through it. Default false. */
  readonly hpet?: Part<'hpet'>;
  /** `pvpanic0`, at 0x505. Default false. */
  readonly pvpanic?: Part<'pvpanic'>;
  /** `watchdog0`. Its action `reset` resets the machine. Default false. */
  readonly ib700?: Part<'ib700'>;
  /** `testdev-pc0`, at 0xe0, on all of the ISA bus's IRQs. Default false. */
  readonly 'pc-testdev'?: Part<'pc-testdev'>;
}

/** Options of `machine.pc()`. */
export interface PcOptions extends IsaPcOptions {
  /** `apic0`, the local APICs. The PIC's INT goes to LINT0 of CPU 0, as a BIOS leaves it, and not to INTR. Default true. */
  readonly apic?: Part<'apic'>;
  /** `ioapic0`: ISA IRQ n is at input n, and IRQ 0 at input 2. Default true. */
  readonly ioapic?: Part<'ioapic'>;
  /** `edu0`, in slot 2. Default false. */
  readonly edu?: Part<'edu'>;
  /** `pcitest0`, in slot 3. Default false. */
  readonly 'pci-testdev'?: Part<'pci-testdev'>;
  /** `pvpanic0`, or `pvpanic1` beside the ISA one, in slot 4. Default false. */
  readonly 'pvpanic-pci'?: Part<'pvpanic-pci'>;
  /** `bridge0`, in slot 5. It is a second PCI bus, so a function that you add must name its `bus`. Default false. */
  readonly 'pci-bridge'?: Part<'pci-bridge'>;
}

/** What `machine.isapc()` has built. */
export interface IsaPcMachine {
  readonly isa: DeviceRef;
  readonly pic: DeviceRef;
  readonly pit: DeviceRef;
  /** Port 0x61. */
  readonly speaker: DeviceRef;
  readonly rtc: DeviceRef;
  /** The keyboard controller. Its pin `reset` resets the machine. */
  readonly kbc: DeviceRef;
  /** The serial ports in order. */
  readonly uarts: readonly DeviceRef[];
  readonly fwCfg: DeviceRef;
}

/** What `machine.pc()` has built. `isa` is the PIIX3. */
export interface PcMachine extends IsaPcMachine {
  /** The host bridge: PCI bus 0. */
  readonly pci: DeviceRef;
  /** The 440FX's function 0:0.0. */
  readonly pmc: DeviceRef;
}
