/** Cases of a run, of those that the command line selects. */
export interface Wanted {
  /** Only of plugins that these files are of; files of no plugin's are of all. Undefined for any. */
  readonly changed?: readonly string[];
  /** Only these, `plugin › name`. */
  readonly titles?: readonly string[];
  /** Only of plugins whose name matches. */
  readonly plugin?: string;
}

/** What the process that runs cases is told, once: to run them, and to end. */
export interface Order<Options> {
  /** Of the command line. */
  readonly options: Options;
  readonly cwd: string;
  readonly wanted: Wanted;
}

/** What it tells: that it waits for the order, what it is made of, and how the run goes. */
export type Report =
  /** `files` have been loaded before the order: when one of them changes, this process is of no use any more. */
  | { readonly type: 'ready'; readonly files: readonly string[]; readonly since: number }
  /** All that has been loaded, from `since` on. Only when `isWhole` is nothing missing for an error. */
  | { readonly type: 'loaded'; readonly files: readonly string[]; readonly since: number; readonly isWhole: boolean }
  /** `titles` are of all cases that there are, whichever are run. */
  | { readonly type: 'cases'; readonly titles: readonly string[] }
  | { readonly type: 'case'; readonly title: string; readonly isBad: boolean };
