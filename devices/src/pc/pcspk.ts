/**
 * Port 0x61 of the PC: GATE of the PIT's counter 2, its OUT, and the speaker that it drives.
 *
 * Data sheet: Intel 82371FB/82371SB (PIIX, PIIX3), "NMISC – NMI Status and Control Register". To be wired to the PIT by the machine:
 * output `gate` to input `gate` 2 of the PIT, output `out` 2 of the PIT to input `out`. Unwired, OUT2 reads as 0.
 *
 * REFRESH changes with each refresh of the RAM, which a PC's BIOS has counter 1 do every 18 pulses of CLK: 15.086 us. Here it does
 * so whatever counter 1 does, as there is no BIOS, and costs no timer.
 *
 * Not modelled: the sources of NMI (SERR and IOCHK are 0 and their disable bits do nothing), the sound: `speaker` is the level that the
 * speaker is given.
 *
 * Other than QEMU's: the disable bits of IOCHK and SERR can be read back; REFRESH goes by time, and not by reads
 * (`refresh: 'read'`).
 */
import { defineDevice, deviceSchema, property, type DeviceOf } from '@qtest/sdk';
import { i8254 as pit } from '@qtest/parts/pc';

const { NMISC } = pit;

/** Pulses of CLK between two refreshes: the count that a PC's BIOS gives counter 1. */
const REFRESH_TICKS = 18n;

const schema = deviceSchema({
  type: 'pcspk',
  description: 'Port 0x61: GATE and OUT of counter 2, speaker',
  bus: 'isa',
  properties: {
    ioBase: property.number({ max: 0xffff, default: pit.NMISC_PORT, description: 'its port' }),
    refresh: property.oneOf(['time', 'read'], {
      default: 'time',
      description: 'what changes REFRESH: every 15.086 us, or each read, as in QEMU',
    }),
  },
  state: {
    /** As written: the bits that can be. */
    control: 'u8',
    /** Level of the input `out`. It is the pin's, so that a reset leaves it. */
    out: 'bool',
    /** REFRESH when it changes with each read. */
    refresh: 'bool',
  },
  regions: ({ ioBase }) => ({ port: { space: 'io', base: ioBase, size: 1 } }),
  registers: { port: { registers: [NMISC] } },
  outputs: {
    /** To GATE 2 of the PIT. */
    gate: {},
    /** OUT 2 while SPKR is set. */
    speaker: {},
  },
  inputs: {
    /** From OUT 2 of the PIT. */
    out: {},
  },
});

type Pcspk = DeviceOf<typeof schema>;

function updateIrq({ state, out }: Pcspk): void {
  // First: the PIT may answer with another level of OUT 2.
  out.gate.set(NMISC.GATE2.test(state.control));
  out.speaker.set(NMISC.SPKR.test(state.control) && state.out);
}

function refreshOf(device: Pcspk): boolean {
  const { state, properties } = device;
  if (properties.refresh === 'time') return ((pit.ticksIn(device.now()) / REFRESH_TICKS) & 1n) === 1n;
  state.refresh = !state.refresh;
  return state.refresh;
}

export const pcspk = defineDevice(schema, {
  reset({ state }) {
    state.control = 0;
    state.refresh = false;
  },
  updateIrq,
  regions: {
    port: {
      read(device) {
        const { state } = device;
        const refresh = NMISC.REFRESH.set(state.control, Number(refreshOf(device)));
        return NMISC.OUT2.set(refresh, Number(state.out));
      },
      write(device, _offset, value) {
        device.state.control = NMISC.write(0, value);
        updateIrq(device);
      },
    },
  },
  inputs: {
    out(device, _pin, level) {
      device.state.out = level;
      updateIrq(device);
    },
  },
});
