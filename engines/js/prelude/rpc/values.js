// Values on their way between scripts: a tree of JSON beside bytes. What a tree says comes from another script, which may be
// hostile: it makes values and nothing else.

import { ReadableStream, WritableStream } from "web-streams-polyfill";

import { concat } from "../blob.js";
import { Body, hostStream, whole } from "../body.js";
import { ARRAYS, ERRORS, kindOf } from "../clone.js";
import { decode as decodeUtf8, encode as encodeUtf8 } from "../encoding.js";
import { Request, Response } from "../fetch.js";
import { Headers } from "../headers.js";
import { RpcTarget } from "./targets.js";
import { ReadableEnd, WritableEnd, readableOf, writableOf } from "./streams.js";

/** How deep objects may lie in each other. */
const MOST_DEPTH = 200;
/** Bytes of one value, as the product has it. */
const MOST_BYTES = 32 << 20;
const { prototype: OBJECT } = Object;

const broken = (message) => new DOMException(message, "DataCloneError");
const tooLarge = (size) => new Error(`Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${size} bytes.`);
const tooDeep = () => broken(`Could not serialize an object that is nested more than ${MOST_DEPTH} levels deep.`);
/** What has no form of its own, and is no class of a script's either. */
const CANNOT = [Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry];

/** Writes one value. `exportOf` names what is sent as a stub. */
export class Writer {
  #seen = new Map(); #exportOf; #depth = 0; #size = 0;
  /** Bytes of buffers, in the order in which the tree names them. */
  blobs = [];
  constructor(exportOf) { this.#exportOf = exportOf; }
  write(value) {
    switch (typeof value) {
      case "string": this.#weigh(value.length); return value;
      case "boolean": return value;
      case "number": return Number.isFinite(value) && !Object.is(value, -0) ? value : ["n", Object.is(value, -0) ? "-0" : String(value)];
      case "undefined": return ["u"];
      case "bigint": return ["i", String(value)];
      case "symbol": throw broken(`${String(value)} could not be cloned.`);
      case "function": return this.#exportOf(value);
      default:
    }
    if (value === null) return null;
    const at = this.#seen.get(value);
    if (at !== undefined) return ["r", at];
    if (value instanceof RpcTarget) return this.#exportOf(value);
    this.#seen.set(value, this.#seen.size);
    if (++this.#depth > MOST_DEPTH) throw tooDeep();
    const written = this.#object(value);
    this.#depth--;
    return written;
  }
  /** Refuses what would be too large before it is made. */
  #weigh(length) { if ((this.#size += length) > MOST_BYTES) throw tooLarge(this.#size); }
  #object(value) {
    if (Array.isArray(value)) {
      const list = ["a"];
      for (let at = 0; at < value.length; at++) list.push(this.write(value[at]));
      return list;
    }
    const prototype = Object.getPrototypeOf(value);
    return prototype === OBJECT || prototype === null ? this.#fields(value) : this.#special(value);
  }
  #fields(value) {
    const fields = { __proto__: null };
    for (const key of Object.keys(value)) fields[key] = this.write(value[key]);
    return fields;
  }
  #special(value) {
    if (value instanceof Date) { const time = Date.prototype.getTime.call(value); return ["d", Number.isNaN(time) ? null : time]; }
    if (value instanceof RegExp) return ["x", value.source, value.flags];
    for (const kind of [Boolean, Number, String, BigInt]) if (value instanceof kind) return ["o", this.write(kind.prototype.valueOf.call(value))];
    if (value instanceof ArrayBuffer) {
      if (value.detached) throw broken("An ArrayBuffer is detached and could not be cloned.");
      this.#weigh(value.byteLength);
      this.blobs.push(new Uint8Array(value));
      return ["b", value.byteLength];
    }
    if (ArrayBuffer.isView(value)) {
      const kind = value instanceof DataView ? "DataView" : kindOf.call(value);
      return ["v", kind, this.write(value.buffer), value.byteOffset, value instanceof DataView ? value.byteLength : value.length];
    }
    if (value instanceof Map) { const list = ["m"]; for (const [key, item] of [...value]) list.push(this.write(key), this.write(item)); return list; }
    if (value instanceof Set) { const list = ["s"]; for (const item of [...value]) list.push(this.write(item)); return list; }
    if (value instanceof DOMException) return ["D", value.message, value.name];
    if (value instanceof Error) return this.#error(value);
    if (value instanceof Headers) return ["h", Headers._flat(value, new Set())];
    if (value instanceof ReadableStream) return ["R", this.#exportOf(new ReadableEnd(value))];
    if (value instanceof WritableStream) return ["W", this.#exportOf(new WritableEnd(value))];
    if (value instanceof Request) return ["q", Request._method(value), Request._url(value), Headers._flat(Request._headers(value), new Set()), value.redirect, this.#body(value)];
    if (value instanceof Response) return ["p", Response._status(value), value.statusText, Headers._flat(Response._headers(value), new Set()), this.#body(value)];
    if (CANNOT.some((kind) => value instanceof kind)) throw broken(`#<${value.constructor?.name ?? "Object"}> could not be cloned.`);
    throw broken(`Could not serialize object of type "${value.constructor?.name ?? "Object"}". This type does not support serialization.`);
  }
  /** What an error says: its name, message, cause and what it has of its own; where it was thrown is nobody else's business. */
  #error(value) {
    const own = { __proto__: null };
    for (const key of Object.keys(value)) {
      if (key === "name" || key === "remote" || key === "stack") continue;
      try { own[key] = this.write(value[key]); } catch { /* what cannot be sent is left out */ }
    }
    const cause = Object.getOwnPropertyDescriptor(value, "cause");
    let sent = null;
    try { if (cause && "value" in cause) sent = [this.write(cause.value)]; } catch { /* the same */ }
    return ["e", String(value.name), String(value.message), sent, own];
  }
  /** A body goes with its owner, who has it no more. */
  #body(owner) {
    const source = Body._take(owner);
    if (source === null) return null;
    const bytes = whole(source);
    if (bytes === undefined) return ["R", this.#exportOf(new ReadableEnd(source.stream ?? hostStream(source.host)))];
    this.blobs.push(bytes);
    return ["b", bytes.byteLength];
  }
}

const strange = () => new TypeError("What the other script sent is no value.");

/** Reads what a writer wrote. `importOf` makes stubs. */
export class Reader {
  #list = []; #bytes; #at = 0; #importOf; #depth = 0;
  constructor(bytes, importOf) { this.#bytes = bytes; this.#importOf = importOf; }
  read(node) {
    if (typeof node !== "object" || node === null) return node;
    if (++this.#depth > MOST_DEPTH + 2) throw strange();
    const made = Array.isArray(node) ? this.#tagged(node) : this.#into(this.#keep({}), node);
    this.#depth--;
    return made;
  }
  #keep(made) { this.#list.push(made); return made; }
  #into(made, fields) {
    for (const key of Object.keys(fields)) {
      const value = this.read(fields[key]);
      if (key === "__proto__") Object.defineProperty(made, key, { value, writable: true, enumerable: true, configurable: true });
      else made[key] = value;
    }
    return made;
  }
  #take(length) {
    if (!Number.isInteger(length) || length < 0 || this.#at + length > this.#bytes.byteLength) throw strange();
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }
  #tagged(node) {
    switch (node[0]) {
      case "u": return undefined;
      case "n": return Number(node[1]);
      case "i": return BigInt(node[1]);
      case "r": if (!(node[1] < this.#list.length)) throw strange(); return this.#list[node[1]];
      case "t": case "T": return this.#importOf(node[0], node[1]);
      case "a": { const made = this.#keep([]); for (let at = 1; at < node.length; at++) made.push(this.read(node[at])); return made; }
      case "d": return this.#keep(new Date(node[1] ?? NaN));
      case "x": return this.#keep(new RegExp(String(node[1]), String(node[2])));
      case "o": return this.#keep(Object(this.read(node[1])));
      case "b": return this.#keep(this.#take(node[1]).buffer);
      case "v": return this.#view(node);
      case "m": { const made = this.#keep(new Map()); for (let at = 1; at + 1 < node.length; at += 2) made.set(this.read(node[at]), this.read(node[at + 1])); return made; }
      case "s": { const made = this.#keep(new Set()); for (let at = 1; at < node.length; at++) made.add(this.read(node[at])); return made; }
      case "D": return this.#keep(new DOMException(String(node[1]), String(node[2])));
      case "e": return this.#error(node);
      case "h": return this.#keep(this.#headers(node[1]));
      case "R": return this.#keep(readableOf(this.read(node[1])));
      case "W": return this.#keep(writableOf(this.read(node[1])));
      case "q": return this.#request(node);
      case "p": return this.#response(node);
      default: throw strange();
    }
  }
  #view([, kind, buffer, offset, length]) {
    // Its place is before its buffer's, as when it was written.
    const at = this.#list.push(undefined) - 1;
    const of = this.read(buffer);
    if (!(of instanceof ArrayBuffer)) throw strange();
    const made = kind === "DataView" ? DataView : Object.hasOwn(ARRAYS, kind) ? ARRAYS[kind] : undefined;
    if (!made) throw strange();
    return (this.#list[at] = new made(of, offset, length));
  }
  #error([, name, message, cause, own]) {
    name = String(name);
    const made = this.#keep(new (Object.hasOwn(ERRORS, name) ? ERRORS[name] : Error)(String(message)));
    if (made.name !== name) Object.defineProperty(made, "name", { value: name, writable: true, configurable: true, enumerable: false });
    const fields = this.#fieldsOfError(own);
    for (const key of Object.keys(fields)) Object.defineProperty(made, key, { value: fields[key], writable: true, configurable: true, enumerable: true });
    if (Array.isArray(cause)) Object.defineProperty(made, "cause", { value: this.read(cause[0]), writable: true, configurable: true, enumerable: false });
    return made;
  }
  #fieldsOfError(own) {
    if (typeof own !== "object" || own === null || Array.isArray(own)) throw strange();
    const fields = { __proto__: null };
    for (const key of Object.keys(own)) if (key !== "message" && key !== "stack" && key !== "name") fields[key] = this.read(own[key]);
    return fields;
  }
  #headers(flat) {
    if (!Array.isArray(flat)) throw strange();
    const headers = new Headers();
    for (let at = 0; at + 1 < flat.length; at += 2) headers.append(String(flat[at]), String(flat[at + 1]));
    return headers;
  }
  #body(node) {
    if (node === null) return null;
    if (node[0] === "b") return this.#take(node[1]);
    if (node[0] === "R") return readableOf(this.read(node[1]));
    throw strange();
  }
  #request([, method, url, headers, redirect, body]) {
    const at = this.#list.push(undefined) - 1;
    const init = { method: String(method), headers: this.#headers(headers), redirect: String(redirect) };
    const given = this.#body(body);
    if (given !== null) init.body = given;
    return (this.#list[at] = new Request(String(url), init));
  }
  #response([, status, statusText, headers, body]) {
    const at = this.#list.push(undefined) - 1;
    return (this.#list[at] = new Response(this.#body(body), { status: Number(status), statusText: String(statusText), headers: this.#headers(headers) }));
  }
}

/** One message: two lengths, a tree, bytes. */
export function framed(tree, blobs) {
  const json = encodeUtf8(JSON.stringify(tree));
  let length = 0;
  for (const blob of blobs) length += blob.byteLength;
  const size = json.byteLength + length;
  if (size > MOST_BYTES) throw tooLarge(size);
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  view.setUint32(0, json.byteLength, true);
  view.setUint32(4, length, true);
  return concat([head, json, ...blobs]);
}

/** Messages out of the bytes of which they come in pieces. */
export class Frames {
  #pieces = []; #length = 0;
  add(piece) { this.#pieces.push(piece); this.#length += piece.byteLength; }
  /** The next message: a tree, and its bytes; none where it is not whole yet. */
  next() {
    if (this.#length < 8) return undefined;
    if (this.#pieces[0].byteLength < 8) this.#join();
    const view = new DataView(this.#pieces[0].buffer, this.#pieces[0].byteOffset, 8);
    const [json, blobs] = [view.getUint32(0, true), view.getUint32(4, true)];
    if (json + blobs > MOST_BYTES) throw strange();
    const size = 8 + json + blobs;
    if (this.#length < size) return undefined;
    if (this.#pieces[0].byteLength < size) this.#join();
    const all = this.#pieces[0];
    const rest = all.subarray(size);
    if (rest.byteLength) this.#pieces[0] = rest; else this.#pieces.shift();
    this.#length -= size;
    const tree = JSON.parse(decodeUtf8(all.subarray(8, 8 + json)));
    if (!Array.isArray(tree)) throw strange();
    return [tree, all.subarray(8 + json, size)];
  }
  #join() { this.#pieces = [concat(this.#pieces)]; }
}
