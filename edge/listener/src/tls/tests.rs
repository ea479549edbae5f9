//! The front door with TLS, driven over real sockets by a client that checks certificates.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use http::{Request, Response};
use http_body_util::Full;
use prometheus::Registry;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::figures::Handshaken;
use crate::{
    Client, Figures, Handler, ListenerConfig, Places, Plain, Proxies, Received, TlsFigures, bind, sealed,
    serve,
};

mod client_certificates;
mod validation;

const PATIENCE: Duration = Duration::from_secs(60);

/// Says what it knows of the client.
struct Tells {
    file: Bytes,
    /// How many slow answers were begun.
    slow: Arc<AtomicUsize>,
}

impl Handler for Tells {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Received>, client: Client) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/client" => {
                let tls = client.encrypted.as_ref().unwrap();
                let shown = tls.client_certificate.as_ref().map_or("nothing", |shown| &shown.subject);
                return Response::new(Full::new(format!("{} shows {shown}\n", tls.cipher).into()));
            }
            "/file" => return Response::new(Full::new(self.file.clone())),
            "/slow" => {
                self.slow.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ => {}
        }
        let tls = match &client.encrypted {
            None => "none".to_owned(),
            Some(tls) => {
                let host = request.uri().host().or_else(|| request.headers().get("host")?.to_str().ok());
                let host = host.unwrap_or_default();
                let name = tls.server_name.as_deref().unwrap_or("nameless");
                format!("{} {name} {}", tls.version.name(), tls.is_for(host))
            }
        };
        let said = format!("{} {} {tls} {:?}\n", client.address, client.secure, request.version());
        Response::new(Full::new(said.into()))
    }
}

/// Certificates in memory, which count how often keys are asked for.
struct Table {
    names: HashMap<&'static str, u64>,
    keys: Keys,
    group: AtomicU16,
    /// Names with a group of their own.
    apart: Mutex<HashMap<&'static str, u16>>,
    asked: AtomicUsize,
}

const BROKEN: u64 = 99;

impl Certificates for Table {
    fn find(&self, name: &str) -> Option<Found> {
        let apart = self.apart.lock().unwrap().get(name).copied();
        let group = apart.unwrap_or_else(|| self.group.load(Ordering::Relaxed));
        self.names.get(name).map(|certificate| Found { certificate: *certificate, group })
    }

    fn keys<'a>(&'a self, _: &'a str, found: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = if found.certificate == BROKEN {
            Err(NoCertificate::Unavailable)
        } else {
            Ok(Arc::clone(&self.keys))
        };
        futures::future::ready(found).boxed()
    }
}

struct Running {
    address: SocketAddr,
    certificates: Arc<Table>,
    groups: Arc<Groups>,
    /// How many hours have passed.
    hours: Arc<AtomicU64>,
    root: CertificateDer<'static>,
    figures: Figures,
    tls: TlsFigures,
    slow: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn running(config: ListenerConfig) -> Running {
    let places = Places::new(&config, 1);
    running_at(config, places, super::accept::DEADLINE)
}

fn running_at(config: ListenerConfig, places: Places, deadline: Duration) -> Running {
    let names = ["a.test", "b.test", "other.test", "broken.test", "waits.test"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let root = made.cert.der().clone();
    let key = CertifiedKey::from_der(vec![root.clone()], key, &provider()).unwrap();
    let certificates = Arc::new(Table {
        names: HashMap::from([("a.test", 1), ("b.test", 1), ("other.test", 2), ("broken.test", BROKEN)]),
        keys: Arc::new(SingleCertAndKey::from(key)),
        group: AtomicU16::new(0),
        apart: Mutex::default(),
        asked: AtomicUsize::new(0),
    });
    let hours = Arc::<AtomicU64>::default();
    let shown = Arc::clone(&hours);
    // An hour before the fifteenth of June 2030.
    let clock = move || {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_907_708_400 + shown.load(Ordering::Relaxed) * 3_600)
    };
    let groups = Groups::with_clock(TicketSecret::new(&[1; 32]), Arc::new(clock));
    let groups = Arc::new(groups.unwrap());
    let registry = Registry::new();
    let figures = Figures::new(&registry, "test", "tests").unwrap();
    let tls = TlsFigures::new(&registry, "test", "tests").unwrap();
    let handshake = Tls::new(Arc::clone(&certificates) as _, Arc::clone(&groups), tls.clone());
    let handshake = handshake.with_challenges(Arc::clone(&certificates) as _).unwrap().within(deadline);
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let until = async move {
        let _stopped = stopped.await;
    };
    let slow = Arc::<AtomicUsize>::default();
    let handler = Arc::new(Tells { file: sealed::seal(&[b'f'; 1 << 20]).unwrap(), slow: Arc::clone(&slow) });
    let serving = tokio::spawn(serve(listener, handshake, handler, config, places, figures.clone(), until));
    let stop = Some(stop);
    Running { address, certificates, groups, hours, root, figures, tls, slow, stop, serving }
}

impl Running {
    fn client(&self, protocols: &[&[u8]]) -> ClientConfig {
        self.client_with(provider(), rustls::DEFAULT_VERSIONS, protocols)
    }

    fn client_with(
        &self,
        provider: Arc<CryptoProvider>,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    #[expect(clippy::disallowed_methods, reason = "a client of this test, not a guest's socket")]
    async fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    async fn connect(
        &self,
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<TlsStream<TcpStream>> {
        self.connect_after(b"", config, name).await
    }

    async fn connect_after(
        &self,
        before: &[u8],
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut stream = self.tcp().await;
        stream.write_all(before).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        let connected = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        tokio::time::timeout(PATIENCE, connected).await.expect("an answer")
    }

    async fn get(&self, config: &Arc<ClientConfig>, name: &'static str, path: &str) -> String {
        let mut stream = self.connect(config, name).await.unwrap();
        said(&mut stream, &format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n")).await
    }

    async fn counts(&self, what: Handshaken, count: u64) {
        eventually("it is counted", || self.tls.count(what) == count).await;
    }

    async fn stopped(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.serving).await.expect("it drains").unwrap();
    }
}

async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a request and reads to the end.
async fn said(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut read = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is closed").unwrap();
    String::from_utf8(read).unwrap()
}

/// What a client is refused with.
fn alert(refused: &io::Result<TlsStream<TcpStream>>) -> rustls::AlertDescription {
    let error = refused.as_ref().expect_err("it is refused").get_ref().expect("a reason");
    match error.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_visit_over_tls_says_so_and_by_which_name() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[b"http/1.1"]));
    let told = running.get(&client, "a.test", "/").await;
    assert!(told.ends_with("127.0.0.1 true TLSv1.3 a.test true HTTP/1.1\n"), "{told}");
    let tls12 = Arc::new(running.client_with(provider(), &[&rustls::version::TLS12], &[]));
    let told = running.get(&tls12, "b.test", "/").await;
    assert!(told.ends_with("127.0.0.1 true TLSv1.2 b.test true HTTP/1.1\n"), "{told}");
    running.counts(Handshaken::Full, 2).await;
}

#[tokio::test]
async fn another_host_may_come_over_the_connection_if_its_certificate_is_the_same() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[]));
    for (host, may) in [
        ("b.test", true),
        ("A.test.", false),
        ("a.test.", true),
        ("other.test", false),
        ("unknown.test", false),
    ] {
        let mut stream = running.connect(&client, "a.test").await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let told = said(&mut stream, &request).await;
        assert!(told.ends_with(&format!("a.test {may} HTTP/1.1\n")), "{host}: {told}");
    }
}

#[tokio::test]
async fn http2_is_spoken_where_it_was_agreed_upon_and_nowhere_else() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[b"h2", b"http/1.1"]));
    let stream = running.connect(&client, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let (answer, _) = sender.send_request(Request::get("https://b.test/").body(()).unwrap(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let told = body.data().await.unwrap().unwrap();
    assert_eq!(told, "127.0.0.1 true TLSv1.3 a.test true HTTP/2.0\n");
    drop((sender, body));
    let _ended = connection.await;

    let plain = Arc::new(running.client(&[]));
    let mut stream = running.connect(&plain, "a.test").await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let mut told = Vec::new();
    let _cut_off = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told)).await.expect("it is closed");
    assert_eq!(told, b"", "no word of HTTP/2");
    let off = Settings { http2: false, ..Settings::default() };
    running.certificates.group.store(running.groups.number(&off).unwrap(), Ordering::Relaxed);
    let stream = running.connect(&client, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_name_that_nobody_has_is_refused_by_that_word_and_nothing_is_asked_for_it() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[]));
    for _ in 0..100 {
        let refused = running.connect(&client, "unknown.test").await;
        assert_eq!(alert(&refused), rustls::AlertDescription::UnrecognisedName);
    }
    assert_eq!(running.certificates.asked.load(Ordering::Relaxed), 0);
    running.counts(Handshaken::UnknownName, 100).await;
    // A client without a name.
    let refused = running.connect(&client, "127.0.0.1").await;
    assert_eq!(alert(&refused), rustls::AlertDescription::UnrecognisedName);
    running.counts(Handshaken::NoName, 1).await;
    let refused = running.connect(&client, "broken.test").await;
    assert_eq!(alert(&refused), rustls::AlertDescription::InternalError);
    running.counts(Handshaken::Unavailable, 1).await;
    assert!(running.get(&client, "a.test", "/").await.contains("a.test"));
    eventually("no connection is left", || running.figures.open.get() == 0).await;
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let running = running(ListenerConfig::default());
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"SSH-2.0-x\r\n",
    ] {
        let mut stream = running.tcp().await;
        stream.write_all(bytes).await.unwrap();
        let mut read = Vec::new();
        let _reset =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is closed");
        assert!(!read.starts_with(b"HTTP"), "{read:?}");
    }
    running.counts(Handshaken::Refused, 3).await;
}

#[tokio::test]
async fn who_dawdles_in_the_handshake_is_cut_off_and_keeps_nobody_waiting() {
    // A time for heads that does not end in this test.
    let config = ListenerConfig { header_timeout: PATIENCE * 10, ..ListenerConfig::default() };
    let running = running_at(config.clone(), Places::new(&config, 1), Duration::from_secs(1));
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 100]].concat();
    let mut dawdlers = Vec::new();
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00", &hello] {
        for _ in 0..5 {
            let mut stream = running.tcp().await;
            stream.write_all(bytes).await.unwrap();
            dawdlers.push(stream);
        }
    }
    // One that goes on, a byte at a time.
    let slow = running.tcp().await;
    let trickle = tokio::spawn(async move {
        let mut slow = slow;
        for byte in hello {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slow
    });
    let client = Arc::new(running.client(&[]));
    assert!(running.get(&client, "a.test", "/").await.contains("a.test"));
    for mut stream in dawdlers {
        let mut read = Vec::new();
        let _reset =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is cut off");
    }
    eventually("all are closed", || running.figures.open.get() == 0).await;
    running.counts(Handshaken::Abandoned, 21).await;
    drop(trickle.await.unwrap());
}

#[tokio::test]
async fn a_session_is_taken_up_again_by_its_ticket_and_only_under_the_same_settings() {
    let running = running(ListenerConfig::default());
    let kind = async |client: &Arc<ClientConfig>, name| {
        let mut stream = running.connect(client, name).await.unwrap();
        // The ticket comes after the handshake.
        said(&mut stream, &format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n")).await;
        stream.get_ref().1.handshake_kind().unwrap()
    };
    let strict = Settings { least_version: LeastVersion::Tls13, ..Settings::default() };
    let strict = running.groups.number(&strict).unwrap();
    for versions in [&[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        let client = Arc::new(running.client_with(provider(), versions, &[]));
        assert_ne!(kind(&client, "a.test").await, HandshakeKind::Resumed);
        assert_eq!(kind(&client, "a.test").await, HandshakeKind::Resumed);
        assert_ne!(kind(&client, "b.test").await, HandshakeKind::Resumed, "another name");
        if versions == &[&rustls::version::TLS13] {
            // The name's settings become stricter: its ticket is of the lax ones.
            running.certificates.group.store(strict, Ordering::Relaxed);
            assert_ne!(kind(&client, "a.test").await, HandshakeKind::Resumed);
            assert_eq!(
                kind(&client, "a.test").await,
                HandshakeKind::Resumed,
                "by a ticket of the strict ones"
            );
            running.certificates.group.store(0, Ordering::Relaxed);
            assert_ne!(kind(&client, "a.test").await, HandshakeKind::Resumed, "nor the other way");
        }
    }
    assert_eq!(running.tls.count(Handshaken::Resumed), 3);
}

#[tokio::test]
async fn a_name_without_tls13_is_served_by_tls12_and_refused_to_newer_clients() {
    let running = running(ListenerConfig::default());
    let without = Settings { tls13: false, ..Settings::default() };
    running.certificates.group.store(running.groups.number(&without).unwrap(), Ordering::Relaxed);
    let new = Arc::new(running.client_with(provider(), &[&rustls::version::TLS13], &[]));
    let refused = running.connect(&new, "a.test").await;
    assert_eq!(alert(&refused), rustls::AlertDescription::ProtocolVersion);
    running.counts(Handshaken::Refused, 1).await;
    let both = Arc::new(running.client(&[]));
    assert!(running.get(&both, "a.test", "/").await.contains("TLSv1.2"));
}

#[tokio::test]
async fn a_name_for_tls13_alone_is_refused_to_older_clients() {
    let running = running(ListenerConfig::default());
    let strict = Settings { least_version: LeastVersion::Tls13, ..Settings::default() };
    running.certificates.group.store(running.groups.number(&strict).unwrap(), Ordering::Relaxed);
    let old = Arc::new(running.client_with(provider(), &[&rustls::version::TLS12], &[]));
    let refused = running.connect(&old, "a.test").await;
    assert_eq!(alert(&refused), rustls::AlertDescription::ProtocolVersion);
    running.counts(Handshaken::Refused, 1).await;
    let new = Arc::new(running.client(&[]));
    assert!(running.get(&new, "a.test", "/").await.contains("TLSv1.3"));
}

#[tokio::test]
async fn suites_of_tls12_are_those_that_a_name_has() {
    let running = running(ListenerConfig::default());
    let chosen = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    let settings = Settings { suites: Some(vec![u16::from(chosen)]), ..Settings::default() };
    running.certificates.group.store(running.groups.number(&settings).unwrap(), Ordering::Relaxed);
    let old = Arc::new(running.client_with(provider(), &[&rustls::version::TLS12], &[]));
    let stream = running.connect(&old, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.negotiated_cipher_suite().unwrap().suite(), chosen);
}

#[tokio::test]
async fn the_suite_is_ours_to_choose_but_for_whom_aes_is_slow() {
    let running = running(ListenerConfig::default());
    for (first, agreed) in [
        (CipherSuite::TLS13_AES_256_GCM_SHA384, CipherSuite::TLS13_AES_128_GCM_SHA256),
        (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ] {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != first);
        let client = Arc::new(running.client_with(Arc::new(provider), rustls::DEFAULT_VERSIONS, &[]));
        let stream = running.connect(&client, "a.test").await.unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite().unwrap().suite(), agreed);
        let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_before_the_handshake() {
    let proxies = Proxies { trusted: vec!["127.0.0.1/32".parse().unwrap()], ..Proxies::default() };
    let running = running(ListenerConfig { proxies, proxy_protocol: true, ..ListenerConfig::default() });
    let client = Arc::new(running.client(&[]));
    let header = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
    let mut stream = running.connect_after(header, &client, "a.test").await.unwrap();
    let told = said(&mut stream, "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").await;
    assert!(told.ends_with("203.0.113.7 true TLSv1.3 a.test true HTTP/1.1\n"), "{told}");
    assert!(running.connect(&client, "a.test").await.is_err(), "a proxy that says nothing is not served");
}

#[tokio::test]
async fn what_a_proxy_speaks_to_us_is_not_what_its_client_spoke() {
    let proxies = Proxies { trusted: vec!["127.0.0.1/32".parse().unwrap()], ..Proxies::default() };
    let running = running(ListenerConfig { proxies, ..ListenerConfig::default() });
    let client = Arc::new(running.client(&[]));
    let mut stream = running.connect(&client, "a.test").await.unwrap();
    let fields = "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: http\r\nconnection: close";
    let told =
        said(&mut stream, &format!("GET / HTTP/1.1\r\nhost: elsewhere.test\r\n{fields}\r\n\r\n")).await;
    assert!(told.ends_with("203.0.113.7 false none HTTP/1.1\n"), "{told}");
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_hold_up_the_end_and_what_is_asked_is_answered() {
    let running = running(ListenerConfig {
        header_timeout: PATIENCE * 10,
        idle_timeout: PATIENCE * 10,
        drain: PATIENCE * 10,
        ..ListenerConfig::default()
    });
    let client = Arc::new(running.client(&[]));
    let (_silent, mut half) = (running.tcp().await, running.tcp().await);
    half.write_all(b"\x16\x03\x01").await.unwrap();
    let _open = running.connect(&client, "a.test").await.unwrap();
    let mut asked = running.connect(&client, "a.test").await.unwrap();
    asked.write_all(b"GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
    asked.flush().await.unwrap();
    running.counts(Handshaken::Full, 2).await;
    eventually("all are open", || running.figures.open.get() == 4).await;
    eventually("the answer was begun", || running.slow.load(Ordering::Relaxed) == 1).await;
    running.stopped().await;
    let mut read = Vec::new();
    let _ended = tokio::time::timeout(PATIENCE, asked.read_to_end(&mut read)).await.expect("it is closed");
    assert!(String::from_utf8(read).unwrap().ends_with("HTTP/1.1\n"));
}

#[tokio::test]
async fn who_has_said_all_gets_the_answer_over_tls() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[]));
    let mut stream = running.connect(&client, "a.test").await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
    // The farewell of TLS, and the end of the client's half.
    stream.shutdown().await.unwrap();
    let mut read = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is closed").unwrap();
    let told = String::from_utf8(read).unwrap();
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with("HTTP/1.1\n"), "{told:?}");
}

#[tokio::test]
async fn what_lies_in_a_memory_file_arrives_encrypted_and_whole() {
    let running = running(ListenerConfig::default());
    let client = Arc::new(running.client(&[]));
    let told = running.get(&client, "a.test", "/file").await;
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(body.len() == 1 << 20 && body.bytes().all(|byte| byte == b'f'));
    eventually("nothing is left", || running.figures.unsent.get() == 0).await;
}

#[tokio::test]
async fn two_ports_share_what_one_client_may_have() {
    let config =
        ListenerConfig { max_connections: 3, max_connections_per_client: 2, ..ListenerConfig::default() };
    let places = Places::new(&config, 2);
    let running = running_at(config.clone(), places.clone(), PATIENCE);
    let plain = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = plain.local_addr().unwrap();
    let handler = Arc::new(Tells { file: Bytes::new(), slow: Arc::default() });
    let figures = running.figures.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move {
        let _stopped = stopped.await;
    };
    let plain = tokio::spawn(serve(plain, Plain, handler, config, places, figures, until));
    let connect = async |from: [u8; 4], to: SocketAddr| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(from), 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    };
    let is_closed = async |mut stream: TcpStream| {
        let mut read = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
        ended.expect("it is closed").map_or(true, |_| read.is_empty())
    };
    let _one = connect([127, 0, 0, 1], address).await;
    let _two = connect([127, 0, 0, 1], running.address).await;
    eventually("both are open", || running.figures.open.get() == 2).await;
    assert!(is_closed(connect([127, 0, 0, 1], address).await).await);
    assert!(is_closed(connect([127, 0, 0, 1], running.address).await).await);
    // The last place is another one's, at either door.
    let mut other = connect([127, 0, 0, 2], address).await;
    other.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    tokio::time::timeout(PATIENCE, other.read_to_end(&mut read)).await.expect("an answer").unwrap();
    assert!(read.ends_with(b"127.0.0.2 false none HTTP/1.1\n"));
    drop(stop);
    plain.abort();
}
