// structuredClone (HTML, section 2.7).

import { Blob } from "./blob.js";

export const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
export const ARRAYS = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array, Float16Array, Float32Array, Float64Array };
/** Which of them an array is, whatever its constructor says. */
export const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const { prototype: OBJECT } = Object;
/** Objects of the platform: none of them can be cloned but those below. */
const platform = new Set();
/** By class: what an object becomes when it is transferred. */
const movers = [];

/** Takes the classes whose objects cannot be cloned. */
export function refuseToClone(classes) {
  for (const each of classes) platform.add(each.prototype);
}

/** Has objects of a class be transferred by a function. */
export function onTransfer(kind, move) {
  movers.push([kind, move]);
}

const broken = (message) => new DOMException(message, "DataCloneError");

function nameOf(value) {
  if (typeof value === "symbol") return value.toString();
  if (typeof value === "function") return value.name || "A function";
  return `#<${value.constructor?.name ?? "Object"}>`;
}

function refuse(value) {
  throw broken(`${nameOf(value)} could not be cloned.`);
}

const CANNOT = [Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry, Iterator];

/** What an object of its own kind becomes; undefined for one that is only properties. */
function special(value, seen) {
  const keep = (made) => { seen.set(value, made); return made; };
  if (value instanceof Date) return keep(new Date(Date.prototype.getTime.call(value)));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean) return keep(Object(Boolean.prototype.valueOf.call(value)));
  if (value instanceof Number) return keep(Object(Number.prototype.valueOf.call(value)));
  if (value instanceof String) return keep(Object(String.prototype.valueOf.call(value)));
  if (value instanceof BigInt) return keep(Object(BigInt.prototype.valueOf.call(value)));
  if (value instanceof Symbol) refuse(value);
  if (value instanceof ArrayBuffer) {
    if (value.detached) throw broken("An ArrayBuffer is detached and could not be cloned.");
    return keep(value.slice(0));
  }
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen);
    const kind = value instanceof DataView ? DataView : ARRAYS[kindOf.call(value)];
    return keep(new kind(buffer, value.byteOffset, value instanceof DataView ? value.byteLength : value.length));
  }
  if (value instanceof Map) {
    const made = keep(new Map());
    for (const [key, item] of [...value]) made.set(clone(key, seen), clone(item, seen));
    return made;
  }
  if (value instanceof Set) {
    const made = keep(new Set());
    for (const item of [...value]) made.add(clone(item, seen));
    return made;
  }
  if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  if (value instanceof Error) return error(value, seen, keep);
  // A Blob cannot change.
  if (value instanceof Blob) return keep(value);
  if (CANNOT.some((kind) => value instanceof kind)) refuse(value);
  for (let each = Object.getPrototypeOf(value); each !== null; each = Object.getPrototypeOf(each)) if (platform.has(each)) refuse(value);
  return undefined;
}

function error(value, seen, keep) {
  const name = String(value.name);
  const made = keep(new (Object.hasOwn(ERRORS, name) ? ERRORS[name] : Error)());
  for (const property of ["message", "stack", "cause"]) {
    const given = Object.getOwnPropertyDescriptor(value, property);
    if (given && "value" in given) {
      const kept = property === "cause" ? clone(given.value, seen) : String(given.value);
      Object.defineProperty(made, property, { value: kept, writable: true, configurable: true, enumerable: false });
    } else if (property === "stack") {
      delete made.stack;
    }
  }
  return made;
}

function clone(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") refuse(value);
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  let made;
  if (Array.isArray(value)) {
    made = new Array(value.length);
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== OBJECT && prototype !== null) {
      const own = special(value, seen);
      if (own !== undefined) return own;
    }
    made = {};
  }
  seen.set(value, made);
  for (const key of Object.keys(value)) {
    Object.defineProperty(made, key, { value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
  }
  return made;
}

function moverOf(value) {
  if (value instanceof ArrayBuffer) return (buffer) => buffer.transfer();
  return movers.find(([kind]) => value instanceof kind)?.[1];
}

/** A clone, and the objects of other kinds than ArrayBuffer that were transferred with it. */
export function cloneWith(value, transfer) {
  const seen = new Map();
  if (new Set(transfer).size !== transfer.length) throw broken("Something is to be transferred twice.");
  const moves = transfer.map((each) => {
    const move = moverOf(each);
    if (!move) throw broken(`${typeof each === "object" && each ? nameOf(each) : String(each)} could not be transferred.`);
    if (each.detached) throw broken("An ArrayBuffer is detached and could not be transferred.");
    return [each, move];
  });
  // Buffers are moved once everything was cloned, so that an error leaves them; a copy stands for each until then.
  for (const [each] of moves) if (each instanceof ArrayBuffer) seen.set(each, each.slice(0));
  const ports = [];
  for (const [each, move] of moves) {
    if (each instanceof ArrayBuffer) continue;
    const moved = move(each);
    seen.set(each, moved);
    ports.push(moved);
  }
  const made = clone(value, seen);
  for (const [each, move] of moves) if (each instanceof ArrayBuffer) move(each);
  return [made, ports];
}

export function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError("structuredClone() needs a value.");
  return cloneWith(value, [...(options?.transfer ?? [])])[0];
}
