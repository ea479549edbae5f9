use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wasmyard_runtime::body;

use super::*;
use crate::egress::resolver::NoAddress;

/// Names and the addresses that they have.
struct Names(Vec<(&'static str, Vec<IpAddr>)>);

impl Resolve for Names {
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>> {
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

fn egress_with(policy: Policy, roots: RootCertStore) -> NetworkEgress {
    let config = EgressConfig {
        policy,
        connect_timeout: Duration::from_secs(2),
        first_byte_timeout: SOON,
        between_bytes_timeout: SOON,
        max_header_bytes: 8 << 10,
        dns_timeout: SOON,
        tls_timeout: Duration::from_secs(2),
        ..EgressConfig::default()
    };
    let mut egress = NetworkEgress::with_resolver(config, Box::new(names()), roots).unwrap();
    egress.connect_timeout = SOON;
    egress
}

fn open() -> NetworkEgress {
    let mut policy = Policy::default();
    policy.allow_loopback();
    egress_with(policy, RootCertStore::empty())
}

fn get(url: &str) -> OutboundRequest {
    OutboundRequest {
        request: Request::get(url).body(body::empty()).unwrap(),
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
    format!("{:?}", egress.send(request).await.expect_err("it must not be answered"))
}

#[tokio::test]
async fn a_response_comes_back_and_its_connection_is_used_again() {
    let (address, connections) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let egress = open();
    for _ in 0..20 {
        let url = format!("http://origin.test:{}/", address.port());
        let response = egress.send(get(&url)).await.unwrap();
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
    open().send(outbound).await.unwrap();
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
    let response = open().send(get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn names_and_ports_that_lead_nowhere_have_their_codes() {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
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

#[tokio::test]
async fn an_origin_that_stops_in_the_middle_ends_the_body_with_an_error() {
    let (stalled, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let (closed, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let egress = open();
    for (address, error) in [(stalled, "ConnectionReadTimeout"), (closed, "HttpResponseIncomplete")] {
        let response = egress.send(get(&format!("http://{address}/"))).await.unwrap();
        let failed = response.into_body().collect().await.err().unwrap();
        assert_eq!(format!("{failed:?}"), error);
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off_and_nonsense_is_refused() {
    let (endless, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        while stream.write_all(&[b'a'; 1024]).await.is_ok() {}
    })
    .await;
    let (nonsense, _) = saying("220 smtp ready\r\n\r\n").await;
    let egress = open();
    let cut = code(&egress, get(&format!("http://{endless}/"))).await;
    assert_eq!(cut, "HttpResponseHeaderSectionSize(None)");
    assert_eq!(code(&egress, get(&format!("http://{nonsense}/"))).await, "HttpProtocolError");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_a_trusted_one_taken() {
    let made = rcgen::generate_simple_self_signed(["origin.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let (address, _) = origin(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let url = format!("https://origin.test:{}/", address.port());
    assert_eq!(code(&open(), get(&url)).await, "TlsCertificateError");

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut policy = Policy::default();
    policy.allow_loopback();
    let response = egress_with(policy, roots).send(get(&url)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "secret");
}
