/** The folder of @qtest/host. Bundles lie in `dist`, beside `src`. */
export const PACKAGE = new URL('..', import.meta.url);

/**
 * The file that a thread or a process begins with: from source the module itself, and of the package the bundle that begins with it.
 * @param module its path below `src`, without its end; one of those that rolldown.config.mjs names.
 */
export function entry(module: string): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL(`./${module}.ts`, import.meta.url)
    : new URL(`./${module.replaceAll('/', '-')}.js`, import.meta.url);
}
