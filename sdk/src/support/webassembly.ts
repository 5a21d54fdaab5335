/**
 * The part of WebAssembly's interface that the host uses: neither the ES libraries nor Node's types declare it, and the
 * `dom` library would bring a browser with it.
 */
declare global {
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { initial: number; maximum: number; shared: true });
      readonly buffer: SharedArrayBuffer;
    }
    class Module {
      constructor(bytes: Uint8Array);
    }
    type Imports = Record<string, Record<string, unknown>>;
    function instantiate(module: Module, imports: Imports): Promise<Instance>;
    class Instance {
      constructor(module: Module, imports: Record<string, Record<string, Memory>>);
      readonly exports: Record<string, unknown>;
    }
  }
}

export {};
