import { defineConfig } from '@qtest/sdk';

export default defineConfig({ plugins: ['./extension.ts', './timer.ts', './pair.ts'] });
