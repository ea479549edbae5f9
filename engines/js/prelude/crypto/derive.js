// HKDF and PBKDF2: keys made of secrets and of passwords.

import { host } from "../host.js";
import { count, error, exact, hashOf, made, makeKey, member, noFormat } from "./keys.js";

function derives(name, bits) {
  return {
    name,
    import(format, data, _, extractable, usages) {
      if (format !== "raw") throw noFormat(format, name);
      const bytes = exact(data).slice(0);
      const key = makeKey("secret", { name }, false, usages, ["deriveKey", "deriveBits"], bytes);
      if (extractable) throw error("SyntaxError", `Keys of ${name} are not extractable.`);
      return key;
    },
    length: () => null,
    bits(algorithm, facts, length) {
      if (length === null || length === undefined || length % 8) throw error("OperationError", `${name} needs a length in whole bytes.`);
      return bits(algorithm, facts.material, length / 8);
    },
  };
}

export const DERIVED = [
  derives("HKDF", (algorithm, secret, length) =>
    made(host.hkdf(hashOf(algorithm.hash), secret, member(algorithm, "salt"), member(algorithm, "info"), length), "HKDF makes at most 255 digests.")),
  derives("PBKDF2", (algorithm, password, length) =>
    made(host.pbkdf2(hashOf(algorithm.hash), password, member(algorithm, "salt"), count(algorithm.iterations, "iterations"), length), "PBKDF2 needs at least one iteration.")),
];
