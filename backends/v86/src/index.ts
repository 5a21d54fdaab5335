import type { Capability } from '@qtest/sdk';
import { defineBackend, type BackendSpec } from '@qtest/sdk/backend';
import { mapMachine, type V86Settings } from './mapping.ts';
import type { V86Handle } from './messages.ts';
import { findV86 } from './package.ts';
import { V86Thread } from './thread.ts';

/** v86's devices, in real time: they read the wall clock. Each emulator has a thread of its own. */
const v86: BackendSpec<V86Settings, V86Handle> = defineBackend({
  name: 'v86',
  title: 'v86',
  // tsc leaves URLs alone: from source, Node strips the types of the .ts file itself.
  connector: new URL(`./connector${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  async detect() {
    const found = await findV86(import.meta.url);
    return {
      version: found.version,
      about: { path: found.folder },
      clocks: ['realtime'],
      // It resets few of its devices.
      resetsAll: false,
      lacks: (capability) => LACKS[capability],
      map: mapMachine,
      start: async (settings) => await V86Thread.start(found, settings),
    };
  },
});

export default v86;

const LACKS: Readonly<Record<Capability, string | undefined>> = {
  'virtual-clock': "needs the virtual clock, and v86's devices read the wall clock",
  'realtime-clock': undefined,
  'interrupt-acknowledge': undefined,
  snapshot: "v86's snapshots keep the wall clock's time of its devices, which goes on",
  'multi-vcpu': "v86 has one CPU, and takes one VCPU's requests",
};
