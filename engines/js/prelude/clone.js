// structuredClone (HTML, section 2.7) for what scripts have.

import { Blob, File } from "./blob.js";

const plain = new Set(["Boolean", "Number", "String"]);

function refuse(value) {
  throw new DOMException(`${typeof value === "function" ? value.name || "A function" : String(value)} could not be cloned.`, "DataCloneError");
}

function clone(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") refuse(value);
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (made) => { seen.set(value, made); return made; };
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (plain.has(tag)) return keep(Object(value.valueOf()));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen);
    return keep(new value.constructor(buffer, value.byteOffset, value instanceof DataView ? value.byteLength : value.length));
  }
  if (value instanceof Map) {
    const made = keep(new Map());
    for (const [key, item] of value) made.set(clone(key, seen), clone(item, seen));
    return made;
  }
  if (value instanceof Set) {
    const made = keep(new Set());
    for (const item of value) made.add(clone(item, seen));
    return made;
  }
  if (value instanceof Error) {
    const names = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
    const made = keep(Object.create((names[value.name] ?? Error).prototype));
    for (const name of ["message", "stack", "cause"]) {
      if (Object.hasOwn(value, name)) {
        Object.defineProperty(made, name, { value: clone(value[name], seen), writable: true, configurable: true });
      }
    }
    return made;
  }
  if (value instanceof File || value instanceof Blob) return keep(value);
  if (Array.isArray(value)) {
    const made = keep(new Array(value.length));
    for (const key of Object.keys(value)) made[key] = clone(value[key], seen);
    return made;
  }
  const prototype = Object.getPrototypeOf(value);
  if (tag !== "Object" && prototype !== null && prototype !== Object.prototype) refuse(value);
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) refuse(value);
  const made = keep({});
  for (const key of Object.keys(value)) made[key] = clone(value[key], seen);
  return made;
}

export function structuredClone(value, options) {
  const made = clone(value, new Map());
  for (const buffer of options?.transfer ?? []) buffer.transfer?.();
  return made;
}
