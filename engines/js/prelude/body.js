// Bodies of requests and responses. Those of the host's are not touched until somebody reads them, so that what a script
// only hands on never enters its memory.

import { ReadableStream } from "web-streams-polyfill";

import { host } from "./host.js";
import { Blob, concat } from "./blob.js";
import { contentStream } from "./contents.js";
import { decode, encode, view } from "./encoding.js";
import { FormData, readForm, writeMultipart } from "./form-data.js";
import { URLSearchParams } from "./url.js";

/** By stream: the source that it reads from, while nobody has read of it. */
const sources = new WeakMap();
/** How many bytes are asked of the host at once. */
const TEXT = "text/plain;charset=UTF-8";

/** A stream over a body of the host's: `owner` is its request or response. */
export const hostStream = (owner) => contentStream(undefined, () => host.openBody(owner));

/** The bytes of a body that is there as a whole; undefined for a stream. A text is encoded when somebody asks. */
export function whole(source) {
  if (source.text !== undefined) source.bytes ??= encode(source.text);
  return source.bytes;
}

/** What a body is: nothing, a text, bytes, a stream, or a body of the host's. */
export function makeBody(init) {
  if (init === null || init === undefined) return [null, null];
  if (typeof init === "string") return [{ text: init }, TEXT];
  if (init instanceof ReadableStream) {
    if (init.locked || init._disturbed) throw new TypeError("This ReadableStream is disturbed (has already been read from), and cannot be used as a body.");
    return [sources.get(init) ?? { stream: init }, null];
  }
  if (init instanceof ArrayBuffer || ArrayBuffer.isView(init)) return [{ bytes: view(init).slice() }, null];
  if (init instanceof URLSearchParams) return [{ bytes: encode(init.toString()) }, "application/x-www-form-urlencoded;charset=UTF-8"];
  if (init instanceof FormData) { const [bytes, type] = writeMultipart(init); return [{ bytes }, type]; }
  if (init instanceof Blob) return [{ bytes: Blob._bytes(init) }, init.type || null];
  if (typeof init[Symbol.asyncIterator] === "function" && typeof init !== "string") {
    const iterator = init[Symbol.asyncIterator]();
    const stream = new ReadableStream({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close(); else controller.enqueue(typeof value === "string" ? encode(value) : value);
      },
    });
    return [{ stream }, null];
  }
  return [{ text: String(init) }, TEXT];
}

/** Reads a stream of bytes to its end. */
export async function readAll(stream) {
  const reader = stream.getReader();
  const chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(chunks.length ? chunks : [new Uint8Array(0)]);
    chunks.push(typeof value === "string" ? encode(value) : view(value));
  }
}

/** What Request and Response have in common. */
export class Body {
  #source = null; #stream = null; #used = false;
  /** For subclasses: what the body is, or a function that says so when somebody asks. */
  static _set(owner, source) { owner.#source = source; }
  /** What the body is. */
  #have() {
    if (typeof this.#source === "function") this.#source = this.#source();
    return this.#source;
  }
  /** What the body is, for whoever does not touch it. */
  static _source(owner) { return owner.#have(); }
  /** The body for whoever sends it on: it counts as used. */
  static _take(owner) {
    if (owner.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    if (owner.#have() === null) return null;
    owner.#used = true;
    if (owner.#stream && !sources.has(owner.#stream)) return { stream: owner.#stream };
    if (owner.#stream) sources.delete(owner.#stream);
    return owner.#source;
  }
  /** The handle of a body of the host's that nobody has touched. */
  static _untouched(owner) {
    return !owner.bodyUsed && owner.#have()?.host !== undefined && !owner.#stream?.locked ? owner.#source.host : undefined;
  }
  /** Two bodies in place of this one. */
  static _tee(owner) {
    if (owner.bodyUsed || owner.#stream?.locked) throw new TypeError("Cannot clone a body that was used already.");
    if (owner.#have() === null) return null;
    if (whole(owner.#source)) return owner.#source;
    const [one, other] = owner.body.tee();
    owner.#stream = one;
    owner.#source = { stream: one };
    return { stream: other };
  }
  get body() {
    if (this.#have() === null) return null;
    if (!this.#stream) {
      const source = this.#source;
      if (source.stream) this.#stream = source.stream;
      else if (whole(source)) {
        this.#stream = new ReadableStream({
          type: "bytes",
          start(controller) { if (source.bytes.length) controller.enqueue(source.bytes.slice()); controller.close(); },
        });
      } else {
        this.#stream = hostStream(source.host);
        sources.set(this.#stream, source);
      }
    }
    return this.#stream;
  }
  get bodyUsed() {
    return this.#used || Boolean(this.#stream?._disturbed);
  }
  async #read() {
    if (this.bodyUsed || this.#stream?.locked) {
      throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    }
    if (this.#have() === null) return new Uint8Array(0);
    this.#used = true;
    if (whole(this.#source)) return this.#source.bytes;
    return readAll(this.body);
  }
  async text() {
    const bytes = await this.#read();
    const skip = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    return decode(skip ? bytes.subarray(skip) : bytes);
  }
  async json() { return JSON.parse(await this.text()); }
  async bytes() { return (await this.#read()).slice(); }
  async arrayBuffer() { return (await this.#read()).slice().buffer; }
  async blob() { return new Blob([await this.#read()], { type: this.headers.get("content-type") ?? "" }); }
  async formData() {
    const type = this.headers.get("content-type");
    return readForm(await this.#read(), type);
  }
}
