import { defineDevice } from '@qtest/sdk';

/** A POST card: holds the byte that was last written to port 0x80, whatever else a machine may have there. */
export const postCard = defineDevice(
  {
    type: 'post-card',
    idPrefix: 'post',
    description: 'POST card at port 0x80',
    state: { code: 'u8' },
    regions: () => ({ port: { space: 'io', base: 0x80, size: 1, priority: 1 } }),
  },
  {
    reset({ state }) {
      state.code = 0;
    },
    regions: {
      port: {
        read: ({ state }) => state.code,
        write({ state }, _offset, value) {
          state.code = value;
        },
      },
    },
  },
);
