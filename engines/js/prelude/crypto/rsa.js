// RSASSA-PKCS1-v1_5, RSA-PSS, RSA-OAEP. Keys are kept in the form of PKCS#1.

import { host } from "../host.js";
import { EMPTY, checkJwk, count, error, exact, fromBase64url, hashOf, made, makeKey, makePair, member, noFormat, readKey, toBase64url, writeKey } from "./keys.js";

const OID = "1.2.840.113549.1.1.1";
const PARTS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

function bitsOf(n) {
  const bytes = new Uint8Array(n);
  return bytes.length * 8 - Math.clz32(bytes[0]) + 24;
}

function keyOf(name, hash, isPrivate, der, extractable, usages, possible) {
  const parts = host.rsaParts(isPrivate, der);
  if (parts === null) throw error("DataError", "The numbers make no key of RSA.");
  const algorithm = { name, modulusLength: bitsOf(parts[0]), publicExponent: new Uint8Array(parts[1]), hash: { name: hash } };
  return makeKey(isPrivate ? "private" : "public", algorithm, extractable, usages, possible, der);
}

function rsa(name, ofPublic, ofPrivate, alg, use, operations) {
  return {
    name,
    generate(algorithm, extractable, usages) {
      const hash = hashOf(algorithm.hash);
      const bits = count(algorithm.modulusLength, "modulusLength");
      if (!(algorithm.publicExponent instanceof Uint8Array)) throw new TypeError("publicExponent is a Uint8Array.");
      const exponent = algorithm.publicExponent.slice();
      if (bits < 1024 || bits > 8192 || bits % 8) throw error("OperationError", `The modulus has from 1024 to 8192 bits, in whole bytes, and not ${bits}.`);
      const value = exponent.length <= 8 ? exponent.reduce((sum, byte) => sum * 256 + byte, 0) : 0;
      if (value !== 3 && value !== 65537) throw error("OperationError", "The public exponent is 3 or 65537.");
      const pair = made(host.rsaGenerate(bits, exponent.buffer), "No key of RSA could be made.");
      const full = { name, modulusLength: bits, publicExponent: exponent, hash: { name: hash } };
      return makePair(full, extractable, usages, ofPublic, ofPrivate, [pair[1], pair[0]]);
    },
    import(format, data, algorithm, extractable, usages) {
      const hash = hashOf(algorithm.hash);
      if (format === "spki") return keyOf(name, hash, false, readKey(false, data, OID, undefined, "RSA")[2], extractable, usages, ofPublic);
      if (format === "pkcs8") return keyOf(name, hash, true, readKey(true, data, OID, undefined, "RSA")[2], extractable, usages, ofPrivate);
      if (format !== "jwk") throw noFormat(format, name);
      checkJwk(data, "RSA", usages, extractable, use);
      if (data.alg !== undefined && data.alg !== alg(hash)) throw error("DataError", `"alg" of the JWK is not ${JSON.stringify(alg(hash))}.`);
      if (data.oth !== undefined) throw error("NotSupportedError", "Keys of RSA with more than two primes are not supported.");
      const isPrivate = data.d !== undefined;
      const numbers = PARTS.slice(0, isPrivate ? 8 : 2).map((part) => fromBase64url(data[part], part));
      const der = host.rsaOfParts(numbers);
      if (der === null) throw error("DataError", "The numbers make no key of RSA.");
      return keyOf(name, hash, isPrivate, der, extractable, usages, isPrivate ? ofPrivate : ofPublic);
    },
    export(format, facts) {
      const isPrivate = facts.type === "private";
      if (format === "jwk") {
        const numbers = host.rsaParts(isPrivate, facts.material);
        const jwk = { kty: "RSA", key_ops: [...facts.usages], alg: alg(facts.algorithm.hash.name), ext: facts.extractable };
        for (const at of isPrivate ? [2, 0, 1, 3, 4, 5, 6, 7] : [0, 1]) jwk[PARTS[at]] = toBase64url(numbers[at]);
        return jwk;
      }
      if (format !== "spki" && format !== "pkcs8") throw noFormat(format, name);
      if ((format === "pkcs8") !== isPrivate) throw error("InvalidAccessError", `A ${facts.type} key has no format ${JSON.stringify(format)}.`);
      return writeKey(isPrivate, OID, undefined, facts.material);
    },
    ...operations,
  };
}

const signs = (saltOf) => ({
  sign: (algorithm, facts, data) => made(host.rsaSign(facts.algorithm.hash.name, saltOf(algorithm), facts.material, data), "RSA: the data could not be signed with this key."),
  verify: (algorithm, facts, signature, data) => host.rsaVerify(facts.algorithm.hash.name, saltOf(algorithm), facts.material, signature, data),
});

const bits = (hash) => hash.slice(4);
/** More salt than any key has room for. */
const MOST_SALT = 1024;

export const RSA = [
  rsa("RSASSA-PKCS1-v1_5", ["verify"], ["sign"], (hash) => `RS${bits(hash)}`, "sig", signs(() => -1)),
  rsa("RSA-PSS", ["verify"], ["sign"], (hash) => `PS${bits(hash)}`, "sig", signs((algorithm) => Math.min(count(algorithm.saltLength, "saltLength"), MOST_SALT))),
  rsa("RSA-OAEP", ["encrypt", "wrapKey"], ["decrypt", "unwrapKey"], (hash) => (hash === "SHA-1" ? "RSA-OAEP" : `RSA-OAEP-${bits(hash)}`), "enc", {
    encrypt: (algorithm, facts, data) => made(host.rsaEncrypt(facts.algorithm.hash.name, member(algorithm, "label", EMPTY), facts.material, data), "RSA-OAEP: the data is too long for this key."),
    decrypt: (algorithm, facts, data) => made(host.rsaDecrypt(facts.algorithm.hash.name, member(algorithm, "label", EMPTY), facts.material, data), "RSA-OAEP: the data could not be decrypted."),
  }),
];
