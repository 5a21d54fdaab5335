import { Console } from 'node:console';
import type { Plugin } from '@qtest/sdk';
import { isConnector, type Connector } from '@qtest/sdk/backend';
import { workerData } from 'piscina';
import { coveredEmulated } from '../coverage/covered-vcpu.ts';
import { hostError } from '@qtest/sdk/support';
import { importModule } from '../foreign/import-module.ts';
import { controlOf, LONG, clearTraced, TRACED, Tracer, busLine, emulatedRing, OP } from '@qtest/machine';
import { findCase } from '../plugins/cases.ts';
import { loadAgain } from '../plugins/load-again.ts';
import { callCase } from '../runner/call-case.ts';
import { caseContext } from '../runner/case-context.ts';
import { describeFailure } from '../runner/failure.ts';
import { Leftovers } from '../runner/leftovers.ts';
import { recorded } from '../trace/recording.ts';
import { failedOutcome, type VcpuOutcome } from '../runner/task.ts';
import { connectionProblem } from './check.ts';
import { Irqs } from './irqs.ts';
import type { EmulatedTask, EmulatedThreadData } from './lane.ts';
import { EmulatedClock, EmulatedMachine } from './machine.ts';
import { RealTime } from './real-time.ts';
import { busOf, EmulatedVcpu } from './vcpu.ts';
import { VirtualTime } from './virtual-time.ts';

/** The thread of an emulator's VCPU: a piscina worker, which gets another emulator for each case. */

const data = workerData as EmulatedThreadData;
// Standard output is the report's.
globalThis.console = new Console(process.stderr);
process.setSourceMapsEnabled(true);
let attached: Promise<Attached> | undefined;

export default async (task: EmulatedTask): Promise<VcpuOutcome> => {
  attached ??= attach();
  try {
    return await runCase(await attached, task);
  } catch (error) {
    return failedOutcome(describeFailure(error, data.plugin.root));
  }
};

interface Attached {
  readonly plugin: Plugin;
  readonly connector: Connector;
  readonly leftovers: Leftovers;
}

async function attach(): Promise<Attached> {
  const plugin = await loadAgain(data.plugin);
  const { connector: url, title } = data.backend;
  const { default: connector } = await importModule(url, { what: title, exit: 1 });
  if (!isConnector(connector)) throw hostError('EMULATOR', `${title}: ${url}, loaded a second time, is no connector`);
  // What the plugin's module itself keeps running is not a case's.
  return { plugin, connector, leftovers: new Leftovers() };
}

async function runCase({ plugin, connector, leftovers }: Attached, task: EmulatedTask): Promise<VcpuOutcome> {
  const { blueprint, memory, trace: traced } = data.handle;
  const { mapping, backend } = data;
  const { title: emulator, noSnapshot } = backend;
  const control = controlOf(memory);
  const tracer = traced === undefined ? undefined : new Tracer(traced, { now: () => vcpu.now() });
  const trace = emulatedRing(control, task.index, tracer);
  const isaBus = blueprint.devices.find(({ busName }) => busName === 'isa')?.busLine ?? -1;
  const irqs = new Irqs(
    (kind, number) =>
      void (kind === 'irq' ? trace.add(OP.IRQ, 0, isaBus + number, 0) : trace.add(OP.INTERRUPT, 0, number, 0)),
    () => connection.acknowledge?.(),
  );
  const connection = connector.connect(task.emulator, { irqs });
  const problem = connectionProblem(connection);
  if (problem !== undefined) throw hostError('EMULATOR', `${emulator}: connect() gave something wrong: ${problem}`);
  const look = (): void => connection.look();
  const machine = new EmulatedMachine({ blueprint, mapping, irqs, connection, emulator, noSnapshot });
  const vcpu = new EmulatedVcpu({
    bus: busOf(connection),
    time:
      blueprint.clock === 'virtual'
        ? new VirtualTime({ clock: connection.clock, irqs, emulator })
        : new RealTime({ irqs, look, emulator }),
    irqs,
    trace,
    holes: mapping.holes,
    emulator,
    noAcknowledge: backend.noAcknowledge,
    isaLine: (irq) => machine.line(busLine(blueprint, irq)),
  });
  for (const { address, data: bytes } of task.contents) vcpu.write(address, bytes);
  const { context, log } = caseContext({
    vcpu: await coveredEmulated(recorded(vcpu, task.record), task.coverage, data.handle),
    machine,
    clock: new EmulatedClock(blueprint.clock, vcpu),
    options: data.options,
    shared: task.shared,
    root: data.plugin.root,
    tracer,
    sources: data.sources,
  });
  irqs.onEdge = (pin, level) => tracer?.event(TRACED.EDGE, isaBus + pin, level ? 1 : 0);
  return await callCase({
    inspect: task.inspect,
    run: findCase(plugin, task.case),
    name: task.case,
    context,
    log,
    plugin: data.plugin,
    vcpu: {
      begin: () => {
        trace.clear();
        // What has put RAM's contents there is not the case's.
        if (traced !== undefined) clearTraced(traced);
        connection.begin?.();
        control.longs[LONG.BEGAN] = process.hrtime.bigint();
      },
      abandon: () => {},
      end: () => {},
    },
    leftovers,
  });
}
