import { parse } from 'yaml';

/** What a CI does by one of its files. */
export interface Recipe {
  /** The steps that are commands. */
  readonly commands: readonly string[];
  /** What it takes from the machine when they have run. */
  readonly files: readonly string[];
}

/** A CI's file: a workflow of GitHub Actions, GitLab's, or Jenkins'. */
export function readRecipe(title: string, text: string): Recipe | undefined {
  if (title === 'Jenkinsfile') {
    const all = (word: string): string[] =>
      [...text.matchAll(new RegExp(`\\b${word} '([^']+)'`, 'g'))].map(([, given = '']) => given);
    return { commands: all('sh'), files: all('junit') };
  }
  if (!title.endsWith('.yml')) return undefined;
  const found = strings(parse(text));
  const valuesOf = (...keys: readonly string[]): string[] =>
    found.filter(({ key }) => keys.includes(key)).map(({ value }) => value);
  // One for each machine of GitHub's matrix; of GitLab's, the first machine's.
  const forEach = (text: string): string[] => {
    const [whole, name = ''] = /\$\{\{ matrix\.(\w+) \}\}/.exec(text) ?? [];
    return whole === undefined ? [text] : valuesOf(name).map((value) => text.replaceAll(whole, value));
  };
  const [parallel = '1'] = valuesOf('parallel');
  return {
    commands: [`export CI_NODE_INDEX=1 CI_NODE_TOTAL=${parallel}`, ...valuesOf('run', 'script').flatMap(forEach)],
    files: valuesOf('path', 'junit').flatMap(forEach),
  };
}

/** The scalars of a document, each with the key that it is under. */
function strings(value: unknown, key = ''): { readonly key: string; readonly value: string }[] {
  if (Array.isArray(value)) return value.flatMap((item) => strings(item, key));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, item]) => strings(item, name));
  }
  return [{ key, value: String(value) }];
}
