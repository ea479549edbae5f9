// AES and HMAC: keys that are bytes.

import { host } from "../host.js";
import { EMPTY, checkJwk, count, error, exact, fromBase64url, hashOf, made, makeKey, member, noFormat, toBase64url } from "./keys.js";

const BLOCK_BITS = { "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };

function bytesOf(format, data, name, alg, usages, extractable, use) {
  if (format === "raw") return exact(data).slice(0);
  if (format !== "jwk") throw noFormat(format, name);
  checkJwk(data, "oct", usages, extractable, use);
  const bytes = fromBase64url(data.k, "k");
  const expected = alg(bytes);
  if (data.alg !== undefined && data.alg !== expected) throw error("DataError", `"alg" of the JWK is not ${JSON.stringify(expected)}.`);
  return bytes;
}

function exported(format, facts, alg) {
  if (format === "raw") return facts.material.slice(0);
  if (format !== "jwk") throw noFormat(format, facts.algorithm.name);
  return { kty: "oct", key_ops: [...facts.usages], alg, ext: facts.extractable, k: toBase64url(facts.material) };
}

function lengthOf(algorithm) {
  const length = count(algorithm.length, "length", 65535);
  if (![128, 192, 256].includes(length)) throw error("OperationError", `Keys of AES have 128, 192 or 256 bits, and not ${length}.`);
  return length;
}

function aes(name, possible, cipher) {
  const suffix = name.slice(4);
  return {
    name,
    generate(algorithm, extractable, usages) {
      const length = lengthOf(algorithm);
      return makeKey("secret", { name, length }, extractable, usages, possible, host.random(length / 8));
    },
    import(format, data, _, extractable, usages) {
      const bytes = bytesOf(format, data, name, (key) => `A${key.byteLength * 8}${suffix}`, usages, extractable, "enc");
      if (![16, 24, 32].includes(bytes.byteLength)) throw error("DataError", `Keys of AES have 128, 192 or 256 bits, and not ${bytes.byteLength * 8}.`);
      return makeKey("secret", { name, length: bytes.byteLength * 8 }, extractable, usages, possible, bytes);
    },
    export: (format, facts) => exported(format, facts, `A${facts.algorithm.length}${suffix}`),
    length: lengthOf,
    ...cipher,
  };
}

const MODES = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];

const cbc = (encrypt) => (algorithm, facts, data) => {
  const iv = member(algorithm, "iv");
  if (iv.byteLength !== 16) throw error("OperationError", `AES-CBC takes an iv of 16 bytes, and not of ${iv.byteLength}.`);
  return made(host.aesCbc(encrypt, facts.material, iv, data), "AES-CBC: the data could not be decrypted.");
};

const ctr = (algorithm, facts, data) => {
  const counter = member(algorithm, "counter");
  if (counter.byteLength !== 16) throw error("OperationError", `AES-CTR takes a counter of 16 bytes, and not of ${counter.byteLength}.`);
  const bits = count(algorithm.length, "length", 255);
  if (bits < 1 || bits > 128) throw error("OperationError", "The counter of AES-CTR has 1 to 128 bits.");
  return made(host.aesCtr(facts.material, counter, bits, data), "AES-CTR: the counter is too short for so much data.");
};

const gcm = (encrypt) => (algorithm, facts, data) => {
  const iv = member(algorithm, "iv");
  if (iv.byteLength === 0) throw error("OperationError", "The iv of AES-GCM is not empty.");
  const tag = algorithm.tagLength === undefined ? 128 : count(algorithm.tagLength, "tagLength", 255);
  if (![32, 64, 96, 104, 112, 120, 128].includes(tag)) throw error("OperationError", `A tag of AES-GCM has no ${tag} bits.`);
  if (!encrypt && data.byteLength < tag / 8) throw error("OperationError", "AES-GCM: the data is shorter than its tag.");
  const result = host.aesGcm(encrypt, facts.material, iv, data, member(algorithm, "additionalData", EMPTY), tag / 8);
  return made(result, "AES-GCM: the data could not be decrypted; its tag is another.");
};

const kw = (wrap) => (_, facts, data) =>
  made(host.aesKw(wrap, facts.material, data), wrap ? "AES-KW wraps whole units of eight bytes, at least two." : "AES-KW: the key could not be unwrapped.");

export const AES = [
  aes("AES-CBC", MODES, { encrypt: cbc(true), decrypt: cbc(false) }),
  aes("AES-CTR", MODES, { encrypt: ctr, decrypt: ctr }),
  aes("AES-GCM", MODES, { encrypt: gcm(true), decrypt: gcm(false) }),
  aes("AES-KW", ["wrapKey", "unwrapKey"], { wrap: kw(true), unwrap: kw(false) }),
];

const SIGNS = ["sign", "verify"];

function bitsOf(algorithm, hash) {
  if (algorithm.length === undefined) return BLOCK_BITS[hash];
  const bits = count(algorithm.length, "length");
  if (bits === 0) throw error("OperationError", "A key of HMAC has at least one bit.");
  return bits;
}

function hmacKey(hash, bits, bytes, extractable, usages) {
  return makeKey("secret", { name: "HMAC", hash: { name: hash }, length: bits }, extractable, usages, SIGNS, bytes);
}

const signed = (facts, data) => made(host.hmac(facts.algorithm.hash.name, facts.material, data), "HMAC: the key cannot be used.");

export const HMAC = {
  name: "HMAC",
  generate(algorithm, extractable, usages) {
    const hash = hashOf(algorithm.hash);
    const bits = bitsOf(algorithm, hash);
    if (bits > 1 << 19) throw error("OperationError", "A key of HMAC has at most 65536 bytes.");
    const bytes = new Uint8Array(host.random(Math.ceil(bits / 8)));
    if (bits % 8) bytes[bytes.length - 1] &= 0xff << (8 - (bits % 8));
    return hmacKey(hash, bits, bytes.buffer, extractable, usages);
  },
  import(format, data, algorithm, extractable, usages) {
    const hash = hashOf(algorithm.hash);
    const bytes = bytesOf(format, data, "HMAC", () => `HS${hash.slice(4)}`, usages, extractable, "sig");
    if (bytes.byteLength === 0) throw error("DataError", "A key of HMAC is not empty.");
    let bits = bytes.byteLength * 8;
    if (algorithm.length !== undefined) {
      const wanted = count(algorithm.length, "length");
      if (wanted === 0 || wanted > bits || wanted <= bits - 8) throw error("DataError", `The key has ${bits} bits, and not ${wanted}.`);
      bits = wanted;
    }
    return hmacKey(hash, bits, bytes, extractable, usages);
  },
  export: (format, facts) => exported(format, facts, `HS${facts.algorithm.hash.name.slice(4)}`),
  length: (algorithm) => bitsOf(algorithm, hashOf(algorithm.hash)),
  sign: (_, facts, data) => signed(facts, data),
  verify(_, facts, signature, data) {
    const own = new Uint8Array(signed(facts, data));
    const given = new Uint8Array(signature);
    if (own.length !== given.length) return false;
    let difference = 0;
    for (let at = 0; at < own.length; at++) difference |= own[at] ^ given[at];
    return difference === 0;
  },
};
