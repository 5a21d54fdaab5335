import { Catalog, dependencyManifest, devicePackage } from '@qtest/machine';

/** The devices and boards that the stand-in has: those of `@qtest/devices`, each loaded when it is asked for. */
export const CATALOG = new Catalog([devicePackage(dependencyManifest('@qtest/devices', import.meta.url))]);
