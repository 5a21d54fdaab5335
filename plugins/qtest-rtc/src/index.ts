import { allCases, definePlugin, withDifferences } from '@qtest/sdk';
import { alarm } from './alarm.ts';
import { calendar } from './calendar.ts';
import { QEMU, V86 } from './differences.ts';
import { drift } from './drift.ts';
import { dse } from './dse.ts';
import { interrupts } from './interrupts.ts';
import { options, type RtcOptions } from './options.ts';
import { periodic } from './periodic.ts';
import { ports } from './ports.ts';
import { registers } from './registers.ts';
import { reset } from './reset.ts';
import { time } from './time.ts';
import { update } from './update.ts';

export type { RtcOptions };

export default definePlugin({
  name: 'rtc',
  description: 'MC146818 real-time clock: time, calendar, updates, alarm, interrupts, RAM',
  options,

  // A machine of memory, an ISA bus, the interrupt controllers and RTCs: the PC's, which is the data sheet's part, and beside it
  // one for each property in which such parts differ. A case takes the first that is as it needs it.
  init(machine, { options: { epoch } }) {
    machine.ram(0, 1024 * 1024);
    const bus = machine.add('isa-bus');
    machine.add('i8259', { bus });
    machine.add('mc146818rtc', { bus, irq: 8, epoch });
    machine.add('mc146818rtc', { id: 'gregorian', bus, ioBase: 0x170, irq: 9, epoch, calendar: 'gregorian' });
    machine.add('mc146818rtc', {
      id: 'datasheet',
      bus,
      ioBase: 0x172,
      irq: 10,
      epoch: '2024-02-29T12:34:50Z',
      updateCycle: '1984us',
    });
    machine.add('mc146818rtc', {
      id: 'ps2',
      bus,
      ioBase: 0x174,
      irq: 11,
      epoch,
      calendar: 'gregorian',
      centuryByte: 0x37,
    });
    machine.add('mc146818rtc', {
      id: 'qemu',
      bus,
      ioBase: 0x176,
      irq: 12,
      epoch,
      calendar: 'gregorian',
      periodicFlag: 'enabled',
      modeChange: 'convert',
    });
    machine.add('mc146818rtc', { id: 'no-century', bus, ioBase: 0x178, irq: 15, epoch, centuryByte: 0 });
  },

  run: withDifferences(
    allCases(ports, registers, time, calendar, update, alarm, periodic, interrupts, reset, dse, drift),
    { qemu: QEMU, v86: V86 },
  ),
});
