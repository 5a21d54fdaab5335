import { defineConfig } from '@qtest/sdk';

export default defineConfig({ plugins: ['./src/index.ts'] });
