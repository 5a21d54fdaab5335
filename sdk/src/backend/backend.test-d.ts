import { defineBackend, defineConnector, mapDevices, type BackendSpec } from '@qtest/sdk/backend';

/** What must compile, with all types inferred; and, under a `@ts-expect-error`, what must not. */

interface Settings {
  readonly ram: number;
}

const backend = defineBackend({
  name: 'toy',
  title: 'Toy',
  connector: new URL('./connector.js', import.meta.url),
  detect: async () => ({
    version: '1',
    clocks: ['virtual'],
    lacks: () => undefined,
    map: (machine) => ({ ...mapDevices(machine, 'Toy', () => ({})), settings: { ram: 1 } }),
    start: async ({ ram }) => ({
      handle: { buffer: new SharedArrayBuffer(ram) },
      kill: () => {},
      end: async () => {},
      death: async () => undefined,
      explain: (message) => message,
    }),
  }),
});
export const checked: BackendSpec<Settings, { readonly buffer: SharedArrayBuffer }> = backend;
// @ts-expect-error The handle has a buffer.
export const other: BackendSpec<Settings, { readonly mailbox: SharedArrayBuffer }> = backend;

export default defineConnector<{ readonly buffer: SharedArrayBuffer }>({
  connect: ({ buffer }, { irqs }) => ({
    in: (port, size) => new Uint8Array(buffer)[port] ?? 2 ** (8 * size) - 1,
    out: () => irqs.change(8, true),
    read: () => 0,
    write: () => {},
    look: () => {},
    reset: () => undefined,
  }),
});
