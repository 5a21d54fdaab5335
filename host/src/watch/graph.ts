import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Which modules this thread imports, from now on, and from where: what a plugin is made of. */
export class ModuleGraph {
  readonly #imports = new Map<string, Set<string>>();

  /** Takes note of all that is imported from now on; also of what is not there yet. */
  record(): void {
    registerHooks({
      resolve: (specifier, context, next) => {
        try {
          const resolved = next(specifier, context);
          this.#add(context.parentURL, resolved.url);
          return resolved;
        } catch (error) {
          // It may come to be where it is looked for.
          if (context.parentURL !== undefined && /^\.{1,2}\//.test(specifier))
            this.#add(context.parentURL, new URL(specifier, context.parentURL).href);
          throw error;
        }
      },
    });
  }

  /** The files of all modules so far. */
  files(): string[] {
    return filesOf([...this.#imports].flatMap(([from, to]) => [from, ...to]));
  }

  /** The files of a module, and of all that it imports, and they. */
  filesOf(url: string): ReadonlySet<string> {
    const seen = new Set([url]);
    for (const each of seen) for (const imported of this.#imports.get(each) ?? []) seen.add(imported);
    return new Set(filesOf([...seen]));
  }

  #add(from = '', to: string): void {
    const imported = this.#imports.get(from) ?? new Set();
    imported.add(to);
    this.#imports.set(from, imported);
  }
}

/** Those that are files, and not of an installed package. */
function filesOf(urls: readonly string[]): string[] {
  const own = urls.filter((url) => url.startsWith('file:') && !url.includes('/node_modules/'));
  return [...new Set(own.map((url) => fileURLToPath(url)))];
}
