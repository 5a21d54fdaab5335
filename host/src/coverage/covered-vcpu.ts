import { threadId } from 'node:worker_threads';
import type { AccessSize, Initiator, Vcpu } from '@qtest/sdk';
import { pci } from '@qtest/parts/pc';
import {
  type MachineHandle,
  BoundMachine,
  type Registry,
  OWNER,
  loadDefinitions,
  restorePristine,
  OP,
} from '@qtest/machine';
import { WatchedVcpu } from '../trace/watched-vcpu.ts';
import { AccessCounter } from './access-counter.ts';
import { Counters } from './counters.ts';

const VCPU: Initiator = { kind: 'vcpu', index: 0 };

/** A VCPU of our machine whose use of registers is counted, when that is asked for; the VCPU itself otherwise. */
export function covered(
  vcpu: Vcpu,
  buffer: SharedArrayBuffer | undefined,
  { machine, registry }: { readonly machine: BoundMachine; readonly registry: Registry },
): Vcpu {
  if (buffer === undefined) return vcpu;
  return new WatchedVcpu(vcpu, new AccessCounter(machine, new Counters(machine.blueprint, registry, buffer)));
}

/** The same of an emulator's VCPU, by the machine as our devices make it. */
export async function coveredEmulated(
  vcpu: Vcpu,
  buffer: SharedArrayBuffer | undefined,
  handle: MachineHandle,
): Promise<Vcpu> {
  if (buffer === undefined) return vcpu;
  const registry = await loadDefinitions(handle.blueprint);
  const machine = new BoundMachine(handle, registry, OWNER.THREAD0 + threadId);
  machine.lock.acquire();
  restorePristine(machine);
  machine.lock.release();
  return new WatchedVcpu(vcpu, new Follower(machine, new Counters(handle.blueprint, registry, buffer)));
}

/** Makes writes to PCI configuration space on our machine as well, so that it knows where the emulator's BARs are. */
class Follower extends AccessCounter {
  readonly #machine: BoundMachine;

  constructor(machine: BoundMachine, counters: Counters) {
    super(machine, counters);
    this.#machine = machine;
  }

  override access(op: number, size: AccessSize, address: number, value: number): void {
    super.access(op, size, address, value);
    const port = address & ~3;
    if (op !== OP.OUT || (port !== pci.CONFIG_ADDRESS && port !== pci.CONFIG_DATA)) return;
    const { bus, lock } = this.#machine;
    lock.acquire();
    bus.ioWrite(address, value, size, VCPU);
    lock.release();
  }
}
