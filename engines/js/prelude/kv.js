// Keys and values: the KV namespace binding.

import { ReadableStream } from "web-streams-polyfill";

import { host, isFailure } from "./host.js";
import { decode, encode, view } from "./encoding.js";
import { IN_ONE_CALL, bufferOf, contentStream, writeContent } from "./contents.js";

function answered(result) {
  if (isFailure(result)) throw new Error(result[1]);
  return result;
}

/** What a value is given as. */
const MADE = {
  text: (buffer) => decode(new Uint8Array(buffer)),
  json: (buffer) => JSON.parse(decode(new Uint8Array(buffer))),
  arrayBuffer: (buffer) => buffer,
};

function typeOf(options) {
  const type = typeof options === "string" ? options : options?.type ?? "text";
  if (type !== "stream" && !Object.hasOwn(MADE, type)) throw new TypeError(`Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".`);
  return type;
}

/** A value that is there as a whole; undefined for a stream. */
function wholeOf(value) {
  if (typeof value === "string") return bufferOf(encode(value));
  if (value instanceof ReadableStream) return undefined;
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value)) return bufferOf(view(value));
  throw new TypeError("KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");
}

/** Expiry and metadata as the host takes them. */
function beside(options) {
  const number = (value) => (value === undefined || value === null ? -1 : Number(value));
  const metadata = options?.metadata === undefined || options.metadata === null ? undefined : JSON.stringify(options.metadata);
  return [number(options?.expiration), number(options?.expirationTtl), metadata];
}

export class KvNamespace {
  #name; #open; #handle;
  constructor(name, open) { this.#name = name; this.#open = open; }
  #namespace() { return (this.#handle ??= this.#open("kv_namespace", this.#name)); }
  #one(key, type) {
    const streamed = type === "stream";
    const entry = answered((streamed ? host.kvGetStream : host.kvGet)(this.#namespace(), String(key)));
    if (entry === null) return { value: null, metadata: null, cacheStatus: null };
    const metadata = entry[1] === null || entry[1] === undefined ? null : JSON.parse(entry[1]);
    const value = streamed ? contentStream(entry[0]) : MADE[type](entry[0]);
    return { value, metadata, cacheStatus: null };
  }
  async get(key, options) {
    const type = typeOf(options);
    if (Array.isArray(key)) return new Map(key.map((each) => [each, this.#one(each, type).value]));
    return this.#one(key, type).value;
  }
  async getWithMetadata(key, options) {
    const type = typeOf(options);
    if (Array.isArray(key)) return new Map(key.map((each) => [each, this.#one(each, type)]));
    return this.#one(key, type);
  }
  async put(key, value, options = {}) {
    const whole = wholeOf(value);
    const more = beside(options);
    if (whole !== undefined && whole.byteLength <= IN_ONE_CALL) {
      answered(host.kvPut(this.#namespace(), String(key), whole, ...more));
      return;
    }
    const sink = answered(host.kvStartPut(this.#namespace(), String(key), ...more));
    await writeContent(whole ?? value, sink);
    answered(host.kvFinish(sink));
  }
  async delete(key) { answered(host.kvDelete(this.#namespace(), String(key))); }
  async list(options = {}) {
    const text = (value) => (value === undefined || value === null ? undefined : String(value));
    const limit = options?.limit === undefined || options?.limit === null ? -1 : Number(options.limit);
    const [flat, cursor] = answered(host.kvList(this.#namespace(), text(options?.prefix), text(options?.cursor), limit));
    const keys = [];
    for (let at = 0; at < flat.length; at += 3) {
      const key = { name: flat[at] };
      if (typeof flat[at + 2] === "number") key.expiration = flat[at + 2];
      if (typeof flat[at + 1] === "string") key.metadata = JSON.parse(flat[at + 1]);
      keys.push(key);
    }
    return typeof cursor === "string"
      ? { keys, list_complete: false, cursor, cacheStatus: null }
      : { keys, list_complete: true, cacheStatus: null };
  }
}
