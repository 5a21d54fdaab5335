import type { AnyDeviceDefinition, MachineBuilder } from '@qtest/sdk';
import { Builder, Catalog, createMachine, dependencyManifest, devicePackage, registryOf } from '@qtest/machine';
import { buildTree, Paths } from './paths.ts';
import { ServedMachine } from './served-machine.ts';
import { Session } from './session.ts';

/** A machine behind a session, without a transport: for unit tests. */
export interface TestSession {
  readonly machine: ServedMachine;
  readonly session: Session;
  /** Executes a request to its end; gives the lines that come for it. */
  readonly ask: (line: string) => string;
}

export function testSession(
  init: (machine: MachineBuilder) => void,
  devices: readonly AnyDeviceDefinition[] = [],
): TestSession {
  const known = new Catalog(
    [devicePackage(dependencyManifest('@qtest/devices', import.meta.url))],
    [{ name: 'test', url: import.meta.url, devices }],
  );
  const builder = new Builder('virtual', known);
  init(builder);
  const bound = createMachine(builder, registryOf(known));
  const machine = new ServedMachine(bound);
  const tree = buildTree(bound.blueprint, { machineType: 'test', cpuType: 'vcpu', cpus: 0, added: new Map() });
  const paths = new Paths(
    () => tree,
    () => machine.bound.blueprint,
  );
  const lines: string[] = [];
  const session = new Session(machine, paths, (line) => lines.push(line));
  return {
    machine,
    session,
    ask: (line) => {
      let reply = session.execute(line);
      while (reply === undefined) reply = session.goOn();
      return [...lines.splice(0), reply].join('').trimEnd();
    },
  };
}
