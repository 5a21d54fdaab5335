/** What the pages of `docs/api` show, and in which order: by what their reader does. */

/** Some exports of a package, under one heading. */
export interface Section {
  readonly title: string;
  readonly text?: string;
  /** Names of exports. A namespace stands for all that it exports. */
  readonly names: readonly string[];
}

/** A page of the reference. */
export interface Page {
  readonly file: string;
  readonly title: string;
  /** What a reader imports from. */
  readonly specifier: string;
  /** The built declarations of the package, from the repository's root. */
  readonly declarations: string;
  readonly text: string;
  readonly sections: readonly Section[];
  /** Whether the page lists the device types and boards that the package declares. */
  readonly deviceTypes?: boolean;
}

const SDK = { specifier: '@qtest/sdk', declarations: 'sdk/dist/index.d.ts' } as const;

/** Every export of the packages is on exactly one of these pages. */
export const PAGES: readonly Page[] = [
  {
    ...SDK,
    file: 'tests.md',
    title: 'Write tests',
    text: 'The part of `@qtest/sdk` that an author of tests uses. The guide is [Writing a test](../writing-a-test.md).',
    sections: [
      {
        title: 'Define a plugin',
        names: ['definePlugin', 'Plugin', 'DefinedPlugin', 'StandardSchema', 'StandardResult'],
      },
      {
        title: 'Define cases',
        names: ['Run', 'CaseFunction', 'CaseSpec', 'Capability', 'BackendName', 'CaseContext', 'Assert', 'Plot'],
      },
      {
        title: 'Build the machine',
        text: 'What `init(machine)` gets.',
        names: ['MachineBuilder', 'Placement', 'DeviceRef', 'PinRef', 'DeviceTypes', 'DeviceType', 'Boards'],
      },
      {
        title: 'Access the machine',
        text: 'What a case gets as `vcpu`, `clock` and `machine`.',
        names: [
          'Vcpu',
          'IrqSource',
          'IrqLine',
          'Clock',
          'ClockKind',
          'WaitOptions',
          'PollOptions',
          'Machine',
          'DeviceInfo',
          'Snapshot',
          'Chardev',
        ],
      },
      { title: 'Give lengths of time', names: ['Duration', 'nanoseconds', 'formatNanoseconds'] },
      { title: 'Use several VCPUs', names: ['spinLock'] },
      {
        title: 'Keep a package of cases',
        names: [
          'states',
          'Statement',
          'statementsOf',
          'allCases',
          'findDevice',
          'findDevices',
          'optionsSchema',
          'statementsIn',
          'withDifferences',
          'Differences',
          'VIRTUAL',
          'first',
          'hex',
          'random',
        ],
      },
      { title: 'Handle errors', names: ['QtestError', 'isQtestError'] },
    ],
  },
  {
    ...SDK,
    file: 'devices.md',
    title: 'Write devices',
    text: 'The part of `@qtest/sdk` that an author of device models uses. The guide is [Writing a device](../writing-a-device.md).',
    sections: [
      {
        title: 'Define a device',
        text: 'A device has two halves: its schema says what it is, its behaviour what it does.',
        names: [
          'deviceSchema',
          'defineDevice',
          'DeviceSchema',
          'DeviceBehaviour',
          'DeviceDefinition',
          'AnyDeviceDefinition',
        ],
      },
      {
        title: 'Write a behaviour',
        text: 'What the functions of a behaviour get and give.',
        names: [
          'Device',
          'DeviceOf',
          'RegionBehaviour',
          'Initiator',
          'AccessSize',
          'TimerHandler',
          'InputHandler',
          'ResetKind',
          'Output',
          'Timer',
          'Dma',
          'CharBackend',
          'ConfigSpace',
          'Shadow',
          'AddressRange',
        ],
      },
      {
        title: 'Say what the schema has',
        names: ['RegionSpec', 'Space', 'ShadowSpec', 'OutputSpec', 'InputSpec', 'BusSpec', 'ContractSpec'],
      },
      {
        title: 'Describe registers',
        names: [
          'register',
          'RegisterSpec',
          'Register',
          'Field',
          'FieldAccess',
          'rw',
          'ro',
          'wo',
          'w1c',
          'w1s',
          'w0c',
          'rc',
          'reserved',
          'RegisterBank',
          'decodeRegister',
        ],
      },
      {
        title: 'Describe properties',
        names: [
          'property',
          'Property',
          'NumberProperty',
          'BooleanProperty',
          'StringProperty',
          'EnumProperty',
          'DurationProperty',
          'PropertySchema',
          'PropertiesIn',
          'PropertiesOf',
          'PropertyValue',
        ],
      },
      {
        title: 'Describe state',
        names: ['StateSchema', 'ScalarType', 'ArrayType', 'array', 'bytes', 'StateOf', 'StateArray', 'StateBytes'],
      },
      {
        title: 'Define a PCI function',
        names: [
          'definePciFunction',
          'FunctionSpec',
          'BarSpec',
          'CapabilitySpec',
          'VendorSpec',
          'MsiSpec',
          'MsixSpec',
          'nothingElse',
          'PciDevice',
          'PciPlacementSchema',
          'PciStateSchema',
          'definePciBridge',
          'BridgeSpec',
        ],
      },
      {
        title: 'Do what a PCI function does',
        names: [
          'busMaster',
          'setIntx',
          'readConfig',
          'msiEnabled',
          'sendMsi',
          'msixEnabled',
          'sendMsix',
          'withdrawMsix',
        ],
      },
      {
        title: 'Use the PCI tables',
        names: [
          'HEADER',
          'COMMAND',
          'STATUS',
          'CAPABILITY',
          'MSI',
          'MSIX',
          'MSIX_ENTRY',
          'MSIX_ENTRY_BYTES',
          'BRIDGE',
          'BRIDGE_CONTROL',
          'SECONDARY_STATUS',
          'CONFIG_BYTES',
        ],
      },
    ],
  },
  {
    ...SDK,
    file: 'host.md',
    title: 'Configure and extend the host',
    text: 'The part of `@qtest/sdk` for a config, for extensions and for programs that read reports. The guides are [Configuration and command line](../reference-config.md), [Extending the host](../extending-the-host.md), [Reports](../reports.md) and [Traces](../traces.md).',
    sections: [
      { title: 'Write a config', names: ['defineConfig', 'Config', 'PluginEntry', 'Schedule', 'TraceMode'] },
      {
        title: 'Tap hooks',
        names: [
          'Host',
          'HostHooks',
          'SyncTap',
          'AsyncTap',
          'ResolvedConfig',
          'MachineContext',
          'MachineReady',
          'VcpuStart',
          'CaseStart',
          'CaseEnd',
          'Tick',
          'IrqEvent',
          'GuestEvent',
        ],
      },
      {
        title: 'Read reports',
        names: [
          'ReportEvent',
          'SelectedCase',
          'CaseResult',
          'CaseStatus',
          'Failure',
          'SourceLocation',
          'SourceExcerpt',
          'RunSummary',
          'RunEnd',
        ],
      },
      {
        title: 'Read traces and coverage',
        names: [
          'CaseTrace',
          'TraceEvent',
          'TraceAccess',
          'TraceIrq',
          'TraceTimer',
          'TraceReset',
          'TraceSnapshot',
          'TraceClock',
          'TraceHandler',
          'TraceLog',
          'TypeCoverage',
          'DeviceCoverage',
          'BankCoverage',
          'RegisterCoverage',
          'FieldCoverage',
        ],
      },
    ],
  },
  {
    file: 'pc.md',
    title: 'The parts of a PC',
    specifier: '@qtest/parts/pc',
    declarations: 'parts/dist/pc/index.d.ts',
    text: 'A driver for each part, as an operating system would have it, the registers of the part, and the properties that `machine.add()` takes. [Writing a test](../writing-a-test.md#drivers) lists the drivers.',
    deviceTypes: true,
    sections: [
      {
        title: 'rtc: the MC146818 real-time clock',
        names: ['rtc', 'RtcDriver', 'Rtc', 'RtcTime', 'RtcAlarm', 'RtcInterrupt'],
      },
      { title: 'mc146818: the registers of the real-time clock', names: ['mc146818'] },
      { title: 'i8254: the interval timer', names: ['i8254'] },
      { title: 'i8259: the interrupt controllers', names: ['i8259'] },
      { title: 'lapic: the local APIC', names: ['lapic'] },
      { title: 'ioapic: the I/O APIC', names: ['ioapic'] },
      { title: 'hpet: the high precision event timers', names: ['hpet'] },
      { title: 'ns16550: the serial port', names: ['ns16550'] },
      { title: 'i8042: the keyboard controller', names: ['i8042'] },
      { title: 'fwCfg: the firmware configuration device', names: ['fwCfg'] },
      { title: 'pci: the PCI bus', names: ['pci'] },
      { title: 'guestMemory: RAM to give out', names: ['guestMemory'] },
      { title: 'Boards', names: ['PcOptions', 'IsaPcOptions', 'PcMachine', 'IsaPcMachine', 'PciPlacement'] },
    ],
  },
  {
    file: 'testing.md',
    title: 'Use machines and cases in a test runner',
    specifier: '@qtest/host/testing',
    declarations: 'host/dist/testing/index.d.ts',
    text: 'The guide is [Testing with vitest](../testing-with-vitest.md).',
    sections: [
      {
        title: 'Build a machine in a test',
        names: ['testMachine', 'TestMachineOptions', 'TestMachine', 'wantedMachine'],
      },
      {
        title: "Run a plugin's cases as tests",
        names: ['pluginCases', 'PluginCasesOptions', 'PluginCases', 'TestCase', 'CaseError'],
      },
    ],
  },
  {
    file: 'contract.md',
    title: 'Hold a device to the contract',
    specifier: '@qtest/host/contract',
    declarations: 'host/dist/contract/index.d.ts',
    text: 'The guide is [Writing a device](../writing-a-device.md#the-contract).',
    sections: [
      {
        title: 'Check a device',
        names: ['deviceContract', 'ContractOptions', 'Parts', 'ContractCheck', 'ContractError'],
      },
    ],
  },
];
