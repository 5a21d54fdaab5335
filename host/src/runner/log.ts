import { relative } from 'node:path';
import { getCallSites } from 'node:util';
import { pathOf } from '@qtest/sdk/support';

/** Frames looked at for the caller. */
const DEPTH = 16;
/** Frames of the host's between here and the case's code, and one of that. */
const NEAR = 3;
/** Callers that are remembered. */
const KEPT = 1000;

/**
 * The caller as QTest's own lines named it: `src/drift.ts:testDrift():L94: `, the file from the package's folder, the function
 * the nearest named one.
 */
export class Callers {
  readonly #root: string;
  readonly #own: (url: string) => boolean;
  /** By the place of a named function's call: source maps take ten times as long as all else. */
  readonly #known = new Map<string, string>();

  /** @param own tells the host's frames, which are passed over. */
  constructor(root: string, own: (url: string) => boolean) {
    this.#root = root;
    this.#own = own;
  }

  prefix(): string {
    const near = getCallSites(NEAR).find(({ scriptName }) => this.#isTheirs(scriptName));
    if (near === undefined || near.functionName === '') return this.#look();
    const key = `${near.scriptName}:${near.lineNumber}:${near.columnNumber}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const prefix = this.#look();
    if (this.#known.size < KEPT) this.#known.set(key, prefix);
    return prefix;
  }

  #look(): string {
    const frames = getCallSites(DEPTH, { sourceMap: true }).filter(({ scriptName }) => this.#isTheirs(scriptName));
    const [caller] = frames;
    if (caller === undefined) return '';
    const file = pathOf(caller.scriptName);
    const named = frames.find(({ functionName }) => functionName !== '')?.functionName ?? 'module';
    const shown = file.startsWith(`${this.#root}/`) ? relative(this.#root, file) : file;
    return `${shown}:${named}():L${caller.lineNumber}: `;
  }

  #isTheirs(script: string): boolean {
    return script !== '' && !this.#own(script);
  }
}
