// Web Cryptography. What is here is done by the host; other algorithms throw a NotSupportedError that names them.

import { host, inHandler } from "./host.js";
import { view } from "./encoding.js";

export class CryptoKey {
  #facts;
  constructor(facts) {
    if (!facts?._material) throw new TypeError("Illegal constructor");
    this.#facts = facts;
  }
  get type() { return this.#facts.type; }
  get extractable() { return this.#facts.extractable; }
  get algorithm() { return this.#facts.algorithm; }
  get usages() { return this.#facts.usages; }
  static _facts(key) { return key.#facts; }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}

const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5"];

function nameOf(algorithm) {
  return String(typeof algorithm === "object" && algorithm ? algorithm.name : algorithm);
}

function hashOf(algorithm) {
  const name = nameOf(algorithm).toUpperCase();
  const hash = HASHES.find((known) => known === name);
  if (!hash) throw new DOMException(`Unrecognized or unimplemented digest algorithm "${nameOf(algorithm)}".`, "NotSupportedError");
  return hash;
}

function unsupported(what, algorithm) {
  return new DOMException(`${what}: the algorithm ${JSON.stringify(nameOf(algorithm))} is not there.`, "NotSupportedError");
}

/** A buffer with exactly these bytes. */
function exact(source) {
  const bytes = view(source);
  return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

function use(key, usage, name) {
  const facts = CryptoKey._facts(key);
  if (facts.algorithm.name !== name) throw new DOMException("The key is for another algorithm.", "InvalidAccessError");
  if (!facts.usages.includes(usage)) throw new DOMException(`The key may not be used for ${JSON.stringify(usage)}.`, "InvalidAccessError");
  return facts;
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const fromBase64url = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

export class SubtleCrypto {
  async digest(algorithm, data) {
    return host.digest(hashOf(algorithm), exact(data));
  }
  async importKey(format, data, algorithm, extractable, usages) {
    const name = nameOf(algorithm).toUpperCase();
    if (name !== "HMAC") throw unsupported("importKey", algorithm);
    let bytes;
    if (format === "raw") bytes = view(data).slice();
    else if (format === "jwk") bytes = fromBase64url(data.k);
    else throw new DOMException(`HMAC keys have no format ${JSON.stringify(format)}.`, "NotSupportedError");
    if (!bytes.length) throw new DOMException("HMAC keys are not empty.", "DataError");
    return new CryptoKey({
      _material: bytes, type: "secret", extractable: Boolean(extractable), usages: [...usages],
      algorithm: { name: "HMAC", hash: { name: hashOf(algorithm.hash) }, length: bytes.length * 8 },
    });
  }
  async generateKey(algorithm, extractable, usages) {
    if (nameOf(algorithm).toUpperCase() !== "HMAC") throw unsupported("generateKey", algorithm);
    const hash = hashOf(algorithm.hash);
    const length = algorithm.length ? algorithm.length / 8 : hash === "SHA-384" || hash === "SHA-512" ? 128 : 64;
    return this.importKey("raw", host.random(length), algorithm, extractable, usages);
  }
  async exportKey(format, key) {
    const facts = CryptoKey._facts(key);
    if (!facts.extractable) throw new DOMException("The key may not be exported.", "InvalidAccessError");
    if (format === "raw") return facts._material.slice().buffer;
    if (format === "jwk") {
      return { kty: "oct", k: base64url(facts._material), alg: `HS${facts.algorithm.hash.name.slice(4)}`, key_ops: facts.usages, ext: true };
    }
    throw new DOMException(`HMAC keys have no format ${JSON.stringify(format)}.`, "NotSupportedError");
  }
  async sign(algorithm, key, data) {
    if (nameOf(algorithm).toUpperCase() !== "HMAC") throw unsupported("sign", algorithm);
    const facts = use(key, "sign", "HMAC");
    return host.hmac(facts.algorithm.hash.name, exact(facts._material), exact(data));
  }
  async verify(algorithm, key, signature, data) {
    if (nameOf(algorithm).toUpperCase() !== "HMAC") throw unsupported("verify", algorithm);
    const facts = use(key, "verify", "HMAC");
    return this.timingSafeEqual(host.hmac(facts.algorithm.hash.name, exact(facts._material), exact(data)), signature, true);
  }
  timingSafeEqual(one, other, lengthsMayDiffer = false) {
    const left = view(one);
    const right = view(other);
    if (left.length !== right.length) {
      if (lengthsMayDiffer === true) return false;
      throw new TypeError("Input buffers must have the same byte length");
    }
    let difference = 0;
    for (let at = 0; at < left.length; at++) difference |= left[at] ^ right[at];
    return difference === 0;
  }
  async encrypt(algorithm) { throw unsupported("encrypt", algorithm); }
  async decrypt(algorithm) { throw unsupported("decrypt", algorithm); }
  async deriveKey(algorithm) { throw unsupported("deriveKey", algorithm); }
  async deriveBits(algorithm) { throw unsupported("deriveBits", algorithm); }
  async wrapKey(format, key, by, algorithm) { throw unsupported("wrapKey", algorithm); }
  async unwrapKey(format, key, by, algorithm) { throw unsupported("unwrapKey", algorithm); }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

export class Crypto {
  #subtle = new SubtleCrypto();
  get subtle() { return this.#subtle; }
  getRandomValues(into) {
    inHandler();
    if (!ArrayBuffer.isView(into) || into instanceof Float32Array || into instanceof Float64Array || into instanceof DataView) {
      throw new DOMException("Random values are written to an array of integers.", "TypeMismatchError");
    }
    if (into.byteLength > 65536) throw new DOMException(`At most 65536 bytes at once; ${into.byteLength} were asked for.`, "QuotaExceededError");
    view(into).set(new Uint8Array(host.random(into.byteLength)));
    return into;
  }
  randomUUID() {
    inHandler();
    const bytes = new Uint8Array(host.random(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

export const crypto = new Crypto();
