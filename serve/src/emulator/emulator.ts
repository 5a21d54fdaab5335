import type { DeviceInfo } from '@qtest/sdk';
import { type BoundMachine, transferState } from '@qtest/machine';
import type { Json, JsonObject } from '../qmp/json.ts';
import { buildTree, Paths, type Node } from '../server/paths.ts';
import { ServedMachine } from '../server/served-machine.ts';
import { Backends } from './backends.ts';
import type { BlockNodes } from './block-nodes.ts';
import { bootBytes, buildMachine, type Added, type BuiltMachine } from './build.ts';
import { ClockWatch } from './clock-watch.ts';
import { MEMORY_BACKEND, type UserObjects } from './user-objects.ts';
import { MACHINES, UserError, type Actions, type DeviceOption, type Settings } from './settings.ts';

export type RunState = 'running' | 'prelaunch' | 'paused' | 'shutdown' | 'guest-panicked' | 'watchdog';

/** What a monitor tells its client of by itself. */
export interface MonitorEvent {
  readonly event: string;
  readonly data?: JsonObject;
}

/** How QEMU calls who has asked for a reset or a shutdown. */
type Cause =
  | 'guest-reset'
  | 'guest-shutdown'
  | 'guest-panic'
  | 'host-qmp-system-reset'
  | 'host-qmp-quit'
  | 'host-signal';

const RTC_INDEX = 0x70;
const RTC_DATA = 0x71;

/** A machine as QEMU's user has it: it runs or stands, is reset, gets devices and loses them, and tells its monitors of that. */
export class Emulator {
  readonly settings: Settings;
  /** What the user has made for devices to have at their back, though none takes it. */
  readonly block: BlockNodes;
  readonly objects: UserObjects;
  readonly machine: ServedMachine;
  readonly paths: Paths;
  readonly warnings: readonly string[];
  /** Where events go. */
  readonly listeners = new Set<(event: MonitorEvent) => void>();
  /** The process is to end with this status. */
  onExit: (status: number) => void = () => {};
  actions: Actions;
  readonly #flashes: readonly Uint8Array[];
  #built: BuiltMachine;
  #tree: Node;
  #state: RunState;
  #isPreconfig: boolean;
  /** PCI devices that leave the machine at its next reset. */
  readonly #leaving = new Set<string>();
  readonly #clockWatch: ClockWatch;

  constructor(settings: Settings) {
    this.settings = settings;
    this.actions = settings.actions;
    const backends = new Backends(settings.backends, settings.machine === 'pc');
    this.block = backends.block;
    this.objects = backends.objects;
    const { ram, machine } = settings;
    if (ram > 0) this.objects.add({ 'qom-type': MEMORY_BACKEND, id: MACHINES[machine].ram, size: ram });
    this.warnings = backends.warnings();
    this.#flashes = backends.flashes();
    this.#built = buildMachine(settings, settings.devices, this.#flashes);
    this.machine = new ServedMachine(this.#built.bound);
    this.#tree = this.#makeTree();
    this.paths = new Paths(
      () => this.#tree,
      () => this.machine.bound.blueprint,
    );
    this.#isPreconfig = settings.preconfig;
    this.#state = settings.startStopped || settings.preconfig ? 'prelaunch' : 'running';
    this.machine.running = this.#state === 'running';
    this.machine.onGuestReset = () => this.#resetRequest('guest-reset');
    this.machine.onReplaced.push(() => this.#watch());
    this.#watch();
    this.#clockWatch = new ClockWatch(this.machine, (offset) => {
      const rtc = this.machine.bound.blueprint.devices.findIndex(({ type }) => type === 'mc146818rtc');
      this.#emit('RTC_CHANGE', { offset, 'qom-path': this.paths.pathOf(rtc) ?? '' });
    });
  }

  get state(): RunState {
    return this.#state;
  }

  /** Whether `--preconfig` is not over: most commands are not for then. */
  get isPreconfig(): boolean {
    return this.#isPreconfig;
  }

  /** @throws UserError */
  exitPreconfig(): void {
    if (!this.#isPreconfig) throw new UserError('The command is permitted only before machine initialization');
    this.#isPreconfig = false;
    if (!this.settings.startStopped) this.cont();
  }

  get bound(): BoundMachine {
    return this.machine.bound;
  }

  get added(): readonly Added[] {
    return this.#built.added;
  }

  /** Devices with a line, and the character device at the other end of each. */
  get chardevs(): ReadonlyMap<string, string> {
    return this.#built.chardevs;
  }

  get machineType(): string {
    return `${MACHINES[this.settings.machine].name}-machine`;
  }

  get cpuType(): string {
    return `${this.settings.cpuModel}-x86_64-cpu`;
  }

  /** What the RTC tells, seconds since 1970. */
  get rtcTime(): number | undefined {
    return this.#clockWatch.time;
  }

  get devices(): readonly DeviceInfo[] {
    return this.bound.devices;
  }

  /** Called after requests: whoever looks at the machine from time to time does it now. */
  look(): void {
    this.#clockWatch.look();
  }

  stop(state: RunState = 'paused'): void {
    if (this.#state !== 'running' && state === 'paused') return;
    this.#state = state;
    this.machine.running = false;
    this.#emit('STOP');
  }

  cont(): void {
    if (this.#state === 'running') return;
    if (this.#state === 'guest-panicked' || this.#state === 'shutdown')
      throw new UserError('Resetting the Virtual Machine is required');
    this.#state = 'running';
    this.#emit('RESUME');
    this.machine.running = true;
  }

  /** The monitor's reset: done when this returns. */
  systemReset(): void {
    this.#resetRequest('host-qmp-system-reset');
  }

  /** There is no power button: no device of these machines has one. */
  powerdown(): void {
    this.#emit('POWERDOWN');
  }

  quit(cause: Cause, status = 0): void {
    this.#emit('SHUTDOWN', { guest: cause.startsWith('guest'), reason: cause });
    this.onExit(status);
  }

  /** @throws UserError */
  addObject(given: JsonObject): void {
    this.objects.add(given);
    this.#tree = this.#makeTree();
  }

  /** @throws UserError */
  removeObject(id: string): void {
    this.objects.remove(id);
    this.#tree = this.#makeTree();
  }

  /** @throws UserError */
  addDevice(option: DeviceOption): void {
    const { id } = option;
    if (id !== undefined && this.added.some((other) => other.option.id === id))
      throw new UserError(`Duplicate device ID '${id}'`);
    const built = buildMachine(this.settings, [...this.#options(), option], this.#flashes);
    const added = built.added.at(-1);
    this.#checkHotplug(added);
    this.#replace(built);
    this.#tellGuest('up', added?.slot ?? 0);
  }

  /** Asks for a device to leave: it does so when the guest lets it go, and at the machine's next reset at the latest. */
  removeDevice(id: string): void {
    const path = this.paths.node(id);
    const found = this.added.find(
      (other) => other.option.id === id || (path?.device !== undefined && this.devices[path.device]?.id === other.id),
    );
    if (found === undefined) {
      if (path?.device !== undefined) throw new UserError(`Device '${id}' can not be unplugged`);
      throw new UserError(`Device '${id}' not found`, 'DeviceNotFound');
    }
    const name = found.option.id ?? id;
    this.#checkHotplug(found);
    if (this.added.some((other) => other.bus === id))
      throw new UserError(`Device '${id}' has devices on its bus: remove them first`);
    if (this.#leaving.has(found.id)) throw new UserError(`Device ${name} is already in the process of unplug`);
    this.#leaving.add(found.id);
    this.#tellGuest('down', found.slot);
  }

  /** @throws UserError where a device can neither come nor go while the machine runs. */
  #checkHotplug(added: Added | undefined): void {
    const bus = added?.device.bus === 'PCI' ? added.bus : 'isa.0';
    if (bus !== 'pci.0' || !this.settings.acpi) throw new UserError(`Bus '${bus}' does not support hotplugging`);
  }

  /** Sets the bit of a slot in the register by which the guest takes part. */
  #tellGuest(register: 'up' | 'down', slot: number): void {
    const id = this.devices.find(({ type }) => type === 'acpi-pci-hotplug')?.id;
    const state = id === undefined ? undefined : this.bound.context(id)?.state;
    const bits = state?.[register];
    if (state !== undefined && typeof bits === 'number') state[register] = (bits | (1 << slot)) >>> 0;
  }

  /** The guest has let a slot go, whether it was asked to or not: with what is behind a bridge that is there. */
  #eject(slot: number): void {
    const gone = new Set(this.added.filter((added) => added.bus === 'pci.0' && added.slot === slot));
    for (const bridge of gone)
      for (const added of this.added) if (added.bus === (bridge.option.id ?? bridge.id)) gone.add(added);
    this.#remove([...gone].toReversed());
  }

  #options(): readonly DeviceOption[] {
    return this.added.map(({ option, bus, slot, device }) => {
      // Those that were put in the first free slot stay where they are.
      if (device.bus !== 'PCI' || bus === undefined || option.options.has('addr')) return option;
      return { ...option, options: new Map([...option.options, ['addr', slot.toString(16)]]) };
    });
  }

  #removeLeaving(): void {
    if (this.#leaving.size === 0) return;
    this.#remove(this.added.filter(({ id }) => this.#leaving.has(id)));
  }

  #remove(gone: readonly Added[]): void {
    if (gone.length === 0) return;
    for (const { id } of gone) this.#leaving.delete(id);
    const kept = this.#options().filter((_, n) => !gone.some(({ id }) => id === this.added[n]?.id));
    const { blueprint, lines } = this.bound;
    const told = gone.map(({ id, option }): JsonObject => {
      const index = blueprint.devices.findIndex((device) => device.id === id);
      for (const { line, count } of Object.values(blueprint.devices[index]?.outputs ?? {}))
        for (let pin = 0; pin < count; pin++) lines.set(line + pin, false);
      return { ...(option.id !== undefined && { device: option.id }), path: this.paths.pathOf(index) ?? '' };
    });
    this.#replace(buildMachine(this.settings, kept, this.#flashes));
    for (const data of told) this.#emit('DEVICE_DELETED', data);
  }

  #replace(built: BuiltMachine): void {
    const from = this.bound;
    built.bound.lock.acquire();
    transferState(from, built.bound);
    built.bound.lock.release();
    this.#built = built;
    this.machine.replace(built.bound);
    this.#tree = this.#makeTree();
  }

  #resetRequest(cause: Cause): void {
    if (this.actions.reboot === 'shutdown') {
      this.#shutdown(cause);
      return;
    }
    this.machine.reset('warm');
    this.#removeLeaving();
    if (this.settings.bootOnce !== undefined) this.#writeBootOrder();
    if (this.#state === 'guest-panicked' || this.#state === 'shutdown') this.#state = 'prelaunch';
    this.#emit('RESET', { guest: cause.startsWith('guest'), reason: cause });
  }

  #shutdown(cause: Cause): void {
    this.#emit('SHUTDOWN', { guest: cause.startsWith('guest'), reason: cause });
    if (this.actions.shutdown === 'pause') this.stop('shutdown');
    else this.onExit(0);
  }

  /** The order of `-boot once=` is over. The index is left where a guest's write would find it after a reset. */
  #writeBootOrder(): void {
    const { bootOrder, floppyCheck } = this.settings;
    const { machine } = this;
    for (const [index, byte] of Object.entries(bootBytes(bootOrder, floppyCheck))) {
      machine.ioWrite(RTC_INDEX, Number(index), 1);
      machine.ioWrite(RTC_DATA, byte, 1);
    }
    machine.ioWrite(RTC_INDEX, 0, 1);
  }

  #watch(): void {
    const { blueprint, lines } = this.bound;
    const onRise = (device: string, output: string, run: () => void): void => {
      const line = blueprint.devices.find(({ id }) => id === device)?.outputs[output]?.line;
      if (line === undefined) return;
      lines.attach(line, 0, (_pin, level) => {
        if (level) run();
      });
    };
    for (const { id, type } of blueprint.devices) {
      if (type === 'acpi-pci-hotplug') {
        const pins = blueprint.devices.find((device) => device.id === id)?.outputs['eject'];
        for (let slot = 0; pins !== undefined && slot < pins.count; slot++)
          lines.attach(pins.line + slot, 0, (_pin, level) => {
            if (level) this.machine.later(() => this.#eject(slot));
          });
      }
      if (type === 'ib700') onRise(id, 'expired', () => this.#watchdog());
      if (type !== 'pvpanic' && type !== 'pvpanic-pci') continue;
      onRise(id, 'panicked', () => this.#panicked());
      onRise(id, 'crashloaded', () => this.#emit('GUEST_CRASHLOADED', { action: 'run' }));
      onRise(id, 'shutdown', () => {
        this.#emit('GUEST_PVSHUTDOWN');
        this.#shutdown('guest-shutdown');
      });
    }
  }

  #watchdog(): void {
    const { watchdog: action } = this.actions;
    this.#emit('WATCHDOG', { action });
    switch (action) {
      case 'reset':
        this.#resetLater();
        return;
      case 'shutdown':
        this.powerdown();
        return;
      case 'poweroff':
        this.#shutdown('guest-shutdown');
        return;
      case 'pause':
        this.stop('watchdog');
        return;
      case 'debug':
        process.stderr.write('watchdog: timer fired\n');
        return;
      case 'inject-nmi':
        this.#injectNmi();
        return;
      case 'none':
        return;
    }
  }

  /** Where there are local APICs, at LINT1 of each. */
  #injectNmi(): void {
    const { blueprint, lines } = this.bound;
    const apic = blueprint.devices.findIndex(({ type }) => type === 'apic');
    const line = blueprint.lines.findIndex(({ sinks }) =>
      sinks.some(({ device, input }) => device === apic && input === 'lint1'),
    );
    if (line < 0) return;
    lines.set(line, true);
    lines.set(line, false);
  }

  /** Not from inside of a device's own code. */
  #resetLater(): void {
    this.machine.askForReset();
  }

  #panicked(): void {
    const { panic, shutdown } = this.actions;
    if (panic === 'none') {
      this.#emit('GUEST_PANICKED', { action: 'run' });
      return;
    }
    if (panic === 'pause' || (panic === 'shutdown' && shutdown === 'pause')) {
      this.#emit('GUEST_PANICKED', { action: 'pause' });
      this.stop('guest-panicked');
      return;
    }
    this.#emit('GUEST_PANICKED', { action: 'poweroff' });
    this.stop('guest-panicked');
    this.quit('guest-panic', panic === 'exit-failure' ? 1 : 0);
  }

  #emit(event: string, data?: Readonly<Record<string, Json>>): void {
    for (const listener of this.listeners) listener(data === undefined ? { event } : { event, data });
  }

  #makeTree(): Node {
    const { machineType, cpuType } = this;
    const cpus = this.settings.machine === 'none' ? 0 : this.settings.cpus;
    const added = new Map(this.added.map(({ id, number, option }) => [id, { given: option.id, number }]));
    const objects = new Map(Array.from(this.objects.all, ([id, { type }]) => [id, type]));
    return buildTree(this.bound.blueprint, { machineType, cpuType, cpus, added, objects });
  }
}
