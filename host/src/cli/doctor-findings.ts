/** What `qtest doctor --json` writes. Version 1 gains keys and loses none. */
export interface Findings {
  readonly version: 1;
  readonly host: {
    readonly version: string;
    /** Version of the plugin API. */
    readonly api: string;
  };
  readonly node: { readonly version: string; readonly needed: string; readonly path: string };
  /** Whether Node strips types. */
  readonly typescript: boolean;
  readonly config: { readonly file: string | undefined; readonly keys: readonly string[] };
  readonly plugins: readonly FoundPlugin[];
  /** By the names of their backends. */
  readonly emulators: Readonly<Record<string, FoundEmulator>>;
  readonly problems: readonly Problem[];
}

/** A plugin of the config, or of the command line. What cannot be told of it is undefined. */
export interface FoundPlugin {
  /** As the user wrote it. */
  readonly spec: string;
  readonly isFine: boolean;
  readonly name?: string;
  readonly package?: string | undefined;
  readonly packageVersion?: string | undefined;
  readonly file?: string;
  /** The range of the plugin API that it was written for. */
  readonly api?: string | undefined;
  readonly cases?: number;
  /** Types of the devices that it brings. */
  readonly devices?: readonly string[];
}

export type FoundEmulator =
  | {
      readonly isFine: true;
      readonly version: string;
      readonly clocks: readonly string[];
      /** The file, or the package's folder, that it is. */
      readonly path: string | undefined;
      readonly build: string | undefined;
      /** What it can do, by what each list is of: also keys of this object. */
      readonly features: Readonly<Record<string, readonly string[]>> | undefined;
    }
  | { readonly isFine: false; readonly reason: string };

/** Something that is wrong. */
export interface Problem {
  /** `error`: for it, `qtest` runs nothing. */
  readonly severity: 'warning' | 'error';
  /** `typescript`, `config`, `plugins`, `qemu`, `v86`, or a plugin as the user wrote it. */
  readonly about: string;
  /** With what to do. */
  readonly message: string;
}
