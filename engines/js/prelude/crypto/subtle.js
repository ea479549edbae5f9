// SubtleCrypto (Web Cryptography, section 14): checks what each call is given, and hands it to the algorithm.

import { host } from "../host.js";
import { decode, encode, view } from "../encoding.js";
import { error, exact, factsOf, hashOf, nameOf, noFormat, usagesOf } from "./keys.js";
import { AES, HMAC } from "./secret.js";
import { DERIVED } from "./derive.js";
import { ON_CURVES } from "./curves.js";
import { RSA } from "./rsa.js";

const algorithms = new Map([...AES, HMAC, ...RSA, ...ON_CURVES, ...DERIVED].map((entry) => [entry.name.toLowerCase(), entry]));

/** The algorithm that is meant, which has to be able to do something. */
function find(algorithm, able) {
  const name = nameOf(algorithm);
  const entry = algorithms.get(name.toLowerCase());
  if (!entry || !entry[able]) throw error("NotSupportedError", `Unrecognized or unimplemented algorithm ${JSON.stringify(name)} for ${able}.`);
  return entry;
}

const parametersOf = (algorithm) => (typeof algorithm === "string" ? { name: algorithm } : algorithm);

/** A key for this algorithm and this usage; of `type`, where only one of a pair will do. */
function use(entry, key, usage, type) {
  const facts = factsOf(key);
  if (facts.algorithm.name !== entry.name) throw error("InvalidAccessError", `The key is for ${facts.algorithm.name}, and not for ${entry.name}.`);
  if (type && facts.type !== type && facts.type !== "secret") throw error("InvalidAccessError", `A ${facts.type} key cannot be used for ${JSON.stringify(usage)}.`);
  if (!facts.usages.includes(usage)) throw error("InvalidAccessError", `The key may not be used for ${JSON.stringify(usage)}.`);
  return facts;
}

function imported(format, data, algorithm, extractable, usages) {
  return find(algorithm, "import").import(String(format), data, parametersOf(algorithm), Boolean(extractable), usagesOf(usages));
}

/** A key that a script was given: what it may be used for is fixed, and nobody gets it out again. */
export function givenKey({ format, algorithm, usages, key_base64, key_jwk }) {
  const data = format === "jwk" ? key_jwk : Uint8Array.fromBase64(key_base64);
  return imported(format, data, algorithm, false, usages);
}

function exported(format, key) {
  const facts = factsOf(key);
  const entry = find(facts.algorithm, "import");
  if (!entry.export) throw noFormat(format, entry.name);
  if (!facts.extractable) throw error("InvalidAccessError", "The key may not be exported.");
  return entry.export(String(format), facts);
}

function derived(algorithm, key, usage, length) {
  const entry = find(algorithm, "bits");
  const facts = use(entry, key, usage, "private");
  return entry.bits(parametersOf(algorithm), facts, length);
}

export class SubtleCrypto {
  constructor(key) { if (key !== make) throw new TypeError("Illegal constructor"); }
  async digest(algorithm, data) {
    return host.digest(hashOf(algorithm, true), exact(data));
  }
  async generateKey(algorithm, extractable, usages) {
    return find(algorithm, "generate").generate(parametersOf(algorithm), Boolean(extractable), usagesOf(usages));
  }
  async importKey(format, data, algorithm, extractable, usages) {
    return imported(format, data, algorithm, extractable, usages);
  }
  async exportKey(format, key) {
    return exported(format, key);
  }
  async sign(algorithm, key, data) {
    const entry = find(algorithm, "sign");
    return entry.sign(parametersOf(algorithm), use(entry, key, "sign", "private"), exact(data));
  }
  async verify(algorithm, key, signature, data) {
    const entry = find(algorithm, "verify");
    return entry.verify(parametersOf(algorithm), use(entry, key, "verify", "public"), exact(signature), exact(data));
  }
  async encrypt(algorithm, key, data) {
    const entry = find(algorithm, "encrypt");
    return entry.encrypt(parametersOf(algorithm), use(entry, key, "encrypt", "public"), exact(data));
  }
  async decrypt(algorithm, key, data) {
    const entry = find(algorithm, "decrypt");
    return entry.decrypt(parametersOf(algorithm), use(entry, key, "decrypt", "private"), exact(data));
  }
  async deriveBits(algorithm, key, length = null) {
    return derived(algorithm, key, "deriveBits", length === null ? null : Number(length) >>> 0);
  }
  async deriveKey(algorithm, key, wanted, extractable, usages) {
    usages = usagesOf(usages);
    const length = find(wanted, "length").length(parametersOf(wanted));
    const bytes = derived(algorithm, key, "deriveKey", length);
    return imported("raw", bytes, wanted, extractable, usages);
  }
  async wrapKey(format, key, by, algorithm) {
    const entry = algorithms.get(nameOf(algorithm).toLowerCase())?.wrap ? find(algorithm, "wrap") : find(algorithm, "encrypt");
    const facts = use(entry, by, "wrapKey", "public");
    const plain = exported(format, key);
    const bytes = format === "jwk" ? exact(encode(JSON.stringify(plain))) : plain;
    return (entry.wrap ?? entry.encrypt)(parametersOf(algorithm), facts, bytes);
  }
  async unwrapKey(format, wrapped, by, algorithm, wanted, extractable, usages) {
    const entry = algorithms.get(nameOf(algorithm).toLowerCase())?.unwrap ? find(algorithm, "unwrap") : find(algorithm, "decrypt");
    const facts = use(entry, by, "unwrapKey", "private");
    const bytes = (entry.unwrap ?? entry.decrypt)(parametersOf(algorithm), facts, exact(wrapped));
    let data = bytes;
    if (format === "jwk") {
      try {
        data = JSON.parse(decode(new Uint8Array(bytes)));
      } catch {
        throw error("DataError", "What was unwrapped is no JWK.");
      }
    }
    return imported(format, data, wanted, extractable, usages);
  }
  timingSafeEqual(one, other) {
    const left = view(one);
    const right = view(other);
    if (left.length !== right.length) throw new TypeError("Input buffers must have the same byte length");
    let difference = 0;
    for (let at = 0; at < left.length; at++) difference |= left[at] ^ right[at];
    return difference === 0;
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

const make = Symbol("make");
export const subtle = new SubtleCrypto(make);
