//! One way to visit after the other, and which statuses are right. What each suite of the tests holds one at a time comes
//! here in a crowd: `data::hostile`, `data::cheap_client`, `data::messages`.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wasmyard_harness::within;

use crate::hostile;
use crate::platform::Target;

/// What a visit came to.
pub(crate) enum Seen {
    /// This status.
    Status(u16),
    /// The visitor went away, or was sent away without an answer.
    Gone,
    /// Something that no visitor may see.
    Wrong(String),
}

/// One way to visit, and which statuses are right; none where no answer is waited for.
pub(crate) struct Visit {
    pub(crate) name: &'static str,
    pub(crate) right: &'static [u16],
    pub(crate) go: fn(Target) -> BoxFuture<'static, Seen>,
}

macro_rules! visits {
    ($($name:literal $right:expr, |$to:ident| $go:expr;)*) => {
        &[$(Visit { name: $name, right: &$right, go: |$to| $go.boxed() }),*]
    };
}

pub(crate) const ALL: &[Visit] = visits! {
    "hello" [200], |to| get(to, "customer-a.apps.localhost", "/");
    "hello, dispatched" [200], |to| get(to, "customer-a.localhost", "/");
    "echo" [200], |to| echo(to);
    "spin" [503], |to| get(to, "over.localhost", "/spin");
    "grow" [503], |to| get(to, "over.localhost", "/grow");
    "trap" [500], |to| get(to, "over.localhost", "/trap");
    "recurse" [500], |to| get(to, "over.localhost", "/recurse");
    "nobody's script" [404], |to| get(to, "nobody.localhost", "/");
    "nobody's host" [404], |to| get(to, "nobody.test", "/");
    "chain of scripts" [200], |to| get(to, "probe.apps.localhost", "/burn/1");
    "no request" [400], |to| said(to, "not http at all\r\n\r\n");
    "half a head, then gone" [], |to| hostile::leave(to, "GET / HTTP/1.1\r\nho", 0);
    "many fields" [431], |to| many_fields(to);
    "body that never comes" [], |to| hostile::leave(to, hostile::UNFINISHED, 0);
    "gone while it waits" [], |to| hostile::leave(to, hostile::WAIT, 0);
    "gone while it computes" [], |to| hostile::leave(to, hostile::SPIN, 0);
    "gone while it streams" [], |to| hostile::leave(to, hostile::FLOOD, 4096);
    "reads nothing" [], |to| hostile::reads_nothing(to);
    "reads a little now and then" [], |to| hostile::reads_slowly(to);
    "half a chunk, then gone" [], |to| hostile::leave(to, hostile::HALF_A_CHUNK, 0);
    "half a body, then a reset" [], |to| hostile::reset(to, hostile::UNFINISHED, 0);
    "a reset while it waits" [], |to| hostile::reset(to, hostile::WAIT, 0);
    "a reset while it streams" [], |to| hostile::reset(to, hostile::FLOOD, 4096);
    // What one client may hold for next to nothing.
    "one byte, and no more" [], |to| hostile::until_closed(to, b"P");
    "the preface, and no more" [], |to| hostile::until_closed(to, hostile::PREFACE);
    "half a head over HTTP/2" [], |to| hostile::until_closed(to, hostile::HALF_A_HEAD);
    "a flood of SETTINGS" [], |to| hostile::flood(to, b"\0\0\0\x04\0\0\0\0\0");
    "a flood of PING" [], |to| hostile::flood(to, b"\0\0\x08\x06\0\0\0\0\0abcdefgh");
    "a flood of what is unknown" [], |to| hostile::flood(to, b"\0\0\0\xee\0\0\0\0\0");
    "streams that are reset" [], |to| hostile::resets(to);
    "answers over HTTP/2 that nobody reads" [], |to| hostile::unread(to);
    "a body in pieces of one byte" [200], |to| tiny_pieces(to);
    "a body that nobody reads" [404], |to| unread_body(to);
    "who has said all" [200], |to| half_closed(to);
    // What two parties may read differently.
    "two lengths" [400], |to| said(to, "POST / HTTP/1.1\r\nhost: bare.test\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n");
    "a line that ends in LF" [400], |to| said(to, "GET / HTTP/1.1\nhost: bare.test\r\n\r\n");
    "a fragment" [400], |to| said(to, "GET /#a HTTP/1.1\r\nhost: bare.test\r\n\r\n");
    "a size of a chunk with a blank" [400], |to| said(to, "POST /length HTTP/1.1\r\nhost: relay.test\r\ntransfer-encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n");
    "a frame of a wrong length" [], |to| hostile::until_closed(to, hostile::SHORT_PING);
    "a length with a sign" [400], |to| said(to, "POST / HTTP/1.1\r\nhost: bare.test\r\ncontent-length: +5\r\n\r\n");
    "a closed route by another spelling" [403], |to| get(to, "bare.test", "/x/%2e%2e/%61dmin\\secret");
    "a status that is no final one" [500], |to| get(to, "bare.test", "/?bytes=5&status=101");
    "a finished answer, then the end" [200], |to| get(to, "bare.test", "/?bytes=70000&end=exit-err");
    "an answer that was not finished" [], |to| hostile::unfinished(to);
    "a length that is not the answer's" [200], |to| relayed(to, "/plain", "x-length: 50\r\n");
    "an origin with a length beside chunks" [200], |to| relayed(to, "/both", "");
    "an origin that breaks off" [], |to| hostile::broken_off(to);
};

/// Everything that comes for these bytes, until the connection is closed.
pub(crate) async fn answer(to: Target, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(to).await;
    // One that was closed on meanwhile has an answer all the same.
    stream.write_all(bytes).await.ok();
    rest(&mut stream).await
}

#[expect(clippy::disallowed_methods, reason = "a visitor's socket, not a guest's")]
pub(crate) async fn connect(to: Target) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(to.visitors)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    within("the end of a connection", stream.read_to_end(&mut all)).await.ok();
    all
}

/// The status of what came.
pub(crate) fn status(all: &[u8]) -> Seen {
    let head = String::from_utf8_lossy(all.get(..all.len().min(64)).unwrap_or_default());
    let Some(rest) = head.strip_prefix("HTTP/1.1 ") else { return Seen::Gone };
    match rest.split(' ').next().and_then(|status| status.parse().ok()) {
        Some(status) => Seen::Status(status),
        None => Seen::Wrong(format!("no status in {head:?}")),
    }
}

async fn said(to: Target, bytes: &'static str) -> Seen {
    status(&answer(to, bytes.as_bytes()).await)
}

async fn get(to: Target, host: &'static str, path: &'static str) -> Seen {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    status(&answer(to, head.as_bytes()).await)
}

/// Sends more than fits into any buffer on the way, and gets it back.
async fn echo(to: Target) -> Seen {
    const BYTES: usize = 64 << 10;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: echo.localhost\r\nconnection: close\r\ncontent-length: {BYTES}\r\n\r\n"
    );
    let all = answer(to, &[head.as_bytes(), &[b'~'; BYTES]].concat()).await;
    let back = all.iter().filter(|byte| **byte == b'~').count();
    match status(&all) {
        Seen::Status(200) if back != BYTES => Seen::Wrong(format!("{back} bytes came back of {BYTES}")),
        seen => seen,
    }
}

async fn many_fields(to: Target) -> Seen {
    let fields: String = (0..200).map(|number| format!("x-{number}: x\r\n")).collect();
    let head = format!("GET / HTTP/1.1\r\nhost: customer-a.localhost\r\n{fields}\r\n");
    status(&answer(to, head.as_bytes()).await)
}

async fn tiny_pieces(to: Target) -> Seen {
    let head = "POST /length HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = "1\r\nx\r\n".repeat(2_000);
    let all = answer(to, format!("{head}{pieces}0\r\n\r\n").as_bytes()).await;
    match status(&all) {
        Seen::Status(200) if !String::from_utf8_lossy(&all).contains("2000\n") => {
            Seen::Wrong("it has another length than 2000".to_owned())
        }
        seen => seen,
    }
}

/// Nobody reads the body of a request that nobody answers; the next one on the connection is still one.
async fn unread_body(to: Target) -> Seen {
    let head = "POST /x HTTP/1.1\r\nhost: nobody.test\r\ncontent-length: 200000\r\n\r\n";
    let next = "GET / HTTP/1.1\r\nhost: nobody.test\r\nconnection: close\r\n\r\n";
    let all = answer(to, &[head.as_bytes(), &[b'x'; 200_000], next.as_bytes()].concat()).await;
    let answers = String::from_utf8_lossy(&all).matches("HTTP/1.1 404").count();
    match status(&all) {
        Seen::Status(404) if answers != 2 => Seen::Wrong(format!("{answers} answers to two requests")),
        seen => seen,
    }
}

/// Says that no more will come, and is answered.
async fn half_closed(to: Target) -> Seen {
    let mut stream = connect(to).await;
    stream.write_all(b"GET /empty/../ HTTP/1.1\r\nhost: bare.test\r\n\r\n").await.ok();
    stream.shutdown().await.ok();
    status(&rest(&mut stream).await)
}

/// An answer of the origin that a script passes on, with what else the script is asked to say.
async fn relayed(to: Target, target: &'static str, more: &'static str) -> Seen {
    let head = format!(
        "GET /relay HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\nx-how: none\r\n{more}x-target: \
         http://{}{target}\r\n\r\n",
        to.origin
    );
    let all = answer(to, head.as_bytes()).await;
    match status(&all) {
        Seen::Status(200) if !hostile::is_whole(&all) => {
            Seen::Wrong(format!("it is not whole: {}", String::from_utf8_lossy(&all)))
        }
        seen => seen,
    }
}
