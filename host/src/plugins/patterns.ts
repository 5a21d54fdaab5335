/** Tells which names the patterns of `-t` select. */
export interface Matcher {
  test(name: string): boolean;
  /** Patterns that select (or leave out) none of the names. */
  readonly unmatched: readonly string[];
}

/**
 * Compiles patterns of case names, which are paths. A pattern is
 * - the name of a case: that case alone;
 * - a folder of names (`alarm`): every case below it;
 * - a glob: `*` stands for any characters, `/` among them, so that `periodic/*` is all that lies below `periodic`; `?` for
 *   one; `[0-9]` for a range; `{a,b}` for either;
 * - any of these after a `!`: leaves out what it matches.
 * What any pattern selects and none leaves out is selected; without a selecting pattern, all is.
 */
export async function matcher(patterns: readonly string[], names: readonly string[]): Promise<Matcher> {
  const rules = await Promise.all(
    patterns.map(async (pattern) => {
      const negative = pattern.startsWith('!');
      const matched = await matching(negative ? pattern.slice(1) : pattern, names);
      return { pattern, negative, matched };
    }),
  );
  const positive = rules.filter(({ negative }) => !negative);
  const negative = rules.filter((rule) => rule.negative);
  return {
    test: (name) =>
      (positive.length === 0 || positive.some(({ matched }) => matched.has(name))) &&
      !negative.some(({ matched }) => matched.has(name)),
    unmatched: rules.filter(({ matched }) => matched.size === 0).map(({ pattern }) => pattern),
  };
}

async function matching(pattern: string, names: readonly string[]): Promise<ReadonlySet<string>> {
  if (names.includes(pattern)) return new Set([pattern]);
  const folder = `${pattern.replace(/\/+$/, '')}/`;
  const below = names.filter((name) => name.startsWith(folder));
  if (below.length > 0 || pattern === '') return new Set(below);
  const { default: picomatch } = await import('picomatch');
  // Bash's rules, in which `*` crosses a `/`.
  const isMatch = picomatch(pattern, { bash: true, dot: true, nonegate: true });
  return new Set(names.filter((name) => isMatch(name)));
}
