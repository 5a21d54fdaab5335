import {
  BoundMachine,
  Builder,
  Catalog,
  OWNER,
  createMachine,
  dependencyManifest,
  devicePackage,
  registryOf,
  restorePristine,
} from '@qtest/machine';
import { median } from './timed.ts';

/**
 * What a case on the full `pc` waits for, with every optional part, from inside the host: `node pc.ts start` (built, sealed, reset, attached
 * as a VCPU's thread does) and `node pc.ts restore` (between cases, eight pages of RAM dirty). Prints nanoseconds, the median.
 */

const VCPU = { kind: 'vcpu', index: 0 } as const;
const ROUNDS = 25;
const PAGES = 8;
const RESTORES = 200;

function started(): BoundMachine {
  const known = new Catalog([devicePackage(dependencyManifest('@qtest/devices', import.meta.url))]);
  const builder = new Builder('virtual', known);
  builder.pc({
    ...{ serial: 4, hpet: true, pvpanic: true, ib700: true, edu: true },
    ...{ 'pc-testdev': true, 'pci-testdev': true, 'pvpanic-pci': true },
  });
  const registry = registryOf(known);
  return new BoundMachine(createMachine(builder, registry).handle, registry, OWNER.THREAD0);
}

function start(): number {
  return medianOf(() => {
    const before = performance.now();
    started();
    return (performance.now() - before) * 1e6;
  });
}

function restore(): number {
  const machine = started();
  return medianOf(() => {
    let spent = 0;
    for (let n = 0; n < RESTORES; n++) {
      for (let page = 0; page < PAGES; page++) machine.bus.memoryWrite(page * 4096, n & 0xff, 1, VCPU);
      const before = performance.now();
      machine.lock.acquire();
      restorePristine(machine);
      machine.lock.release();
      spent += performance.now() - before;
    }
    return (spent * 1e6) / RESTORES;
  });
}

function medianOf(sample: () => number): number {
  return median(Array.from({ length: ROUNDS }, sample));
}

const FIGURES: Readonly<Record<string, () => number>> = { start, restore };

const [name = ''] = process.argv.slice(2);
const figure = FIGURES[name];
if (figure === undefined) throw new Error(`'${name}' is none of ${Object.keys(FIGURES).join(', ')}`);
console.log(figure());
