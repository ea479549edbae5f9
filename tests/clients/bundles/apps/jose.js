import * as jose from "jose";

const octets = new TextEncoder().encode("a secret of at least 32 octets for HS256");
const failed = async (work) => { try { await work(); return "no error"; } catch (error) { return `${error.code} ${error.name}`; } };

async function round(algorithm) {
  const { publicKey, privateKey } = await jose.generateKeyPair(algorithm, { extractable: true });
  const token = await new jose.SignJWT({ scope: "all" }).setProtectedHeader({ alg: algorithm }).setSubject("alice").setIssuer("here").setAudience("there").setIssuedAt(1700000000).setExpirationTime(4102444800).sign(privateKey);
  const imported = await jose.importJWK(await jose.exportJWK(publicKey), algorithm);
  const { payload, protectedHeader } = await jose.jwtVerify(token, imported, { issuer: "here", audience: "there" });
  const pem = await jose.importSPKI(await jose.exportSPKI(publicKey), algorithm);
  const set = jose.createLocalJWKSet({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: "1", alg: algorithm }] });
  const parts = token.split(".");
  const forged = `${parts[0]}.${jose.base64url.encode('{"sub":"mallory"}')}.${parts[2]}`;
  return {
    payload, protectedHeader, kty: (await jose.exportJWK(publicKey)).kty, bySpki: (await jose.jwtVerify(token, pem)).payload.sub, bySet: (await jose.jwtVerify(token, set)).payload.sub,
    forged: await failed(() => jose.jwtVerify(forged, imported)), audience: await failed(() => jose.jwtVerify(token, imported, { audience: "elsewhere" })),
  };
}

export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "HS256") {
      const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: "HS256" }).setExpirationTime(4102444800).sign(octets);
      const expired = await new jose.SignJWT({}).setProtectedHeader({ alg: "HS256" }).setExpirationTime(1).sign(octets);
      return Response.json({ token, payload: (await jose.jwtVerify(token, octets)).payload, expired: await failed(() => jose.jwtVerify(expired, octets)), decoded: jose.decodeJwt(token) });
    }
    if (name === "encrypted") {
      const direct = crypto.getRandomValues(new Uint8Array(32));
      const one = await new jose.EncryptJWT({ b: 2 }).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(direct);
      const two = await new jose.CompactEncrypt(octets).setProtectedHeader({ alg: "A256KW", enc: "A128CBC-HS256" }).encrypt(direct);
      return Response.json({ payload: (await jose.jwtDecrypt(one, direct)).payload, text: new TextDecoder().decode((await jose.compactDecrypt(two, direct)).plaintext) });
    }
    if (name === "thumbprint") return Response.json(await jose.calculateJwkThumbprint({ kty: "EC", crv: "P-256", x: "jJ6Flys3zK9jUhnOHf6G49Dyp5hah6CNP84-gY-n9eo", y: "nhI6iD5eFXgBTLt_1p3aip-5VbZeMhxeFSpjfEAf7Ww" }));
    return Response.json(await round(name));
  },
};

export const asks = [["/HS256"], ["/RS256"], ["/PS256"], ["/ES256"], ["/ES384"], ["/EdDSA"], ["/encrypted"], ["/thumbprint"]];
