//! What strangers send to the port of TLS, and what builders upload who mean no good: names that nobody has, hosts of somebody
//! else's connection, certificates and keys that are bombs; and where keys must never be found.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use super::hostnames::{becomes, zone_named};
use super::tls::Visitor;
use crate::support::dns::NameServer;
use crate::support::{Server, eventually, guest, origin};

mod bombs;
mod keys;

/// A platform that answers over TLS, whose authority of certificates only counts who asks.
fn config(dns: &NameServer, authority: std::net::SocketAddr) -> String {
    format!(
        r#"
        [server]
        listen_tls = "127.0.0.1:0"
        reserved_names = true
        [hostnames]
        name_servers = ["{dns}"]
        [certificates.authorities.lets_encrypt]
        directory = "https://{authority}/dir"
        [scripts.origin]
        {hello}
        [[routes]]
        pattern = "service.saas.test/*"
        script = "origin"
        "#,
        dns = dns.address,
        hello = guest::main("hello"),
    )
}

/// What a builder sends to bring a certificate whose authority nobody knows.
fn brought(certificate: &str, key: &str) -> Value {
    json!({"custom_certificate": certificate, "custom_key": key, "bundle_method": "force"})
}

fn made(name: &str) -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// A custom hostname that is served with a certificate of its own.
pub(super) async fn served(
    server: &Server,
    dns: &NameServer,
    zone: &str,
    name: &str,
) -> CertificateDer<'static> {
    let (own, api) = (made(name), server.api());
    dns.cname(name, "service.saas.test");
    let ssl = brought(&own.cert.pem(), &own.signing_key.serialize_pem());
    let body = json!({"hostname": name, "ssl": ssl});
    let made = api.post(&format!("{zone}/custom_hostnames"), &body).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
    becomes(&api, &path, "active").await;
    let (der, https) = (own.cert.der().clone(), server.https().await);
    let visitor = Visitor::trusting(std::slice::from_ref(&der));
    eventually("its certificate is served", async || visitor.connect(https, name).await.ok()).await;
    der
}

/// How many hellos are sent: `WASMYARD_UNKNOWN_HELLOS`, or a few.
fn hellos() -> usize {
    std::env::var("WASMYARD_UNKNOWN_HELLOS").map_or(2_000, |count| count.parse().unwrap())
}

const UNKNOWN: &str = "wasmyard_tls_handshakes_total{result=\"unknown_name\"}";
const READS: &str = "wasmyard_certificate_reads_total";

/// Hellos with made-up names, from several clients at once; each is refused.
async fn flood(server: &Server, visitor: &Arc<Visitor>, count: usize, series: &'static str) {
    const CLIENTS: usize = 8;
    let https = server.https().await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let visitor = Arc::clone(visitor);
        clients.spawn(async move {
            for number in (client..count).step_by(CLIENTS) {
                let name = format!("{series}-{number}.made-up.test");
                let refused = visitor.connect(https, &name).await.unwrap_err();
                assert!(refused.to_string().contains("UnrecognisedName"), "{name}: {refused}");
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test]
async fn names_that_nobody_has_cost_no_read_no_order_and_no_memory() {
    let dns = NameServer::start().await;
    let (authority, orders) = origin::counting().await;
    let server = Server::serving(&config(&dns, authority)).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let own = served(&server, &dns, &zone, "shop.customer.test").await;
    let visitor = Arc::new(Visitor::trusting(&[own]));
    let count = hellos();
    // What is made once for all is there after the first of them.
    // Some may have been counted while its certificate was not served yet.
    let before = server.metric(UNKNOWN).await;
    flood(&server, &visitor, count / 4, "first").await;
    server.counts(UNKNOWN, before + (count / 4) as f64).await;
    let (reads, files, memory) = (server.metric(READS).await, server.open_files(), server.resident_bytes());
    flood(&server, &visitor, count, "then").await;
    server.counts(UNKNOWN, before + (count / 4 + count) as f64).await;
    assert_eq!(server.metric(READS).await, reads, "nothing is read");
    assert_eq!(server.metric("wasmyard_certificate_names").await, 1.0);
    assert!(server.open_files() <= files + 4, "connections are closed");
    let grown = server.resident_bytes().saturating_sub(memory);
    assert!(grown < 16 << 20, "{grown} bytes more after {count} hellos");
    // Neither a hello nor a request in clear text has anything ordered.
    for number in 0..100 {
        let answer = server.get(&format!("{number}.made-up.test"), "/").await;
        assert_ne!(answer.status, 200);
    }
    assert_eq!(orders.load(Ordering::Relaxed), 0, "nothing is ordered for a name that nobody asked for");
    let https = server.https().await;
    for _ in 0..3 {
        let told = visitor.get(https, "shop.customer.test", "shop.customer.test").await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    }
    assert_eq!(server.metric(READS).await, reads, "a known one was read once, before");
    assert!(reads >= 1.0);
}

#[tokio::test]
async fn a_connection_for_one_customer_asks_for_no_other() {
    let dns = NameServer::start().await;
    let (authority, _) = origin::counting().await;
    let server = Server::serving(&config(&dns, authority)).await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let one = served(&server, &dns, &zone, "one.customer.test").await;
    let other = served(&server, &dns, &zone, "other.customer.test").await;
    let (visitor, https) = (Visitor::trusting(&[one, other]), server.https().await);
    for (name, host, status) in [
        ("one.customer.test", "one.customer.test", 200),
        ("one.customer.test", "other.customer.test", 421),
        ("other.customer.test", "one.customer.test", 421),
        ("one.customer.test", "made-up.test", 421),
        ("one.customer.test", "service.saas.test", 421),
        ("one.customer.test", "ONE.customer.test:443", 200),
    ] {
        let told = visitor.get(https, name, host).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{name} {host}: {told}");
    }
}

/// A certificate with a key of RSA.
fn with_rsa(name: &str) -> (String, KeyPair) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    (CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap().pem(), key)
}
