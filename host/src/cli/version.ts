import { readFileSync } from 'node:fs';

/** What is read of the host's own package.json. */
interface Manifest {
  readonly version: string;
  /** The Node that it needs. */
  readonly node: string;
  /** The versions of @qtest/sdk that it goes with. */
  readonly sdk: string;
  /** The versions of @qtest/serve that it goes with. */
  readonly serve: string;
}

/** The package.json of @qtest/host. */
export function hostManifest(): Manifest {
  const {
    version,
    engines,
    dependencies,
    peerDependencies,
  }: Readonly<{
    version?: unknown;
    engines?: { node?: unknown };
    dependencies?: Record<string, unknown>;
    peerDependencies?: Record<string, unknown>;
  }> = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return {
    version: String(version),
    node: String(engines?.node),
    sdk: String(dependencies?.['@qtest/sdk']),
    serve: String(peerDependencies?.['@qtest/serve']),
  };
}
