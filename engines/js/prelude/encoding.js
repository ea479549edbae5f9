// Encoding standard: UTF-8, UTF-16 and the one-byte encodings that scripts meet.

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
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = encode(character);
      if (written + bytes.length > into.length) break;
      into.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
  get [Symbol.toStringTag]() { return "TextEncoder"; }
}

const labels = new Map();
for (const [encoding, names] of Object.entries({
  "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
  "utf-16le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
  "utf-16be": "unicodefffe utf-16be",
  "windows-1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
})) for (const name of names.split(" ")) labels.set(name, encoding);

const WINDOWS_1252 = "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

/** How many bytes at the end begin a character that is not complete. */
function unfinished(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return length > back && byte < 0xf5 ? back : 0;
  }
  return 0;
}

export class TextDecoder {
  #encoding; #fatal; #ignoreBom; #rest = new Uint8Array(0); #begun = false;
  constructor(label = "utf-8", options = {}) {
    const encoding = labels.get(String(label).trim().toLowerCase());
    if (!encoding) throw new RangeError(`The encoding label ${JSON.stringify(String(label))} is not known here.`);
    this.#encoding = encoding;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }
  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBom; }
  decode(input, options = {}) {
    let bytes = input === undefined ? new Uint8Array(0) : view(input);
    const stream = Boolean(options?.stream);
    if (this.#rest.length) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    this.#rest = new Uint8Array(0);
    const keep = !stream ? 0 : this.#encoding === "utf-8" ? unfinished(bytes) : this.#encoding.startsWith("utf-16") ? bytes.length % 2 : 0;
    if (keep) {
      this.#rest = bytes.slice(bytes.length - keep);
      bytes = bytes.subarray(0, bytes.length - keep);
    }
    let text = this.#text(bytes);
    if (!this.#begun && !this.#ignoreBom && text.charCodeAt(0) === 0xfeff && this.#encoding !== "windows-1252") text = text.slice(1);
    this.#begun = stream && (this.#begun || bytes.length > 0);
    return text;
  }
  #text(bytes) {
    if (this.#encoding === "utf-8") return decode(bytes, this.#fatal);
    if (this.#encoding === "windows-1252") {
      let text = "";
      for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252[byte - 0x80] : String.fromCharCode(byte);
      return text;
    }
    const little = this.#encoding === "utf-16le";
    let text = "";
    for (let at = 0; at + 1 < bytes.length; at += 2) {
      text += String.fromCharCode(little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1]);
    }
    if (this.#fatal && (bytes.length % 2 || !text.isWellFormed())) throw new TypeError("Failed to decode input.");
    return bytes.length % 2 ? text.toWellFormed() + "\ufffd" : text.toWellFormed();
  }
  get [Symbol.toStringTag]() { return "TextDecoder"; }
}

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
}
