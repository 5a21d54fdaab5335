import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: 'node_modules/.vitest/results.json' }]],
    projects: [
      {
        // Unit tests sit beside their sources and run on the sources of every package. vitest hands these conditions to
        // Node as well, so a worker that a test starts resolves to the sources too; a child process does not.
        ssr: { resolve: { conditions: ['@qtest/source', 'node'] } },
        test: {
          name: 'unit',
          include: ['{sdk,parts,machine,devices,serve,host,plugins/*}/src/**/*.test.ts'],
          testTimeout: 10_000,
        },
      },
      {
        // End to end: the built packages, as a user gets them.
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/fixtures/**', 'test/**/*.alone.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // What measures real time: when everything else is done.
        test: {
          name: 'alone',
          include: ['test/**/*.alone.test.ts'],
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
