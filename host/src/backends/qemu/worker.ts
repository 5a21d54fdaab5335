import { Console } from 'node:console';
import type { Plugin } from '@qtest/sdk';
import { workerData } from 'piscina';
import { controlOf, LONG } from '../../machine/control.ts';
import { clearTraced, TRACED, Tracer } from '../../machine/tracer.ts';
import { findCase } from '../../plugins/cases.ts';
import { loadAgain } from '../../plugins/load-again.ts';
import { callCase } from '../../vcpu/call-case.ts';
import { caseContext } from '../../vcpu/case-context.ts';
import { describeFailure } from '../../vcpu/failure.ts';
import { busLine } from '../../vcpu/irq-lines.ts';
import { Leftovers } from '../../vcpu/leftovers.ts';
import { recorded } from '../../vcpu/recording.ts';
import type { VcpuOutcome } from '../../vcpu/task.ts';
import { emulatedRing, OP } from '../../vcpu/trace.ts';
import { EmulatedClock } from '../emulated-machine.ts';
import { Irqs } from '../irqs.ts';
import { Lines } from './channel.ts';
import { qemuMachine } from './machine.ts';
import { Pending } from './pending.ts';
import { Qtest } from './protocol.ts';
import { Qmp } from './qmp.ts';
import type { QemuTask, QemuThreadData } from './task.ts';
import { qemuVcpu } from './vcpu.ts';

/** The thread of QEMU's VCPU: a piscina worker, which gets another QEMU for each case. */

// Standard output is the report's.
globalThis.console = new Console(process.stderr);
process.setSourceMapsEnabled(true);

const data = workerData as QemuThreadData;

interface Attached {
  readonly plugin: Plugin;
  readonly leftovers: Leftovers;
}

async function attach(): Promise<Attached> {
  const plugin = await loadAgain(data.plugin);
  // What the plugin's module itself keeps running is not a case's.
  return { plugin, leftovers: new Leftovers() };
}

let attached: Promise<Attached> | undefined;

/** Runs a case on a QEMU that the host has started. */
export default async function runVcpu(task: QemuTask): Promise<VcpuOutcome> {
  attached ??= attach();
  try {
    return await runCase(await attached, task);
  } catch (error) {
    return { status: 'fail', failures: [describeFailure(error, data.plugin.root)], log: [], leftRunning: [] };
  }
}

async function runCase({ plugin, leftovers }: Attached, task: QemuTask): Promise<VcpuOutcome> {
  const { handle, mapping } = data;
  const { blueprint, memory } = handle;
  const control = controlOf(memory);
  const tracer = handle.trace === undefined ? undefined : new Tracer(handle.trace, { now: () => vcpu.now() });
  const trace = emulatedRing(control, task.index, tracer);
  const pending = new Pending(data.pending);
  const isaBus = blueprint.devices.find(({ busName }) => busName === 'isa')?.busLine ?? -1;
  const irqs = new Irqs((_kind, pin) => trace.add(OP.IRQ, 0, isaBus + pin, 0));
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
  const vcpu = qemuVcpu({
    qtest,
    irqs,
    clock: blueprint.clock,
    trace,
    holes: mapping.holes,
    isaLine: (irq) => machine.line(busLine(blueprint, irq)),
  });
  for (const { address, data: bytes } of task.contents) vcpu.write(address, bytes);
  const { context, lines } = caseContext({
    vcpu: recorded(vcpu, task.record),
    machine,
    clock: new EmulatedClock(blueprint.clock, vcpu),
    options: data.options,
    shared: task.shared,
    root: data.plugin.root,
    tracer,
    sources: data.sources,
  });
  irqs.onEdge = (pin, level) => tracer?.event(TRACED.EDGE, isaBus + pin, level ? 1 : 0);
  const end = await callCase({
    run: findCase(plugin, task.case),
    name: task.case,
    context,
    plugin: data.plugin,
    vcpu: {
      begin: () => {
        trace.clear();
        // What has put RAM's contents there is not the case's.
        if (handle.trace !== undefined) clearTraced(handle.trace);
        control.longs[LONG.BEGAN] = process.hrtime.bigint();
      },
      abandon: () => {},
      end: () => {},
    },
    leftovers,
  });
  return { ...end, log: lines };
}
