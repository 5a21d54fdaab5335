import { defineConfig } from '@qtest/sdk';

export default defineConfig({
  plugins: ['@qtest/qtest-rtc', '@qtest/qtest-pci', '@qtest/qtest-pc'],
});
