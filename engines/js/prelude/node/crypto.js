// node:crypto: digests, keyed digests, derived keys and randomness. Ciphers and signatures are those of crypto.subtle.

import { host } from "../host.js";
import { Buffer } from "./buffer.js";
import { crypto as webcrypto } from "../crypto.js";
import { view } from "../encoding.js";

const NAMES = { md5: "MD5", sha1: "SHA-1", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" };

function hashOf(name, keyed = false) {
  const found = NAMES[String(name).toLowerCase().replace("-", "").replace(/^rsasha/, "sha")];
  if (!found || (keyed && found === "MD5")) throw Object.assign(new Error(`Invalid digest: ${name}`), { code: "ERR_CRYPTO_INVALID_DIGEST" });
  return found;
}

const bytesOf = (data, encoding) => (typeof data === "string" ? Buffer.from(data, encoding) : view(data));
const exact = (bytes) => bytes.slice().buffer;
const given = (buffer, encoding) => { const made = Buffer.from(buffer); return encoding && encoding !== "buffer" ? made.toString(encoding) : made; };
const finished = () => Object.assign(new Error("Digest already called"), { code: "ERR_CRYPTO_HASH_FINALIZED" });

class Hash {
  #id;
  constructor(name) { this.#id = host.digestBegin(hashOf(name)); }
  update(data, encoding) {
    if (this.#id === null) throw finished();
    const bytes = bytesOf(data, encoding);
    host.digestUpdate(this.#id, bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this;
  }
  digest(encoding) {
    if (this.#id === null) throw finished();
    const made = host.digestEnd(this.#id);
    this.#id = null;
    return given(made, encoding);
  }
}

class Hmac {
  #hash; #key; #parts = [];
  constructor(name, key) {
    this.#hash = hashOf(name, true);
    this.#key = exact(bytesOf(key));
  }
  update(data, encoding) {
    if (this.#parts === null) throw finished();
    this.#parts.push(Buffer.from(bytesOf(data, encoding)));
    return this;
  }
  digest(encoding) {
    if (this.#parts === null) throw finished();
    const made = host.hmac(this.#hash, this.#key, exact(Buffer.concat(this.#parts)));
    this.#parts = null;
    return given(made, encoding);
  }
}

const randomBytes = (size, callback) => {
  const made = Buffer.from(host.random(size));
  if (callback) queueMicrotask(() => callback(null, made));
  else return made;
};

function randomInt(from, to, callback) {
  if (typeof to !== "number") { callback = to; to = from; from = 0; }
  const range = to - from;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || range <= 0 || range > 2 ** 48) throw new RangeError('The value of "max" is out of range.');
  // What lies in the last, broken range would make small numbers likelier.
  const limit = 2 ** 48 - (2 ** 48 % range);
  let value;
  do value = Buffer.from(host.random(6)).readUIntBE(0, 6); while (value >= limit);
  const made = from + (value % range);
  if (callback) queueMicrotask(() => callback(null, made));
  else return made;
}

function derived(made) {
  if (made === null) throw new RangeError("The key could not be derived with these numbers.");
  return made;
}

const pbkdf2Sync = (password, salt, iterations, length, digest) =>
  given(derived(host.pbkdf2(hashOf(digest, true), exact(bytesOf(password)), exact(bytesOf(salt)), iterations, length)));
const hkdfSync = (digest, key, salt, info, length) =>
  derived(host.hkdf(hashOf(digest, true), exact(bytesOf(key)), exact(bytesOf(salt)), exact(bytesOf(info)), length));
const later = (work) => (...args) => {
  const callback = args.pop();
  let made;
  try { made = work(...args); } catch (error) { queueMicrotask(() => callback(error)); return; }
  queueMicrotask(() => callback(null, made));
};

export const crypto = {
  createHash: (name) => new Hash(name),
  createHmac: (name, key) => new Hmac(name, key),
  hash: (name, data, encoding = "hex") => new Hash(name).update(data).digest(encoding),
  getHashes: () => Object.keys(NAMES),
  Hash, Hmac,
  randomBytes, randomInt,
  randomFillSync(into) { const bytes = view(into); bytes.set(new Uint8Array(host.random(bytes.byteLength))); return into; },
  randomUUID: () => webcrypto.randomUUID(),
  getRandomValues: (into) => webcrypto.getRandomValues(into),
  timingSafeEqual(one, other) {
    if (view(one).byteLength !== view(other).byteLength) throw Object.assign(new RangeError("Input buffers must have the same byte length"), { code: "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH" });
    return webcrypto.subtle.timingSafeEqual(one, other);
  },
  pbkdf2Sync, pbkdf2: later(pbkdf2Sync), hkdfSync, hkdf: later(hkdfSync),
  webcrypto, subtle: webcrypto.subtle,
};
