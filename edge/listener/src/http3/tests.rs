//! HTTP/3 over real sockets, with a client of `h3` and with one that writes frames by hand.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf as _, Bytes};
use futures::future::{BoxFuture, FutureExt as _};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prometheus::Registry;
use quinn::crypto::rustls::QuicClientConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::oneshot;

use super::*;
use crate::figures::Handshaken;
use crate::interim::Interim;
use crate::received::{ReceiveError, Received};
use crate::tls::{
    Certificates, ClientAuth, Found, Groups, Keys, NoCertificate, Settings as TlsSettings, TicketSecret,
};
use crate::{ListenerConfig, TlsFigures};

mod bounds;
mod frames;

const PATIENCE: Duration = Duration::from_secs(60);

type Body = UnsyncBoxBody<Bytes, ReceiveError>;

/// Answers by the path that is asked for.
#[derive(Default)]
struct Tells {
    /// Requests for `/wait` that nobody has given up.
    waiting: Arc<AtomicUsize>,
    /// Lets those for `/gate` go on.
    gate: tokio::sync::Notify,
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

impl Handler for Tells {
    type Body = Body;

    async fn answer(&self, request: Request<Received>, client: Client) -> Response<Body> {
        let (head, body) = request.into_parts();
        let said = match head.uri.path() {
            "/echo" => match body.collect().await {
                Ok(read) => {
                    let trailers = read.trailers().map_or(0, HeaderMap::len);
                    full([read.to_bytes(), Bytes::from(format!("{trailers}"))].concat())
                }
                Err(error) => full(format!("{error}")),
            },
            "/empty" => full(format!("{} {:?}", body.is_end_stream(), body.size_hint().exact())),
            "/wait" => {
                self.waiting.fetch_add(1, Ordering::AcqRel);
                let _waiting = Waiting(Arc::clone(&self.waiting));
                std::future::pending().await
            }
            "/gate" => {
                self.waiting.fetch_add(1, Ordering::AcqRel);
                self.gate.notified().await;
                full("through")
            }
            "/large" => {
                let pieces = (0..64).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 64 << 10]))));
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            "/pieces" => {
                let pieces = (0..64).map(|_| Ok(Frame::data(Bytes::from_static(&[b'x'; 1 << 10]))));
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            "/broken" => {
                let pieces = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(ReceiveError::Reset)];
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            "/hints" => {
                let link = HeaderValue::from_static("</a.css>; rel=preload");
                let hints = HeaderMap::from_iter([(http::header::LINK, link)]);
                head.extensions.get::<Interim>().unwrap().hint(hints);
                self.gate.notified().await;
                full("hinted")
            }
            _ => {
                let tls = client.encrypted.as_ref().unwrap();
                let name = tls.server_name.as_deref().unwrap_or("nameless");
                let is_for = tls.is_for(head.uri.host().unwrap_or_default());
                let version = head.version;
                full(format!("{} {version:?} {name} {} {is_for}", client.address, tls.cipher))
            }
        };
        let mut response = Response::new(said);
        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
        response
    }
}

#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Certificates in memory, but for one that has to be fetched first.
struct Table {
    groups: HashMap<&'static str, u16>,
    keys: Keys,
    fetched: Arc<AtomicUsize>,
}

impl Certificates for Table {
    fn find(&self, name: &str) -> Option<Found> {
        self.groups.get(name).map(|group| Found { certificate: 1, group: *group })
    }

    fn keys<'a>(&'a self, name: &'a str, _: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>> {
        let (keys, fetched) = (Arc::clone(&self.keys), Arc::clone(&self.fetched));
        let is_cold = name == "cold.test" && fetched.load(Ordering::Acquire) == 0;
        async move {
            if is_cold {
                tokio::task::yield_now().await;
                fetched.fetch_add(1, Ordering::AcqRel);
            }
            Ok(keys)
        }
        .boxed()
    }
}

struct Running {
    address: SocketAddr,
    handler: Arc<Tells>,
    root: CertificateDer<'static>,
    figures: Figures,
    tls: TlsFigures,
    fetched: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<io::Result<()>>,
}

/// A group of settings that asks clients for certificates.
fn asking(groups: &Groups) -> u16 {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let clients = Some(ClientAuth::new(vec![authority.der().clone()], true).unwrap());
    groups.number(&TlsSettings { clients, ..TlsSettings::default() }).unwrap()
}

fn running(config: ListenerConfig) -> Running {
    let places = Places::new(&config, 1);
    let names = ["a.test", "b.test", "asks.test", "old.test", "cold.test"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let root = made.cert.der().clone();
    let certified = CertifiedKey::from_der(vec![root.clone()], key, &provider).unwrap();
    let groups = Groups::new(TicketSecret::new(&[7; 32])).unwrap();
    let old = groups.number(&TlsSettings { tls13: false, ..TlsSettings::default() }).unwrap();
    let table = Table {
        groups: HashMap::from([
            ("a.test", 0),
            ("b.test", 0),
            ("cold.test", 0),
            ("old.test", old),
            ("asks.test", asking(&groups)),
        ]),
        keys: Arc::new(One(Arc::new(certified))),
        fetched: Arc::default(),
    };
    let fetched = Arc::clone(&table.fetched);
    let registry = Registry::new();
    let figures = Figures::new(&registry, "test", "tests").unwrap();
    let tls_figures = TlsFigures::new(&registry, "test", "tests").unwrap();
    let tls = Tls::new(Arc::new(table), Arc::new(groups), tls_figures.clone());
    let socket = bind_udp((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let handler = Arc::<Tells>::default();
    let serving = {
        let (handler, figures) = (Arc::clone(&handler), figures.clone());
        tokio::spawn(async move {
            let stop = async {
                let _stopped = stopped.await;
            };
            serve_http3(socket, &tls, handler, config, places, figures, stop).await
        })
    };
    Running { address, handler, root, figures, tls: tls_figures, fetched, stop: Some(stop), serving }
}

/// A connection of `h3`, and what drives it.
struct Session {
    quic: quinn::Connection,
    send: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    driving: tokio::task::JoinHandle<h3::error::ConnectionError>,
}

type RequestStream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

impl Running {
    fn client(&self) -> quinn::Endpoint {
        self.client_with(quinn::TransportConfig::default())
    }

    fn client_with(&self, transport: quinn::TransportConfig) -> quinn::Endpoint {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // A hello that fits into one datagram.
        provider.kx_groups.retain(|group| group.name() == rustls::NamedGroup::X25519);
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h3".to_vec()];
        config.enable_early_data = true;
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
        config.transport_config(Arc::new(transport));
        let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(config);
        endpoint
    }

    async fn quic(
        &self,
        client: &quinn::Endpoint,
        name: &str,
    ) -> Result<quinn::Connection, quinn::ConnectionError> {
        client.connect(self.address, name).unwrap().await
    }

    async fn session(&self, client: &quinn::Endpoint) -> Session {
        Session::over(self.quic(client, "a.test").await.unwrap()).await
    }

    async fn refused(&self, why: Refused, count: u64) {
        until(|| self.figures.count(why) >= count).await;
    }
}

impl Session {
    async fn over(quic: quinn::Connection) -> Self {
        let wire = h3_quinn::Connection::new(quic.clone());
        let (mut driver, send) = h3::client::new(wire).await.unwrap();
        let driving = tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        Self { quic, send, driving }
    }

    async fn ask(&mut self, request: http::request::Builder) -> RequestStream {
        self.send.send_request(request.body(()).unwrap()).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> (Response<()>, String) {
        let mut stream = self.ask(Request::get(format!("https://a.test{path}"))).await;
        stream.finish().await.unwrap();
        answer(&mut stream).await
    }
}

/// Reads an answer to its end.
async fn answer(stream: &mut RequestStream) -> (Response<()>, String) {
    let response = stream.recv_response().await.unwrap();
    (response, String::from_utf8(rest(stream).await.unwrap()).unwrap())
}

async fn rest(stream: &mut RequestStream) -> Result<Vec<u8>, h3::error::StreamError> {
    let mut read = Vec::new();
    while let Some(mut data) = stream.recv_data().await? {
        read.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Ok(read)
}

/// Waits for something that nobody tells of.
async fn until(is_so: impl Fn() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("it does not come");
}

#[tokio::test]
async fn a_request_is_answered_with_all_that_is_known_of_its_client() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let (response, said) = session.get("/").await;
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_3));
    assert_eq!(said, "127.0.0.1 HTTP/3.0 a.test AEAD-AES256-GCM-SHA384 true");
    assert_eq!(response.headers()["content-length"], said.len().to_string().as_str());
    assert!(response.headers().contains_key("date") && !response.headers().contains_key("connection"));
    assert_eq!(session.get("/empty").await.1, "true Some(0)");
    assert_eq!(running.tls.count(Handshaken::Http3), 1);
    assert_eq!((running.figures.open.get(), running.figures.accepted.get()), (1, 1));
    session.quic.close(0_u32.into(), b"");
    until(|| running.figures.open.get() == 0).await;
}

#[tokio::test]
async fn bodies_and_trailers_come_in_and_large_answers_go_out() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::post("https://a.test/echo")).await;
    for _ in 0..40 {
        stream.send_data(Bytes::from(vec![b'b'; 50_000])).await.unwrap();
    }
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))]);
    stream.send_trailers(trailers).await.unwrap();
    stream.finish().await.unwrap();
    let (_, said) = answer(&mut stream).await;
    assert_eq!(said.len(), 2_000_001);
    assert!(said.ends_with("b1"));
    let (_, large) = session.get("/large").await;
    assert_eq!(large.len(), 4 << 20);
    assert_eq!(running.figures.unsent.get(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/broken")).await;
    stream.finish().await.unwrap();
    // Of what was sent before the reset a client may see nothing.
    let broken = match stream.recv_response().await {
        Ok(_) => rest(&mut stream).await.unwrap_err(),
        Err(broken) => broken,
    };
    assert!(broken.to_string().contains("H3_INTERNAL_ERROR"), "{broken}");
    assert_eq!(session.get("/").await.0.status(), StatusCode::OK, "the connection goes on");
}

#[tokio::test]
async fn names_that_cannot_be_served_so_are_refused_in_the_handshake() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    for (name, result, count) in [
        ("unknown.test", Handshaken::UnknownName, 1),
        ("asks.test", Handshaken::Refused, 1),
        ("old.test", Handshaken::Refused, 2),
    ] {
        running.quic(&client, name).await.unwrap_err();
        until(|| running.tls.count(result) == count).await;
    }
    assert_eq!(running.figures.open.get(), 0);
    // Whoever has a connection for another name is told where not to ask.
    let mut session = running.session(&client).await;
    for (host, is_for) in
        [("b.test", true), ("asks.test", false), ("old.test", false), ("unknown.test", false)]
    {
        let mut stream = session.ask(Request::get(format!("https://{host}/"))).await;
        stream.finish().await.unwrap();
        assert!(answer(&mut stream).await.1.ends_with(&is_for.to_string()), "{host}");
    }
}

#[tokio::test]
async fn a_name_whose_keys_are_not_in_memory_is_served_the_next_time() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    running.quic(&client, "cold.test").await.unwrap_err();
    until(|| running.fetched.load(Ordering::Acquire) == 1).await;
    running.quic(&client, "cold.test").await.unwrap();
    until(|| running.tls.count(Handshaken::Unavailable) == 1).await;
}

#[tokio::test]
async fn a_session_is_taken_up_again_and_never_by_early_data() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    session.get("/").await;
    let connecting = client.connect(running.address, "a.test").unwrap();
    let connecting = connecting.into_0rtt().map(|_| ()).expect_err("there is no early data");
    connecting.await.unwrap();
}

#[tokio::test]
async fn early_hints_come_before_the_answer() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut stream = session.ask(Request::get("https://a.test/hints")).await;
    stream.finish().await.unwrap();
    let hints = stream.recv_response().await.unwrap();
    assert_eq!(hints.status(), StatusCode::EARLY_HINTS);
    assert_eq!(hints.headers()["link"], "</a.css>; rel=preload");
    running.handler.gate.notify_one();
    let (response, said) = answer(&mut stream).await;
    assert_eq!((response.status(), said.as_str()), (StatusCode::OK, "hinted"));
}

#[tokio::test]
async fn a_client_who_does_not_want_an_answer_ends_the_work_for_it() {
    let running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let waiting = || running.handler.waiting.load(Ordering::Acquire);
    let mut stream = session.ask(Request::get("https://a.test/wait")).await;
    stream.finish().await.unwrap();
    until(|| waiting() == 1).await;
    stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
    until(|| waiting() == 0).await;
    let _left = session.ask(Request::get("https://a.test/wait")).await;
    until(|| waiting() == 1).await;
    session.quic.close(0_u32.into(), b"");
    until(|| waiting() == 0).await;
}

#[tokio::test]
async fn a_drain_lets_what_is_in_flight_finish_and_takes_nothing_more() {
    let mut running = running(ListenerConfig::default());
    let client = running.client();
    let mut session = running.session(&client).await;
    let mut idle = running.session(&client).await;
    idle.get("/").await;
    let mut stream = session.ask(Request::get("https://a.test/gate")).await;
    stream.finish().await.unwrap();
    until(|| running.handler.waiting.load(Ordering::Acquire) == 1).await;
    running.stop.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(PATIENCE, idle.driving).await.unwrap().unwrap();
    assert!(ended.is_h3_no_error(), "{ended}");
    let late = session.send.send_request(Request::get("https://a.test/").body(()).unwrap()).await;
    assert!(late.is_err(), "it was told that nothing more is taken");
    assert!(running.quic(&client, "a.test").await.is_err());
    running.handler.gate.notify_one();
    assert_eq!(answer(&mut stream).await.1, "through");
    tokio::time::timeout(PATIENCE, running.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let mut running =
        running(ListenerConfig { drain: Duration::from_millis(50), ..ListenerConfig::default() });
    let client = running.client();
    let mut session = running.session(&client).await;
    let _waits = session.ask(Request::get("https://a.test/wait")).await;
    until(|| running.handler.waiting.load(Ordering::Acquire) == 1).await;
    running.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.serving).await.unwrap().unwrap().unwrap();
    session.quic.closed().await;
}
