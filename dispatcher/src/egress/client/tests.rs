//! Egress against origins on loopback. What many tests need is here; what breaks rules is in the files beside.

mod again;
mod faulty;
mod h2;
mod names;
mod sharing;
mod tls;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wasmyard_net::NoAddress;
use wasmyard_runtime::body;

use super::*;

/// Names and the addresses that they have.
struct Names(Vec<(&'static str, Vec<IpAddr>)>);

impl Resolve for Names {
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>> {
        if name == "lost.test" {
            return std::future::pending().boxed();
        }
        let found = self.0.iter().find(|(known, _)| *known == name).map(|(_, found)| found.clone());
        async move { found.ok_or(NoAddress::NotFound) }.boxed()
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_millis(100);

fn names() -> Names {
    let public = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));
    Names(vec![("origin.test", vec![LOOPBACK]), ("mixed.test", vec![public, LOOPBACK])])
}

fn short(policy: Policy) -> EgressConfig {
    EgressConfig {
        policy,
        connect_timeout: Duration::from_secs(2),
        first_byte_timeout: SOON,
        between_bytes_timeout: SOON,
        max_header_bytes: 8 << 10,
        dns_timeout: SOON,
        tls_timeout: Duration::from_secs(2),
        ..EgressConfig::default()
    }
}

fn egress_from(config: EgressConfig, resolver: Arc<dyn Resolve>, roots: RootCertStore) -> NetworkEgress {
    NetworkEgress::with(config, figures().1, resolver, roots).unwrap()
}

/// Figures, and how to look at one of them: a series with its labels, or the sum of all series of a name.
fn figures() -> (impl Fn(&str) -> f64, EgressFigures) {
    let registry = prometheus::Registry::new();
    let figures = EgressFigures::new(&registry).unwrap();
    let shown = move |series: &str| {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted = |name: &str| name == series || name.split('{').next() == Some(series);
        lines.filter(|(name, _)| wanted(name)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    };
    (shown, figures)
}

/// TLS with this certificate, offering these protocols.
fn acceptor(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    protocols: &[&[u8]],
) -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    tokio_rustls::TlsAcceptor::from(Arc::new(server))
}

fn egress_with(policy: Policy, roots: RootCertStore) -> NetworkEgress {
    egress_from(short(policy), Arc::new(names()), roots)
}

/// Waits longer than any test takes, except where a guest asks for less.
fn patient() -> EgressConfig {
    let mut policy = Policy::default();
    policy.allow_loopback();
    EgressConfig { policy, ..EgressConfig::default() }
}

fn egress_of(config: EgressConfig) -> NetworkEgress {
    egress_from(config, Arc::new(names()), RootCertStore::empty())
}

fn open() -> NetworkEgress {
    let mut policy = Policy::default();
    policy.allow_loopback();
    egress_with(policy, RootCertStore::empty())
}

fn get(url: &str) -> OutboundRequest {
    OutboundRequest {
        request: Request::get(url).body(body::empty()).unwrap(),
        shows: None,
        connect_timeout: None,
        first_byte_timeout: None,
        between_bytes_timeout: None,
    }
}

/// An origin that runs `answer` for each connection and counts them.
async fn origin<F, A>(answer: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream));
        }
    });
    (address, connections)
}

/// Keeps a connection open, and says nothing.
async fn holding(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// Reads the head of a request; none at the end of the connection.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(seen).ok()
}

async fn saying(text: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    origin(move |mut stream| async move {
        while head(&mut stream).await.is_some() {
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    })
    .await
}

async fn code(egress: &NetworkEgress, request: OutboundRequest) -> String {
    format!("{:?}", egress.send(Sender::Platform, request).await.expect_err("it must not be answered"))
}

#[tokio::test]
async fn a_response_comes_back_and_its_connection_is_used_again() {
    let (address, connections) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let egress = open();
    for _ in 0..20 {
        let url = format!("http://origin.test:{}/", address.port());
        let response = egress.send(Sender::Platform, get(&url)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn host_comes_from_the_url_and_no_field_of_another_hop_goes_out() {
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = origin(move |mut stream| {
        let heads = heads.clone();
        async move {
            heads.send(head(&mut stream).await.unwrap()).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let url = format!("http://origin.test:{}/a?b", address.port());
    let mut outbound = get(&url);
    let fields = outbound.request.headers_mut();
    for (name, value) in
        [("host", "evil.test"), ("proxy-authorization", "x"), ("te", "trailers"), ("x-own", "1")]
    {
        fields.insert(name, value.parse().unwrap());
    }
    open().send(Sender::Platform, outbound).await.unwrap();
    let head = seen.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /a?b http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: origin.test:{}\r\n", address.port())), "{head}");
    assert!(head.contains("x-own: 1"), "{head}");
    for gone in ["evil", "proxy-authorization", "te: "] {
        assert!(!head.contains(gone), "{head}");
    }
}

#[tokio::test]
async fn what_the_policy_refuses_opens_no_connection() {
    let (address, connections) = saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let egress = egress_with(Policy::default(), RootCertStore::empty());
    let port = address.port();
    for host in ["origin.test", "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "mixed.test"] {
        let refused = code(&egress, get(&format!("http://{host}:{port}/"))).await;
        assert_eq!(refused, "DestinationIpProhibited", "{host}");
    }
    assert_eq!(code(&egress, get("http://example.test:25/")).await, "HttpRequestDenied");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_platforms_own_ports_are_never_reached() {
    let (address, connections) = saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut policy = Policy { own_ports: vec![address.port()], ..Policy::default() };
    policy.allow_loopback();
    let egress = egress_with(policy, RootCertStore::empty());
    assert_eq!(code(&egress, get(&format!("http://{address}/"))).await, "DestinationIpProhibited");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_handed_to_the_script_and_not_followed() {
    let text = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (address, connections) = saying(text).await;
    let response = open().send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn names_and_ports_that_lead_nowhere_have_their_codes() {
    // Bound and not listened on: nobody else gets the port meanwhile.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(std::net::SocketAddr::from((LOOPBACK, 0))).unwrap();
    let closed = nobody.local_addr().unwrap();
    let egress = open();
    assert!(code(&egress, get("http://nobody.test/")).await.starts_with("DnsError"));
    assert_eq!(code(&egress, get(&format!("http://{closed}/"))).await, "ConnectionRefused");
    assert_eq!(code(&egress, get("http://u:p@origin.test/")).await, "HttpRequestUriInvalid");
    let mut ftp = get("http://origin.test/");
    *ftp.request.uri_mut() = "ftp://origin.test/".parse().unwrap();
    assert_eq!(code(&egress, ftp).await, "HttpRequestUriInvalid");
}

#[tokio::test]
async fn an_origin_that_never_answers_is_given_up() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(code(&open(), get(&format!("http://{address}/"))).await, "HttpResponseTimeout");
}

/// A request whose body comes out of a channel.
fn streaming(url: &str) -> (OutboundRequest, tokio::sync::mpsc::UnboundedSender<&'static str>) {
    let (pieces, taken) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let frames = stream::unfold(taken, |mut taken| async move {
        let piece = taken.recv().await?;
        Some((Ok(Frame::data(Bytes::from_static(piece.as_bytes()))), taken))
    });
    let mut outbound = get(url);
    *outbound.request.method_mut() = http::Method::POST;
    *outbound.request.body_mut() = StreamBody::new(frames.boxed()).boxed_unsync();
    (outbound, pieces)
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once_and_trailers_come_through() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        let began = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(began).await.unwrap();
        for _ in 0..3 {
            // A chunk comes in, and goes back as it is.
            let mut chunk = [0; b"3\r\none\r\n".len()];
            stream.read_exact(&mut chunk).await.unwrap();
            stream.write_all(&chunk).await.unwrap();
        }
        stream.read_exact(&mut [0; b"0\r\n\r\n".len()]).await.unwrap();
        stream.write_all(b"0\r\nx-sum: 9\r\n\r\n").await.unwrap();
    })
    .await;
    let (outbound, pieces) = streaming(&format!("http://{address}/"));
    let mut echoed = egress_of(patient()).send(Sender::Platform, outbound).await.unwrap().into_body();
    for piece in ["one", "two", "six"] {
        pieces.send(piece).unwrap();
        assert_eq!(echoed.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(pieces);
    let trailers = echoed.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["x-sum"], "9");
    assert!(echoed.frame().await.is_none());
}

#[tokio::test]
async fn an_upload_may_take_longer_than_an_answer_as_long_as_it_goes_on() {
    let (address, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        stream.read_exact(&mut [0; b"3\r\none\r\n".len() * 4 + b"0\r\n\r\n".len()]).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let (mut outbound, pieces) = streaming(&format!("http://{address}/"));
    outbound.first_byte_timeout = Some(Duration::from_millis(600));
    let began = std::time::Instant::now();
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(Duration::from_millis(250));
        for _ in 0..4 {
            turns.tick().await;
            pieces.send("one").unwrap();
        }
        turns.tick().await;
    });
    assert_eq!(egress_of(patient()).send(Sender::Platform, outbound).await.unwrap().status(), 204);
    assert!(began.elapsed() > Duration::from_millis(600));
}

#[tokio::test]
async fn a_guest_can_shorten_every_wait_and_lengthen_none() {
    let (silent, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let (stalled, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let hour = Some(Duration::from_secs(3_600));
    let short = EgressConfig {
        dns_timeout: Duration::ZERO,
        connect_timeout: SOON,
        tls_timeout: Duration::ZERO,
        first_byte_timeout: SOON,
        between_bytes_timeout: SOON,
        ..patient()
    };
    for (config, asked) in [(patient(), Some(SOON)), (short, hour)] {
        let egress = egress_of(config);
        let with = |url: String| OutboundRequest { connect_timeout: asked, ..get(&url) };
        assert_eq!(code(&egress, with("http://lost.test/".to_owned())).await, "ConnectionTimeout");

        let with = |url: String| OutboundRequest { first_byte_timeout: asked, ..get(&url) };
        assert_eq!(code(&egress, with(format!("http://{silent}/"))).await, "HttpResponseTimeout");

        let with = |url: String| OutboundRequest { between_bytes_timeout: asked, ..get(&url) };
        let response = egress.send(Sender::Platform, with(format!("http://{stalled}/"))).await.unwrap();
        let failed = response.into_body().collect().await.err().unwrap();
        assert_eq!(format!("{failed:?}"), "ConnectionReadTimeout");
    }
}

#[tokio::test]
async fn bytes_beyond_the_promised_length_are_nobodys_answer() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\
                HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let (address, connections) = saying(text).await;
    let egress = open();
    for expected in 1..=3 {
        let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        assert_eq!(connections.load(Ordering::SeqCst), expected, "such a connection is not used again");
    }
}

/// Answers with an address that is allowed, and from then on with one that is not.
struct Turning(Arc<AtomicUsize>);

impl Resolve for Turning {
    fn resolve(&self, _: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>> {
        let inside = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        async move { Ok(vec![if first { LOOPBACK } else { inside }]) }.boxed()
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_looked_up_once_for_a_connection_and_judged_for_the_next() {
    let (address, connections) = origin(|mut stream| async move {
        head(&mut stream).await;
        let last = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(last).await.unwrap();
    })
    .await;
    let looked_up = Arc::new(AtomicUsize::new(0));
    let resolver = Arc::new(Turning(Arc::clone(&looked_up)));
    let egress = egress_from(patient(), resolver, RootCertStore::empty());
    let url = format!("http://rebind.test:{}/", address.port());
    let response = egress.send(Sender::Platform, get(&url)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(looked_up.load(Ordering::SeqCst), 1);
    assert_eq!(code(&egress, get(&url)).await, "DestinationIpProhibited");
    assert_eq!((looked_up.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn kept_connections_make_room_and_used_ones_are_bounded() {
    let (one, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let (two, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let (stalled, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let egress = egress_of(EgressConfig { max_connections: 1, connect_timeout: SOON, ..patient() });
    for address in [one, two, one] {
        let response = egress.send(Sender::Platform, get(&format!("http://{address}/"))).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    let held = egress.send(Sender::Platform, get(&format!("http://{stalled}/"))).await.unwrap();
    assert_eq!(code(&egress, get(&format!("http://{one}/"))).await, "ConnectionLimitReached");
    drop(held);
    assert!(egress.send(Sender::Platform, get(&format!("http://{one}/"))).await.is_ok());
}

#[tokio::test]
async fn an_origin_that_offers_http_2_is_asked_over_one_connection_by_many() {
    let made = rcgen::generate_simple_self_signed(["origin.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let acceptor = acceptor((made.cert.der().clone(), key), &[b"h2"]);
    let (address, connections) = origin(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                let text = format!("{:?} {}", request.version(), request.uri());
                Ok::<_, std::convert::Infallible>(Response::new(text))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            assert!(serving.await.is_ok(), "the connection ends as agreed");
        }
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let egress = egress_from(patient(), Arc::new(names()), roots);
    let url = format!("https://origin.test:{}/a?b", address.port());
    let asked = || async {
        let response = egress.send(Sender::Platform, get(&url)).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    assert_eq!(asked().await, format!("HTTP/2.0 {url}"));
    let answers = futures::future::join_all((0..20).map(|_| asked())).await;
    assert!(answers.iter().all(|answer| *answer == format!("HTTP/2.0 {url}")));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
