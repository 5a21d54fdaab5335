import type { AnyDeviceDefinition, Register } from '@qtest/sdk';
import { hostError, didYouMean } from '@qtest/sdk/support';
import type { BoundMachine, Registry } from '@qtest/machine';
import type { Reached } from '../trace/decode.ts';

/** Bits whose differences are known: of registers, by device and register, and of the IRQs. */
export class Ignored {
  /** A bit for each IRQ. */
  readonly irqs: number;
  readonly #masks: ReadonlyMap<number, ReadonlyMap<Register, number>>;

  private constructor(masks: ReadonlyMap<number, ReadonlyMap<Register, number>>, irqs: number) {
    this.#masks = masks;
    this.irqs = irqs;
  }

  /**
   * @param names of the command line: `REGISTER`, `REGISTER/FIELD`, `REGISTER/0x40`, each with a device's id or type before it,
   *   `rtc0/C/PF`; `IRQ8`.
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
    let irqs = 0;
    for (const name of names) {
      const irq = Number(/^IRQ(\d|1[0-5])$/.exec(name)?.[1] ?? -1);
      if (irq >= 0) {
        irqs |= 1 << irq;
        continue;
      }
      // Bits of a register, or all that the name stands for.
      const [, path = name, bits] = /^(.*)\/(0x[0-9a-f]{1,8})$/i.exec(name) ?? [];
      const found = entries.filter(
        (entry) => path === entry.path || entry.prefixes.some((prefix) => path === `${prefix}/${entry.path}`),
      );
      if (found.length === 0) {
        const hint = didYouMean(path, [...new Set(entries.map((entry) => entry.path))]);
        throw hostError(
          'USAGE',
          `--ignore '${name}': no device of the machine has it in its register tables.${hint} ` +
            'Expected REGISTER, REGISTER/FIELD, REGISTER/0xBITS, or DEVICE/… before it, as rtc0/C/PF; or IRQ0 to IRQ15',
        );
      }
      for (const { device, register, mask: all } of found) {
        const mask = bits === undefined ? all : Number(bits);
        if ((mask & ~all) !== 0)
          throw hostError('USAGE', `--ignore '${name}': ${path} has the bits 0x${all.toString(16)} alone`);
        const own = masks.get(device) ?? new Map<Register, number>();
        own.set(register, ((own.get(register) ?? 0) | mask) >>> 0);
        masks.set(device, own);
      }
    }
    return new Ignored(masks, irqs);
  }

  /** All of a register is ignored: then it is not accessed either, for what is written to it may show elsewhere. */
  isWhole(device: number, register: Register): boolean {
    return this.#masks.get(device)?.get(register) === 2 ** register.width - 1;
  }

  /** The bits of an answer that are not compared. */
  mask(reached: Reached | undefined): number {
    const masks = reached === undefined ? undefined : this.#masks.get(reached.device);
    if (reached === undefined || masks === undefined) return 0;
    return reached.registers().reduce((sum, { register, shift }) => sum | shifted(masks.get(register) ?? 0, shift), 0);
  }
}

/** Bits to where a register is in an access. */
export function shifted(bits: number, shift: number): number {
  return shift < 0 ? bits >>> -shift : bits << shift;
}

function registersOf(definition: AnyDeviceDefinition | undefined): Register[] {
  return Object.values(definition?.schema.registers ?? {}).flatMap((bank) => [
    ...(bank?.registers ?? []),
    ...(bank?.indexed?.registers ?? []),
  ]);
}
