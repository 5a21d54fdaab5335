import { defineConfig } from '@qtest/sdk';

export default defineConfig({ plugins: ['./clock.ts'] });
