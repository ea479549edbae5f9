//! Visitors who do not wait for an answer, or must not get one that looks whole.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wasmyard_harness::within;

use crate::platform::Target;
use crate::visits::{Seen, answer, connect, rest};

pub(crate) const UNFINISHED: &str =
    "POST /length HTTP/1.1\r\nhost: probe.localhost\r\ncontent-length: 1000\r\n\r\nx";
pub(crate) const HALF_A_CHUNK: &str =
    "POST /length HTTP/1.1\r\nhost: probe.localhost\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf of it";
pub(crate) const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: probe.localhost\r\n\r\n";
pub(crate) const SPIN: &str = "GET /spin HTTP/1.1\r\nhost: over.localhost\r\n\r\n";
pub(crate) const FLOOD: &str = "GET /flood HTTP/1.1\r\nhost: flood.apps.localhost\r\n\r\n";
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS that announce ten bytes and have one.
pub(crate) const HALF_A_HEAD: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x0a\x01\x05\0\0\0\x01\x82";
/// PING with seven bytes.
pub(crate) const SHORT_PING: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x07\x06\0\0\0\0\0abcdefg";
/// How many streams are opened and reset, or left unread, on one connection.
const STREAMS: usize = 50;

/// Sends, reads so many bytes, and goes without a word.
pub(crate) async fn leave(to: Target, request: &'static str, bytes: usize) -> Seen {
    begun(connect(to).await, request, bytes).await;
    Seen::Gone
}

/// The same, with the connection reset.
pub(crate) async fn reset(to: Target, request: &'static str, bytes: usize) -> Seen {
    let stream = connect(to).await;
    stream.set_zero_linger().ok();
    begun(stream, request, bytes).await;
    Seen::Gone
}

async fn begun(mut stream: TcpStream, request: &'static str, bytes: usize) {
    stream.write_all(request.as_bytes()).await.ok();
    if bytes > 0 {
        // Where it was refused there is less to read.
        within("something", stream.read(&mut vec![0; bytes])).await.ok();
    } else {
        // Long enough that it is under way.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asks for a long answer and reads none of it, until it is cut off.
pub(crate) async fn reads_nothing(to: Target) -> Seen {
    let mut stream = connect(to).await;
    stream.write_all(FLOOD.as_bytes()).await.ok();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Seen::Gone
}

/// Asks for a long answer and reads a byte of it at a time, less than anybody must, until it is cut off.
pub(crate) async fn reads_slowly(to: Target) -> Seen {
    let mut stream = connect(to).await;
    stream.write_all(FLOOD.as_bytes()).await.ok();
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if stream.read_u8().await.is_err() {
            break;
        }
    }
    Seen::Gone
}

/// Says this and waits to be sent away.
pub(crate) async fn until_closed(to: Target, bytes: &'static [u8]) -> Seen {
    answer(to, bytes).await;
    Seen::Gone
}

/// Sends a frame until nobody takes it any more.
pub(crate) async fn flood(to: Target, frame: &'static [u8]) -> Seen {
    let mut stream = connect(to).await;
    let flood = frame.repeat(5_000);
    let (mut reads, mut writes) = stream.split();
    let send = async {
        writes.write_all(PREFACE).await.ok();
        while writes.write_all(&flood).await.is_ok() {}
    };
    let read = async { reads.read_to_end(&mut Vec::new()).await.ok() };
    within("the end of a flood", async { tokio::join!(send, read) }).await;
    Seen::Gone
}

async fn http2(to: Target) -> Option<http2::SendRequest<Empty<&'static [u8]>>> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(400 << 10).initial_connection_window_size(1 << 30);
    let (sender, connection) = builder.handshake(TokioIo::new(connect(to).await)).await.ok()?;
    tokio::spawn(async move { connection.await.ok() });
    Some(sender)
}

fn asks(host: &str, path: &str) -> Request<Empty<&'static [u8]>> {
    let asked = Request::builder().method(Method::GET).uri(format!("http://{host}{path}"));
    asked.body(Empty::new()).unwrap()
}

/// Opens streams and resets each before it is answered.
pub(crate) async fn resets(to: Target) -> Seen {
    let Some(mut sender) = http2(to).await else { return Seen::Gone };
    for _ in 0..STREAMS {
        if within("a stream", sender.ready()).await.is_err() {
            break;
        }
        // Dropped before the head came: RST_STREAM.
        drop(sender.send_request(asks("relay.test", "/wait")));
    }
    Seen::Gone
}

/// Opens streams, lets in what comes, and takes none of it.
pub(crate) async fn unread(to: Target) -> Seen {
    let Some(mut sender) = http2(to).await else { return Seen::Gone };
    let mut heads = Vec::new();
    for _ in 0..8 {
        if within("a stream", sender.ready()).await.is_err() {
            break;
        }
        heads.push(within("a head", sender.send_request(asks("flood.apps.localhost", "/flood"))).await);
    }
    Seen::Gone
}

/// An answer that its script did not finish: it may break off, and may not look whole.
pub(crate) async fn unfinished(to: Target) -> Seen {
    never_whole(
        to,
        "GET /?bytes=70000&finish=leak&end=panic HTTP/1.1\r\nhost: bare.test\r\nconnection: close\r\n\r\n",
    )
    .await
}

/// The same of an origin.
pub(crate) async fn broken_off(to: Target) -> Seen {
    let head = "GET /relay HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\nx-how: none\r\n";
    never_whole(to, &format!("{head}x-target: http://{}/broken\r\n\r\n", to.origin)).await
}

async fn never_whole(to: Target, head: &str) -> Seen {
    let mut stream = connect(to).await;
    stream.write_all(head.as_bytes()).await.ok();
    let all = rest(&mut stream).await;
    if all.starts_with(b"HTTP/1.1 200") && is_whole(&all) {
        return Seen::Wrong("it looks whole".to_owned());
    }
    Seen::Gone
}

/// Whether an answer that ends with its connection is what its head says.
pub(crate) fn is_whole(all: &[u8]) -> bool {
    let text = String::from_utf8_lossy(all);
    let Some((head, content)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => length.trim().parse() == Ok(content.len()),
        None => head.contains("transfer-encoding: chunked") && content.ends_with("0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_head_says_so() {
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nconte"));
    }
}
