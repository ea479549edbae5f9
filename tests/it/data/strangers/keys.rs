//! Where private keys must never be found in clear: in what the server logs, says and writes, also when it is killed.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{brought, config, made, with_rsa, zone_named};
use crate::support::dns::NameServer;
use crate::support::{Site, origin};

/// What private keys begin with, whoever made them: P-256 in PKCS#8 (RFC 5208, RFC 5915), RSA in PKCS#8, and PEM.
const BEGINNINGS: [(&str, &[u8]); 4] = [
    (
        "a key on P-256",
        &[
            0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x04,
        ],
    ),
    (
        "a key of RSA",
        &[0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
    ),
    ("a key in PEM form", b"PRIVATE KEY"),
    ("a key on P-256 in base64", b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"),
];

/// All that a key may look like.
fn traces(key: &rcgen::KeyPair) -> Vec<Vec<u8>> {
    let der = key.serialize_der();
    // A piece in the middle of the private part, long enough to be nobody else's: of P-256 the number itself.
    let (from, to) = if der.len() < 200 { (36, 68) } else { (der.len() - 400, der.len() - 200) };
    let secret = der[from..to].to_vec();
    let pem = key.serialize_pem();
    let line = pem.lines().nth(1).unwrap().as_bytes().to_vec();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimals: Vec<String> = secret.iter().take(16).map(u8::to_string).collect();
    vec![
        secret.clone(),
        line,
        STANDARD.encode(&secret).trim_end_matches('=').as_bytes().to_vec(),
        hex.as_bytes()[..48].to_vec(),
        decimals.join(", ").into_bytes(),
    ]
}

fn has(bytes: &[u8], trace: &[u8]) -> bool {
    memchr::memmem::find(bytes, trace).is_some()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn assert_free(place: &str, bytes: &[u8], traces: &[Vec<u8>]) {
    for trace in traces {
        assert!(!has(bytes, trace), "a key lies in {place}");
    }
    for (what, beginning) in BEGINNINGS {
        assert!(!has(bytes, beginning), "{what} lies in {place}");
    }
}

#[tokio::test]
async fn keys_are_in_no_log_no_answer_and_no_file_also_after_a_kill() {
    let dns = NameServer::start().await;
    let (authority, _) = origin::counting().await;
    let site = Site::new(&config(&dns, authority));
    let server = site.serve_with(&[("WASMYARD_LOG", "trace")]).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let hostnames = format!("{zone}/custom_hostnames");
    let own = made("shop.customer.test");
    let (rsa, rsa_key) = with_rsa("shop.customer.test");
    let traces = [traces(&own.signing_key), traces(&rsa_key)].concat();
    let ecdsa = brought(&own.cert.pem(), &own.signing_key.serialize_pem());
    dns.cname("shop.customer.test", "service.saas.test");
    let mut said = Vec::new();
    let made = api.post(&hostnames, &json!({"hostname": "shop.customer.test", "ssl": ecdsa})).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    let path = format!("{hostnames}/{}", made.envelope["result"]["id"].as_str().unwrap());
    said.push(made.envelope.to_string());
    // A key that belongs to another certificate, one that is broken, and a document that is none.
    let mixed = brought(&rsa, &own.signing_key.serialize_pem());
    said.push(api.patch(&path, &json!({"ssl": mixed})).await.envelope.to_string());
    let broken = own.signing_key.serialize_pem().replace('M', "!");
    said.push(
        api.patch(&path, &json!({"ssl": brought(&own.cert.pem(), &broken)})).await.envelope.to_string(),
    );
    let half = format!("{{\"ssl\": {{\"custom_key\": {}", json!(rsa_key.serialize_pem()));
    let refused = api.request(reqwest::Method::PATCH, &path).header("content-type", "application/json");
    said.push(refused.body(half).send().await.unwrap().text().await.unwrap());
    let csr = json!({
        "common_name": "shop.customer.test", "sans": ["shop.customer.test"], "country": "US", "state": "MA",
        "locality": "Boston", "organization": "Customer", "key_type": "p256v1",
    });
    said.push(api.post(&format!("{zone}/custom_csrs"), &csr).await.envelope.to_string());
    for key_type in ["rsa2048", "p256v1"] {
        let mut csr = csr.clone();
        csr["key_type"] = json!(key_type);
        said.push(api.post(&format!("{zone}/custom_csrs"), &csr).await.envelope.to_string());
    }
    let with_rsa = brought(&rsa, &rsa_key.serialize_pem());
    let taken = api.patch(&path, &json!({"ssl": with_rsa})).await;
    assert_eq!(taken.status, 202, "{}", taken.envelope);
    said.push(taken.envelope.to_string());
    for shown in [&path, &hostnames, &format!("{zone}/custom_csrs"), "/metrics"] {
        said.push(api.text(shown).await);
    }
    said.push(server.log());
    server.kill().await;
    // What is left behind by the kill, and what the next start makes of it.
    for round in ["after the kill", "after the next start"] {
        let mut found = Vec::new();
        files(&site.data(), &mut found);
        let is_ours = |path: &&PathBuf| !path.components().any(|part| part.as_os_str() == "artifacts");
        let found: Vec<&PathBuf> = found.iter().filter(is_ours).collect();
        assert!(found.iter().any(|path| path.ends_with("certificates.sqlite")), "{found:?}");
        for path in found {
            assert_free(&format!("{} {round}", path.display()), &std::fs::read(path).unwrap(), &traces);
        }
        let server = site.serve_with(&[("WASMYARD_LOG", "trace")]).await;
        said.push(server.api().text(&path).await);
        said.push(server.log());
    }
    assert!(
        said.iter().any(|text| text.contains("TRACE") || text.contains("trace")),
        "the log is a long one"
    );
    for text in &said {
        assert_free("what was said", text.as_bytes(), &traces);
    }
}
