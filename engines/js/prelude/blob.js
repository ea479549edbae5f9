// File API: Blob and File, whole in memory.

import { ReadableStream } from "web-streams-polyfill";

import { decode, encode, view } from "./encoding.js";

export class Blob {
  #bytes; #type;
  constructor(parts = [], options = {}) {
    if (typeof parts !== "object" || typeof parts?.[Symbol.iterator] !== "function") throw new TypeError("A Blob is made of a list of parts.");
    const all = [];
    for (const part of parts) {
      if (part instanceof Blob) all.push(part.#bytes);
      else if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) all.push(view(part).slice());
      else all.push(encode(options?.endings === "native" ? String(part).replace(/\r\n?/g, "\n") : String(part)));
    }
    this.#bytes = concat(all);
    const type = String(options?.type ?? "");
    this.#type = /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
  }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  async bytes() { return this.#bytes.slice(); }
  async text() { return decode(this.#bytes); }
  stream() {
    const bytes = this.#bytes;
    return new ReadableStream({
      type: "bytes",
      start(controller) {
        if (bytes.length) controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }
  slice(start = 0, end = this.size, type = "") { return new Blob([this.#bytes.slice(start, end)], { type }); }
  /** The bytes themselves. */
  static _bytes(blob) { return blob.#bytes; }
  get [Symbol.toStringTag]() { return "Blob"; }
}

export class File extends Blob {
  #name; #lastModified;
  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError("A File is made of parts and a name.");
    super(parts, options);
    this.#name = String(name).toWellFormed();
    this.#lastModified = options?.lastModified === undefined ? Date.now() : Number(options.lastModified);
  }
  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
  get [Symbol.toStringTag]() { return "File"; }
}

export function concat(chunks) {
  if (chunks.length === 1) return chunks[0];
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) { all.set(chunk, at); at += chunk.length; }
  return all;
}
