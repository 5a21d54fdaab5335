import { definePlugin } from '@qtest/sdk';

export default definePlugin({
  name: 'pair',
  description: 'two VCPUs',
  vcpus: 2,
  run: {
    meet({ vcpu }) {
      vcpu.barrier();
    },
  },
});
