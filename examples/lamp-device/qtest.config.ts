import { defineConfig } from '@qtest/sdk';

export default defineConfig({ plugins: ['./index.ts'] });
