// What the algorithms have in common: keys, names, errors.

import { host } from "../host.js";
import { view } from "../encoding.js";

const make = Symbol("make");

export class CryptoKey {
  #facts;
  constructor(key, facts) {
    if (key !== make) throw new TypeError("Illegal constructor");
    this.#facts = facts;
  }
  get type() { return this.#facts.type; }
  get extractable() { return this.#facts.extractable; }
  get algorithm() { return this.#facts.algorithm; }
  get usages() { return this.#facts.usages; }
  static _facts(key) {
    if (typeof key !== "object" || key === null || !(#facts in key)) throw new TypeError("A CryptoKey is needed, and something else was given.");
    return key.#facts;
  }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}

export const factsOf = CryptoKey._facts;

/** In the order in which keys list them. */
const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

export const error = (name, message) => new DOMException(message, name);

export function usagesOf(given) {
  if (typeof given !== "object" || given === null || typeof given[Symbol.iterator] !== "function") throw new TypeError("Usages of a key are a list.");
  const usages = new Set();
  for (const usage of given) {
    if (!USAGES.includes(usage)) throw new TypeError(`${JSON.stringify(String(usage))} is no usage of keys.`);
    usages.add(usage);
  }
  return USAGES.filter((usage) => usages.has(usage));
}

/** A key, whose usages have to be among those that are possible. */
export function makeKey(type, algorithm, extractable, usages, possible, material) {
  const wrong = usages.find((usage) => !possible.includes(usage));
  if (wrong) throw error("SyntaxError", `A ${type} key of ${algorithm.name} cannot be used for ${JSON.stringify(wrong)}.`);
  if (type !== "public" && usages.length === 0) throw error("SyntaxError", `A ${type} key without any usage cannot be made.`);
  return new CryptoKey(make, { type, algorithm, extractable: type === "public" || Boolean(extractable), usages, material });
}

/** Two keys, each with those of the usages that are its own. */
export function makePair(algorithm, extractable, usages, ofPublic, ofPrivate, [publicKey, privateKey]) {
  const wrong = usages.find((usage) => !ofPublic.includes(usage) && !ofPrivate.includes(usage));
  if (wrong) throw error("SyntaxError", `Keys of ${algorithm.name} cannot be used for ${JSON.stringify(wrong)}.`);
  return {
    publicKey: makeKey("public", algorithm, true, usages.filter((usage) => ofPublic.includes(usage)), ofPublic, publicKey),
    privateKey: makeKey("private", algorithm, extractable, usages.filter((usage) => ofPrivate.includes(usage)), ofPrivate, privateKey),
  };
}

export function nameOf(algorithm) {
  if (typeof algorithm === "string") return algorithm;
  if (typeof algorithm !== "object" || algorithm === null) throw new TypeError("An algorithm is a name, or an object that has one.");
  if (algorithm.name === undefined) throw new TypeError("The algorithm has no name.");
  return String(algorithm.name);
}

const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];

/** The digest that is meant; MD5 only where `any`. */
export function hashOf(algorithm, any = false) {
  if (algorithm === undefined) throw new TypeError("The algorithm needs a hash.");
  const given = nameOf(algorithm);
  const name = given.toUpperCase();
  if (HASHES.includes(name) || (any && name === "MD5")) return name;
  throw error("NotSupportedError", `Unrecognized or unimplemented digest algorithm requested: ${JSON.stringify(given)}.`);
}

/** A buffer with exactly these bytes. */
export function exact(source) {
  const bytes = view(source);
  return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

/** A buffer that a member of the algorithm holds. */
export function member(algorithm, name, standard) {
  const value = algorithm[name];
  if (value === undefined) {
    if (standard !== undefined) return standard;
    throw new TypeError(`${algorithm.name ?? "The algorithm"} needs ${JSON.stringify(name)}.`);
  }
  return exact(value);
}

/** A number that a member of the algorithm is. */
export function count(value, name, most = 0xffffffff) {
  if (value === undefined) throw new TypeError(`The algorithm needs ${JSON.stringify(name)}.`);
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= most)) throw new TypeError(`${JSON.stringify(name)} is a number from 0 to ${most}.`);
  return number;
}

export const EMPTY = new ArrayBuffer(0);

/** What the host made, or an error where it made nothing. */
export function made(result, message) {
  if (result === null) throw error("OperationError", message);
  return result;
}

export const toBase64url = (buffer) => new Uint8Array(buffer).toBase64({ alphabet: "base64url", omitPadding: true });

export function fromBase64url(text, name) {
  if (typeof text !== "string") throw error("DataError", `The JWK has no ${JSON.stringify(name)}.`);
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" }).buffer;
  } catch {
    throw error("DataError", `${JSON.stringify(name)} of the JWK is no base64url.`);
  }
}

/** What every JWK has to say of its use. */
export function checkJwk(jwk, kty, usages, extractable, use) {
  if (typeof jwk !== "object" || jwk === null) throw new TypeError("A JWK is an object.");
  if (jwk.kty !== kty) throw error("DataError", `"kty" of the JWK is ${JSON.stringify(jwk.kty)} and not ${JSON.stringify(kty)}.`);
  if (usages.length && jwk.use !== undefined && jwk.use !== use) throw error("DataError", `"use" of the JWK is not ${JSON.stringify(use)}.`);
  if (jwk.key_ops !== undefined) {
    if (!Array.isArray(jwk.key_ops) || new Set(jwk.key_ops).size !== jwk.key_ops.length) throw error("DataError", `"key_ops" of the JWK is a list without doubles.`);
    if (!usages.every((usage) => jwk.key_ops.includes(usage))) throw error("DataError", `"key_ops" of the JWK does not have every usage that is asked for.`);
  }
  if (jwk.ext === false && extractable) throw error("DataError", "The JWK is not extractable.");
}

export function noFormat(format, name) {
  if (!["raw", "pkcs8", "spki", "jwk"].includes(format)) return new TypeError(`${JSON.stringify(format)} is no format of keys.`);
  return error("NotSupportedError", `Keys of ${name} have no format ${JSON.stringify(format)}.`);
}

/** Reads the forms that say which algorithm a key is for. */
export function readKey(isPrivate, data, algorithm, parameter, what) {
  const read = host.readKey(isPrivate, exact(data));
  if (read === null) throw error("DataError", `Invalid ${isPrivate ? "PKCS8" : "SPKI"} input.`);
  if (read[0] !== algorithm || (parameter !== undefined && read[1] !== parameter)) throw error("DataError", `The key is not for ${what}.`);
  return read;
}

export const writeKey = (isPrivate, algorithm, parameter, key, point) =>
  made(host.writeKey(isPrivate, algorithm, parameter, key, point), "The key could not be written.");
