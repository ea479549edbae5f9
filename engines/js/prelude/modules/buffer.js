// node:buffer, as far as libraries for workers use it.

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const binary = (bytes) => { let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return text; };

export class Buffer extends Uint8Array {
  static from(source, encoding = "utf8", length) {
    if (typeof source === "string") {
      switch (String(encoding).toLowerCase()) {
        case "hex": return Buffer.#of(Uint8Array.fromHex(source));
        case "base64": case "base64url": return Buffer.#of(Uint8Array.from(atob(source.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "")), (each) => each.charCodeAt(0)));
        case "latin1": case "binary": case "ascii": return Buffer.#of(Uint8Array.from(source, (each) => each.charCodeAt(0)));
        default: return Buffer.#of(encoder.encode(source));
      }
    }
    if (source instanceof ArrayBuffer) return new Buffer(source, typeof encoding === "number" ? encoding : 0, length);
    return Buffer.#of(Uint8Array.from(source));
  }
  static #of(bytes) { return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength); }
  static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
  static allocUnsafe(size) { return new Buffer(size); }
  static isBuffer(value) { return value instanceof Buffer; }
  static byteLength(text, encoding) { return typeof text === "string" ? Buffer.from(text, encoding).length : text.byteLength; }
  static concat(list, total) {
    const length = total ?? list.reduce((sum, each) => sum + each.length, 0);
    const all = Buffer.alloc(length);
    let at = 0;
    for (const each of list) { all.set(each.subarray(0, Math.max(0, length - at)), at); at += each.length; }
    return all;
  }
  toString(encoding = "utf8", start = 0, end = this.length) {
    const bytes = this.subarray(start, end);
    switch (String(encoding).toLowerCase()) {
      case "hex": return bytes.toHex();
      case "base64": return btoa(binary(bytes));
      case "base64url": return btoa(binary(bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
      case "latin1": case "binary": case "ascii": return binary(bytes);
      default: return decoder.decode(bytes);
    }
  }
  toJSON() { return { type: "Buffer", data: [...this] }; }
  equals(other) { return this.length === other.length && this.every((byte, at) => byte === other[at]); }
  write(text, at = 0) { const bytes = encoder.encode(text); this.set(bytes.subarray(0, this.length - at), at); return Math.min(bytes.length, this.length - at); }
  slice(start, end) { return this.subarray(start, end); }
}

export const { atob, btoa, Blob, File } = globalThis;
export default { Buffer, atob, btoa, Blob, File };
