//! Renewal as the authority would have it (RFC 9773). Pebble says nothing of that: a proxy before it does, which passes everything
//! else on, and answers an order with what it replaces as the authority would have to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Platform, Setup, connect, has_both, hostname, shows, zone_named};

/// What was asked of the proxy.
#[derive(Default)]
pub(super) struct Said {
    /// The certificates that it was asked about, each once. The first two are to be renewed at once.
    asked: Vec<String>,
    /// The certificates in whose place others were ordered.
    replaced: Vec<String>,
}

/// How many certificates are to be renewed at once.
const AT_ONCE: usize = 2;

/// A proxy before an authority, which has its certificate. Its port, and what it was asked.
pub(super) async fn proxy(authority: u16, own: &rcgen::Certificate, key: Vec<u8>) -> (u16, Arc<Mutex<Said>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Arc::<Mutex<Said>>::default();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let own: CertificateDer<'static> = own.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(own.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)))
        .unwrap();
    let (acceptor, connector) = (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
    let known = Arc::clone(&said);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, connector, said) = (acceptor.clone(), connector.clone(), Arc::clone(&known));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = service_fn(|request| answer(request, port, authority, &connector, &said));
                let served = hyper::server::conn::http1::Builder::new();
                let _ended = served.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    (port, said)
}

async fn answer(
    request: Request<Incoming>,
    port: u16,
    authority: u16,
    connector: &TlsConnector,
    said: &Mutex<Said>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let (path, body) = (head.uri.path().to_owned(), body.collect().await.unwrap().to_bytes());
    if let Some(id) = path.strip_prefix("/renewal-info/") {
        return Ok(window(id, said));
    }
    let is_order = head.method == Method::POST && path.contains("order-plz");
    let replaces = if is_order { replaced(&body) } else { None };
    let stream = connect(([127, 0, 0, 1], authority).into()).await;
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answered = sender.send_request(Request::from_parts(head, Full::new(body))).await.unwrap();
    let (mut head, body) = answered.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes();
    let mut add = |name: &str, value: Value| {
        let mut whole: Value = serde_json::from_slice(&body).unwrap();
        whole[name] = value;
        body = whole.to_string().into();
    };
    if path == "/dir" {
        add("renewalInfo", json!(format!("https://localhost:{port}/renewal-info")));
    }
    if let Some(replaces) = replaces.filter(|_| head.status.is_success()) {
        said.lock().unwrap().replaced.push(replaces.clone());
        add("replaces", json!(replaces));
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Full::new(body)))
}

/// When a certificate is to be renewed.
fn window(id: &str, said: &Mutex<Said>) -> Response<Full<Bytes>> {
    let asked = &mut said.lock().unwrap().asked;
    if !asked.iter().any(|known| known == id) {
        asked.push(id.to_owned());
    }
    let is_now = asked.iter().take(AT_ONCE).any(|known| known == id);
    let year = if is_now { 2020 } else { 2090 };
    let window = json!({"suggestedWindow": {"start": format!("{year}-01-01T00:00:00Z"), "end": format!("{year}-01-02T00:00:00Z")}});
    let answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
    answer.header(header::RETRY_AFTER, "21600").body(Full::new(window.to_string().into())).unwrap()
}

/// What a signed order says that it replaces.
fn replaced(body: &[u8]) -> Option<String> {
    let signed: Value = serde_json::from_slice(body).unwrap();
    let payload: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(signed["payload"].as_str().unwrap()).unwrap())
            .unwrap();
    payload["replaces"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn certificates_are_renewed_when_the_authority_says_so_and_served_all_the_while() {
    let platform = Platform::start(Setup { says_when: true, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    platform.leads_here("shop.customer.test");
    let path = hostname(&api, &zone, "shop.customer.test", json!({"method": "http", "type": "dv"})).await;
    shows(&api, &path, "both certificates", has_both).await;
    let first = platform.is_served(&server, "shop.customer.test").await;
    // Both kinds of one order after the other, each in the place of its own.
    let renewed = |ssl: &Value| has_both(ssl) && platform.said.lock().unwrap().asked.len() >= 2 * AT_ONCE;
    shows(&api, &path, "both are renewed", renewed).await;
    let second = platform.is_served(&server, "shop.customer.test").await;
    assert_ne!(first, second);
    let said = platform.said.lock().unwrap();
    let (mut replaced, mut asked) = (said.replaced.clone(), said.asked[..AT_ONCE].to_vec());
    replaced.sort();
    asked.sort();
    assert_eq!(replaced, asked, "each once, and none of those that are to be renewed later");
    assert_eq!(said.asked.len(), 2 * AT_ONCE);
}
