//! Requests that two readers could cut in two places. Whatever the first answer is: what hides in the body is never
//! taken for a request.

use super::config;
use crate::support::Server;

const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nhost: probe.test\r\n\r\n";

/// Sends it, reads all that comes until the end, and returns the first status. Nothing may have run for the path
/// that is hidden in the body.
async fn sent(server: &Server, what: &str, bytes: String) -> Option<u16> {
    let mut visitor = server.raw(bytes).await;
    let first = visitor.next().await;
    let rest = visitor.rest().await;
    assert_eq!(rest, "", "{what}: the connection must be closed after the first answer");
    assert!(!server.log().contains("/smuggled"), "{what}: {}", server.log());
    first.map(|answer| answer.status)
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let server = Server::serving(&config()).await;
    for (what, fields) in [
        ("two lengths", "content-length: 5\r\ncontent-length: 6\r\n"),
        ("a list of two lengths", "content-length: 5, 6\r\n"),
        ("a negative length", "content-length: -1\r\n"),
        ("a signed length", "content-length: +5\r\n"),
        ("a hexadecimal length", "content-length: 0x5\r\n"),
        ("an empty length", "content-length:\r\n"),
        ("a length beyond all numbers", "content-length: 99999999999999999999999\r\n"),
        ("an unknown transfer coding", "transfer-encoding: xchunked\r\n"),
        ("chunked, but not last", "transfer-encoding: chunked, gzip\r\n"),
        ("an identity that hides chunked", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
        ("a space before the colon", "transfer-encoding : chunked\r\ncontent-length: 5\r\n"),
        ("a tab before the colon", "content-length\t: 5\r\n"),
    ] {
        let bytes = format!("POST /length HTTP/1.1\r\nhost: probe.test\r\n{fields}\r\n0\r\n\r\n{HIDDEN}");
        assert_eq!(sent(&server, what, bytes).await, Some(400), "{what}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_never_lets_a_second_request_in() {
    let server = Server::serving(&config()).await;
    for (what, fields) in [
        ("length first", "content-length: 6\r\ntransfer-encoding: chunked\r\n"),
        ("chunks first", "transfer-encoding: chunked\r\ncontent-length: 6\r\n"),
        ("a length that covers all", "content-length: 200\r\ntransfer-encoding: chunked\r\n"),
        ("odd capitals", "Content-Length: 6\r\nTRANSFER-ENCODING: ChUnKeD\r\n"),
    ] {
        let bytes = format!("POST /length HTTP/1.1\r\nhost: probe.test\r\n{fields}\r\n0\r\n\r\n{HIDDEN}");
        // RFC 9112 section 6.3 lets a server refuse it, or go by the chunks and close.
        let status = sent(&server, what, bytes).await;
        assert!(matches!(status, Some(200 | 400)), "{what}: {status:?}");
    }
}

#[tokio::test]
async fn http_1_0_has_no_chunks() {
    let server = Server::serving(&config()).await;
    let bytes = format!(
        "POST /length HTTP/1.0\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"
    );
    let status = sent(&server, "chunks in HTTP/1.0", bytes).await;
    assert!(matches!(status, Some(400)), "{status:?}");
}
