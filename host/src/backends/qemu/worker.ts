import { workerData } from 'node:worker_threads';
import { busLine } from '@qtest/machine';
import { emulatedWorker } from '../emulated-worker.ts';
import { Lines } from './channel.ts';
import { qemuMachine } from './machine.ts';
import { Pending } from './pending.ts';
import { Qtest } from './protocol.ts';
import { Qmp } from './qmp.ts';
import type { QemuTask, QemuThreadData } from './task.ts';
import { qemuVcpu } from './vcpu.ts';

/** The thread of QEMU's VCPU. */

const data = workerData as QemuThreadData;

export default emulatedWorker<QemuTask, QemuThreadData['mapping']>(data, (task, { blueprint, trace, irqs }) => {
  const { mapping } = data;
  const pending = new Pending(data.pending);
  const qtest = new Qtest(
    new Lines(task.qtest, 'qtest'),
    (pin, level) => irqs.change(pin, level),
    (request) => pending.set(request),
  );
  qtest.ask('irq_intercept_in ioapic');
  const machine = qemuMachine({
    blueprint,
    mapping,
    qtest,
    qmp: new Qmp(new Lines(task.qmp, 'QMP')),
    irqs,
    chardevs: task.chardevs,
  });
  const { clock } = blueprint;
  const vcpu = qemuVcpu({
    qtest,
    irqs,
    clock,
    trace,
    holes: mapping.holes,
    isaLine: (irq) => machine.line(busLine(blueprint, irq)),
  });
  return { machine, vcpu, clock };
});
