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
use rustls::sign::{CertifiedKey, SingleCertAndKey};
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
mod requests;

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

/// Certificates in memory, but for one that has to be fetched first, and one that cannot be.
struct Table {
    groups: HashMap<&'static str, u16>,
    keys: Keys,
    fetches: Arc<Fetches>,
}

/// Keys that are fetched.
#[derive(Default)]
struct Fetches {
    begun: AtomicUsize,
    done: AtomicUsize,
    gate: tokio::sync::Notify,
}

impl Certificates for Table {
    fn find(&self, name: &str) -> Option<Found> {
        self.groups.get(name).map(|group| Found { certificate: 1, group: *group })
    }

    fn keys<'a>(&'a self, name: &'a str, _: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>> {
        let (keys, fetches) = (Arc::clone(&self.keys), Arc::clone(&self.fetches));
        let is_broken = name == "broken.test";
        let is_cold = name == "cold.test" && fetches.done.load(Ordering::Acquire) == 0;
        async move {
            if is_cold || is_broken {
                let mut gate = std::pin::pin!(fetches.gate.notified());
                gate.as_mut().enable();
                fetches.begun.fetch_add(1, Ordering::AcqRel);
                gate.await;
            }
            if is_broken {
                return Err(NoCertificate::Unavailable);
            }
            fetches.done.fetch_add(usize::from(is_cold), Ordering::AcqRel);
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
    fetches: Arc<Fetches>,
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
    let names = ["a.test", "b.test", "asks.test", "old.test", "cold.test", "broken.test"].map(str::to_owned);
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
            ("broken.test", 0),
            ("old.test", old),
            ("asks.test", asking(&groups)),
        ]),
        keys: Arc::new(SingleCertAndKey::from(certified)),
        fetches: Arc::default(),
    };
    let fetches = Arc::clone(&table.fetches);
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
    Running { address, handler, root, figures, tls: tls_figures, fetches, stop: Some(stop), serving }
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
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // A hello that fits into one datagram.
        provider.kx_groups.retain(|group| group.name() == rustls::NamedGroup::X25519);
        self.client_of(provider, transport)
    }

    fn client_of(
        &self,
        provider: rustls::crypto::CryptoProvider,
        transport: quinn::TransportConfig,
    ) -> quinn::Endpoint {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
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

    /// How many keys were, or are, fetched.
    fn fetching(&self) -> usize {
        self.fetches.begun.load(Ordering::Acquire)
    }

    /// Lets go on what is being fetched.
    fn lets_fetch(&self) {
        self.fetches.gate.notify_waiters();
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
