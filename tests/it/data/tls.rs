//! Visitors over TLS, with certificates in files: who is served by which, what is told of them, and what a reload changes.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Site, body, guest, heads_over, request, within};

/// A certificate for these hosts in files of this name.
fn write_certificate(site: &Site, file: &str, hosts: &[&str]) -> CertificateDer<'static> {
    let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    site.write(&format!("{file}.key"), made.signing_key.serialize_pem());
    site.write(&format!("{file}.pem"), made.cert.pem());
    made.cert.der().clone()
}

fn config(tls: &str) -> String {
    format!(
        "[server]\nlisten_tls = \"127.0.0.1:0\"\n{tls}\n[scripts.probe]\n{probe}\n\
         [[routes]]\npattern = \"*/*\"\nscript = \"probe\"\n",
        probe = guest::main("probe"),
    )
}

const ONE: &str = "[[tls.certificates]]\nchain = \"one.pem\"\nkey = \"one.key\"\n";

pub(super) struct Visitor(Arc<ClientConfig>);

impl Visitor {
    pub(super) fn trusting(certificates: &[CertificateDer<'static>]) -> Visitor {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate.clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Visitor(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }

    #[expect(clippy::disallowed_methods, reason = "a visitor of this test, not a guest's socket")]
    pub(super) async fn connect(&self, to: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        within("a handshake", TlsConnector::from(Arc::clone(&self.0)).connect(name, stream)).await
    }

    /// The heads of what is answered to each of these, host and path, over one connection of HTTP/2 for a name.
    pub(super) async fn heads_over_http2(
        &self,
        to: SocketAddr,
        name: &str,
        asked: &[(&str, &str)],
    ) -> Vec<Vec<http::Response<()>>> {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = Visitor(Arc::new(config)).connect(to, name).await.unwrap();
        heads_over(stream, "https", asked).await
    }

    pub(super) async fn get(&self, to: SocketAddr, name: &str, host: &str) -> String {
        let mut stream = self.connect(to, name).await.unwrap();
        let head = format!("GET /page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut read = Vec::new();
        within("the answer", stream.read_to_end(&mut read)).await.unwrap();
        String::from_utf8(read).unwrap()
    }
}

#[tokio::test]
async fn a_certificate_in_files_serves_its_hosts_and_nobody_else() {
    let site = Site::new(&config(ONE));
    let one = write_certificate(&site, "one", &["shop.test", "*.shop.test", "other.test"]);
    let server = site.serve().await;
    let (visitor, https) = (Visitor::trusting(&[one]), server.https().await);
    for name in ["shop.test", "a.shop.test", "other.test"] {
        let told = visitor.get(https, name, name).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        assert!(told.contains("header x-forwarded-proto: https"), "{told}");
    }
    for name in ["unknown.test", "a.b.shop.test"] {
        let refused = visitor.connect(https, name).await.unwrap_err();
        assert!(refused.to_string().contains("UnrecognisedName"), "{refused}");
    }
    let told = visitor.get(https, "shop.test", "unknown.test").await;
    assert!(told.starts_with("HTTP/1.1 421") && told.contains("2006"), "{told}");
    server.counts("wasmyard_tls_handshakes_total{result=\"unknown_name\"}", 2.0).await;
    // In clear text as before.
    let answer = server.send(request(http::Method::GET, "shop.test", "/page").body(body("")).unwrap()).await;
    assert!(answer.text().contains("header x-forwarded-proto: http\n"));
    let key = std::fs::metadata(site.data().join("installation.key")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&key) & 0o777, 0o600);
}

#[tokio::test]
async fn hosts_of_one_entry_share_a_connection_and_others_do_not() {
    let other = "[[tls.certificates]]\nchain = \"two.pem\"\nkey = \"two.key\"\nhosts = [\"apart.test\"]\n";
    let site = Site::new(&config(&format!("{ONE}{other}")));
    let one = write_certificate(&site, "one", &["shop.test", "*.shop.test", "other.test"]);
    write_certificate(&site, "two", &["apart.test", "more.test"]);
    let server = site.serve().await;
    let visitor = Visitor::trusting(&[one]);
    let asked = ["shop.test", "other.test", "a.shop.test", "apart.test", "unknown.test"];
    let asked = asked.map(|host| (host, "/page"));
    let heads = visitor.heads_over_http2(server.https().await, "shop.test", &asked).await;
    let statuses: Vec<u16> = heads.iter().map(|heads| heads[0].status().as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 421, 421]);
}

#[tokio::test]
async fn a_hangup_takes_new_files_over_and_a_mistake_changes_nothing() {
    let site = Site::new(&config(ONE));
    let first = write_certificate(&site, "one", &["shop.test"]);
    let server = site.serve().await;
    let https = server.https().await;
    let mut open = Visitor::trusting(std::slice::from_ref(&first)).connect(https, "shop.test").await.unwrap();
    // The key of another one.
    let key = std::fs::read(site.path("one.key")).unwrap();
    let second = write_certificate(&site, "one", &["shop.test", "new.test"]);
    let second_key = std::fs::read(site.path("one.key")).unwrap();
    site.write("one.key", &key);
    server.hang_up();
    server.noted("the key is not the one of the first certificate").await;
    assert!(
        Visitor::trusting(&[first]).get(https, "shop.test", "shop.test").await.starts_with("HTTP/1.1 200")
    );
    site.write("one.key", &second_key);
    server.hang_up();
    server.noted("configuration reloaded").await;
    let visitor = Visitor::trusting(&[second]);
    assert!(visitor.get(https, "new.test", "new.test").await.starts_with("HTTP/1.1 200"));
    assert!(visitor.get(https, "shop.test", "shop.test").await.starts_with("HTTP/1.1 200"));
    // Who was there goes on.
    open.write_all(b"GET /page HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n").await.unwrap();
    open.flush().await.unwrap();
    let mut read = Vec::new();
    within("the answer", open.read_to_end(&mut read)).await.unwrap();
    assert!(read.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn clear_text_is_sent_to_https_and_browsers_are_told() {
    let tls = format!("[tls]\nredirect = true\nhsts_seconds = 300\n{ONE}");
    let site = Site::new(&config(&tls));
    let one = write_certificate(&site, "one", &["shop.test"]);
    let server = site.serve().await;
    let https = server.https().await;
    let answer = server.send(request(http::Method::GET, "shop.test", "/a?b=c").body(body("")).unwrap()).await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), format!("https://shop.test:{}/a?b=c", https.port()));
    let told = Visitor::trusting(&[one]).get(https, "shop.test", "shop.test").await;
    assert!(told.contains("strict-transport-security: max-age=300\r\n"), "{told}");
}

#[tokio::test]
async fn curl_speaks_http2_over_it() {
    let site = Site::new(&config(ONE));
    write_certificate(&site, "one", &["shop.test"]);
    let server = site.serve().await;
    let port = server.https().await.port();
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["--silent", "--show-error", "--http2", "--cacert"]).arg(site.path("one.pem"));
    curl.args([
        "--resolve",
        &format!("shop.test:{port}:127.0.0.1"),
        "--write-out",
        "version %{http_version}",
    ]);
    curl.arg(format!("https://shop.test:{port}/page"));
    let output = within("curl", curl.output()).await.expect("curl is among what the tests need");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("header x-forwarded-proto: https") && told.ends_with("version 2"), "{told}{said}");
}

#[tokio::test]
async fn a_configuration_that_cannot_serve_is_refused_with_its_line() {
    let site = Site::new(&config(ONE));
    write_certificate(&site, "one", &["shop.test"]);
    let checked = async |config: &str| {
        site.write("wasmyard.toml", config);
        let output = site.run(&["check"]).await;
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let (good, told) = checked(&config(ONE)).await;
    assert!(good, "{told}");
    for (tls, reason) in [
        ("[[tls.certificates]]\nchain = \"one.pem\"\nkey = \"one.pem\"\n", "no private key"),
        ("[[tls.certificates]]\nchain = \"missing.pem\"\nkey = \"one.key\"\n", "cannot be read"),
        ("[[tls.certificates]]\nchain = \"one.pem\"\n", "add `key`"),
        (&format!("{ONE}hosts = [\"other.test\"]\n"), "it is for shop.test"),
        (&format!("{ONE}min_version = \"1.1\"\n"), "1.2"),
        (&format!("{ONE}{ONE}"), "already"),
    ] {
        let (good, told) = checked(&config(tls)).await;
        assert!(!good && told.contains(reason), "{tls}: {told}");
    }
    let without = config("[tls]\nredirect = true\n").replace("listen_tls = \"127.0.0.1:0\"", "");
    let (good, told) = checked(&without).await;
    assert!(!good && told.contains("listen_tls"), "{told}");
}

#[tokio::test]
async fn dev_serves_names_below_localhost_by_an_authority_of_its_folder() {
    let site = Site::new(&config("").replace("listen_tls = \"127.0.0.1:0\"", ""));
    let server = site.dev().await;
    server.noted("wasmyard dev --trust").await;
    let https = server.https().await;
    let pem = std::fs::read(site.data().join("authority.pem")).unwrap();
    let authority = CertificateDer::from_pem_slice(&pem).unwrap();
    let visitor = Visitor::trusting(std::slice::from_ref(&authority));
    for name in ["shop.localhost", "a.b.localhost", "localhost"] {
        let told = within("the first build", async {
            loop {
                let told = visitor.get(https, name, name).await;
                if !told.starts_with("HTTP/1.1 503") {
                    break told;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        let told = told.await;
        assert!(told.contains("header x-forwarded-proto: https"), "{name}: {told}");
    }
    assert!(visitor.connect(https, "example.com").await.is_err());
    drop(server);
    // The next start has the same one, and a command says how to trust it and undo that.
    let output = site.run(&["dev", "--trust"]).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("authority.pem") && told.contains("curl --cacert"), "{told}");
    assert_eq!(std::fs::read(site.data().join("authority.pem")).unwrap(), pem);
    let again = site.dev().await;
    let https = again.https().await;
    assert!(visitor.connect(https, "shop.localhost").await.is_ok());
    assert!(!again.log().contains("dev --trust"), "it is told once");
}
