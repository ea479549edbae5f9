//! A listener on a port of its own, driven over real sockets.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;
use crate::exchange::Client;
use crate::proxies::Proxies;
use crate::received::Received;
use crate::socket::Socket;
use crate::transport::{Plain, Rewound, Shaken};

const PATIENCE: Duration = Duration::from_secs(60);
type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Says who asked for what, and reads no body but at `/read`.
#[derive(Default)]
struct Tells {
    /// Bodies of answers that are alive.
    alive: Arc<std::sync::atomic::AtomicUsize>,
}

struct Counted(Body, Arc<std::sync::atomic::AtomicUsize>);

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

impl Handler for Tells {
    type Body = Counted;

    async fn answer(&self, request: Request<Received>, client: Client) -> Response<Counted> {
        let (head, body) = request.into_parts();
        let body = match head.uri.path() {
            "/read" => full(body.collect().await.map(|body| body.to_bytes()).unwrap_or_default()),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                full("slow\n")
            }
            "/wait" => std::future::pending().await,
            "/large" => {
                let pieces = (0..64).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 16 << 10]))));
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            "/tiny" => {
                let pieces = std::iter::repeat_n([&b"x"[..], b"", b""], 10_000_000).flatten();
                let pieces = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece))));
                StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
            }
            _ => full(format!("{} {} {}\n", client.address, client.secure, head.uri.path())),
        };
        self.alive.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        Response::new(Counted(body, Arc::clone(&self.alive)))
    }
}

struct Running {
    address: SocketAddr,
    figures: Figures,
    alive: Arc<std::sync::atomic::AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<()>,
}

fn running_with<T: Handshake>(config: ListenerConfig, handshake: T) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let figures = Figures::new(&Registry::new(), "test", "tests").unwrap();
    let (stop, stopped) = oneshot::channel();
    let handler = Arc::new(Tells::default());
    let alive = Arc::clone(&handler.alive);
    let until = async move {
        let _stopped = stopped.await;
    };
    let places = Places::new(&config, 1);
    let serving = tokio::spawn(serve(listener, handshake, handler, config, places, figures.clone(), until));
    Running { address, figures, alive, stop: Some(stop), serving }
}

fn running(config: ListenerConfig) -> Running {
    running_with(config, Plain)
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "a client of this test, not a guest's socket")]
    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    async fn connect_with(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream
    }

    /// Sends bytes and reads until the listener closes.
    async fn said(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect_with(bytes).await;
        rest(&mut stream).await
    }

    /// The end of serving.
    async fn stopped(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.serving).await.expect("it drains").unwrap();
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A connection that is reset is at its end as well.
    let _ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is closed");
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads one answer of a known length, and says its head and its content.
async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end].to_vec()).unwrap().to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if read.len() >= end + 4 + length {
                return (head, String::from_utf8(read[end + 4..].to_vec()).unwrap());
            }
        }
        let more = tokio::time::timeout(PATIENCE, stream.read_buf(&mut read)).await.expect("it answers");
        assert!(more.unwrap() > 0, "closed after {:?}", String::from_utf8_lossy(&read));
    }
}

async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !look() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_a_head() {
    let running = running(ListenerConfig::default());
    let mut stream = running.connect().await;
    for byte in GET.bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(rest(&mut stream).await.ends_with("127.0.0.1 false /\n"));
}

#[tokio::test]
async fn what_begins_like_http2_and_is_none_is_refused_as_http1() {
    let running = running(ListenerConfig::default());
    assert!(running.said("PROPFIND\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert!(
        running
            .said("PATCH / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_up_the_end() {
    let running = running(ListenerConfig {
        header_timeout: PATIENCE * 10,
        idle_timeout: PATIENCE * 10,
        drain: PATIENCE * 10,
        ..ListenerConfig::default()
    });
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut held = Vec::new();
    for bytes in ["", "P", "PR", preface, "GET / HTTP/1.1\r\nho"] {
        held.push(running.connect_with(bytes).await);
    }
    let mut served = running.connect_with("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answer(&mut served).await;
    eventually("all are open", || running.figures.open.get() == 6).await;
    running.stopped().await;
}

#[tokio::test]
async fn what_is_answered_at_the_end_is_answered() {
    let running = running(ListenerConfig::default());
    let mut stream = running.connect_with("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("it is open", || running.figures.open.get() == 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    running.stopped().await;
    assert!(rest(&mut stream).await.ends_with("slow\n"));
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_another_one_is_served() {
    let running = running(ListenerConfig { max_connections_per_client: 3, ..ListenerConfig::default() });
    let held = [running.connect().await, running.connect().await, running.connect().await];
    eventually("they are open", || running.figures.open.get() == 3).await;
    assert_eq!(running.said("").await, "", "one more is closed");
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(running.address).await.unwrap();
    other.write_all(GET.as_bytes()).await.unwrap();
    assert!(rest(&mut other).await.ends_with("127.0.0.2 false /\n"));
    drop(held);
    eventually("they are closed", || running.figures.open.get() == 0).await;
    assert!(running.said(GET).await.ends_with("127.0.0.1 false /\n"));
}

fn behind_a_proxy(proxy_protocol: bool) -> ListenerConfig {
    let proxies = Proxies { trusted: vec!["127.0.0.1/32".parse().unwrap()], ..Proxies::default() };
    ListenerConfig { max_connections_per_client: 1, proxies, proxy_protocol, ..ListenerConfig::default() }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_in_fields() {
    let running = running(behind_a_proxy(false));
    let _held = [running.connect().await, running.connect().await];
    let named = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\n\r\n";
    assert!(running.said(named).await.ends_with("203.0.113.7 true /\n"));
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_of_a_connection() {
    let running = running(behind_a_proxy(true));
    let header = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
    assert!(running.said(format!("{header}{GET}")).await.ends_with("203.0.113.7 false /\n"));
    let held = running.connect_with(header).await;
    eventually("it is open", || running.figures.open.get() == 1).await;
    let mut refused = running.connect_with(header).await;
    assert_eq!(rest(&mut refused).await, "", "that client has one already");
    let other = "PROXY TCP4 203.0.113.8 192.0.2.1 4711 443\r\n";
    assert!(running.said(format!("{other}{GET}")).await.ends_with("203.0.113.8 false /\n"));
    drop(held);
    assert_eq!(running.said(GET).await, "", "a proxy that says nothing is not served");
}

#[tokio::test]
async fn who_is_no_proxy_cannot_begin_like_one() {
    let mut config = behind_a_proxy(true);
    config.proxies.trusted = vec!["192.0.2.0/24".parse().unwrap()];
    let running = running(config);
    let header = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
    assert!(running.said(format!("{header}{GET}")).await.starts_with("HTTP/1.1 400"));
}

/// A handshake that waits for one byte.
struct Byte;

impl Handshake for Byte {
    type Transport = Rewound<Socket>;
    const SECURE: bool = true;

    async fn shake(&self, mut socket: Rewound<Socket>) -> io::Result<Shaken<Rewound<Socket>>> {
        socket.read_u8().await?;
        Ok(Shaken::bare(socket))
    }
}

#[tokio::test]
async fn a_handshake_that_dawdles_keeps_nobody_else_waiting() {
    let running = running_with(ListenerConfig::default(), Byte);
    let mut dawdlers = Vec::new();
    for _ in 0..20 {
        dawdlers.push(running.connect().await);
    }
    assert!(running.said(format!("!{GET}")).await.ends_with("127.0.0.1 true /\n"));
    let first = &mut dawdlers[0];
    first.write_all(format!("!{GET}").as_bytes()).await.unwrap();
    assert!(rest(first).await.ends_with("127.0.0.1 true /\n"));
    running.stopped().await;
}

#[tokio::test]
async fn who_has_said_all_gets_the_answer() {
    let running = running(ListenerConfig::default());
    for request in [
        "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody",
        "GET /other HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut stream = running.connect_with(request).await;
        stream.shutdown().await.unwrap();
        let said = rest(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("\n"), "{request}: {said:?}");
    }
}

#[tokio::test]
async fn who_has_gone_is_not_answered_for_ever() {
    let running = running(ListenerConfig::default());
    // One says so, one only says that no more comes.
    let stream = running.connect_with("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let reset = running.connect_with("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("they are open", || running.figures.open.get() == 2).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    rustix::net::sockopt::set_socket_linger(&reset, Some(Duration::ZERO)).unwrap();
    drop((stream, reset));
    eventually("they are closed", || running.figures.open.get() == 0).await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_costs_the_connection_only_if_it_says_so() {
    let running = running(ListenerConfig::default());
    let mut stream = running.connect().await;
    for _ in 0..5 {
        stream
            .write_all(b"POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n")
            .await
            .unwrap();
        stream.write_all(&[b'x'; 200_000]).await.unwrap();
        let (head, _) = answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 200") && !head.contains("connection: close"), "{head}");
    }
    for framing in [
        "content-length: 2000000",
        "transfer-encoding: chunked",
        "content-length: 20\r\nexpect: 100-continue",
    ] {
        let head = format!("POST /unread HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let said = running.said(head).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.contains("connection: close"), "{framing}: {said}");
    }
    let read = "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody";
    let (head, content) = answer(&mut running.connect_with(read).await).await;
    assert!(!head.contains("connection: close") && content == "body", "{head}");
}

/// A connection of HTTP/2 whose client lets so many bytes of each answer come.
async fn http2(running: &Running, window: u32) -> h2::client::SendRequest<Bytes> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(1 << 30);
    let (sender, connection) = builder.handshake(running.connect().await).await.unwrap();
    tokio::spawn(async move {
        let _ended = connection.await;
    });
    sender.ready().await.unwrap()
}

fn asked(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).unwrap()
}

#[tokio::test]
async fn what_nobody_takes_over_http2_counts_and_is_bounded() {
    let running = running(ListenerConfig { slow_reader: PATIENCE * 10, ..ListenerConfig::default() });
    let mut client = http2(&running, 0).await;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(client.send_request(asked("/large"), true).unwrap().0.await.unwrap());
    }
    eventually("they are as far as they come", || running.figures.unsent.get() >= 512 << 10).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Each stream has one piece waiting, and one in hand that its script cannot go on for.
    let unsent = running.figures.unsent.get();
    assert!(unsent <= (512 << 10) + 64 * 2 * (16 << 10), "{unsent}");
    assert_eq!(running.alive.load(std::sync::atomic::Ordering::Acquire), 64, "their places are not free");
    drop((held, client));
    eventually("nothing is left", || running.figures.unsent.get() == 0).await;
    eventually("nor are bodies", || running.alive.load(std::sync::atomic::Ordering::Acquire) == 0).await;
}

#[tokio::test]
async fn tiny_pieces_that_nobody_takes_over_http2_are_few_and_empty_ones_none() {
    let running = running(ListenerConfig { slow_reader: PATIENCE * 10, ..ListenerConfig::default() });
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size((1 << 31) - 1).initial_connection_window_size((1 << 31) - 1);
    let (sender, mut connection) = builder.handshake::<_, Bytes>(running.connect().await).await.unwrap();
    let answered = async {
        let mut sender = sender.ready().await.unwrap();
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(sender.send_request(asked("/tiny"), true).unwrap().0.await.unwrap());
        }
        held
    };
    let held = tokio::select! {
        held = answered => held,
        ended = &mut connection => panic!("{ended:?}"),
    };
    // From here on nobody reads: the socket is full at some point.
    let mut before = 0;
    let mut stands = async || loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = running.figures.unsent.get();
        if now > 0 && now == std::mem::replace(&mut before, now) {
            break now;
        }
    };
    let pieces = tokio::time::timeout(Duration::from_secs(60), stands()).await.unwrap();
    // Half a kilobyte is kept for each: as many as half a megabyte has room for, and one more of each stream.
    assert!(pieces <= 1024 + 2 * 16, "{pieces} pieces wait");
    drop((held, connection));
    eventually("nothing is left", || running.figures.unsent.get() == 0).await;
}

#[tokio::test]
async fn a_small_answer_that_nobody_takes_keeps_its_place_until_its_time_is_over() {
    let running =
        running(ListenerConfig { slow_reader: Duration::from_millis(300), ..ListenerConfig::default() });
    // Without a window the stream waits and can be reset; with some of one the answer is over, and the connection ends.
    for (window, open) in [(0, 1), (1, 0)] {
        let mut client = http2(&running, window).await;
        let (unread, _) = client.send_request(asked("/small"), true).unwrap();
        let unread = unread.await.unwrap();
        assert_eq!(running.alive.load(std::sync::atomic::Ordering::Acquire), 1);
        assert!(running.figures.unsent.get() > 0);
        eventually("its place is free", || running.alive.load(std::sync::atomic::Ordering::Acquire) == 0)
            .await;
        eventually("nothing is left", || running.figures.unsent.get() == 0).await;
        eventually("the connection is as it should be", || running.figures.open.get() == open).await;
        drop((unread, client));
        eventually("it is closed", || running.figures.open.get() == 0).await;
    }
}

#[tokio::test]
async fn a_large_answer_that_is_read_is_whole_over_http2() {
    let running = running(ListenerConfig::default());
    let mut client = http2(&running, 20_000).await;
    for _ in 0..3 {
        let (answered, _) = client.send_request(asked("/large"), true).unwrap();
        let mut body = answered.await.unwrap().into_body();
        let mut length = 0;
        while let Some(data) = tokio::time::timeout(PATIENCE, body.data()).await.expect("more or the end") {
            let data = data.unwrap();
            length += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(length, 1 << 20);
    }
    eventually("nothing is left", || running.alive.load(std::sync::atomic::Ordering::Acquire) == 0).await;
}

/// The code of GOAWAY, in what a server said over HTTP/2.
fn goodbye(mut said: &[u8]) -> Option<u8> {
    while let [high, middle, low, kind, _, _, _, _, _, rest @ ..] = said {
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap();
        if *kind == 0x7 {
            return rest.get(7).copied();
        }
        said = rest.get(length..)?;
    }
    None
}

/// All that the server says to these frames behind a preface, until it closes the connection.
async fn said_to_frames(running: &Running, frames: &[u8]) -> Vec<u8> {
    let mut stream = running.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let _cut_off = stream.write_all(frames).await;
    let mut said = Vec::new();
    let _ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("it is closed");
    said
}

fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

#[tokio::test]
async fn an_http2_client_that_breaks_a_rule_is_told_which_kind_of_rule() {
    let running = running(ListenerConfig::default());
    let wide = [0, 4, 0x80, 0, 0, 0];
    for (what, frames, code) in [
        ("PING of 7 bytes", frame(6, 0, 0, &[0; 7]), 6),
        ("PRIORITY of 4 bytes", frame(2, 0, 1, &[0; 4]), 6),
        ("RST_STREAM of 3 bytes", frame(3, 0, 1, &[0; 3]), 6),
        ("SETTINGS of 3 bytes", frame(4, 0, 0, &[0; 3]), 6),
        ("SETTINGS that acknowledge something", frame(4, 1, 0, &[0; 6]), 6),
        ("WINDOW_UPDATE of 3 bytes", frame(8, 0, 0, &[0; 3]), 6),
        ("a window of 2^31", frame(4, 0, 0, &wide), 3),
        ("PING on a stream", frame(6, 0, 1, &[0; 8]), 1),
        // h2 has one word for all that HPACK cannot read; COMPRESSION_ERROR (9) would be right.
        ("an index of nothing", frame(1, 5, 1, &[0xff, 0xff, 0xff, 0x7f]), 1),
    ] {
        assert_eq!(goodbye(&said_to_frames(&running, &frames).await), Some(code), "{what}");
    }
    assert_eq!(running.figures.refused_for_frames(), 0, "they did not say too much");
    assert!(running.said(GET).await.ends_with("/\n"));
}

#[tokio::test]
async fn fields_of_a_head_in_trailers_over_http2_change_nothing() {
    let running = running(ListenerConfig::default());
    // `POST http://a/read`, two bytes, and trailers that begin with `:path: /`; then GOAWAY, so that it ends.
    let head = [&[0x83, 0x86, 0x44, 5][..], b"/read", &[0x41, 1, b'a']].concat();
    let frames =
        [frame(1, 4, 1, &head), frame(0, 0, 1, b"ok"), frame(1, 5, 1, &[0x84]), frame(7, 0, 0, &[0; 8])];
    let said = said_to_frames(&running, &frames.concat()).await;
    assert!(said.windows(2).any(|bytes| bytes == b"ok"), "{said:?}");
    assert_eq!(running.alive.load(std::sync::atomic::Ordering::Acquire), 0);
}

#[tokio::test]
async fn an_http2_client_may_ask_for_much_but_not_say_much() {
    let running = running(ListenerConfig::default());
    let mut client = http2(&running, 65_535).await;
    for _ in 0..2_000 {
        let (answered, _) = client.send_request(asked("/small"), true).unwrap();
        assert_eq!(answered.await.unwrap().status(), 200);
    }
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for _ in 0..5_000 {
        flood.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
    let mut stream = running.connect().await;
    let _cut_off = stream.write_all(&flood).await;
    let mut said = Vec::new();
    let _ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("it is closed");
    assert!(goodbye(&said) == Some(0xb) || running.figures.refused_for_frames() == 1, "{} bytes", said.len());
    assert_eq!(running.figures.refused_for_frames(), 1);
    assert!(running.said(GET).await.ends_with("/\n"));
}

#[tokio::test]
async fn fields_are_counted_over_both_protocols() {
    let running = running(ListenerConfig::default());
    let mut client = http2(&running, 65_535).await;
    for (count, status) in [(100, 200), (101, 431)] {
        let mut request = asked("/");
        for field in 0..count {
            let name: http::HeaderName = format!("x-{field}").parse().unwrap();
            request.headers_mut().insert(name, "y".parse().unwrap());
        }
        let (answered, _) = client.send_request(request, true).unwrap();
        assert_eq!(answered.await.unwrap().status(), status, "{count}");
    }
}

#[tokio::test]
async fn messages_in_pieces_are_read_as_one_and_what_is_broken_is_refused_behind_them() {
    let running = running(ListenerConfig::default());
    let good = [
        "\r\n",
        "GET /one HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n\n#\n",
        "POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        "2;a=\"b c\";d\r\n\n\n\r\n000A\r\n0123456789\r\n0;e\r\nx-b: c\r\n\r\n",
    ]
    .concat();
    for (broken, answers) in [("GET / HTTP/1.1\r\nhost: a\n", 4), ("GET /#", 4), ("\n", 4)] {
        let all = format!("{good}{broken}");
        for size in [1, 7, all.len()] {
            let mut stream = running.connect().await;
            stream.set_nodelay(true).unwrap();
            for piece in all.as_bytes().chunks(size) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut said = String::new();
            let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut said));
            let _ended = read.await.expect("it is closed");
            let statuses: Vec<&str> =
                said.matches("HTTP/1.1 200").chain(said.matches("HTTP/1.1 400")).collect();
            assert_eq!(statuses.len(), answers, "{broken:?} in pieces of {size}: {said}");
            assert!(said.matches("HTTP/1.1 400").count() == 1, "{said}");
        }
    }
}
