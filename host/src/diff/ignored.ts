import type { AnyDeviceDefinition, Register } from '@qtest/sdk';
import { hostError } from '../errors.ts';
import type { BoundMachine, Registry } from '../machine/bound-machine.ts';
import { didYouMean } from '../nearest.ts';
import type { Reached } from '../vcpu/decode.ts';

/** Registers and fields whose differences are known: by device, by register. */
export class Ignored {
  readonly #masks: ReadonlyMap<number, ReadonlyMap<Register, number>>;

  private constructor(masks: ReadonlyMap<number, ReadonlyMap<Register, number>>) {
    this.#masks = masks;
  }

  /**
   * @param names of the command line: `REGISTER`, `REGISTER/FIELD`, each with a device's id or type before it, `rtc0/C/PF`.
   * @throws USAGE for one that no table of the devices has.
   */
  static of(names: readonly string[], { blueprint }: BoundMachine, registry: Registry): Ignored {
    const masks = new Map<number, Map<Register, number>>();
    const entries = blueprint.devices.flatMap(({ id, type }, device) =>
      registersOf(registry.get(type)).flatMap((register) => {
        const whole = 2 ** register.width - 1;
        const paths = [
          { path: register.name, mask: whole },
          ...register.fields.map((field) => ({ path: `${register.name}/${field.name}`, mask: field.mask })),
        ];
        return paths.map((one) => ({ ...one, device, register, prefixes: [id, type] }));
      }),
    );
    for (const name of names) {
      const found = entries.filter(
        ({ path, prefixes }) => name === path || prefixes.some((prefix) => name === `${prefix}/${path}`),
      );
      if (found.length === 0) {
        const hint = didYouMean(name, [...new Set(entries.map(({ path }) => path))]);
        throw hostError(
          'USAGE',
          `--ignore '${name}': no device of the machine has it in its register tables.${hint} ` +
            'Expected REGISTER, REGISTER/FIELD, or DEVICE/… before it, as rtc0/C/PF',
        );
      }
      for (const { device, register, mask } of found) {
        const own = masks.get(device) ?? new Map<Register, number>();
        own.set(register, ((own.get(register) ?? 0) | mask) >>> 0);
        masks.set(device, own);
      }
    }
    return new Ignored(masks);
  }

  get isEmpty(): boolean {
    return this.#masks.size === 0;
  }

  /** All of a register is ignored: then it is not accessed either, for what is written to it may show elsewhere. */
  isWhole(device: number, register: Register): boolean {
    return this.#masks.get(device)?.get(register) === 2 ** register.width - 1;
  }

  /** The bits of an answer that are not compared. */
  mask(reached: Reached | undefined): number {
    if (reached?.register === undefined) return 0;
    return this.#masks.get(reached.device)?.get(reached.register) ?? 0;
  }
}

function registersOf(definition: AnyDeviceDefinition | undefined): Register[] {
  return Object.values(definition?.schema.registers ?? {}).flatMap((bank) => [
    ...(bank?.registers ?? []),
    ...(bank?.indexed?.registers ?? []),
  ]);
}
