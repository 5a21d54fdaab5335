import { allCases, definePlugin, withDifferences } from '@qtest/sdk';
import { cmos } from './cmos.ts';
import { QEMU, V86 } from './differences.ts';
import { fwCfgCases } from './fw-cfg.ts';
import { hpetCases } from './hpet.ts';
import { ioapicCases } from './ioapic.ts';
import { kbc } from './kbc.ts';
import { keyboard } from './keyboard.ts';
import { lapicCases } from './lapic.ts';
import { pic } from './pic.ts';
import { pit } from './pit.ts';
import { small } from './small.ts';
import { smp } from './smp.ts';
import { uart } from './uart.ts';
import { ACTIONS, watchdog } from './watchdog.ts';

export default definePlugin({
  name: 'pc',
  description: 'A PC’s other devices: 8259A, APICs, 8254, 16550A, 8042, fw_cfg, HPET, watchdog, pvpanic, CMOS',

  // The normal PC with every part that can be left out, and beside it parts in which boards differ: a third serial port whose IRQ
  // passes through OUT2, and a watchdog for each action but the first one's.
  init(machine) {
    const { isa } = machine.pc({
      serial: 2,
      // Timers can be routed to interrupt 2, as on QEMU's PC, and to 11, which is free.
      hpet: { intcap: 0x0804 },
      ib700: true,
      pvpanic: true,
      'pc-testdev': true,
    });
    const gated = machine.add('ns16550a', { id: 'gated', bus: isa, ioBase: 0x3e8, irq: -1, irqGate: 'out2' });
    // The pc-testdev drives every line.
    machine.connect(machine.output(gated, 'irq'), machine.line(isa, 10), { shared: true });
    for (const [n, action] of ACTIONS.entries())
      if (action !== 'reset') machine.add('ib700', { id: action, bus: isa, ioBase: 0x800 + 0x10 * n, action });
  },

  run: withDifferences(
    allCases(pic, ioapicCases, lapicCases, smp, pit, uart, kbc, keyboard, fwCfgCases, hpetCases, watchdog, small, cmos),
    { qemu: QEMU, v86: V86 },
  ),
});
