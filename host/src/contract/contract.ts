import {
  defineDevice,
  nanoseconds,
  type AnyDeviceDefinition,
  type DeviceDefinition,
  type Duration,
  type MachineBuilder,
  type PropertiesIn,
  type PropertySchema,
  type StateSchema,
} from '@qtest/sdk';
import { checkProperties, resolveProperties } from '@qtest/sdk/support';
import { bounded, neverEnded } from '../foreign/bounded.ts';
import { checkAccesses } from './accesses.ts';
import { checkBits, checkResetValues, type Place } from './bits.ts';
import type { Parts, Subject } from './machine.ts';
import { ContractError } from './problem.ts';
import { Rig } from './rig.ts';
import { checkSizes } from './sizes.ts';
import { checkReset, checkSnapshot } from './state.ts';

/** Options of `deviceContract()`. */
export interface ContractOptions<P extends PropertySchema = PropertySchema> {
  /** Properties of the device, in addition to those of its schema's `contract`. */
  readonly properties?: Partial<PropertiesIn<P>>;
  /** Definitions of other devices of the machine, such as a bus that the host does not have. */
  readonly devices?: readonly AnyDeviceDefinition[];
  /**
   * Builds the machine: RAM, the bus, an interrupt controller, and the device itself. With `parts` `'absent'` it leaves out what the device
   * can do without. Without `init`, the check makes the machine from the schema.
   */
  readonly init?: (machine: MachineBuilder, parts: Parts) => void;
  /** Decides everything random. Default 1. */
  readonly seed?: number;
  /** The number of random accesses, with the optional parts and again without. Default 100 000. */
  readonly accesses?: number;
  /** The wall time that one access, or one check of a few thousand accesses, may take. Default 10 s. */
  readonly timeout?: Duration;
}

/** One check. */
export interface ContractCheck {
  /** A path: `bits/CONTROL`. */
  readonly name: string;
  /** @throws a `ContractError` that says what the device does, where, and what it should do. */
  readonly run: () => void;
}

const ACCESSES = 100_000;

/**
 * Gives the contract of a device as checks, for any test runner.
 * @example
 * for (const check of deviceContract(lamp)) test(check.name, check.run);
 */
export function deviceContract<
  P extends PropertySchema,
  S extends StateSchema,
  R extends string,
  T extends string,
  O extends string,
  I extends string,
>(definition: DeviceDefinition<P, S, R, T, O, I>, options: ContractOptions<P> = {}): readonly ContractCheck[] {
  const { properties = {}, devices = [], init, seed = 1, accesses = ACCESSES, timeout = '10s' } = options;
  const subject: Subject = { definition, properties, devices, init, seconds: Number(nanoseconds(timeout)) / 1e9 };
  let tables: Tables;
  try {
    tables = boundedTables(subject);
  } catch (error) {
    const run = (): never => {
      throw error;
    };
    return [{ name: 'tables', run }];
  }
  const { places, regions } = tables;
  let shared: Rig | undefined;
  /** A check that has failed leaves a machine that nobody uses again. */
  const withRig = (run: (rig: Rig) => void) => (): void => {
    const rig = (shared ??= Rig.make(subject, 'present'));
    shared = undefined;
    run(rig);
    shared = rig;
  };
  return [
    ...(places.length === 0 ? [] : [{ name: 'reset-values', run: withRig((rig) => checkResetValues(rig, places)) }]),
    ...places.map((place) => ({
      name: `bits/${nameOf(place, places)}`,
      run: withRig((rig) => checkBits(rig, place, seed)),
    })),
    ...regions.map((name) => ({ name: `sizes/${name}`, run: withRig((rig) => checkSizes(rig, name)) })),
    { name: 'reset', run: withRig((rig) => checkReset(rig, seed)) },
    { name: 'snapshot', run: withRig((rig) => checkSnapshot(rig, seed)) },
    { name: 'accesses/with-parts', run: () => checkAccesses(subject, 'present', { seed, accesses }) },
    { name: 'accesses/without-parts', run: () => checkAccesses(subject, 'absent', { seed, accesses }) },
  ];
}

/** The part of the contract that a whole machine keeps, with accesses to all that is in it. */
export function machineContract(
  init: (machine: MachineBuilder) => void,
  { devices = [], seed = 1 }: Pick<ContractOptions, 'devices' | 'seed'> = {},
): readonly ContractCheck[] {
  const definition = defineDevice({ type: 'nothing', description: '' }, {});
  const build = (machine: MachineBuilder): void => {
    init(machine);
    machine.add(definition);
  };
  const subject: Subject = { definition, properties: {}, devices, init: build, whole: true, seconds: 10 };
  const check = (run: (rig: Rig, seed: number) => void) => (): void => run(Rig.make(subject, 'present'), seed);
  return [
    { name: 'reset', run: check(checkReset) },
    { name: 'snapshot', run: check(checkSnapshot) },
  ];
}

interface Tables {
  readonly places: readonly Place[];
  readonly regions: readonly string[];
}

/** @throws what the schema throws; a `ContractError` when its tables cannot be had. */
function boundedTables(subject: Subject): Tables {
  const { definition, seconds } = subject;
  const { type, regions } = definition.schema;
  if (regions !== undefined && typeof regions !== 'function')
    throw new ContractError(`'${type}': its regions: expected a function that gives them, but found ${typeof regions}`);
  let tables: Tables | undefined;
  const cameBack = bounded(() => {
    tables = tablesOf(subject);
  }, seconds);
  if (cameBack && tables !== undefined) return tables;
  throw new ContractError(`'${type}': regions() ${neverEnded(seconds)}`);
}

/** The regions that the device has with these properties, and the registers in them. */
function tablesOf({ definition: { schema }, properties }: Subject): Tables {
  const given = { ...schema.contract?.properties, ...properties };
  // What is wrong with them is told when the machine is built.
  const { values } = checkProperties(schema.properties ?? {}, given);
  const regions = Object.keys(schema.regions?.(resolveProperties(schema.properties ?? {}, values)) ?? {});
  const places = regions.flatMap((region): Place[] => {
    const { registers = [], indexed } = schema.registers?.[region] ?? {};
    return [
      ...registers.map((register) => ({ region, register })),
      ...(indexed?.registers.map((register) => {
        const { width = 8 } = registers.find(({ offset }) => offset === indexed.index) ?? {};
        return { region, register, indexed: { ...indexed, width } };
      }) ?? []),
    ];
  });
  return { places, regions };
}

/** A register's name, with its region where two have the same. */
function nameOf({ region, register }: Place, all: readonly Place[]): string {
  const isAlone = all.filter((other) => other.register.name === register.name).length === 1;
  return isAlone ? register.name : `${region}/${register.name}`;
}
