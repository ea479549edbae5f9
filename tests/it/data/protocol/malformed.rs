//! Requests that break a rule: 4xx and a closed connection, never a hang, and the server goes on.

use http::{Method, Request};

use super::config;
use crate::support::{Answer, Connection, Server, body, request};

/// Sends bytes and expects this status, and the end of the connection.
async fn refused(server: &Server, what: &str, bytes: impl AsRef<[u8]>, status: u16) {
    let mut visitor = server.raw(bytes).await;
    let answer = visitor.next().await.unwrap_or_else(|| panic!("{what}: closed without an answer"));
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert_eq!(visitor.rest().await, "", "{what}: more than one answer");
}

#[tokio::test]
async fn request_lines_and_fields_that_break_the_grammar_are_refused() {
    let server = Server::serving(&config()).await;
    for (what, head) in [
        ("no version", "GET /\r\n\r\n"),
        ("not HTTP", "hello server\r\n\r\n"),
        ("a space in the target", "GET /a b HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
        ("a method that is no token", "GE(T / HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
        ("a space before the colon", "GET / HTTP/1.1\r\nhost : probe.test\r\n\r\n"),
        ("a folded field", "GET / HTTP/1.1\r\nhost: probe.test\r\nx-a: b\r\n c\r\n\r\n"),
        ("a field without colon", "GET / HTTP/1.1\r\nhost: probe.test\r\nnonsense\r\n\r\n"),
        ("a control character", "GET / HTTP/1.1\r\nhost: probe.test\r\nx-a: b\0c\r\n\r\n"),
        ("a carriage return in a value", "GET / HTTP/1.1\r\nhost: probe.test\r\nx-a: b\rc\r\n\r\n"),
        ("a field without name", "GET / HTTP/1.1\r\nhost: probe.test\r\n: b\r\n\r\n"),
    ] {
        refused(&server, what, head, 400).await;
    }
    assert_eq!(server.get("probe.test", "/").await.status, 200);
}

#[tokio::test]
async fn heads_that_do_not_agree_on_one_host_are_refused() {
    let server = Server::serving(&config()).await;
    for (what, head) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("no host beside an absolute target", "GET http://probe.test/ HTTP/1.1\r\n\r\n"),
        ("an empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: probe.test\r\nhost: echo.test\r\n\r\n"),
        ("the same host twice", "GET / HTTP/1.1\r\nhost: probe.test\r\nhost: probe.test\r\n\r\n"),
        ("another host in the target", "GET http://echo.test/ HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
        ("a path in the host", "GET / HTTP/1.1\r\nhost: probe.test/x\r\n\r\n"),
        ("a user in the host", "GET / HTTP/1.1\r\nhost: probe.test@echo.test\r\n\r\n"),
        ("CONNECT", "CONNECT probe.test:443 HTTP/1.1\r\nhost: probe.test:443\r\n\r\n"),
    ] {
        refused(&server, what, head, 400).await;
    }
    assert!(!server.log().contains(r#""script":"echo""#), "no script ran");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = Server::serving(&config()).await;
    let long = "x".repeat(40 << 10);
    refused(&server, "one field", format!("GET / HTTP/1.1\r\nhost: probe.test\r\nx-a: {long}\r\n\r\n"), 431)
        .await;
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    refused(&server, "101 fields", format!("GET / HTTP/1.1\r\nhost: probe.test\r\n{many}\r\n"), 431).await;
    let mut endless = server.raw(format!("GET /{long} HTTP/1.1\r\nhost: probe.test\r\n\r\n")).await;
    let answer = endless.answer().await;
    assert!([414, 431].contains(&answer.status), "{answer:?}");
    assert_eq!(endless.rest().await, "");

    let allowed: String = (0..99).map(|n| format!("x-{n}: {}\r\n", "y".repeat(200))).collect();
    let mut visitor = server.raw(format!("GET / HTTP/1.1\r\nhost: probe.test\r\n{allowed}\r\n")).await;
    assert_eq!(visitor.answer().await.status, 200, "what is within the limits passes");
}

#[tokio::test]
async fn a_body_that_stops_midway_is_a_bad_request() {
    let server = Server::serving(&config()).await;
    for (what, bytes) in [
        (
            "short of its length",
            "POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 10\r\n\r\n12345",
        ),
        (
            "in the middle of a chunk",
            "POST /length HTTP/1.1\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\nff\r\n12345",
        ),
        (
            "without the last chunk",
            "POST /length HTTP/1.1\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
        ),
    ] {
        let mut visitor = server.raw(bytes).await;
        visitor.finish().await;
        // Who has closed their half may have closed the other as well: then nobody is left to tell.
        if let Some(answer) = visitor.next().await {
            assert_eq!(answer.status, 400, "{what}: {answer:?}");
        }
        assert_eq!(visitor.rest().await, "", "{what}");
    }
    for (what, chunk) in [("no number", "zz\r\n12345\r\n0\r\n\r\n"), ("a wrong end", "5\r\n12345xx0\r\n\r\n")]
    {
        let head = "POST /length HTTP/1.1\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\n";
        refused(&server, what, format!("{head}{chunk}"), 400).await;
    }
    assert_eq!(server.get("probe.test", "/").await.status, 200);
}

#[tokio::test]
async fn garbage_after_the_http2_preface_ends_the_connection_and_not_the_server() {
    let server = Server::serving(&config()).await;
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, is it?"[..],
        &b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..],
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x01"[..],
        &b"PROPFIND"[..],
    ] {
        let mut visitor = server.raw(bytes).await;
        visitor.rest().await;
    }
    assert_eq!(server.get("probe.test", "/").await.status, 200);
}

#[tokio::test]
async fn a_bad_http2_request_ends_its_stream_and_not_the_connection() {
    let server = Server::serving(&config()).await;
    let mut connection = Connection::http2(server.visitors).await;
    let large = request(Method::GET, "probe.test", "/").header("x-a", "x".repeat(40 << 10));
    // Whoever refuses first may say so with a status or by resetting the stream.
    if let Ok(answer) = connection.try_send(large.body(body("")).unwrap()).await {
        assert_eq!(answer.status(), 431);
    }
    let two_hosts = Request::get("http://probe.test/").header("host", "echo.test").body(body("")).unwrap();
    let Connection::Http2(sender) = &mut connection else { unreachable!() };
    let refused = Answer::read(sender.send_request(two_hosts).await.unwrap()).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(connection.get("probe.test", "/").await.status, 200);
    assert!(!server.log().contains(r#""script":"echo""#), "no script ran");
}
