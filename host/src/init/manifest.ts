/** The package.json of a new plugin package. */
export function pluginManifest(packageName: string, sdkRange: string, nodeRange: string): object {
  return {
    name: packageName,
    version: '0.1.0',
    description: `Device tests of ${packageName}`,
    keywords: ['qtest-plugin'],
    files: ['dist', 'src'],
    type: 'module',
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    scripts: {
      // Node strips no types below node_modules, so what is published is JavaScript.
      build: 'tsc -p tsconfig.build.json',
      prepack: 'npm run build',
      test: "tsc && node --test 'test/*.test.ts' && qtest",
    },
    dependencies: { '@qtest/parts': sdkRange },
    devDependencies: {
      '@qtest/host': sdkRange,
      '@qtest/sdk': sdkRange,
      '@types/node': '^24.0.0',
      typescript: '^7.0.2',
    },
    peerDependencies: { '@qtest/sdk': sdkRange },
    engines: { node: nodeRange },
    // Node reads source maps past the archives in which Yarn keeps packages.
    preferUnplugged: true,
  };
}
