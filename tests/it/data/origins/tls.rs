//! Origins behind TLS: which name is asked for, and who is believed.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::*;

/// An authority whose certificates the platform believes.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a server needs to show a certificate for these names.
    fn acceptor(&self, names: &[&str]) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An origin that tells which name its connection asked for.
struct Behind {
    address: SocketAddr,
    /// The names that connections asked for, in their order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Behind {
    async fn start(acceptor: TlsAcceptor) -> Behind {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let name = stream.get_ref().1.server_name().unwrap_or("").to_owned();
                    noted.lock().unwrap().push(name.clone());
                    let mut head = Vec::new();
                    while let Ok(1..) = stream.read_buf(&mut head).await {
                        if !head.ends_with(b"\r\n\r\n") {
                            continue;
                        }
                        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
                        let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
                        let told = format!("{name} for {host}");
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\nalt-svc: h3=\":443\"\r\ncontent-length: {}\r\n\r\n{told}",
                            told.len()
                        );
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                });
            }
        });
        Behind { address, asked }
    }
}

/// A platform that believes an authority, in front of an origin with a certificate for these names.
async fn platform(names: &[&str]) -> (Saas, Behind) {
    let authority = Authority::new();
    let behind = Behind::start(authority.acceptor(names)).await;
    let site = Site::new("");
    site.write("ca.pem", authority.0.pem());
    let port = behind.address.port();
    let origins = format!("https_port = {port}\nroots = \"none\"\nca_file = \"ca.pem\"");
    let saas = Saas::in_folder(&site, "", &origins).await;
    saas.record("fallback", "127.0.0.1").await;
    saas.record("own", "127.0.0.1").await;
    saas.fallback("fallback.saas.test").await;
    (saas, behind)
}

#[tokio::test]
async fn the_name_of_the_handshake_is_the_visitors_the_origins_or_the_one_that_was_set() {
    let (saas, _) =
        platform(&["a.customer.test", "own.saas.test", "c.customer.test", "www.d.customer.test"]).await;
    saas.ssl("strict").await;
    let own = |sni: Option<&str>| {
        let mut origin = json!({"custom_origin_server": "own.saas.test"});
        if let Some(sni) = sni {
            origin["custom_origin_sni"] = json!(sni);
        }
        origin
    };
    for (host, origin, asked) in [
        ("a.customer.test", json!({}), "a.customer.test"),
        ("b.customer.test", own(None), "own.saas.test"),
        ("c.customer.test", own(Some(":request_host_header:")), "c.customer.test"),
        ("d.customer.test", own(Some("www.d.customer.test")), "www.d.customer.test"),
    ] {
        saas.hostname(host, origin).await;
        let answer = saas.get(host, "/").await;
        assert_eq!((answer.status, answer.text()), (200, format!("{asked} for {host}").as_str()));
        assert_eq!(answer.header("alt-svc"), "", "it speaks of another machine's ports");
    }
    // Nobody vouches for these.
    saas.hostname("e.customer.test", json!({})).await;
    for host in ["e.customer.test", "fallback.saas.test"] {
        let answer = saas.get(host, "/").await;
        assert_eq!(answer.status, 526, "{}", answer.text());
        assert!(answer.text().starts_with("error 526: Invalid SSL certificate."));
    }
}

#[tokio::test]
async fn a_connection_that_was_opened_unverified_is_never_used_where_it_must_be_verified() {
    let (saas, behind) = platform(&["other.test"]).await;
    saas.ssl("full").await;
    let own = async || saas.get("own.saas.test", "/").await;
    for _ in 0..3 {
        let answer = own().await;
        assert_eq!((answer.status, answer.text()), (200, "own.saas.test for own.saas.test"));
    }
    // One comes back a moment after its answer, which the next visitor may not have waited for.
    let opened = behind.asked.lock().unwrap().len();
    assert!(opened < 3, "none is kept");
    saas.ssl("strict").await;
    assert_eq!(own().await.status, 526);
    saas.ssl("full").await;
    assert_eq!(own().await.status, 200);
    assert_eq!(behind.asked.lock().unwrap().len(), opened, "it is there still");
    // Another name is another connection.
    saas.hostname("shop.customer.test", json!({})).await;
    assert_eq!(saas.get("shop.customer.test", "/").await.text(), "shop.customer.test for shop.customer.test");
    assert_eq!(behind.asked.lock().unwrap().last().unwrap(), "shop.customer.test");
}
