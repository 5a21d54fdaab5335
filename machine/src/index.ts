/**
 * The native backend: machines of device models in memory that threads share, and the VCPUs that drive them.
 * @module @qtest/machine
 */
import { addOwnFolder } from '@qtest/sdk/support';

export { PAGE_BYTES, type Blueprint, type DeviceBlueprint, type MachineHandle } from './blueprint.ts';
export { BoundMachine, WHOLE_MACHINE, type Registry } from './bound-machine.ts';
export { Builder, type Overrides } from './builder.ts';
export { damage, damageMessage } from './damage.ts';
export { Storm, type Handled } from './vcpu/storm.ts';
export { type Fault } from './bus.ts';
export { type KnownDevice } from './catalog.ts';
export { LONG, MAX_VCPUS, OWNER, RING_ENTRIES, TAP, VCPU_STATUS, WORD, controlOf } from './control.ts';
export { createMachine } from './create.ts';
export { loadDefinitions } from './definitions.ts';
export { EVENT, EventRing, type MachineEvent } from './events.ts';
export { lockCode } from './lock-wasm.ts';
export { Lock, poison } from './lock.ts';
export { IO_PORTS, Target } from './map.ts';
export { restore, restorePristine, save, type SavedState } from './snapshot.ts';
export { LAST_INSTANT } from './timekeeper.ts';
export { REACHED, TRACED, TRACED_EVENTS, Tracer, clearTraced, tracedEvents, type TracedEvent } from './tracer.ts';
export { transferState } from './transfer.ts';
export { badPort, badValue, checkAddress, checkLong, checkSize, checkVector } from './vcpu/arguments.ts';
export { unhandled } from './vcpu/interrupts.ts';
export { busLine, noLine, outputLine } from './vcpu/irq-lines.ts';
export { NativeClock, NativeMachine } from './vcpu/native-machine.ts';
export { NativeVcpu } from './vcpu/native-vcpu.ts';
export { DEFAULT_TIMEOUT, poll } from './vcpu/poll.ts';
export { OP, TraceRing, emulatedRing, traceEntries, type TraceEntry } from './vcpu/trace.ts';
export { seedTurns } from './vcpu/turns.ts';
export { rouseAll, setStatus, startStatuses } from './waiters.ts';
export {
  Catalog,
  definitionOf,
  dependencyManifest,
  devicePackage,
  registryOf,
  type Board,
  type DevicePackage,
} from './catalog.ts';

// Stacks that a test author sees leave out what is here.
addOwnFolder(new URL('.', import.meta.url));
