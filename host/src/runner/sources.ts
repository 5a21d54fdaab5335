import { getCallSites } from 'node:util';
import type { Tracer } from '@qtest/machine';
import { pathOf } from '@qtest/sdk/support';

/** Frames looked at for the plugin's: a driver may be between. */
const DEPTH = 24;

/** Tells a tracer which line of the plugin leads to what happens. It takes more time than all else of a trace. */
export class Sources {
  readonly #tracer: Tracer;
  readonly #root: string;
  readonly #isHosts: (url: string) => boolean;
  readonly #known = new Map<string, number>();

  /**
   * @param root the plugin's folder.
   * @param isHosts tells the host's frames, which may lie in that folder too.
   */
  constructor(tracer: Tracer, root: string, isHosts: (url: string) => boolean) {
    this.#tracer = tracer;
    this.#root = root;
    this.#isHosts = isHosts;
  }

  /** An object of which every call is told as coming from where it is made. */
  follow<T extends object>(object: T): T {
    const run = (method: (...args: unknown[]) => unknown, args: unknown[]): unknown => {
      const tracer = this.#tracer;
      const before = tracer.source;
      tracer.source = this.here();
      try {
        return Reflect.apply(method, object, args);
      } finally {
        tracer.source = before;
      }
    };
    return new Proxy(object, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (!isMethod(value)) return value;
        return (...args: unknown[]) => run(value, args);
      },
    });
  }

  /** The number of the place in the plugin's source from which this is called; 0 when there is none. */
  here(): number {
    // Without source maps, which take ten times as long: they are asked once for each place.
    const frames = getCallSites(DEPTH);
    const at = frames.findIndex(({ scriptName }) => this.#isPlugins(scriptName));
    const frame = frames[at];
    if (frame === undefined) return 0;
    const key = `${frame.scriptName}:${frame.lineNumber}:${frame.columnNumber}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { scriptName, lineNumber, columnNumber } = getCallSites(DEPTH, { sourceMap: true })[at] ?? frame;
    const number = this.#tracer.newSource(`${pathOf(scriptName)}:${lineNumber}:${columnNumber}`);
    this.#known.set(key, number);
    return number;
  }

  #isPlugins(script: string): boolean {
    if (script === '' || this.#isHosts(script)) return false;
    const path = pathOf(script);
    return path.startsWith(`${this.#root}/`) && !path.slice(this.#root.length).includes('/node_modules/');
  }
}

function isMethod(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}
