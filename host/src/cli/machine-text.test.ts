import { expect, test } from 'vitest';

import { machineText } from './machine-text.ts';

test('devices, memory, regions and wiring', () => {
  const text = machineText(
    {
      plugin: 'rtc',
      clock: 'virtual',
      vcpus: 2,
      devices: [
        { id: 'isa0', type: 'isa-bus', description: 'ISA bus', bus: undefined, properties: {} },
        {
          id: 'rtc0',
          type: 'mc146818rtc',
          description: 'RTC',
          bus: 'isa0',
          properties: { irq: 8, ioBase: 0x70, epoch: '2000' },
        },
      ],
      memory: [{ kind: 'ram', base: 0, size: 0xa0000 }],
      shadows: [
        { device: 'pmc0', base: 0x80000, size: 0x2000 },
        { device: 'pmc0', base: 0x82000, size: 0x2000 },
      ],
      regions: [
        { device: 'rtc0', region: 'ports', space: 'io', base: 0x70, size: 2, priority: 0 },
        { device: 'vga0', region: 'lfb', space: 'memory', base: undefined, size: 2 ** 20, priority: 1 },
      ],
      lines: [
        { name: 'isa0.irq[7]', kind: 'bus', to: ['pic0.ir[7]'] },
        { name: 'isa0.irq[8]', kind: 'bus', to: ['pic0.ir[8]'] },
        { name: 'isa0.route[7]', kind: 'output', to: ['isa0.irq[7]'] },
        { name: 'isa0.route[8]', kind: 'output', to: ['isa0.irq[8]'] },
        { name: 'pit0.gate[2]', kind: 'output', to: ['pit0.gate[2]'] },
        { name: 'spk0.gate', kind: 'output', to: ['pit0.gate[2]'] },
        { name: 'pic0.int', kind: 'output', to: ['INTR'] },
        { name: 'rtc0.irq', kind: 'output', to: ['isa0.irq[8]', 'x0.in[0]'] },
      ],
      stateBytes: 512,
    },
    (_format, plain) => plain,
  );
  expect(text).toBe(`machine of rtc  virtual clock, 2 VCPUs, 512 bytes of state

devices
  isa0  isa-bus               ISA bus
  rtc0  mc146818rtc  on isa0  RTC
      irq=8 ioBase=0x70 epoch=2000

memory
  0000000000000000-000000000009ffff  ram  640 KiB
  0000000000080000-0000000000083fff       16 KiB   RAM if pmc0 says so

regions
  io      0070-0071      rtc0.ports
  memory  moves (1 MiB)  vga0.lfb    priority 1

IRQ lines
  isa0.route[7-8] → isa0.irq[7-8] → pic0.ir[7-8]
  spk0.gate → pit0.gate[2]
  pic0.int → INTR
  rtc0.irq → isa0.irq[8] → pic0.ir[8] and x0.in[0]
`);
});
