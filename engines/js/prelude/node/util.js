// node:util.

import { formatArgs, inspect as show } from "../console.js";
import { TextDecoder, TextEncoder } from "../encoding.js";
import { equal } from "./equal.js";

const tag = (value) => Object.prototype.toString.call(value).slice(8, -1);
const arrays = ["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array", "Float32Array", "Float64Array"];
const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;

const types = {
  isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
  isArrayBufferView: (value) => ArrayBuffer.isView(value),
  isArrayBuffer: (value) => value instanceof ArrayBuffer,
  isAnyArrayBuffer: (value) => value instanceof ArrayBuffer,
  isSharedArrayBuffer: () => false,
  isDataView: (value) => value instanceof DataView,
  isDate: (value) => value instanceof Date,
  isRegExp: (value) => value instanceof RegExp,
  isMap: (value) => value instanceof Map,
  isSet: (value) => value instanceof Set,
  isWeakMap: (value) => value instanceof WeakMap,
  isWeakSet: (value) => value instanceof WeakSet,
  isPromise: (value) => value instanceof Promise,
  isNativeError: (value) => Error.isError(value),
  isProxy: () => false,
  isExternal: () => false,
  isAsyncFunction: (value) => typeof value === "function" && tag(value) === "AsyncFunction",
  isGeneratorFunction: (value) => typeof value === "function" && tag(value).endsWith("GeneratorFunction"),
  isGeneratorObject: (value) => tag(value) === "Generator",
  isMapIterator: (value) => tag(value) === "Map Iterator",
  isSetIterator: (value) => tag(value) === "Set Iterator",
  isArgumentsObject: (value) => tag(value) === "Arguments",
  isBoxedPrimitive: (value) => value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof Symbol || value instanceof BigInt,
  isNumberObject: (value) => value instanceof Number,
  isStringObject: (value) => value instanceof String,
  isBooleanObject: (value) => value instanceof Boolean,
  isSymbolObject: (value) => value instanceof Symbol,
  isBigIntObject: (value) => value instanceof BigInt,
  isModuleNamespaceObject: (value) => tag(value) === "Module",
};
for (const name of arrays) types[`is${name}`] = (value) => types.isTypedArray(value) && kindOf.call(value) === name;

const CUSTOM = Symbol.for("nodejs.util.inspect.custom");
const PROMISIFY = Symbol.for("nodejs.util.promisify.custom");

function inspect(value, options) {
  if (typeof value === "string") return `'${value.replace(/\\/g, "\\\\").replace(/'/g, "\\'").replace(/\n/g, "\\n")}'`;
  if (typeof value?.[CUSTOM] === "function") {
    const shown = value[CUSTOM](options?.depth ?? 2, options ?? {}, inspect);
    return typeof shown === "string" ? shown : inspect(shown, options);
  }
  return show(value, 1);
}
Object.assign(inspect, { custom: CUSTOM, defaultOptions: { depth: 2 } });

function promisify(original) {
  if (typeof original !== "function") throw new TypeError('The "original" argument must be of type function.');
  if (original[PROMISIFY]) return original[PROMISIFY];
  const made = function (...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, ...values) => (error ? reject(error) : resolve(values[0])));
    });
  };
  Object.setPrototypeOf(made, Object.getPrototypeOf(original));
  return Object.defineProperties(made, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = PROMISIFY;

function callbackify(original) {
  if (typeof original !== "function") throw new TypeError('The "original" argument must be of type function.');
  return function (...args) {
    const callback = args.pop();
    if (typeof callback !== "function") throw new TypeError("The last argument must be of type function.");
    original.apply(this, args).then((value) => queueMicrotask(() => callback(null, value)), (error) => queueMicrotask(() => callback(error ?? new Error("the promise was rejected without a reason"))));
  };
}

const warned = new Set();
function deprecate(work, message, code) {
  return function (...args) {
    if (!warned.has(code ?? message)) { warned.add(code ?? message); console.warn(`DeprecationWarning: ${message}`); }
    return Reflect.apply(work, this, args);
  };
}

export const util = {
  TextDecoder, TextEncoder, types, inspect, promisify, callbackify, deprecate,
  format: (...args) => formatArgs(args),
  formatWithOptions: (_, ...args) => formatArgs(args),
  inherits(kind, parent) {
    Object.defineProperty(kind, "super_", { value: parent, writable: true, configurable: true });
    Object.setPrototypeOf(kind.prototype, parent.prototype);
  },
  isDeepStrictEqual: (one, other) => equal(one, other, true),
  isArray: Array.isArray,
  stripVTControlCharacters: (text) => String(text).replace(/\u001b\[[0-9;?]*[A-Za-z]/g, ""),
  toUSVString: (text) => String(text).toWellFormed(),
  debuglog: () => Object.assign(() => {}, { enabled: false }),
  debug: () => Object.assign(() => {}, { enabled: false }),
  aborted: (signal) => new Promise((resolve) => { if (signal.aborted) resolve(); else signal.addEventListener("abort", () => resolve(), { once: true }); }),
};
