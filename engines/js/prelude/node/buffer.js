// node:buffer.

import npm from "buffer/";

import { Blob, File } from "../blob.js";
import { decode, encode } from "../encoding.js";

export const { Buffer } = npm;

const { byteLength, from, isEncoding } = Buffer;
const { toString } = Buffer.prototype;
const lower = (encoding) => (encoding === undefined ? "utf8" : String(encoding).toLowerCase());
const over = (bytes) => from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// The package works byte by byte, and knows no base64url: what is common is the engine's own.
Buffer.from = function (value, encoding, length) {
  if (typeof value !== "string") return from(value, encoding, length);
  switch (lower(encoding)) {
    case "utf8": case "utf-8": return over(encode(value));
    case "base64url": return from(value, "base64");
    default: return from(value, encoding);
  }
};
Buffer.byteLength = (value, encoding) => byteLength(value, lower(encoding) === "base64url" ? "base64" : encoding);
Buffer.isEncoding = (encoding) => isEncoding(encoding) || lower(encoding) === "base64url";
Buffer.prototype.toString = function (encoding, start = 0, end = this.length) {
  const part = () => this.subarray(Math.max(0, Math.trunc(start) || 0), Math.max(0, Math.trunc(end) || 0));
  switch (lower(encoding)) {
    case "utf8": case "utf-8": return decode(part());
    case "hex": return Uint8Array.prototype.toHex.call(part());
    case "base64": return Uint8Array.prototype.toBase64.call(part());
    case "base64url": return Uint8Array.prototype.toBase64.call(part(), { alphabet: "base64url", omitPadding: true });
    default: return toString.call(this, encoding, start, end);
  }
};

export const buffer = {
  Buffer, Blob, File, atob, btoa, SlowBuffer: npm.SlowBuffer, INSPECT_MAX_BYTES: 50, kMaxLength: npm.kMaxLength,
  kStringMaxLength: 0x1fffffff, constants: { MAX_LENGTH: npm.kMaxLength, MAX_STRING_LENGTH: 0x1fffffff },
  isUtf8(input) { try { new TextDecoder("utf-8", { fatal: true }).decode(input); return true; } catch { return false; } },
  isAscii: (input) => new Uint8Array(input.buffer ?? input, input.byteOffset ?? 0, input.byteLength).every((byte) => byte < 0x80),
};
