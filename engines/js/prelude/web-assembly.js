// WebAssembly (JavaScript interface, 2.0), for modules that a script brings. Code is made of bytes when a script is deployed
// and never later, as with text.

import { host, isFailure } from "./host.js";

class CompileError extends Error { get name() { return "CompileError"; } }
class LinkError extends Error { get name() { return "LinkError"; } }
class RuntimeError extends Error { get name() { return "RuntimeError"; } }
const ERRORS = { CompileError, LinkError, RuntimeError, RangeError };

/** Gives the number of something to those who make it known. */
const MADE = Symbol();
/** The most pages of a memory, and entries of a table. */
const MOST_PAGES = 65536;
const MOST_ENTRIES = 10_000_000;
/** By function: its number. */
const functions = new WeakMap();

function thrown([word, text]) {
  return new (ERRORS[word] ?? Error)(word === "RuntimeError" ? text : `WebAssembly: ${text}`);
}
const given = (result) => { if (isFailure(result)) throw thrown(result); return result; };
const refused = (what) => new CompileError(`WebAssembly.${what}: Wasm code generation disallowed by embedder`);

/** A value in the form of a type. */
function formed(letter, value) {
  switch (letter) {
    case "i": return value | 0;
    case "I": return BigInt.asIntN(64, value);
    case "f": case "F": return +value;
    case "r": {
      if (value === null || value === undefined) return null;
      const id = functions.get(value);
      if (id === undefined) throw new TypeError("WebAssembly objects are opaque: function-typed object expected");
      return id;
    }
    default: throw new TypeError("type incompatibility when transforming from/to JS");
  }
}

/** What of a result is a function. */
const shown = (letter, value) => (letter === "r" && value !== null ? functionOf(value) : value);

function functionOf(id) {
  const [parameters, results] = host.wasm.type(id);
  const call = (...args) => {
    const values = [];
    for (let at = 0; at < parameters.length; at++) values.push(formed(parameters[at], args[at]));
    for (const letter of results) if (letter === "x") formed(letter);
    const list = given(host.wasm.call(id, values));
    if (results.length === 0) return undefined;
    if (results.length === 1) return shown(results, list[0]);
    return list.map((value, at) => shown(results[at], value));
  };
  Object.defineProperty(call, "name", { value: String(id), configurable: true });
  Object.defineProperty(call, "length", { value: parameters.length, configurable: true });
  functions.set(call, id);
  return call;
}

/** A function of a script's as Wasm calls it: a list in, a list out, in the forms of its results. */
function importedBy(call, results) {
  return (args) => {
    const value = call(...args);
    if (results.length === 0) return [];
    if (results.length === 1) return [formed(results, value)];
    const list = [...value];
    if (list.length !== results.length) throw new TypeError("multi-return length mismatch");
    return list.map((each, at) => formed(results[at], each));
  };
}

class Module {
  #id;
  constructor(made, id) {
    if (made !== MADE) throw refused("Module()");
    this.#id = id;
  }
  static _id(module, what) {
    if (typeof module !== "object" || module === null || !(#id in module)) throw new TypeError(`WebAssembly.${what}: Argument 0 must be a WebAssembly.Module`);
    return module.#id;
  }
  static imports(module) {
    const flat = host.wasm.imports(Module._id(module, "Module.imports()"));
    return Array.from({ length: flat.length / 4 }, (_, at) => ({ module: flat[at * 4], name: flat[at * 4 + 1], kind: flat[at * 4 + 2] }));
  }
  static exports(module) {
    const flat = host.wasm.exports(Module._id(module, "Module.exports()"));
    return Array.from({ length: flat.length / 2 }, (_, at) => ({ name: flat[at * 2], kind: flat[at * 2 + 1] }));
  }
  static customSections(module, name) {
    Module._id(module, "Module.customSections()");
    if (name === undefined) throw new TypeError("WebAssembly.Module.customSections(): Argument 1 is required");
    return [];
  }
}

/** A module of a file of the script's. */
export function moduleOf(bytes) {
  return new Module(MADE, given(host.wasm.module(bytes)));
}

class Instance {
  #exports;
  constructor(module, imports) {
    const id = Module._id(module, "Instance()");
    if (imports !== undefined && (typeof imports !== "object" || imports === null)) throw new TypeError("WebAssembly.Instance(): Argument 1 must be an object");
    const flat = host.wasm.imports(id);
    if (flat.length > 0 && imports === undefined) throw new TypeError("WebAssembly.Instance(): Imports argument must be present and must be an object");
    const values = [];
    for (let at = 0; at < flat.length; at += 4) values.push(importOf(imports, flat[at], flat[at + 1], flat[at + 2], flat[at + 3], at / 4));
    const made = given(host.wasm.instantiate(id, values));
    const exports = { __proto__: null };
    for (let at = 0; at < made.length; at += 3) exports[made[at + 1]] = exportOf(made[at], made[at + 2]);
    this.#exports = Object.freeze(exports);
  }
  get exports() { return this.#exports; }
}

function exportOf(id, kind) {
  switch (kind) {
    case "function": return functionOf(id);
    case "memory": return new Memory(MADE, id);
    case "table": return new Table(MADE, id);
    default: return new Global(MADE, id);
  }
}

/** What is given for an import; `type` is letters: of a function its results, of a global its type. */
function importOf(imports, from, name, kind, type, at) {
  const where = `WebAssembly.Instance(): Import #${at} "${from}" "${name}"`;
  const module = imports[from];
  if ((typeof module !== "object" && typeof module !== "function") || module === null) throw new TypeError(`WebAssembly.Instance(): Import #${at} "${from}": module is not an object or function`);
  const value = module[name];
  if (kind === "function") {
    if (typeof value !== "function") throw new LinkError(`${where}: function import requires a callable`);
    return functions.get(value) ?? importedBy(value, type);
  }
  if (kind === "memory") { if (value instanceof Memory) return Memory._id(value); throw new LinkError(`${where}: memory import must be a WebAssembly.Memory object`); }
  if (kind === "table") { if (value instanceof Table) return Table._id(value); throw new LinkError(`${where}: table import requires a WebAssembly.Table`); }
  if (value instanceof Global) return Global._id(value);
  if (type === "I" ? typeof value === "bigint" : typeof value === "number") return host.wasm.newGlobal(type, false, formed(type, value));
  throw new LinkError(`${where}: global import must be a ${type === "I" ? "BigInt" : "number"}, or WebAssembly.Global object`);
}

function limit(value, name, most) {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > most) throw new TypeError(`WebAssembly: property '${name}' must be a whole number from 0 to ${most}`);
  return number;
}

function limits(descriptor, most) {
  if (typeof descriptor !== "object" || descriptor === null) throw new TypeError("WebAssembly: Argument 0 must be a descriptor");
  const least = limit(descriptor.initial ?? descriptor.minimum, "initial", most);
  if (descriptor.maximum === undefined) return [least, -1];
  const greatest = limit(descriptor.maximum, "maximum", most);
  if (greatest < least) throw new RangeError("WebAssembly: property 'maximum' is below 'initial'");
  return [least, greatest];
}

class Memory {
  #id;
  constructor(descriptor, id) {
    if (descriptor === MADE) { this.#id = id; return; }
    if (descriptor?.shared) throw new TypeError("WebAssembly.Memory(): shared memory is not supported");
    this.#id = given(host.wasm.newMemory(...limits(descriptor, MOST_PAGES)));
  }
  static _id(memory) { return memory.#id; }
  get buffer() { return host.wasm.buffer(this.#id); }
  grow(pages) {
    const before = host.wasm.growMemory(this.#id, limit(pages, "delta", MOST_PAGES));
    if (before < 0) throw new RangeError("WebAssembly.Memory.grow(): Maximum memory size exceeded");
    return before;
  }
}

class Table {
  #id;
  constructor(descriptor, id) {
    if (descriptor === MADE) { this.#id = id; return; }
    const element = descriptor?.element;
    if (element !== "anyfunc" && element !== "funcref") throw new TypeError("WebAssembly.Table(): Descriptor property 'element' must be 'anyfunc' here");
    this.#id = given(host.wasm.newTable(...limits(descriptor, MOST_ENTRIES)));
    if (id !== undefined) for (let at = 0; at < this.length; at++) this.set(at, id);
  }
  static _id(table) { return table.#id; }
  get length() { return host.wasm.tableLength(this.#id); }
  get(at) {
    const found = host.wasm.tableGet(this.#id, limit(at, "index", 2 ** 32 - 1));
    if (found === undefined) throw new RangeError("WebAssembly.Table.get(): invalid address in funcref table");
    return shown("r", found);
  }
  set(at, value = null) {
    if (!host.wasm.tableSet(this.#id, limit(at, "index", 2 ** 32 - 1), formed("r", value))) throw new RangeError("WebAssembly.Table.set(): invalid address in funcref table");
  }
  grow(by, value = null) {
    const before = host.wasm.tableGrow(this.#id, limit(by, "delta", MOST_ENTRIES), formed("r", value));
    if (before < 0) throw new RangeError("WebAssembly.Table.grow(): failed to grow table");
    return before;
  }
}

const TYPES = { i32: "i", i64: "I", f32: "f", f64: "F", anyfunc: "r", funcref: "r" };

class Global {
  #id;
  constructor(descriptor, value) {
    if (descriptor === MADE) { this.#id = value; return; }
    const type = TYPES[descriptor?.value];
    if (type === undefined) throw new TypeError("WebAssembly.Global(): Descriptor property 'value' must be a WebAssembly type");
    this.#id = host.wasm.newGlobal(type, Boolean(descriptor.mutable), formed(type, value ?? (type === "I" ? 0n : type === "r" ? null : 0)));
  }
  static _id(global) { return global.#id; }
  get value() { return host.wasm.globalGet(this.#id); }
  set value(value) {
    if (!host.wasm.globalSet(this.#id, formed, value)) throw new TypeError("set WebAssembly.Global.value: Can't set the value of an immutable global.");
  }
  valueOf() { return this.value; }
}

export const WebAssembly = {
  async compile() { throw refused("compile()"); },
  async compileStreaming() { throw refused("compileStreaming()"); },
  async instantiate(source, imports) {
    if (source instanceof Module) return new Instance(source, imports);
    throw refused("instantiate()");
  },
  async instantiateStreaming() { throw refused("instantiateStreaming()"); },
  validate(bytes) {
    const view = ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes);
    return host.wasm.validate(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  },
};
for (const [name, value] of Object.entries(WebAssembly)) Object.defineProperty(WebAssembly, name, { value, writable: true, configurable: true, enumerable: false });
for (const [name, kind] of Object.entries({ CompileError, Global, Instance, LinkError, Memory, Module, RuntimeError, Table })) {
  Object.defineProperty(WebAssembly, name, { value: kind, writable: true, configurable: true, enumerable: false });
  if (kind.name !== name) Object.defineProperty(kind, "name", { value: name, configurable: true });
  if (!(kind.prototype instanceof Error)) Object.defineProperty(kind.prototype, Symbol.toStringTag, { value: `WebAssembly.${name}`, configurable: true });
}
Object.defineProperty(WebAssembly, Symbol.toStringTag, { value: "WebAssembly", configurable: true });
