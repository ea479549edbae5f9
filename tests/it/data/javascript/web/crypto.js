// crypto. Where a comment names a source, the answer is the one that is printed there.

const subtle = crypto.subtle;
const text = (string) => new TextEncoder().encode(string);
const bytes = (hex) => new Uint8Array((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
const base64url = (string) => Uint8Array.from(atob(string.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
const secret = (name, hex, usages, more = {}) => subtle.importKey("raw", bytes(hex), { name, ...more }, true, usages);

/** RFC 7515, appendix A.2. */
const SIGNER = {
  kty: "RSA",
  n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
  e: "AQAB",
  d: "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
  p: "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
  q: "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
  dp: "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
  dq: "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
  qi: "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
};
const SIGNED = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SIGNATURE = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/** RFC 7516, appendix A.1. */
const RECIPIENT = {
  kty: "RSA",
  n: "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8MW2Krf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChLOln0_mtUZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm-L5StowjzGy-_bq6Gw",
  e: "AQAB",
  d: "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh2anTpTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24moOAbgxVw3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lOW085-4qE3DzgrTjgyQ",
  p: "1r52Xk46c-LsfB5P442p7atdPUrxQSy4mti_tZI3Mgf2EuFVbUoDBvaRQ-SWxkbkmoEzL7JXroSBjSrK3YIQgYdMgyAEPTPjXv_hI2_1eTSPVZfzL0lffNn03IXqWF5MDFuoUYE0hzb2vhrlN_rKrbfDIwUbTrjjgieRbwC6Cl0",
  q: "wLb35x7hmQWZsWJmB_vle87ihgZ19S8lBEROLIsZG4ayZVe9Hi9gDVCOBmUDdaDYVTSNx_8Fyw1YYa9XGrGnDew00J28cRUoeBB_jKI1oma0Orv1T9aXIWxKwd4gvxFImOWr3QRL9KEBRzk2RatUBnmDZJTIAfwTs0g68UZHvtc",
  dp: "ZK-YwE7diUh0qR1tR7w8WHtolDx3MZ_OTowiFvgfeQ3SiresXjm9gZ5KLhMXvo-uz-KUJWDxS5pFQ_M0evdo1dKiRTjVw_x4NyqyXPM5nULPkcpU827rnpZzAJKpdhWAgqrXGKAECQH0Xt4taznjnd_zVpAmZZq60WPMBMfKcuE",
  dq: "Dq0gfgJ1DdFGXiLvQEZnuKEN0UUmsJBxkjydc3j4ZYdBiMRAy86x0vHCjywcMlYYg4yoC4YZa9hNVcsjqA3FeiL19rk8g6Qn29Tt0cj8qqyFpz9vNDBUfCAiJVeESOjJDZPYHdHY8v1b-o-Z2X5tvLx-TCekf7oxyeKDUqKWjis",
  qi: "VIMpMYbPf47dT1w_zDUXfPimsSegnMOA1zTaX7aGk_8urY6R8-ZW1FxU7AlWAyLWybqq6t16VFd7hQd0y6flUK4SlOydB61gwanOsXGOAOv82cHq0E3eL4HrtZkUuKvnPrMnsUUFlfUdybVzxyjz9JF_XyaY14ardLSjf4L_FNY",
};
const ENCRYPTED_KEY = "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfqNzo_tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iGdXKHzg";
async function rsa(name, jwk, usages, hash = "SHA-256") {
  return subtle.importKey("jwk", jwk, { name, hash }, true, usages);
}
const publicOf = ({ kty, n, e }) => ({ kty, n, e });

/** What is thrown, by its name and, for a DOMException, its code. */
async function threw(work) {
  try {
    return ["nothing", await work()].slice(0, 1);
  } catch (error) {
    return [error.name, error instanceof DOMException];
  }
}

// NIST SP 800-38A, appendix F: the key, and the first block.
const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const BLOCK = "6bc1bee22e409f96e93d7e117393172a";
// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 4 and 5.
const GCM = {
  key: "feffe9928665731c6d6a8f9467308308", iv: "cafebabefacedbaddecaf888", aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
  plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
};

export default {
  digests: async () => Promise.all(["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5", { name: "sha-256" }].map((name) => subtle.digest(name, text("abc")))),
  digest_unknown: () => threw(() => subtle.digest("SHA-3", text("abc"))),
  digest_of_no_bytes: () => threw(() => subtle.digest("SHA-1", "abc")),
  digest_without_name: () => threw(() => subtle.digest({}, text("abc"))),
  digest_of_a_view: async () => subtle.digest("SHA-256", new Uint16Array(bytes("000061626300").buffer, 2, 1)),
  // RFC 4231, test case 2.
  hmac_rfc4231: async () => Promise.all(["SHA-1", "SHA-256", "SHA-384", "SHA-512"].map(async (hash) =>
    subtle.sign("HMAC", await subtle.importKey("raw", text("Jefe"), { name: "HMAC", hash }, false, ["sign"]), text("what do ya want for nothing?")))),
  hmac_verify: async () => {
    const key = await secret("HMAC", "0102", ["sign", "verify"], { hash: "SHA-256" });
    const signature = await subtle.sign("HMAC", key, text("a"));
    return [await subtle.verify("HMAC", key, signature, text("a")), await subtle.verify("HMAC", key, signature, text("b")), await subtle.verify("HMAC", key, signature.slice(1), text("a"))];
  },
  hmac_jwk: async () => subtle.exportKey("jwk", await secret("HMAC", "00ff10", ["verify", "sign"], { hash: "SHA-512" })),
  hmac_generated: async () => { const key = await subtle.generateKey({ name: "HMAC", hash: "SHA-384" }, true, ["sign"]); return [key.algorithm, key.type, key.usages, key.extractable, (await subtle.exportKey("raw", key)).byteLength]; },
  hmac_length: async () => (await subtle.importKey("raw", bytes("ffff"), { name: "HMAC", hash: "SHA-1", length: 16 }, true, ["sign"])).algorithm,
  hmac_wrong_length: () => threw(() => subtle.importKey("raw", bytes("ffff"), { name: "HMAC", hash: "SHA-1", length: 8 }, true, ["sign"])),
  hmac_empty: () => threw(() => subtle.importKey("raw", bytes(""), { name: "HMAC", hash: "SHA-1" }, true, ["sign"])),
  hmac_wrong_usage: () => threw(() => subtle.importKey("raw", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, true, ["encrypt"])),
  hmac_no_usage: () => threw(() => subtle.importKey("raw", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, true, [])),
  hmac_not_for_verify: () => threw(async () => subtle.verify("HMAC", await secret("HMAC", "00", ["sign"], { hash: "SHA-1" }), bytes("00"), bytes("00"))),
  hmac_no_hash: () => threw(() => subtle.importKey("raw", bytes("ff"), { name: "HMAC" }, true, ["sign"])),
  hmac_strange_usage: () => threw(() => subtle.importKey("raw", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, true, ["sing"])),
  hmac_jwk_wrong_kty: () => threw(() => subtle.importKey("jwk", { kty: "RSA", k: "AQ" }, { name: "HMAC", hash: "SHA-1" }, true, ["sign"])),
  hmac_jwk_wrong_alg: () => threw(() => subtle.importKey("jwk", { kty: "oct", k: "AQ", alg: "HS512" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])),
  hmac_jwk_not_extractable: () => threw(() => subtle.importKey("jwk", { kty: "oct", k: "AQ", ext: false }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])),
  hmac_jwk_key_ops: () => threw(() => subtle.importKey("jwk", { kty: "oct", k: "AQ", key_ops: ["verify"] }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])),
  not_extractable: () => threw(async () => subtle.exportKey("raw", await subtle.importKey("raw", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]))),
  no_such_format: () => threw(() => subtle.importKey("pem", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, true, ["sign"])),
  wrong_format: () => threw(() => subtle.importKey("spki", bytes("ff"), { name: "HMAC", hash: "SHA-1" }, true, ["sign"])),
  no_such_algorithm: () => threw(() => subtle.generateKey("ROT13", true, ["encrypt"])),
  algorithm_cannot: () => threw(async () => subtle.encrypt("HMAC", await secret("HMAC", "00", ["sign"], { hash: "SHA-1" }), bytes("00"))),
  key_of_another: () => threw(async () => subtle.encrypt({ name: "AES-GCM", iv: bytes("00".repeat(12)) }, await secret("AES-CBC", KEY, ["encrypt"]), bytes("00"))),
  no_key: () => threw(() => subtle.sign("HMAC", {}, bytes("00"))),
  key_constructor: () => threw(async () => new CryptoKey()),
  subtle_constructor: () => threw(async () => new SubtleCrypto()),
  usages_order: async () => (await secret("AES-GCM", KEY, ["unwrapKey", "decrypt", "encrypt", "decrypt"])).usages,

  // NIST SP 800-38A, F.2.1: the second block of ours is padding.
  cbc_sp800_38a: async () => (await subtle.encrypt({ name: "AES-CBC", iv: bytes("000102030405060708090a0b0c0d0e0f") }, await secret("AES-CBC", KEY, ["encrypt"]), bytes(BLOCK))),
  cbc_there_and_back: async () => {
    const key = await subtle.generateKey({ name: "AES-CBC", length: 256 }, true, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(16));
    const back = [];
    for (const length of [0, 1, 15, 16, 17, 100]) {
      const encrypted = await subtle.encrypt({ name: "AES-CBC", iv }, key, new Uint8Array(length).fill(length));
      back.push([encrypted.byteLength, new Uint8Array(await subtle.decrypt({ name: "AES-CBC", iv }, key, encrypted)).every((byte) => byte === length)]);
    }
    return back;
  },
  cbc_broken: () => threw(async () => subtle.decrypt({ name: "AES-CBC", iv: bytes("00".repeat(16)) }, await secret("AES-CBC", KEY, ["decrypt"]), bytes("00".repeat(16)))),
  cbc_not_whole: () => threw(async () => subtle.decrypt({ name: "AES-CBC", iv: bytes("00".repeat(16)) }, await secret("AES-CBC", KEY, ["decrypt"]), bytes("00".repeat(15)))),
  cbc_short_iv: () => threw(async () => subtle.encrypt({ name: "AES-CBC", iv: bytes("00") }, await secret("AES-CBC", KEY, ["encrypt"]), bytes("00"))),
  cbc_no_iv: () => threw(async () => subtle.encrypt({ name: "AES-CBC" }, await secret("AES-CBC", KEY, ["encrypt"]), bytes("00"))),
  // NIST SP 800-38A, F.5.1.
  ctr_sp800_38a: async () => subtle.encrypt({ name: "AES-CTR", counter: bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), length: 128 }, await secret("AES-CTR", KEY, ["encrypt"]), bytes(BLOCK + "ae2d8a571e03ac9c9eb76fac45af8e51")),
  ctr_turns_over: async () => Promise.all([1, 8, 9, 32, 64, 128].map(async (length) =>
    subtle.encrypt({ name: "AES-CTR", counter: bytes("ff".repeat(16)), length }, await secret("AES-CTR", KEY, ["encrypt"]), new Uint8Array(32)))),
  ctr_too_long: () => threw(async () => subtle.encrypt({ name: "AES-CTR", counter: bytes("00".repeat(16)), length: 1 }, await secret("AES-CTR", KEY, ["encrypt"]), new Uint8Array(33))),
  ctr_no_length: () => threw(async () => subtle.encrypt({ name: "AES-CTR", counter: bytes("00".repeat(16)), length: 0 }, await secret("AES-CTR", KEY, ["encrypt"]), new Uint8Array(3))),
  gcm_case_4: async () => subtle.encrypt({ name: "AES-GCM", iv: bytes(GCM.iv), additionalData: bytes(GCM.aad) }, await secret("AES-GCM", GCM.key, ["encrypt"]), bytes(GCM.plain)),
  gcm_case_5: async () => subtle.encrypt({ name: "AES-GCM", iv: bytes("cafebabefacedbad"), additionalData: bytes(GCM.aad) }, await secret("AES-GCM", GCM.key, ["encrypt"]), bytes(GCM.plain)),
  gcm_tags: async () => Promise.all([32, 64, 96, 104, 112, 120, 128].map(async (tagLength) =>
    subtle.encrypt({ name: "AES-GCM", iv: bytes(GCM.iv), tagLength }, await secret("AES-GCM", GCM.key, ["encrypt"]), bytes("00")))),
  gcm_wrong_tag: () => threw(async () => subtle.decrypt({ name: "AES-GCM", iv: bytes(GCM.iv) }, await secret("AES-GCM", GCM.key, ["decrypt"]), new Uint8Array(32))),
  gcm_short: () => threw(async () => subtle.decrypt({ name: "AES-GCM", iv: bytes(GCM.iv) }, await secret("AES-GCM", GCM.key, ["decrypt"]), new Uint8Array(8))),
  gcm_strange_tag: () => threw(async () => subtle.encrypt({ name: "AES-GCM", iv: bytes(GCM.iv), tagLength: 40 }, await secret("AES-GCM", GCM.key, ["encrypt"]), bytes("00"))),
  gcm_there_and_back: async () => {
    const key = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const encrypted = await subtle.encrypt({ name: "AES-GCM", iv, additionalData: text("a") }, key, text("hello"));
    return [await subtle.decrypt({ name: "AES-GCM", iv, additionalData: text("a") }, key, encrypted), await threw(() => subtle.decrypt({ name: "AES-GCM", iv }, key, encrypted))];
  },
  aes_lengths: async () => Promise.all([128, 192, 256].map(async (length) => (await subtle.exportKey("jwk", await subtle.generateKey({ name: "AES-GCM", length }, true, ["encrypt"]))).alg)),
  aes_wrong_length: () => threw(() => subtle.generateKey({ name: "AES-GCM", length: 100 }, true, ["encrypt"])),
  aes_wrong_key: () => threw(() => subtle.importKey("raw", bytes("0011"), "AES-GCM", true, ["encrypt"])),
  aes_jwk: async () => subtle.exportKey("jwk", await secret("AES-CTR", KEY, ["encrypt"])),
  // RFC 3394, section 4.1.
  kw_rfc3394: async () => subtle.wrapKey("raw", await secret("AES-GCM", "00112233445566778899aabbccddeeff", ["encrypt"]), await secret("AES-KW", "000102030405060708090a0b0c0d0e0f", ["wrapKey"]), "AES-KW"),
  kw_back: async () => {
    const by = await secret("AES-KW", "000102030405060708090a0b0c0d0e0f", ["unwrapKey"]);
    const key = await subtle.unwrapKey("raw", bytes("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"), by, "AES-KW", "AES-CBC", true, ["decrypt"]);
    return [key.algorithm, key.usages, await subtle.exportKey("raw", key)];
  },
  kw_broken: () => threw(async () => subtle.unwrapKey("raw", bytes("00".repeat(24)), await secret("AES-KW", KEY, ["unwrapKey"]), "AES-KW", "AES-CBC", true, ["decrypt"])),
  wrap_jwk_in_gcm: async () => {
    const by = await secret("AES-GCM", KEY, ["wrapKey", "unwrapKey"]);
    const how = { name: "AES-GCM", iv: bytes("00".repeat(12)) };
    const wrapped = await subtle.wrapKey("jwk", await secret("HMAC", "0102", ["sign"], { hash: "SHA-256" }), by, how);
    const key = await subtle.unwrapKey("jwk", wrapped, by, how, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
    return [key.algorithm, await subtle.exportKey("raw", key)];
  },
  wrap_not_allowed: () => threw(async () => subtle.wrapKey("raw", await secret("HMAC", "0102", ["sign"], { hash: "SHA-256" }), await secret("AES-GCM", KEY, ["encrypt"]), { name: "AES-GCM", iv: bytes("00".repeat(12)) })),

  // RFC 5869, appendix A.1 and A.3.
  hkdf_rfc5869: async () => {
    const key = await subtle.importKey("raw", bytes("0b".repeat(22)), "HKDF", false, ["deriveBits"]);
    return [
      await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes("000102030405060708090a0b0c"), info: bytes("f0f1f2f3f4f5f6f7f8f9") }, key, 336),
      await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes(""), info: bytes("") }, key, 336),
    ];
  },
  hkdf_too_much: () => threw(async () => subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes(""), info: bytes("") }, await subtle.importKey("raw", bytes("00"), "HKDF", false, ["deriveBits"]), 255 * 256 + 8)),
  hkdf_no_length: () => threw(async () => subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes(""), info: bytes("") }, await subtle.importKey("raw", bytes("00"), "HKDF", false, ["deriveBits"]), null)),
  hkdf_part_of_a_byte: () => threw(async () => subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes(""), info: bytes("") }, await subtle.importKey("raw", bytes("00"), "HKDF", false, ["deriveBits"]), 9)),
  hkdf_no_salt: () => threw(async () => subtle.deriveBits({ name: "HKDF", hash: "SHA-256", info: bytes("") }, await subtle.importKey("raw", bytes("00"), "HKDF", false, ["deriveBits"]), 8)),
  hkdf_extractable: () => threw(() => subtle.importKey("raw", bytes("00"), "HKDF", true, ["deriveBits"])),
  hkdf_to_aes: async () => {
    const key = await subtle.importKey("raw", bytes("0b".repeat(22)), "HKDF", false, ["deriveKey"]);
    const made = await subtle.deriveKey({ name: "HKDF", hash: "SHA-512", salt: bytes("00"), info: bytes("01") }, key, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    return [made.algorithm, await subtle.exportKey("raw", made)];
  },
  hkdf_to_hmac: async () => {
    const key = await subtle.importKey("raw", bytes("0b".repeat(22)), "HKDF", false, ["deriveKey"]);
    return (await subtle.exportKey("raw", await subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt: bytes("00"), info: bytes("01") }, key, { name: "HMAC", hash: "SHA-384" }, true, ["sign"]))).byteLength;
  },
  // RFC 6070, test cases 1 to 3.
  pbkdf2_rfc6070: async () => {
    const key = await subtle.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]);
    return Promise.all([1, 2, 4096].map((iterations) => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: text("salt"), iterations }, key, 160)));
  },
  pbkdf2_sha512: async () => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: text("salt"), iterations: 1000 }, await subtle.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]), 512),
  pbkdf2_no_iterations: () => threw(async () => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: text("salt"), iterations: 0 }, await subtle.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]), 160)),

  // RFC 7515, appendix A.2.
  rsa_rfc7515: async () => {
    const signature = new Uint8Array(await subtle.sign("RSASSA-PKCS1-v1_5", await rsa("RSASSA-PKCS1-v1_5", SIGNER, ["sign"]), text(SIGNED)));
    const other = base64url(SIGNATURE);
    return [signature.length, signature.every((byte, at) => byte === other[at])];
  },
  rsa_verify: async () => {
    const key = await rsa("RSASSA-PKCS1-v1_5", publicOf(SIGNER), ["verify"]);
    return [await subtle.verify("RSASSA-PKCS1-v1_5", key, base64url(SIGNATURE), text(SIGNED)), await subtle.verify("RSASSA-PKCS1-v1_5", key, base64url(SIGNATURE), text("no")), await subtle.verify("RSASSA-PKCS1-v1_5", key, bytes("00"), text(SIGNED))];
  },
  rsa_hashes: async () => Promise.all(["SHA-1", "SHA-384", "SHA-512"].map(async (hash) => subtle.digest("SHA-256", await subtle.sign("RSASSA-PKCS1-v1_5", await rsa("RSASSA-PKCS1-v1_5", SIGNER, ["sign"], hash), text("a"))))),
  // Without salt a signature depends on nothing else, and can be compared.
  rsa_pss_without_salt: async () => Promise.all(["SHA-1", "SHA-256", "SHA-512"].map(async (hash) => subtle.digest("SHA-256", await subtle.sign({ name: "RSA-PSS", saltLength: 0 }, await rsa("RSA-PSS", SIGNER, ["sign"], hash), text("a"))))),
  rsa_pss: async () => {
    const signature = await subtle.sign({ name: "RSA-PSS", saltLength: 32 }, await rsa("RSA-PSS", SIGNER, ["sign"]), text("a"));
    const key = await rsa("RSA-PSS", publicOf(SIGNER), ["verify"]);
    return [await subtle.verify({ name: "RSA-PSS", saltLength: 32 }, key, signature, text("a")), await subtle.verify({ name: "RSA-PSS", saltLength: 20 }, key, signature, text("a")), await subtle.verify({ name: "RSA-PSS", saltLength: 32 }, key, signature, text("b"))];
  },
  rsa_pss_too_much_salt: () => threw(async () => subtle.sign({ name: "RSA-PSS", saltLength: 1000 }, await rsa("RSA-PSS", SIGNER, ["sign"]), text("a"))),
  // RFC 7516, appendix A.1.3.
  rsa_oaep_rfc7516: async () => subtle.decrypt("RSA-OAEP", await rsa("RSA-OAEP", RECIPIENT, ["decrypt"], "SHA-1"), base64url(ENCRYPTED_KEY)),
  rsa_oaep_label: async () => {
    const encrypted = await subtle.encrypt({ name: "RSA-OAEP", label: text("label") }, await rsa("RSA-OAEP", publicOf(RECIPIENT), ["encrypt"]), text("secret"));
    const key = await rsa("RSA-OAEP", RECIPIENT, ["decrypt"]);
    return [await subtle.decrypt({ name: "RSA-OAEP", label: text("label") }, key, encrypted), await threw(() => subtle.decrypt({ name: "RSA-OAEP", label: text("other") }, key, encrypted))];
  },
  rsa_oaep_too_long: () => threw(async () => subtle.encrypt("RSA-OAEP", await rsa("RSA-OAEP", publicOf(RECIPIENT), ["encrypt"]), new Uint8Array(191))),
  rsa_forms: async () => {
    const privateKey = await rsa("RSA-PSS", SIGNER, ["sign"]);
    const publicKey = await rsa("RSA-PSS", publicOf(SIGNER), ["verify"]);
    const pkcs8 = await subtle.exportKey("pkcs8", privateKey);
    const spki = await subtle.exportKey("spki", publicKey);
    const again = await subtle.importKey("pkcs8", pkcs8, { name: "RSA-PSS", hash: "SHA-256" }, true, ["sign"]);
    const publicAgain = await subtle.importKey("spki", spki, { name: "RSA-PSS", hash: "SHA-256" }, true, ["verify"]);
    return [await subtle.digest("SHA-256", pkcs8), spki, await subtle.exportKey("jwk", again), await subtle.exportKey("jwk", publicAgain), again.algorithm];
  },
  rsa_wrong_form: async () => [
    await threw(async () => subtle.exportKey("pkcs8", await rsa("RSA-PSS", publicOf(SIGNER), ["verify"]))),
    await threw(async () => subtle.exportKey("raw", await rsa("RSA-PSS", publicOf(SIGNER), ["verify"]))),
    await threw(() => subtle.importKey("spki", bytes("3000"), { name: "RSA-PSS", hash: "SHA-256" }, true, ["verify"])),
    await threw(() => subtle.importKey("pkcs8", bytes("00"), { name: "RSA-PSS", hash: "SHA-256" }, true, ["sign"])),
  ],
  rsa_jwk_without_q: () => threw(() => rsa("RSA-PSS", { ...SIGNER, q: undefined }, ["sign"])),
  rsa_public_is_no_private: () => threw(() => rsa("RSA-PSS", publicOf(SIGNER), ["sign"])),
  rsa_generated: async () => {
    const { publicKey, privateKey } = await subtle.generateKey({ name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, publicExponent: bytes("010001"), hash: "SHA-256" }, false, ["sign", "verify"]);
    const signature = await subtle.sign("RSASSA-PKCS1-v1_5", privateKey, text("a"));
    return [signature.byteLength, await subtle.verify("RSASSA-PKCS1-v1_5", publicKey, signature, text("a")), publicKey.extractable, privateKey.extractable, publicKey.usages, privateKey.usages, publicKey.algorithm];
  },
  rsa_strange_exponent: () => threw(() => subtle.generateKey({ name: "RSA-PSS", modulusLength: 1024, publicExponent: bytes("02"), hash: "SHA-256" }, false, ["sign"])),
  rsa_verify_only: () => threw(() => subtle.generateKey({ name: "RSA-PSS", modulusLength: 1024, publicExponent: bytes("010001"), hash: "SHA-256" }, false, ["verify"])),

  // RFC 6979, appendix A.2.5: the public key there, and the signature of "sample" with SHA-256.
  ecdsa_rfc6979: async () => {
    const key = await subtle.importKey("raw", bytes("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
    const signature = bytes("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    return [await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, text("sample")), await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, text("simple")), await subtle.exportKey("jwk", key), await subtle.exportKey("spki", key)];
  },
  // RFC 7515, appendix A.3.
  ecdsa_rfc7515: async () => {
    const key = await subtle.importKey("jwk", { kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
    return subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"), text("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"));
  },
  ecdsa_curves: async () => {
    const all = [];
    for (const namedCurve of ["P-256", "P-384", "P-521"]) {
      const { publicKey, privateKey } = await subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign", "verify"]);
      const pkcs8 = await subtle.exportKey("pkcs8", privateKey);
      const again = await subtle.importKey("pkcs8", pkcs8, { name: "ECDSA", namedCurve }, true, ["sign"]);
      for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
        const signature = await subtle.sign({ name: "ECDSA", hash }, again, text("a"));
        all.push([signature.byteLength, await subtle.verify({ name: "ECDSA", hash }, publicKey, signature, text("a")), await subtle.verify({ name: "ECDSA", hash }, publicKey, signature, text("b"))]);
      }
      all.push([pkcs8.byteLength, (await subtle.exportKey("spki", publicKey)).byteLength, (await subtle.exportKey("raw", publicKey)).byteLength, Object.keys(JSON.parse(JSON.stringify(await subtle.exportKey("jwk", privateKey)))).join()]);
    }
    return all;
  },
  ecdsa_no_point: () => threw(() => subtle.importKey("raw", bytes("04" + "01".repeat(64)), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])),
  ecdsa_other_curve: () => threw(() => subtle.importKey("jwk", { kty: "EC", crv: "P-384", x: "AA", y: "AA" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])),
  ecdsa_no_curve: () => threw(() => subtle.generateKey({ name: "ECDSA", namedCurve: "secp256k1" }, true, ["sign"])),
  ecdsa_compressed: async () => subtle.exportKey("raw", await subtle.importKey("raw", bytes("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])),
  // RFC 5903, section 8.1.
  ecdh_rfc5903: async () => {
    const jwk = (d, x, y) => ({ kty: "EC", crv: "P-256", d: d && btoa(String.fromCharCode(...bytes(d))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, ""), x: btoa(String.fromCharCode(...bytes(x))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, ""), y: btoa(String.fromCharCode(...bytes(y))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "") });
    const mine = await subtle.importKey("jwk", jwk("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433", "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180", "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"), { name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const theirs = await subtle.importKey("raw", bytes("04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"), { name: "ECDH", namedCurve: "P-256" }, true, []);
    return [await subtle.deriveBits({ name: "ECDH", public: theirs }, mine, 256), await subtle.deriveBits({ name: "ECDH", public: theirs }, mine, 128), await subtle.deriveBits({ name: "ECDH", public: theirs }, mine, null)];
  },
  ecdh_curves: async () => Promise.all(["P-256", "P-384", "P-521"].map(async (namedCurve) => {
    const one = await subtle.generateKey({ name: "ECDH", namedCurve }, false, ["deriveBits", "deriveKey"]);
    const other = await subtle.generateKey({ name: "ECDH", namedCurve }, false, ["deriveBits"]);
    const [a, b] = [await subtle.deriveBits({ name: "ECDH", public: other.publicKey }, one.privateKey, null), await subtle.deriveBits({ name: "ECDH", public: one.publicKey }, other.privateKey, null)];
    const key = await subtle.deriveKey({ name: "ECDH", public: other.publicKey }, one.privateKey, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
    return [a.byteLength, crypto.subtle.timingSafeEqual(a, b), key.algorithm, one.publicKey.usages];
  })),
  ecdh_too_much: () => threw(async () => { const { publicKey, privateKey } = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]); return subtle.deriveBits({ name: "ECDH", public: publicKey }, privateKey, 264); }),
  ecdh_other_curve: () => threw(async () => { const { privateKey } = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]); const { publicKey } = await subtle.generateKey({ name: "ECDH", namedCurve: "P-384" }, false, ["deriveBits"]); return subtle.deriveBits({ name: "ECDH", public: publicKey }, privateKey, 256); }),
  // RFC 8032, section 7.1, test 2.
  ed25519_rfc8032: async () => {
    const seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const key = await subtle.importKey("pkcs8", bytes("302e020100300506032b657004220420" + seed), "Ed25519", true, ["sign"]);
    const publicKey = await subtle.importKey("raw", bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), "Ed25519", true, ["verify"]);
    const signature = await subtle.sign("Ed25519", key, bytes("72"));
    return [signature, await subtle.verify("Ed25519", publicKey, signature, bytes("72")), await subtle.verify("Ed25519", publicKey, signature, bytes("73")), await subtle.exportKey("jwk", key), await subtle.exportKey("spki", publicKey), await subtle.exportKey("pkcs8", key)];
  },
  ed25519_generated: async () => { const { publicKey, privateKey } = await subtle.generateKey("Ed25519", true, ["sign", "verify"]); return [publicKey.algorithm, publicKey.usages, privateKey.usages, await subtle.verify("Ed25519", publicKey, await subtle.sign("Ed25519", privateKey, text("a")), text("a"))]; },
  ed25519_short: () => threw(() => subtle.importKey("raw", bytes("00"), "Ed25519", true, ["verify"])),
  // RFC 7748, section 6.1.
  x25519_rfc7748: async () => {
    const mine = await subtle.importKey("pkcs8", bytes("302e020100300506032b656e04220420" + "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"), "X25519", true, ["deriveBits"]);
    const theirs = await subtle.importKey("raw", bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"), "X25519", true, []);
    return [await subtle.deriveBits({ name: "X25519", public: theirs }, mine, 256), await subtle.exportKey("jwk", mine)];
  },
  x25519_nothing_shared: () => threw(async () => { const { privateKey } = await subtle.generateKey("X25519", false, ["deriveBits"]); return subtle.deriveBits({ name: "X25519", public: await subtle.importKey("raw", new Uint8Array(32), "X25519", true, []) }, privateKey, 256); }),

  timing_safe_equal: async () => [subtle.timingSafeEqual(text("a"), text("a")), subtle.timingSafeEqual(text("a"), text("b")), await threw(async () => subtle.timingSafeEqual(text("a"), text("ab")))],
  digest_stream: async () => {
    const stream = new crypto.DigestStream("SHA-256");
    const writer = stream.getWriter();
    await writer.write(text("a"));
    await writer.write("b");
    await writer.write(text("c").buffer);
    await writer.close();
    return [await stream.digest, stream.bytesWritten];
  },
  digest_stream_of_a_body: async () => {
    const stream = new crypto.DigestStream("MD5");
    await new Response("abc").body.pipeTo(stream);
    return stream.digest;
  },
  digest_stream_of_objects: () => threw(async () => { const writer = new crypto.DigestStream("MD5").getWriter(); await writer.write({}); }),
  random_values: () => { const into = new Uint32Array(4); return [crypto.getRandomValues(into) === into, into.some((each) => each !== 0)]; },
  random_floats: () => threw(async () => crypto.getRandomValues(new Float32Array(1))),
  random_too_many: () => threw(async () => crypto.getRandomValues(new Uint8Array(65537))),
  random_uuid: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  tags: () => [crypto, crypto.subtle].map((each) => Object.prototype.toString.call(each)),
};
