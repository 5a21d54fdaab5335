/** Gives the lines that lead to each leaf of a tree when its leaves come one after another, by path. */
export class TreeHeadings {
  #last: readonly string[] = [];

  /** Folders that `path` lies in and the leaf before it did not: their names and depths, outermost first. */
  enter(path: readonly string[]): readonly { readonly name: string; readonly depth: number }[] {
    const folders = path.slice(0, -1);
    const shared = folders.findIndex((name, depth) => this.#last[depth] !== name);
    this.#last = folders;
    return folders.map((name, depth) => ({ name, depth })).slice(shared === -1 ? folders.length : shared);
  }
}
