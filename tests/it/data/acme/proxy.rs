//! A proxy before an authority: it says when certificates are to be renewed, which Pebble does not, lets a request come to nothing,
//! or its answer, and refuses orders for a time. Everything else it passes on.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::connect;

/// What was asked of the proxy, and what it does with it.
#[derive(Default)]
pub(super) struct Said {
    /// Whether it says when to renew.
    pub(super) says_when: bool,
    /// The certificates that it was asked about, each once. The first two are to be renewed at once.
    pub(super) asked: Vec<String>,
    /// The certificates in whose place others were ordered.
    pub(super) replaced: Vec<String>,
    /// How many orders were made, and how many requests for a certificate were taken.
    pub(super) orders: usize,
    pub(super) finished: usize,
    /// Orders that came to nothing: it looked while nobody was there.
    pub(super) failed: BTreeSet<String>,
    /// Which request comes to nothing.
    pub(super) stop: Option<Stop>,
    /// It did.
    pub(super) stopped: Arc<Notify>,
    /// What the next orders are refused with: a status, and when to ask again.
    pub(super) refusals: VecDeque<(StatusCode, String)>,
}

/// A request that comes to nothing: nobody hears of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// A part of its path.
    pub(super) path: &'static str,
    /// How many of these come before it.
    pub(super) after: usize,
    /// Whether the authority gets it.
    pub(super) is_done: bool,
}

impl Said {
    /// Whether a request comes to nothing, and whether the authority gets it then.
    fn stops(&mut self, method: &Method, path: &str) -> Option<bool> {
        let stop = self.stop.as_mut().filter(|stop| method == Method::POST && path.contains(stop.path))?;
        if stop.after > 0 {
            stop.after -= 1;
            return None;
        }
        self.stop.take().map(|stop| stop.is_done)
    }
}

/// How many certificates are to be renewed at once.
pub(super) const AT_ONCE: usize = 2;

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
    let is_request = head.method == Method::POST && path.contains("finalize-order");
    let (stops, stopped) = {
        let mut said = said.lock().unwrap();
        if let Some((status, again)) = said.refusals.pop_front_if(|_| is_order) {
            return Ok(refusal(status, &again));
        }
        (said.stops(&head.method, &path), Arc::clone(&said.stopped))
    };
    if stops == Some(false) {
        stopped.notify_one();
        return std::future::pending().await;
    }
    let replaces = if is_order { replaced(&body) } else { None };
    let stream = connect(([127, 0, 0, 1], authority).into()).await;
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answered = sender.send_request(Request::from_parts(head, Full::new(body))).await.unwrap();
    let (mut head, body) = answered.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes();
    let shown = String::from_utf8_lossy(&body);
    let is_failed = path.contains("my-order") && shown.contains(r#""status": "invalid""#);
    let mut add = |name: &str, value: Value| {
        let mut whole: Value = serde_json::from_slice(&body).unwrap();
        whole[name] = value;
        body = whole.to_string().into();
    };
    if path == "/dir" && said.lock().unwrap().says_when {
        add("renewalInfo", json!(format!("https://localhost:{port}/renewal-info")));
    }
    if head.status.is_success() {
        let mut said = said.lock().unwrap();
        said.orders += usize::from(is_order);
        said.finished += usize::from(is_request);
        if is_failed {
            said.failed.insert(path.clone());
        }
    }
    if stops == Some(true) {
        stopped.notify_one();
        return std::future::pending().await;
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

/// Tells whoever orders to come again.
fn refusal(status: StatusCode, again: &str) -> Response<Full<Bytes>> {
    let problem = json!({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "come again", "status": status.as_u16()});
    let body = if status == StatusCode::TOO_MANY_REQUESTS { problem.to_string() } else { "away".to_owned() };
    let answer = Response::builder().status(status).header(header::RETRY_AFTER, again);
    answer.body(Full::new(body.into())).unwrap()
}
