import { defineDevice, type AnyDeviceDefinition, type Device, type Timer } from '@qtest/sdk';

type Behaviour = AnyDeviceDefinition['behaviour'];
type Regions = NonNullable<Behaviour['regions']>;
type Timers = NonNullable<Behaviour['timers']>;

/** Timer callbacks within a microsecond of machine time from which on they are a storm: more than a part's clock gives cause for. */
const STORM = 250;
const STORM_TIME = 1000n;

/** What the machine does not tell of a device: what its handlers give back, what it arms its timers for, how often they fire. */
export class Watch {
  /** The first thing that was wrong. */
  problem: string | undefined;
  #fired = 0;
  #since = 0n;

  note(problem: string): void {
    this.problem ??= problem;
  }

  fired(name: string, now: bigint): void {
    if (now < this.#since || now - this.#since >= STORM_TIME) {
      this.#since = now;
      this.#fired = 0;
    }
    if (++this.#fired > STORM)
      this.note(
        `timer '${name}' is one of those that fired ${this.#fired} times within ${now - this.#since} ns: a storm`,
      );
  }

  /** Forgets all: the machine is in another state. */
  clear(): void {
    this.problem = undefined;
    this.#fired = 0;
    this.#since = 0n;
  }
}

/** The definition with its handlers watched. It behaves as it did. */
export function watched({ schema, behaviour }: AnyDeviceDefinition, watch: Watch): AnyDeviceDefinition {
  const seen = new WeakMap<Device, Device>();
  /** The device with its timers watched; one for each binding, as the device itself. */
  const see = (device: Device): Device => {
    const known = seen.get(device);
    if (known !== undefined) return known;
    const timers = Object.fromEntries(
      Object.entries(device.timers).map(([name, timer]) => [name, watchTimer(device, name, timer, watch)]),
    );
    const made: Device = { ...device, timers };
    seen.set(device, made);
    return made;
  };
  const regions: Regions = Object.fromEntries(
    Object.entries(behaviour.regions ?? {}).map(([name, handlers]) => {
      const { base } = handlers;
      return [
        name,
        {
          read(device, offset, size, initiator) {
            const value = handlers.read(see(device), offset, size, initiator);
            if (!Number.isInteger(value))
              watch.note(
                `its handler regions.${name}.read gave ${String(value)} at offset ${offset}, size ${size}; expected an integer`,
              );
            return value;
          },
          write: (device, offset, value, size, initiator) =>
            handlers.write(see(device), offset, value, size, initiator),
          ...(base !== undefined && { base: (device: Device) => base(see(device)) }),
        },
      ];
    }),
  );
  const timers: Timers = Object.fromEntries(
    Object.entries(behaviour.timers ?? {}).map(([name, fire]) => [
      name,
      (device, deadline) => {
        watch.fired(name, device.now());
        fire(see(device), deadline);
      },
    ]),
  );
  const { reset, updateIrq, forward, received, acknowledge, inputs = {} } = behaviour;
  return defineDevice(schema, {
    // What is not watched is as it was.
    ...behaviour,
    regions,
    timers,
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, change]) => [name, (device, pin, level) => change(see(device), pin, level)]),
    ),
    ...(reset !== undefined && { reset: (device, kind) => reset(see(device), kind) }),
    ...(updateIrq !== undefined && { updateIrq: (device) => updateIrq(see(device)) }),
    ...(forward !== undefined && {
      forward: (device, space, base, size) => forward(see(device), space, base, size),
    }),
    ...(received !== undefined && { received: (device) => received(see(device)) }),
    ...(acknowledge !== undefined && { acknowledge: (device, vcpu) => acknowledge(see(device), vcpu) }),
  });
}

function watchTimer(device: Device, name: string, timer: Timer, watch: Watch): Timer {
  return {
    get deadline() {
      return timer.deadline;
    },
    arm(deadline) {
      // What is no bigint throws, as a fault of the device.
      const now = device.now();
      if (typeof deadline === 'bigint' && deadline < now)
        watch.note(
          `it armed timer '${name}' for ${deadline} ns, ${now - deadline} ns before the present; expected a time to come`,
        );
      timer.arm(deadline);
    },
    cancel: () => timer.cancel(),
  };
}
