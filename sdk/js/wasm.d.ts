// WebAssembly, of modules that were uploaded with the script.

declare namespace WebAssembly {
  type ImportExportKind = "function" | "global" | "memory" | "table";
  type ValueType = "i32" | "i64" | "f32" | "f64" | "anyfunc" | "funcref";
  type Imports = Record<string, Record<string, Function | Memory | Table | Global | number | bigint>>;
  type Exports = Record<string, any>;

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  class Module {
    /** Comes by `import module from "./x.wasm"`. */
    private constructor();
    /** Only for the compiler: nothing else is such an object. */
    private readonly isModule: never;
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
    static exports(module: Module): { name: string; kind: ImportExportKind }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  class Table {
    constructor(descriptor: { element: "anyfunc" | "funcref"; initial: number; maximum?: number }, value?: unknown);
    readonly length: number;
    get(index: number): any;
    grow(by: number, value?: unknown): number;
    set(index: number, value?: unknown): void;
  }

  class Global {
    constructor(descriptor: { value: ValueType; mutable?: boolean }, value?: unknown);
    value: any;
    valueOf(): any;
  }

  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function validate(bytes: BufferSource): boolean;
  /** Always rejects: code comes with the upload. */
  function compile(bytes: BufferSource): Promise<never>;
  /** Always rejects: code comes with the upload. */
  function compileStreaming(source: unknown): Promise<never>;
  /** Always rejects: code comes with the upload. */
  function instantiateStreaming(source: unknown, imports?: Imports): Promise<never>;
}

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "*.txt" {
  const text: string;
  export default text;
}

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.sql" {
  const text: string;
  export default text;
}

declare module "*.bin" {
  const bytes: ArrayBuffer;
  export default bytes;
}
