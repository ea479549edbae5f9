//! Visitors who show certificates: who gets in, what scripts are told of them, and every way round.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Server, Site, body, guest, request, within};

pub(crate) type Issuer = CertifiedIssuer<'static, KeyPair>;

/// An authority of clients.
pub(crate) fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Somebody who trusts these certificates, and shows one of this authority.
pub(crate) fn visitor(roots: &[CertificateDer<'static>], shown_by: Option<&Issuer>) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add(root.clone()).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(store);
    let Some(issuer) = shown_by else { return Arc::new(config.with_no_client_auth()) };
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::OrganizationName, "Shop");
    params.distinguished_name.push(DnType::CommonName, "till 7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let shown = params.signed_by(&key, issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(config.with_client_auth_cert(vec![shown], key).unwrap())
}

/// What a visitor is answered, or why the handshake came to nothing. An empty name asks without one.
#[expect(clippy::disallowed_methods, reason = "a visitor of this test, not a guest's socket")]
pub(crate) async fn asked(
    server: &Server,
    visitor: &Arc<ClientConfig>,
    name: &str,
    host: &str,
) -> Result<String, String> {
    let stream = TcpStream::connect(server.https().await).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let exchanged = async {
        let mut stream = TlsConnector::from(Arc::clone(visitor)).connect(name, stream).await?;
        let head = format!("GET /page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await?;
        Ok(String::from_utf8(read).unwrap())
    };
    within("an answer", exchanged).await.map_err(|error: std::io::Error| error.to_string())
}

fn config(tls: &str) -> String {
    format!(
        "[server]\nlisten_tls = \"127.0.0.1:0\"\n{tls}\n[scripts.probe]\n{probe}\n\
         [[routes]]\npattern = \"*/*\"\nscript = \"probe\"\n\
         [[routes]]\npattern = \"strict.test/*\"\nscript = \"probe\"\n",
        probe = guest::main("probe"),
    )
}

const THREE: &str = "
[[tls.certificates]]
chain = \"all.pem\"
key = \"all.key\"
hosts = [\"strict.test\"]
client_ca = \"clients.pem\"
[[tls.certificates]]
chain = \"all.pem\"
key = \"all.key\"
hosts = [\"asks.test\"]
client_ca = \"clients.pem\"
client_certificates = \"optional\"
[[tls.certificates]]
chain = \"all.pem\"
key = \"all.key\"
hosts = [\"lax.test\"]
default = true
";

/// A server with one certificate for three hosts, which ask for different things.
async fn three(clients: &Issuer) -> (Site, Server, CertificateDer<'static>) {
    let site = Site::new(&config(THREE));
    let names = ["strict.test", "asks.test", "lax.test"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    site.write("all.key", made.signing_key.serialize_pem());
    site.write("all.pem", made.cert.pem());
    site.write("clients.pem", clients.pem());
    let server = site.serve().await;
    (site, server, made.cert.der().clone())
}

#[tokio::test]
async fn a_host_lets_in_who_shows_a_certificate_and_its_script_is_told() {
    let clients = authority("clients");
    let (_site, server, root) = three(&clients).await;
    let roots = std::slice::from_ref(&root);
    let (known, nobody) = (visitor(roots, Some(&clients)), visitor(roots, None));
    for host in ["strict.test", "asks.test"] {
        let told = asked(&server, &known, host, host).await.unwrap();
        assert!(told.contains("\nclient-certificate O=Shop,CN=till 7\n"), "{told}");
        assert!(told.contains("\nclient-certificate-issuer CN=clients\n"), "{told}");
        assert!(told.contains(&format!("\ntls TLSv1.3 AEAD-AES128-GCM-SHA256 {host}\n")), "{told}");
    }
    let refused = asked(&server, &nobody, "strict.test", "strict.test").await.unwrap_err();
    assert!(refused.contains("CertificateRequired"), "{refused}");
    let told = asked(&server, &nobody, "asks.test", "asks.test").await.unwrap();
    assert!(told.contains("\ntls TLSv1.3 ") && !told.contains("client-certificate"), "{told}");
    // Who is not asked shows nothing.
    let told = asked(&server, &known, "lax.test", "lax.test").await.unwrap();
    assert!(told.contains("\ntls TLSv1.3 ") && !told.contains("client-certificate"), "{told}");
    let stranger = visitor(roots, Some(&authority("clients")));
    for host in ["strict.test", "asks.test"] {
        assert!(asked(&server, &stranger, host, host).await.is_err(), "{host}");
    }
    server.counts("wasmyard_tls_handshakes_total{result=\"client_certificate\"}", 3.0).await;
}

#[tokio::test]
async fn no_way_leads_round_the_handshake_of_a_host_that_requires_a_certificate() {
    let clients = authority("clients");
    let (site, server, root) = three(&clients).await;
    let roots = std::slice::from_ref(&root);
    let (known, nobody) = (visitor(roots, Some(&clients)), visitor(roots, None));
    // Over the connection of another host, with a certificate and without.
    for (who, name) in [(&nobody, "lax.test"), (&known, "asks.test"), (&nobody, "asks.test")] {
        let told = asked(&server, who, name, "strict.test").await.unwrap();
        assert!(told.starts_with("HTTP/1.1 421") && told.contains("2006"), "{name}: {told}");
    }
    let told = asked(&server, &known, "strict.test", "asks.test").await.unwrap();
    assert!(told.starts_with("HTTP/1.1 421"), "{told}");
    // Without a name: the default certificate, and never a host that asks.
    let mut nameless = ClientConfig::clone(&visitor(roots, None));
    nameless.enable_sni = false;
    let nameless = Arc::new(nameless);
    let told = asked(&server, &nameless, "lax.test", "lax.test").await.unwrap();
    assert!(told.contains("\ntls TLSv1.3 AEAD-AES128-GCM-SHA256 -\n"), "{told}");
    let told = asked(&server, &nameless, "lax.test", "192.0.2.1").await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let told = asked(&server, &nameless, "lax.test", "strict.test").await.unwrap();
    assert!(told.starts_with("HTTP/1.1 421"), "{told}");
    // In clear text, whatever it claims.
    let in_clear = request(http::Method::GET, "strict.test", "/page").header("x-forwarded-proto", "https");
    let answer = server.send(in_clear.body(body("")).unwrap()).await;
    assert_eq!(answer.status, 301);
    assert!(answer.header("location").starts_with("https://strict.test:"));
    let answer = server.send(request(http::Method::GET, "asks.test", "/page").body(body("")).unwrap()).await;
    assert!(answer.status == 200 && !answer.text().contains("\ntls "), "{}", answer.text());
    // By a script of the platform, which has no certificate.
    let by_script = |target: &str| {
        let asks = request(http::Method::GET, "lax.test", "/relay").header("x-target", target);
        server.send(asks.body(body("")).unwrap())
    };
    let refused = by_script("http://strict.test/page").await;
    assert!(refused.status != 200 && !refused.text().contains("hostname strict.test"), "{}", refused.text());

    // What was open before is not for a host that asks from now on.
    let others = authority("others");
    site.write("clients.pem", others.pem());
    server.hang_up();
    server.noted("configuration reloaded").await;
    assert!(asked(&server, &known, "strict.test", "strict.test").await.is_err());
    let told = asked(&server, &visitor(roots, Some(&others)), "strict.test", "strict.test").await.unwrap();
    assert!(told.contains("\nclient-certificate-issuer CN=others\n"), "{told}");
}

#[tokio::test]
async fn authorities_that_are_none_are_told_with_their_line() {
    let clients = authority("clients");
    let site = Site::new(&config(THREE));
    let names = ["strict.test", "asks.test", "lax.test"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    site.write("all.key", made.signing_key.serialize_pem());
    site.write("all.pem", made.cert.pem());
    for (file, reason) in [
        (made.cert.pem(), "is no authority's"),
        (String::new(), "no certificate of an authority"),
        (clients.key().serialize_pem(), "private key"),
        (clients.pem().repeat(9), "8 may be"),
    ] {
        site.write("clients.pem", file);
        let output = site.run(&["check"]).await;
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && told.contains(reason), "{told}");
    }
    site.write("clients.pem", clients.pem());
    let two = config(&THREE.replace("hosts = [\"asks.test\"]", "hosts = [\"asks.test\"]\ndefault = true"));
    site.write("wasmyard.toml", two);
    let output = site.run(&["check"]).await;
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success() && told.contains("default one already"), "{told}");
}
