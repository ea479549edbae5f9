//! Keys that a script is given: what they do, and that nothing shows them.

use serde_json::json;

use super::{get, serving};
use crate::support::PLATFORM_SCRIPTS;

const SCRIPT: &str = r#"
    const hex = (buffer) => new Uint8Array(buffer).toHex();
    export default {
      async fetch(request, env) {
        const text = new TextEncoder().encode("payload");
        switch (new URL(request.url).pathname) {
          case "/sign": return new Response(hex(await crypto.subtle.sign("HMAC", env.SIGN, text)));
          case "/seal": {
            const iv = new Uint8Array(12);
            const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, env.SEAL, text);
            return new Response(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, env.SEAL, sealed)));
          }
          case "/what": return Response.json([env.SIGN instanceof CryptoKey, env.SIGN === env.SIGN, env.SIGN.extractable, env.SIGN.usages, env.SEAL.algorithm]);
          case "/export": return new Response(await crypto.subtle.exportKey("raw", env.SIGN).catch((error) => error.name));
          case "/verify": return new Response(await crypto.subtle.verify("HMAC", env.SIGN, new Uint8Array(32), text).catch((error) => error.name));
          case "/broken": try { return new Response(String(env.BROKEN)); } catch (error) { return new Response(error.name); }
          case "/texts": return Response.json(JSON.stringify(Object.keys(env)) + JSON.stringify(env.SIGN));
        }
      },
    };
"#;

#[tokio::test]
async fn a_key_signs_and_seals_and_is_never_shown() {
    let config = r#"
        [scripts.worker]
        main = "worker.js"
        [[scripts.worker.bindings]]
        type = "secret_key"
        name = "SIGN"
        format = "raw"
        algorithm = { name = "HMAC", hash = "SHA-256" }
        usages = ["sign"]
        key_base64 = "aHVudGVyMg=="
        [[scripts.worker.bindings]]
        type = "secret_key"
        name = "SEAL"
        format = "jwk"
        algorithm = "AES-GCM"
        usages = ["encrypt", "decrypt"]
        key_jwk = { kty = "oct", k = "AAECAwQFBgcICQoLDA0ODw" }
        [[scripts.worker.bindings]]
        type = "secret_key"
        name = "BROKEN"
        format = "pkcs8"
        algorithm = "Ed25519"
        usages = ["sign"]
        key_base64 = "aHVudGVyMg=="
        [[routes]]
        pattern = "*/*"
        script = "worker"
    "#;
    let server = serving(&[("worker.js", SCRIPT)], config).await;
    for (path, expected) in [
        // As `openssl dgst -sha256 -hmac hunter2` says it.
        ("/sign", HMAC_OF_PAYLOAD),
        ("/seal", "payload"),
        ("/what", r#"[true,true,false,["sign"],{"name":"AES-GCM","length":128}]"#),
        ("/export", "InvalidAccessError"),
        ("/verify", "InvalidAccessError"),
        ("/broken", "DataError"),
    ] {
        assert_eq!(get(&server, "a.test", path).await.text(), expected, "{path}: {}", server.log());
    }
    assert!(!get(&server, "a.test", "/texts").await.text().contains("aHVudGVy"));
    let api = server.api();
    let path = format!("{PLATFORM_SCRIPTS}/worker");
    let settings = api.get(&format!("{path}/settings")).await;
    let seen = json!({"type": "secret_key", "name": "SIGN", "format": "raw", "usages": ["sign"],
        "algorithm": {"name": "HMAC", "hash": "SHA-256"}});
    let bindings = settings.envelope["result"]["bindings"].as_array().unwrap();
    assert!(bindings.contains(&seen), "{settings:?}");
    for shown in [settings.envelope.to_string(), server.log()] {
        assert!(!shown.contains("aHVudGVy") && !shown.contains("AAECAwQ"), "{shown}");
    }
    // Put anew by the call for secrets, it signs with the other key.
    let other = json!({"name": "SIGN", "type": "secret_key", "format": "raw", "usages": ["sign"],
        "algorithm": {"name": "HMAC", "hash": "SHA-256"}, "key_base64": "b3RoZXI="});
    let put = api.put(&format!("{path}/secrets?force=true"), &other).await;
    assert_eq!((put.status, &put.envelope["result"]), (200, &json!({"name": "SIGN", "type": "secret_key"})));
    assert_ne!(get(&server, "a.test", "/sign").await.text(), HMAC_OF_PAYLOAD);
}

const HMAC_OF_PAYLOAD: &str = "a6e99e28c567f217fdcc5d9351fa466c54f83565dfb0b182661bdd14e2489c94";
