//! Certificates and keys that are made to be expensive: each is refused, by what it is, and everybody else is served.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{brought, config, made, zone_named};
use crate::support::dns::NameServer;
use crate::support::{Server, origin};

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// An element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut made = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => made.push(short),
        _ => made.extend([&[0x83][..], &u32::try_from(length).unwrap().to_be_bytes()[1..]].concat()),
    }
    made.extend(content);
    made
}

/// A private key of RSA whose numbers have so many bytes. None of them is prime.
fn rsa(bytes: usize, exponent: usize) -> String {
    let number = |bytes: usize| der(2, &[&[0x00], vec![0xc3; bytes].as_slice()].concat());
    let half = bytes / 2;
    let numbers = [
        der(2, &[0]),
        number(bytes),
        number(exponent),
        number(bytes),
        number(half),
        number(half),
        number(half),
        number(half),
        number(half),
    ];
    let inner = der(0x30, &numbers.concat());
    let algorithm = der(0x30, &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    pem("PRIVATE KEY", &der(0x30, &[der(2, &[0]), algorithm, der(4, &inner)].concat()))
}

/// A certificate for the name and so many others.
fn with_names(count: usize) -> (String, String) {
    let names: Vec<String> = std::iter::once("shop.customer.test".to_owned())
        .chain((0..count).map(|number| format!("a-long-name-{number}.customer.test")))
        .collect();
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

/// Sequences in each other.
fn nested(depth: usize) -> String {
    let mut inner = Vec::new();
    for _ in 0..depth {
        inner = der(0x30, &inner);
    }
    pem("CERTIFICATE", &inner)
}

#[tokio::test]
async fn bombs_are_refused_and_everybody_else_is_served() {
    let dns = NameServer::start().await;
    let (authority, _) = origin::counting().await;
    let server = Server::serving(&config(&dns, authority)).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let own = made("shop.customer.test");
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let (many, many_key) = with_names(3_000);
    let others: String = (0..60).map(|number| made(&format!("{number}.test")).cert.pem()).collect();
    let lies = pem("CERTIFICATE", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02, 0x01, 0x00]);
    let rows: Vec<(&str, Value)> = vec![
        ("a text of a megabyte", brought(&"A".repeat(1 << 20), &key)),
        ("a key of a megabyte", brought(&certificate, &"A".repeat(1 << 20))),
        ("certificates of sixty others", brought(&[certificate.clone(), others].concat(), &key)),
        ("beginnings without ends", brought(&"-----BEGIN CERTIFICATE-----\n".repeat(2_000), &key)),
        ("a key of RSA with 65,536 bits", brought(&certificate, &rsa(8_192, 3))),
        ("one with 16,384 bits", brought(&certificate, &rsa(2_048, 3))),
        ("one with an exponent as long as its modulus", brought(&certificate, &rsa(512, 512))),
        ("3,000 names", brought(&many, &many_key)),
        ("sequences ten thousand deep", brought(&nested(10_000), &key)),
        ("a length that lies", brought(&lies, &key)),
        ("a bundle of a thousand", {
            let one = json!({"custom_certificate": "A", "custom_key": "A"});
            json!({"custom_cert_bundle": vec![one; 1_000], "bundle_method": "force"})
        }),
        ("numbers in place of texts", json!({"custom_certificate": 1e300, "custom_key": [[[[[[]]]]]]})),
    ];
    // What the first upload makes once for all is there before it is counted.
    let other = made("good.customer.test");
    let other = brought(&other.cert.pem(), &other.signing_key.serialize_pem());
    let good = json!({"hostname": "good.customer.test", "ssl": other});
    assert_eq!(api.post(&format!("{zone}/custom_hostnames"), &good).await.status, 201);
    let memory = server.resident_bytes();
    for (what, ssl) in rows {
        for _ in 0..5 {
            let body = json!({"hostname": "shop.customer.test", "ssl": ssl});
            let refused = api.post(&format!("{zone}/custom_hostnames"), &body).await;
            assert!((400..500).contains(&refused.status), "{what}: {}", refused.status);
            let text = refused.envelope.to_string();
            assert!(text.len() < 4_096, "{what}: what is refused is not sent back: {}", text.len());
        }
    }
    let body = json!({"hostname": "deep.customer.test", "ssl": {}}).to_string();
    let deep = body.replace("{}", &format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)));
    let refused = api.request(reqwest::Method::POST, &format!("{zone}/custom_hostnames"));
    let refused = refused.header("content-type", "application/json").body(deep).send().await.unwrap();
    assert!(refused.status().is_client_error(), "{}", refused.status());
    let csr = |names: usize| {
        let names: Vec<String> = (0..names).map(|number| format!("{number}.customer.test")).collect();
        json!({
            "common_name": "shop.customer.test", "sans": names, "country": "US", "state": "MA", "locality": "Boston",
            "organization": "Customer", "key_type": "p256v1",
        })
    };
    let refused = api.post(&format!("{zone}/custom_csrs"), &csr(20_000)).await;
    assert!((400..500).contains(&refused.status), "{}", refused.envelope);
    let grown = server.resident_bytes().saturating_sub(memory);
    assert!(grown < 48 << 20, "{grown} bytes more");
    let listed = api.get(&format!("{zone}/custom_hostnames")).await.result().clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "nothing of them is kept: {listed}");
    assert_eq!(server.get("service.saas.test", "/").await.status, 200);
}
