// Encoding standard. The encodings are the host's.

import { TransformStream } from "web-streams-polyfill";

import { host } from "./host.js";

/** UTF-8 of a text. */
export function encode(text) {
  return new Uint8Array(host.encode(text.toWellFormed()));
}

/** The bytes of a buffer or a view of one, not copied. */
export function view(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  throw new TypeError("Bytes are an ArrayBuffer or a view of one.");
}

/** The text that bytes are in UTF-8. */
export function decode(bytes, fatal = false) {
  return host.decode(bytes.buffer, bytes.byteOffset, bytes.byteLength, fatal);
}

export class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return encode(String(text)); }
  encodeInto(text, into) {
    if (!(into instanceof Uint8Array)) throw new TypeError("encodeInto() writes to a Uint8Array.");
    // Each unit takes a byte at least: what lies behind cannot fit.
    const [bytes, read] = host.encodeInto(String(text).slice(0, into.length).toWellFormed(), into.length);
    into.set(new Uint8Array(bytes));
    return { read, written: bytes.byteLength };
  }
  get [Symbol.toStringTag]() { return "TextEncoder"; }
}

export class TextDecoder {
  /** The host's decoder, while a text comes in pieces. */
  #encoding; #fatal; #ignoreBom; #running = null;
  constructor(label = "utf-8", options = {}) {
    const encoding = label === "utf-8" ? label : host.encodingOf(String(label).toWellFormed());
    if (encoding === null) throw new RangeError(`${JSON.stringify(String(label))} is not a valid encoding label.`);
    if (options !== undefined && options !== null && typeof options !== "object") throw new TypeError("The options of a TextDecoder are an object.");
    this.#encoding = encoding;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBom; }
  decode(input, options = {}) {
    const bytes = input === undefined ? NOTHING : view(input);
    const stream = Boolean(options?.stream);
    if (this.#running === null && !stream && this.#encoding === "utf-8") {
      const skip = !this.#ignoreBom && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
      return decode(skip ? bytes.subarray(skip) : bytes, this.#fatal);
    }
    const running = this.#running ?? host.decoder(this.#encoding, this.#ignoreBom);
    // It ends with the last piece, and with an error.
    this.#running = null;
    const text = host.decodePart(running, bytes.buffer, bytes.byteOffset, bytes.byteLength, this.#fatal, !stream);
    if (stream) this.#running = running;
    return text;
  }
  get [Symbol.toStringTag]() { return "TextDecoder"; }
}

const NOTHING = new Uint8Array(0);

export class TextEncoderStream {
  #transform;
  constructor() {
    let high = "";
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        let text = high + String(chunk);
        high = "";
        const last = text.charCodeAt(text.length - 1);
        if (last >= 0xd800 && last < 0xdc00) { high = text.slice(-1); text = text.slice(0, -1); }
        if (text) controller.enqueue(encode(text));
      },
      flush(controller) { if (high) controller.enqueue(encode(high)); },
    });
  }
  get encoding() { return "utf-8"; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "TextEncoderStream"; }
}

export class TextDecoderStream {
  #transform; #decoder;
  constructor(label, options) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text) controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text) controller.enqueue(text);
      },
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "TextDecoderStream"; }
}
