import { workerData } from 'node:worker_threads';
import { busLine } from '@qtest/machine';
import { emulatedWorker } from '../emulated-worker.ts';
import { v86Machine } from './machine.ts';
import { Mailbox, REQUEST } from './mailbox.ts';
import type { V86Task, V86ThreadData } from './task.ts';
import { v86Vcpu } from './vcpu.ts';

/** The thread of v86's VCPU. */

const data = workerData as V86ThreadData;

export default emulatedWorker<V86Task, V86ThreadData['mapping']>(data, (task, { blueprint, trace, irqs }) => {
  const { mapping } = data;
  const mailbox = new Mailbox(task.mailbox);
  const machine = v86Machine({ blueprint, mapping, mailbox, irqs });
  const vcpu = v86Vcpu({
    mailbox,
    irqs,
    trace,
    holes: mapping.holes,
    isaLine: (irq) => machine.line(busLine(blueprint, irq)),
  });
  return {
    machine,
    vcpu,
    clock: 'realtime',
    acknowledge() {
      const vector = mailbox.ask({ kind: REQUEST.ACKNOWLEDGE });
      return vector < 0 ? undefined : vector;
    },
    begin: () => void mailbox.ask({ kind: REQUEST.BEGIN }),
  };
});
