//! Certificates of an authority: ordered for customers' own names, shown, issued and served. The authority is Pebble, of the
//! system's packages; what it and the platform ask of the DNS is answered by the test. Run by `make acme-test`.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;

use super::hostnames::zone_named;
use crate::support::dns::NameServer;
use crate::support::{Api, Server, Site, eventually, guest, within};

mod deaths;
mod delegation;
mod external;
mod handshakes;
mod proxy;
mod renewal;
mod rollover;
mod started;

use proxy::{Said, Stop};

/// The key of an account that an authority keeps elsewhere, as Pebble's own examples have it.
const EXTERNAL_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// A port that nobody listens on just now, and that no other test of this process was given. Below those that the system gives
/// to clients.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..1_000 {
        let port = 20_000 + u16::try_from(rand() % 10_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
    panic!("no port is free");
}

fn rand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

/// What an authority is like.
#[derive(Clone, Copy, Default)]
struct Setup {
    /// How many of a hundred proofs it takes again that it saw before.
    reuse: u8,
    /// It takes nobody without an account elsewhere, and comes after one that nobody answers for.
    is_second: bool,
    /// It says when to renew.
    says_when: bool,
    /// Names are shown in handshakes alone: the authority looks for files where nobody is.
    in_handshakes: bool,
    /// It is asked by way of the proxy.
    by_proxy: bool,
    /// The same, and one request comes to nothing. No nonce is refused, so that requests can be counted.
    stop: Option<Stop>,
}

/// An authority with a platform that asks it, and a name server that both ask.
struct Platform {
    site: Site,
    dns: NameServer,
    listen: SocketAddr,
    management: u16,
    root: CertificateDer<'static>,
    said: Arc<Mutex<Said>>,
    _pebble: Child,
}

impl Platform {
    async fn start(setup: Setup) -> Platform {
        let dns = NameServer::start().await;
        let (acme, management, visitors, encrypted) = (free_port(), free_port(), free_port(), free_port());
        let site = Site::new("");
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        site.write("pebble.key", own.signing_key.serialize_pem());
        site.write("pebble.pem", own.cert.pem());
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{acme}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": site.path("pebble.pem"),
            "privateKey": site.path("pebble.key"),
            "httpPort": if setup.in_handshakes { free_port() } else { visitors },
            "tlsPort": encrypted,
            "externalAccountBindingRequired": setup.is_second,
            "externalAccountMACKeys": {"kid-1": EXTERNAL_KEY},
            // A hundredth of a life passes before one is renewed.
            "certificateValidityPeriod": if setup.says_when { 300 } else { 90 * 86_400 },
        }});
        site.write("pebble.json", config.to_string());
        let pebble = Command::new("pebble")
            .arg("-config")
            .arg(site.path("pebble.json"))
            .args(["-dnsserver", &dns.address.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", if setup.stop.is_some() { "0" } else { "10" })
            .env("PEBBLE_AUTHZREUSE", setup.reuse.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("pebble: scripts/acme-tests.sh installs it");
        let listen = SocketAddr::from(([127, 0, 0, 1], visitors));
        let (proxy, said) = proxy::proxy(acme, &own.cert, own.signing_key.serialize_der()).await;
        {
            let mut said = said.lock().unwrap();
            (said.says_when, said.stop) = (setup.says_when, setup.stop);
        }
        let is_by_proxy = setup.says_when || setup.by_proxy || setup.stop.is_some();
        let directory = if is_by_proxy { proxy } else { acme };
        site.write("external.key", EXTERNAL_KEY);
        let authorities = if setup.is_second {
            format!(
                r#"
                [certificates]
                default = "lets_encrypt"
                [certificates.authorities.lets_encrypt]
                directory = "https://localhost:{nobody}/dir"
                [certificates.authorities.google]
                directory = "https://localhost:{directory}/dir"
                roots = "pebble.pem"
                eab_kid = "kid-1"
                eab_key_file = "external.key"
                "#,
                nobody = free_port(),
            )
        } else {
            format!(
                r#"
                [certificates.authorities.lets_encrypt]
                directory = "https://localhost:{directory}/dir"
                roots = "pebble.pem"
                contact = ["mailto:operator@saas.test"]
                "#
            )
        };
        site.write(
            "wasmyard.toml",
            format!(
                r#"
                [server]
                api_calls_per_token = 1000000
                listen = "{listen}"
                listen_tls = "127.0.0.1:{encrypted}"
                reserved_names = true
                [tls]
                redirect = true
                [hostnames]
                name_servers = ["{dns}"]
                allow_private = ["127.0.0.0/8"]
                [dcv]
                suffix = "dcv.saas.test"
                listen = "127.0.0.1:0"
                name_server = "ns.saas.test"
                {authorities}
                [scripts.origin]
                {hello}
                [[routes]]
                pattern = "service.saas.test/*"
                script = "origin"
                [[routes]]
                pattern = "proxy-fallback.saasprovider.com/*"
                script = "origin"
                "#,
                dns = dns.address,
                hello = guest::main("hello"),
            ),
        );
        let root = root_of(management, own.cert.der()).await;
        Platform { site, dns, listen, management, root, said, _pebble: pebble }
    }

    /// `wasmyard serve`, on the port that the authority looks at.
    async fn serve(&self) -> Server {
        self.site.serve_with_visitors_at(&self.listen.to_string()).await
    }

    /// A visitor that believes the authority, and no other.
    async fn visit(
        &self,
        server: &Server,
        name: &'static str,
    ) -> Result<(String, CertificateDer<'static>), String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connect(server.https().await).await;
        let handshake =
            within("a handshake", connector.connect(ServerName::try_from(name).unwrap(), stream)).await;
        let mut stream = handshake.map_err(|error| error.to_string())?;
        let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        let head = format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut read = Vec::new();
        within("the answer", stream.read_to_end(&mut read)).await.unwrap();
        Ok((String::from_utf8(read).unwrap(), leaf))
    }

    async fn is_served(&self, server: &Server, name: &'static str) -> CertificateDer<'static> {
        let (told, leaf) = self.visit(server, name).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 200") && told.contains("Hello from Wasmyard!"), "{name}: {told}");
        leaf
    }

    /// The customer's name leads here, and its address is where the authority finds it.
    fn leads_here(&self, name: &str) {
        self.dns.cname(name, "service.saas.test");
        self.dns.address_of(name, self.listen.ip());
    }
}

#[expect(clippy::disallowed_methods, reason = "a visitor of this test, not a guest's socket")]
async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

/// The root that the authority made for itself, as soon as it answers.
async fn root_of(management: u16, own: &CertificateDer<'static>) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    roots.add(own.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    eventually("the authority answers", async || {
        #[expect(clippy::disallowed_methods, reason = "a client of this test, not a guest's socket")]
        let stream = TcpStream::connect(("127.0.0.1", management)).await.ok()?;
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.ok()?;
        stream
            .write_all(b"GET /roots/0 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .ok()?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.ok()?;
        CertificateDer::from_pem_slice(&read).ok()
    })
    .await
}

/// Makes a hostname with a certificate; its path in the API.
async fn hostname(api: &Api, zone: &str, name: &str, ssl: Value) -> String {
    let made = api.post(&format!("{zone}/custom_hostnames"), &json!({"hostname": name, "ssl": ssl})).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    assert_eq!(made.envelope["result"]["ssl"]["status"], "initializing");
    format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap())
}

/// Waits until what is shown of a hostname is as wanted.
async fn shows(api: &Api, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let shown = api.get(path).await.result().clone();
        wanted(&shown["ssl"]).then_some(shown)
    })
    .await
}

fn is_active(ssl: &Value) -> bool {
    ssl["status"] == "active"
}

fn has_both(ssl: &Value) -> bool {
    is_active(ssl) && ssl["certificates"].as_array().is_some_and(|all| all.len() == 2)
}

#[tokio::test]
async fn a_token_over_http_brings_a_certificate_that_visitors_are_served_with() {
    let platform = Platform::start(Setup::default()).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let ssl = json!({"method": "http", "type": "dv"});
    let path = hostname(&api, &zone, "shop.customer.test", ssl.clone()).await;
    let shown =
        shows(&api, &path, "what the authority wants to see", |ssl| !ssl["validation_records"].is_null())
            .await;
    assert_eq!(shown["ssl"]["status"], "pending_validation");
    let quota = api.get(&format!("{zone}/custom_hostnames/quota")).await.result().clone();
    assert_eq!(
        (&quota["certificates"]["per_minute"], &quota["certificates"]["used"]),
        (&json!(15), &json!(1))
    );
    assert_eq!(
        (&quota["orders"][0]["authority"], &quota["orders"][0]["per_hour"]),
        (&json!("lets_encrypt"), &json!(100))
    );
    let record = &shown["ssl"]["validation_records"][0];
    let url = record["http_url"].as_str().unwrap();
    let token = url.strip_prefix("http://shop.customer.test").unwrap();
    assert!(token.starts_with("/.well-known/acme-challenge/"), "{url}");
    let answer = server.get("shop.customer.test", token).await;
    assert_eq!((answer.status, answer.text()), (200, record["http_body"].as_str().unwrap()));
    let other = server.get("other.customer.test", token).await;
    assert_eq!(other.status, 301, "at another host it is a path like any other, in clear text");
    platform.leads_here("shop.customer.test");
    let again = api.patch(&path, &json!({"ssl": ssl})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let shown =
        shows(&api, &path, "both certificates", |ssl| has_both(ssl) && ssl["validation_records"].is_null())
            .await;
    assert_eq!(shown["ssl"]["hosts"], json!(["shop.customer.test"]));
    assert!(shown["ssl"]["issuer"].as_str().unwrap().contains("Pebble"), "{shown}");
    platform.is_served(&server, "shop.customer.test").await;
    assert_ne!(server.get("shop.customer.test", token).await.status, 200, "the token is gone");
    server.kill().await;
    let server = platform.serve().await;
    platform.is_served(&server, "shop.customer.test").await;
    let deleted = server.api().delete(&path).await;
    assert_eq!(deleted.status, 200, "{}", deleted.envelope);
    platform.visit(&server, "shop.customer.test").await.unwrap_err();
    assert_ne!(platform.management, 0);
}

#[tokio::test]
async fn two_texts_bring_a_wildcard_also_where_the_process_ends_in_the_middle() {
    let platform = Platform::start(Setup { reuse: 100, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let ssl = json!({"method": "txt", "type": "dv", "wildcard": true});
    let path = hostname(&api, &zone, "shop.customer.test", ssl).await;
    let wanted = |ssl: &Value| ssl["validation_records"].as_array().is_some_and(|all| all.len() == 2);
    let before = shows(&api, &path, "two texts", wanted).await;
    let missing = |ssl: &Value| ssl["validation_errors"].to_string().contains("no TXT record found");
    shows(&api, &path, "what is missing", missing).await;
    server.kill().await;
    let server = platform.serve().await;
    let api = server.api();
    let after = api.get(&path).await.result().clone();
    assert_eq!(after["ssl"]["validation_records"], before["ssl"]["validation_records"], "the same order");
    let records = before["ssl"]["validation_records"].as_array().unwrap();
    let texts: Vec<&str> = records.iter().map(|record| record["txt_value"].as_str().unwrap()).collect();
    assert_eq!(records[0]["txt_name"], "_acme-challenge.shop.customer.test");
    platform.dns.texts("_acme-challenge.shop.customer.test", &texts);
    platform.leads_here("shop.customer.test");
    let again = api.patch(&path, &json!({"ssl": {"method": "txt", "type": "dv"}})).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    let shown = shows(&api, &path, "both certificates", has_both).await;
    assert_eq!(shown["ssl"]["hosts"].as_array().unwrap().len(), 2, "{shown}");
    eventually("the name is served", async || {
        (api.get(&path).await.result()["status"] == "active").then_some(())
    })
    .await;
    platform.is_served(&server, "shop.customer.test").await;
    platform.is_served(&server, "a.shop.customer.test").await;
}
