// ECDSA, ECDH, Ed25519, X25519. A private key is kept as its scalar and its point, a public one as its point.

import { host } from "../host.js";
import { checkJwk, error, exact, factsOf, fromBase64url, hashOf, made, makeKey, makePair, noFormat, readKey, toBase64url, writeKey } from "./keys.js";

const EC = "1.2.840.10045.2.1";
const CURVES = {
  "P-256": { oid: "1.2.840.10045.3.1.7", bytes: 32 },
  "P-384": { oid: "1.3.132.0.34", bytes: 48 },
  "P-521": { oid: "1.3.132.0.35", bytes: 66 },
};

function curveOf(algorithm) {
  if (algorithm.namedCurve === undefined) throw new TypeError("The algorithm needs a namedCurve.");
  const name = String(algorithm.namedCurve);
  if (!Object.hasOwn(CURVES, name)) throw error("NotSupportedError", `Unrecognized or unimplemented EC curve requested: ${JSON.stringify(name)}.`);
  return name;
}

function pointOf(curve, bytes) {
  const point = host.ecPoint(curve, bytes);
  if (point === null) throw error("DataError", `The bytes are no point of ${curve}.`);
  return point;
}

/** A private key, whose point has to be the one that is told, if one is. */
function privateOf(curve, scalar, told) {
  const point = scalar.byteLength === CURVES[curve].bytes ? host.ecPublic(curve, scalar) : null;
  if (point === null) throw error("DataError", `The bytes are no private key of ${curve}.`);
  if (told !== undefined && toBase64url(pointOf(curve, told)) !== toBase64url(point)) throw error("DataError", "The private key does not belong to the public one.");
  return { scalar, point };
}

function join(...buffers) {
  const all = new Uint8Array(buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0));
  let at = 0;
  for (const buffer of buffers) { all.set(new Uint8Array(buffer), at); at += buffer.byteLength; }
  return all.buffer;
}

function ec(name, ofPublic, ofPrivate, use, operations) {
  return {
    name,
    generate(algorithm, extractable, usages) {
      const namedCurve = curveOf(algorithm);
      const scalar = host.ecGenerate(namedCurve);
      const point = host.ecPublic(namedCurve, scalar);
      return makePair({ name, namedCurve }, extractable, usages, ofPublic, ofPrivate, [{ point }, { scalar, point }]);
    },
    import(format, data, algorithm, extractable, usages) {
      const namedCurve = curveOf(algorithm);
      const full = { name, namedCurve };
      const { oid, bytes } = CURVES[namedCurve];
      const ofPoint = (point) => makeKey("public", full, extractable, usages, ofPublic, { point: pointOf(namedCurve, point) });
      const ofScalar = (scalar, told) => makeKey("private", full, extractable, usages, ofPrivate, privateOf(namedCurve, scalar, told));
      if (format === "raw") return ofPoint(exact(data));
      if (format === "spki") return ofPoint(readKey(false, data, EC, oid, namedCurve)[2]);
      if (format === "pkcs8") {
        const read = readKey(true, data, EC, oid, namedCurve);
        return ofScalar(read[2], read[3]);
      }
      if (format !== "jwk") throw noFormat(format, name);
      checkJwk(data, "EC", usages, extractable, use);
      if (data.crv !== namedCurve) throw error("DataError", `"crv" of the JWK is not ${JSON.stringify(namedCurve)}.`);
      const [x, y] = ["x", "y"].map((part) => fromBase64url(data[part], part));
      if (x.byteLength !== bytes || y.byteLength !== bytes) throw error("DataError", `The coordinates of a point of ${namedCurve} have ${bytes} bytes.`);
      const point = join(new Uint8Array([4]).buffer, x, y);
      return data.d === undefined ? ofPoint(point) : ofScalar(fromBase64url(data.d, "d"), point);
    },
    export(format, facts) {
      const { namedCurve } = facts.algorithm;
      const { oid, bytes } = CURVES[namedCurve];
      const { point, scalar } = facts.material;
      const isPrivate = facts.type === "private";
      if (format === "jwk") {
        const jwk = {
          kty: "EC", key_ops: [...facts.usages], ext: facts.extractable, crv: namedCurve,
          x: toBase64url(point.slice(1, 1 + bytes)), y: toBase64url(point.slice(1 + bytes)),
        };
        if (isPrivate) jwk.d = toBase64url(scalar);
        return jwk;
      }
      if (!["raw", "spki", "pkcs8"].includes(format)) throw noFormat(format, name);
      if ((format === "pkcs8") !== isPrivate) throw error("InvalidAccessError", `A ${facts.type} key has no format ${JSON.stringify(format)}.`);
      if (format === "raw") return point.slice(0);
      return isPrivate ? writeKey(true, EC, oid, scalar, point) : writeKey(false, EC, oid, point);
    },
    ...operations,
  };
}

/** As many of the bits of what two share as are asked for; all of them without a number. */
function bitsOf(shared, length) {
  if (length === null || length === undefined) return shared;
  if (length > shared.byteLength * 8) throw error("OperationError", `There are ${shared.byteLength * 8} bits, and ${length} were asked for.`);
  const bytes = new Uint8Array(shared.slice(0, Math.ceil(length / 8)));
  if (length % 8) bytes[bytes.length - 1] &= 0xff << (8 - (length % 8));
  return bytes.buffer;
}

/** The other side's key: public, and of the same kind. */
function theirs(algorithm, facts) {
  if (algorithm.public === undefined) throw new TypeError("The algorithm needs the other side's \"public\" key.");
  const other = factsOf(algorithm.public);
  if (other.type !== "public") throw error("InvalidAccessError", "The other side's key has to be a public one.");
  if (other.algorithm.name !== facts.algorithm.name || other.algorithm.namedCurve !== facts.algorithm.namedCurve) throw error("InvalidAccessError", "The two keys are of different kinds.");
  return other.material;
}

/** Ed25519 and X25519 (RFC 8410): `publicOf` makes a public key of a private one. */
function okp(name, crv, oid, ofPublic, ofPrivate, use, algs, publicOf, operations) {
  const full = () => (name === "NODE-ED25519" ? { name, namedCurve: name } : { name });
  const whole = (bytes) => {
    if (bytes.byteLength !== 32) throw error("DataError", `Keys of ${name} have 32 bytes, and not ${bytes.byteLength}.`);
    return bytes;
  };
  return {
    name,
    generate(_, extractable, usages) {
      const scalar = host.random(32);
      const point = publicOf(scalar);
      return makePair(full(), extractable, usages, ofPublic, ofPrivate, [{ point }, { scalar, point }]);
    },
    import(format, data, _, extractable, usages) {
      const ofPoint = (point) => makeKey("public", full(), extractable, usages, ofPublic, { point: whole(point) });
      const ofScalar = (scalar, told) => {
        const point = publicOf(whole(scalar));
        if (told !== undefined && toBase64url(told) !== toBase64url(point)) throw error("DataError", "The private key does not belong to the public one.");
        return makeKey("private", full(), extractable, usages, ofPrivate, { scalar, point });
      };
      if (format === "raw") return ofPoint(exact(data).slice(0));
      if (format === "spki") return ofPoint(readKey(false, data, oid, undefined, name)[2]);
      if (format === "pkcs8") return ofScalar(readKey(true, data, oid, undefined, name)[2]);
      if (format !== "jwk") throw noFormat(format, name);
      checkJwk(data, "OKP", usages, extractable, use);
      if (data.crv !== crv) throw error("DataError", `"crv" of the JWK is not ${JSON.stringify(crv)}.`);
      if (data.alg !== undefined && algs.length && !algs.includes(data.alg)) throw error("DataError", `"alg" of the JWK is not ${JSON.stringify(algs[0])}.`);
      const point = fromBase64url(data.x, "x");
      return data.d === undefined ? ofPoint(point) : ofScalar(fromBase64url(data.d, "d"), point);
    },
    export(format, facts) {
      const { point, scalar } = facts.material;
      const isPrivate = facts.type === "private";
      if (format === "jwk") {
        const jwk = { kty: "OKP", key_ops: [...facts.usages], ...(algs.length ? { alg: algs[0] } : {}), ext: facts.extractable, crv, x: toBase64url(point) };
        if (isPrivate) jwk.d = toBase64url(scalar);
        return jwk;
      }
      if (!["raw", "spki", "pkcs8"].includes(format)) throw noFormat(format, name);
      if ((format === "pkcs8") !== isPrivate) throw error("InvalidAccessError", `A ${facts.type} key has no format ${JSON.stringify(format)}.`);
      return format === "raw" ? point.slice(0) : writeKey(isPrivate, oid, undefined, isPrivate ? scalar : point);
    },
    ...operations,
  };
}

const edwards = {
  sign: (_, facts, data) => made(host.edSign(facts.material.scalar, data), "The data could not be signed with this key."),
  verify: (_, facts, signature, data) => host.edVerify(facts.material.point, signature, data),
};

const ed = (name) => okp(name, "Ed25519", "1.3.101.112", ["verify"], ["sign"], "sig", ["EdDSA", "Ed25519"], (seed) => host.edPublic(seed), edwards);

const DERIVES = ["deriveKey", "deriveBits"];

export const ON_CURVES = [
  ec("ECDSA", ["verify"], ["sign"], "sig", {
    sign: (algorithm, facts, data) => made(host.ecSign(facts.algorithm.namedCurve, hashOf(algorithm.hash), facts.material.scalar, data), "The data could not be signed with this key."),
    verify: (algorithm, facts, signature, data) => host.ecVerify(facts.algorithm.namedCurve, hashOf(algorithm.hash), facts.material.point, signature, data),
  }),
  ec("ECDH", [], DERIVES, "enc", {
    bits: (algorithm, facts, length) => bitsOf(made(host.ecShared(facts.algorithm.namedCurve, facts.material.scalar, theirs(algorithm, facts).point), "The two keys share nothing."), length),
  }),
  ed("Ed25519"),
  ed("NODE-ED25519"),
  okp("X25519", "X25519", "1.3.101.110", [], DERIVES, "enc", [], (scalar) => host.x25519(scalar, undefined), {
    bits: (algorithm, facts, length) => bitsOf(made(host.x25519(facts.material.scalar, theirs(algorithm, facts).point), "The two keys share nothing."), length),
  }),
];
