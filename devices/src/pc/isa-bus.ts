import { defineDevice } from '@qtest/sdk';

/** The ISA bus: sixteen IRQ lines, which devices on it drive and an interrupt controller takes. It has no registers. */
export const isaBus = defineDevice(
  { type: 'isa-bus', idPrefix: 'isa', description: 'ISA bus', provides: { name: 'isa', irqs: 16 } },
  {},
);
