/** The part of WebAssembly's interface that is used here: neither the ES libraries nor Node's types declare it. */
declare global {
  namespace WebAssembly {
    class Module {
      constructor(bytes: Uint8Array);
    }
    type Imports = Record<string, Record<string, unknown>>;
    function instantiate(module: Module, imports: Imports): Promise<Instance>;
    class Instance {
      readonly exports: Record<string, unknown>;
    }
  }
}

export {};
