// Web Cryptography: `crypto`.

import { host, inHandler } from "./host.js";
import { view } from "./encoding.js";
import { CryptoKey } from "./crypto/keys.js";
import { DigestStream } from "./crypto/digest-stream.js";
import { SubtleCrypto, subtle } from "./crypto/subtle.js";

export { CryptoKey, SubtleCrypto };

const make = Symbol("make");
const INTEGERS = new Set(["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array"]);
/** What kind of array it is, whatever its constructor says. */
const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;

export class Crypto {
  constructor(key) { if (key !== make) throw new TypeError("Illegal constructor"); }
  get subtle() { return subtle; }
  get DigestStream() { return DigestStream; }
  getRandomValues(into) {
    inHandler();
    if (!ArrayBuffer.isView(into) || !INTEGERS.has(kindOf.call(into))) {
      throw new DOMException("Random values are written to an array of integers.", "TypeMismatchError");
    }
    if (into.byteLength > 65536) throw new DOMException(`getRandomValues() only accepts buffers of size <= 64K but provided ${into.byteLength} bytes.`, "QuotaExceededError");
    view(into).set(new Uint8Array(host.random(into.byteLength)));
    return into;
  }
  randomUUID() {
    inHandler();
    const bytes = new Uint8Array(host.random(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = bytes.toHex();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

export const crypto = new Crypto(make);
