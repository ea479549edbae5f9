//! What one client may hold or spend for next to nothing: a row each. What it holds is counted and has an end, and a
//! neighbour is served meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Server, body, channel, eventually, guest, request, within};

fn config(server: &str) -> String {
    format!(
        "[server]\n{server}\n[limits]\ncpu_ms = 30000\nstream_idle_ms = 1000\n[scripts.neighbour]\n{}\n[scripts.probe]\n{}\n",
        guest::main("hello"),
        guest::main("probe"),
    ) + &["probe", "neighbour"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
}

/// A connection from an address of this machine, as if it were somebody else's.
async fn from(address: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0))?;
    socket.connect(to).await
}

/// So many connections of the attacker, each with these bytes.
async fn held(to: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = from("127.0.0.1", to).await.unwrap();
        // One that was closed at once cannot be written to.
        stream.write_all(bytes).await.ok();
        held.push(stream);
    }
    held
}

/// What a neighbour with another address is answered.
async fn neighbour(server: &Server) -> String {
    let mut stream = within("a neighbour's connection", from("127.0.0.2", server.visitors)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: neighbour.test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut said = String::new();
    within("a neighbour's answer", stream.read_to_string(&mut said)).await.unwrap();
    said
}

async fn neighbour_is_served(server: &Server, what: &str) {
    let said = neighbour(server).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("Hello from Wasmyard!\n"), "{what}: {said}");
}

async fn open(server: &Server, wanted: impl Fn(f64) -> bool) {
    let open = async || wanted(server.metric("wasmyard_connections").await).then_some(());
    eventually("so many connections are open", open).await;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS that announce ten bytes and have one.
const HALF_A_HEAD: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x0a\x01\x05\0\0\0\x01\x82";

#[tokio::test]
async fn connections_that_say_next_to_nothing_cost_nothing_and_end() {
    let server = Server::serving(&config("header_read_ms = 1000")).await;
    for bytes in
        [&b""[..], b"P", b"PR", b"G", b"GET / HTTP/1.1\r\nhost: probe.test\r\n", PREFACE, HALF_A_HEAD]
    {
        let _held = held(server.visitors, 100, bytes).await;
        neighbour_is_served(&server, &format!("{bytes:?}")).await;
        // Nobody closes them but the server.
        open(&server, |open| open < 1.0).await;
    }
}

#[tokio::test]
async fn one_client_does_not_take_all_connections() {
    let server = Server::serving(&config("max_connections = 32\nmax_connections_per_client = 8")).await;
    let kept = held(server.visitors, 32, b"GET / HTTP/1.1\r\nhost: neighbour.test\r\n\r\n").await;
    open(&server, |open| open <= 8.0).await;
    for _ in 0..5 {
        neighbour_is_served(&server, "beside a client with all that it may have").await;
    }
    server.counts(r#"wasmyard_connections_refused_total{reason="client"}"#, 24.0).await;
    // Who reads that of a proxy of their own knows what to do.
    server.noted("name it in `trusted_proxies`").await;
    drop(kept);
    open(&server, |open| open < 1.0).await;
    assert_eq!(server.get("neighbour.test", "/").await.status, 200, "and it may come again");
}

#[tokio::test]
async fn the_apis_port_is_bounded_and_does_not_hold_up_the_end() {
    let mut server =
        Server::serving(&config("header_read_ms = 1000\ndrain_ms = 120000\napi_max_connections = 40")).await;
    let many = held(server.api_address(), 60, b"G").await;
    neighbour_is_served(&server, "while the API's port is held").await;
    for mut stream in many {
        // With 408 or without a word.
        within("it is closed", stream.read_to_end(&mut Vec::new())).await.ok();
    }
    let refused = server.metric(r#"wasmyard_api_connections_refused_total{reason="client"}"#).await;
    assert!(refused >= 50.0, "one client has a quarter of them, and {refused} were closed");
    let mut silent = held(server.api_address(), 1, b"").await;
    silent.extend(held(server.api_address(), 1, b"G").await);
    silent.extend(held(server.api_address(), 1, PREFACE).await);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    drop(silent);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_counted_and_keep_their_places() {
    let server = Server::serving(&config("")).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let stream = TokioIo::new(from("127.0.0.1", server.visitors).await.unwrap());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(400 << 10).initial_connection_window_size(1 << 30);
        let (mut sender, connection) = builder.handshake(stream).await.unwrap();
        // It lets in what comes, and nobody takes it from there.
        let connection = tokio::spawn(connection);
        for _ in 0..20 {
            let flood = request(Method::GET, "probe.test", "/flood");
            let flood = flood.uri("http://probe.test/flood").body(body("")).unwrap();
            sender.ready().await.unwrap();
            held.push(within("a head", sender.send_request(flood)).await.unwrap());
        }
        connection.abort();
        held.push(
            within("the neighbour's head", async {
                let mut other = crate::support::Connection::http1(server.visitors).await;
                other.send(request(Method::GET, "neighbour.test", "/").body(body("")).unwrap()).await
            })
            .await,
        );
    }
    neighbour_is_served(&server, "beside answers that nobody reads").await;
    let unsent = server.metric("wasmyard_unsent_bytes").await;
    assert!(unsent <= f64::from(10 * (8 << 20)), "{unsent}");
    drop(held);
    eventually("nothing is left", async || {
        (server.metric("wasmyard_unsent_bytes").await < 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn frames_that_ask_for_nothing_come_to_an_end() {
    let server = Server::serving(&config("")).await;
    let floods: [(&str, Vec<u8>); 5] = [
        ("SETTINGS", b"\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("PING", b"\0\0\x08\x06\0\0\0\0\0abcdefgh".to_vec()),
        ("WINDOW_UPDATE", b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01".to_vec()),
        ("PRIORITY", b"\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x01".to_vec()),
        ("unknown", b"\0\0\0\xee\0\0\0\0\0".to_vec()),
    ];
    for (number, (what, frame)) in (1_u32..).zip(floods) {
        let mut stream = from("127.0.0.1", server.visitors).await.unwrap();
        let flood = frame.repeat(5_000);
        let (mut reads, mut writes) = stream.split();
        let send = async {
            writes.write_all(PREFACE).await.ok();
            // Until it is not taken any more.
            while writes.write_all(&flood).await.is_ok() {}
        };
        let read = async { reads.read_to_end(&mut Vec::new()).await.ok() };
        within(&format!("the end of a flood of {what}"), async { tokio::join!(send, read) }).await;
        server.counts(r#"wasmyard_connections_refused_total{reason="frames"}"#, f64::from(number)).await;
        neighbour_is_served(&server, what).await;
    }
}

#[tokio::test]
async fn who_sends_a_byte_now_and_then_does_not_keep_a_place() {
    let server = Server::serving(&config("")).await;
    for mut connection in [server.connect().await, crate::support::Connection::http2(server.visitors).await] {
        let (sender, body) = channel();
        let dribbles = tokio::spawn(async move {
            let byte = || Ok(hyper::body::Frame::data(bytes::Bytes::from_static(b"x")));
            while sender.unbounded_send(byte()).is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let upload = request(Method::POST, "probe.test", "/length").body(body).unwrap();
        // A status where there is still time for one.
        if let Ok(answer) = within("an end", connection.try_send(upload)).await {
            assert_eq!(answer.status(), 408);
        }
        let free = async || (server.metric("wasmyard_invocations_in_flight").await < 1.0).then_some(());
        eventually("its place is free", free).await;
        neighbour_is_served(&server, "beside one who dribbles").await;
        dribbles.abort();
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_break_the_next_request() {
    let server = Server::serving(&config("")).await;
    let mut visitor = server.raw("").await;
    for (host, status) in [("nobody.test", 404), ("neighbour.test", 200), ("nobody.test", 404)] {
        let head = format!("POST /x HTTP/1.1\r\nhost: {host}\r\ncontent-length: 200000\r\n\r\n");
        visitor.write(head).await;
        visitor.write(vec![b'x'; 200_000]).await;
        assert_eq!(visitor.answer().await.status, status);
    }
}

#[tokio::test]
async fn who_has_said_all_gets_the_answer() {
    let server = Server::serving(&config("")).await;
    for (host, path, status) in [("probe.test", "/burn/3", 200), ("nobody.test", "/", 404)] {
        let mut visitor = server.raw(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        visitor.finish().await;
        assert_eq!(visitor.answer().await.status, status, "{path}");
        assert_eq!(visitor.rest().await, "");
    }
}
