//! Each way in which an origin does not answer, made for real, and the page that its visitor gets.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::support::{next_chunk, origin::refusing, within};

/// Answers every request with these bytes, and closes the connection.
async fn saying(listener: TcpListener, bytes: &'static [u8]) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut head = [0; 4096];
            if stream.read(&mut head).await.is_ok() {
                stream.write_all(bytes).await.ok();
            }
        });
    }
}

/// Takes connections and requests, and says nothing.
async fn silent(listener: TcpListener) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}

/// Takes no connection, and does not refuse any either: its queue is full.
#[expect(clippy::disallowed_methods, reason = "the queue of this test, not a guest's socket")]
async fn deaf(address: SocketAddr) -> (TcpListener, Vec<tokio::net::TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut queued = Vec::new();
    let soon = std::time::Duration::from_millis(300);
    while let Ok(Ok(stream)) = tokio::time::timeout(soon, tokio::net::TcpStream::connect(address)).await {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue has no end");
    }
    (listener, queued)
}

async fn page(saas: &Saas, host: &str) -> (u16, Value) {
    let asked = request(http::Method::GET, host, "/").header("accept", "application/json");
    let answer = saas.server.send(asked.body(body("")).unwrap()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn each_fault_has_the_code_of_the_hosted_product() {
    let refusing = refusing();
    let places = Places::beside(refusing.address);
    let port = places.port;
    let times = "first_byte_ms = 2000\nconnect_ms = 2000";
    let saas = Saas::start(&format!("http_port = {port}\nhttps_port = {port}\n{times}")).await;
    saas.ssl("off").await;
    tokio::spawn(saying(places.listen(20).await, b"NOISE AND NOTHING ELSE\r\n\r\n"));
    tokio::spawn(saying(places.listen(30).await, b""));
    tokio::spawn(saying(
        places.listen(40).await,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n\r\n",
    ));
    let _queue = deaf(SocketAddr::from(([127, 0, 0, 22], places.port))).await;
    tokio::spawn(silent(places.listen(24).await));
    for (name, place) in [
        ("noise", "127.0.0.20"),
        ("closed", "127.0.0.30"),
        ("switching", "127.0.0.40"),
        ("refused", "127.0.0.1"),
        ("deaf", "127.0.0.22"),
        ("nowhere", "100::"),
        ("example", "192.0.2.1"),
        ("silent", "127.0.0.24"),
        ("unknown", "nothing.provider.test"),
        ("private", "10.7.7.7"),
        ("metadata", "169.254.169.254"),
    ] {
        saas.record(name, place).await;
    }
    for (name, status, code, reason) in [
        ("noise", 520, 520, "origin_unknown"),
        ("closed", 520, 520, "origin_unknown"),
        ("switching", 520, 520, "origin_unknown"),
        ("refused", 521, 521, "origin_refused"),
        ("deaf", 522, 522, "origin_connect_timeout"),
        ("nowhere", 523, 523, "origin_unreachable"),
        ("example", 523, 523, "origin_unreachable"),
        ("silent", 524, 524, "origin_timeout"),
        ("unknown", 530, 1016, "origin_dns"),
        ("private", 403, 1000, "origin_prohibited"),
        ("metadata", 403, 1000, "origin_prohibited"),
    ] {
        let (seen, told) = page(&saas, &format!("{name}.saas.test")).await;
        let error = &told["error"];
        assert_eq!(
            (seen, &error["code"], &error["reason"]),
            (status, &json!(code), &json!(reason)),
            "{name}"
        );
        assert!(!told.to_string().contains("127.0") && !told.to_string().contains("10.7"), "{told}");
    }
    // Over TLS as well.
    saas.ssl("full").await;
    let text = saas.get("refused.saas.test", "/").await;
    assert_eq!(text.status, 521, "{}", text.text());
    let count = async |reason: &str| {
        saas.server.total(&format!("wasmyard_origin_requests_total{{result=\"{reason}\"}}")).await
    };
    assert_eq!((count("origin_unknown").await, count("origin_timeout").await), (3.0, 1.0));
    let line = saas.server.logged("why", |line| line["origin"] == "private.saas.test").await;
    assert!(line["origin_fault"].as_str().unwrap().contains("10.7.7.7"), "{line}");
    assert_eq!((&line["status"], &line["reason"]), (&json!(403), &json!("origin_prohibited")));
}

#[tokio::test]
async fn an_origin_whose_handshake_fails_is_told_of() {
    let origin = Origin::start().await;
    let saas = Saas::start(&format!("https_port = {}", origin.address.port())).await;
    saas.record("plain", "127.0.0.1").await;
    let (status, told) = page(&saas, "plain.saas.test").await;
    assert_eq!((status, &told["error"]["code"]), (525, &json!(525)));
    let html = request(http::Method::GET, "plain.saas.test", "/").header("accept", "text/html");
    let answer = saas.server.send(html.body(body("")).unwrap()).await;
    assert!(answer.text().contains("<h1>525</h1>") && answer.text().contains("SSL handshake failed."));
}

#[tokio::test]
async fn a_name_that_waits_is_told_apart_from_one_that_is_nobodys() {
    let origin = Origin::start().await;
    let saas = Saas::start(&http_port(origin.address)).await;
    saas.ssl("off").await;
    saas.record("fallback", "127.0.0.1").await;
    saas.fallback("fallback.saas.test").await;
    let waiting = hostname(&saas.api, &saas.zone, "waiting.customer.test", json!({})).await;
    saas.hostname("active.customer.test", json!({})).await;
    let code = async |host: &str| {
        let (status, told) = page(&saas, host).await;
        (status, told["error"]["code"].as_u64().unwrap())
    };
    assert_eq!(code("waiting.customer.test").await, (530, 1016));
    assert_eq!(code("nobodys.customer.test").await, (403, 1014));
    assert_eq!(code("localhost").await, (404, 2001));
    assert_eq!(code("192.0.2.1").await, (404, 2001));
    saas.api.patch(&saas.zone, &json!({"paused": true})).await.result();
    assert_eq!(code("active.customer.test").await, (530, 1016));
    saas.api.patch(&saas.zone, &json!({"paused": false})).await.result();
    assert_eq!(saas.get("active.customer.test", "/").await.text(), "origin");
    assert_eq!(saas.api.delete(&waiting).await.status, 200);
    assert_eq!(code("waiting.customer.test").await, (403, 1014));
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_request_that_goes_in_a_circle_is_stopped() {
    let origin = Origin::start().await;
    let saas = Saas::start(&http_port(origin.address)).await;
    saas.ssl("off").await;
    saas.record("fallback", "127.0.0.1").await;
    let passed = async |times: usize| {
        let mut asked = request(http::Method::GET, "fallback.saas.test", "/");
        for _ in 0..times {
            asked = asked.header("cdn-loop", "wasmyard");
        }
        saas.server.send(asked.body(body("")).unwrap()).await
    };
    assert_eq!(passed(3).await.status, 200);
    let stopped = passed(4).await;
    assert_eq!(stopped.status, 403);
    assert!(stopped.text().starts_with("error 1000: DNS points to prohibited IP."), "{}", stopped.text());
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_zone_has_so_many_requests_at_once_and_one_more_waits_for_its_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (release, mut released) = tokio::sync::mpsc::unbounded_channel::<()>();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _length = stream.read(&mut head).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.ok();
            released.recv().await;
            stream.write_all(b"done").await.ok();
        }
    });
    let saas = Saas::start(&format!("{}\nmax_per_zone = 1\nconnect_ms = 500", http_port(address))).await;
    saas.ssl("off").await;
    saas.record("slow", "127.0.0.1").await;
    let asked = || request(http::Method::GET, "slow.saas.test", "/").body(body("")).unwrap();
    let mut connection = saas.server.connect().await;
    let mut first = connection.send(asked()).await.into_body();
    let refused = saas.server.send(asked()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(refused.text().starts_with("error 2013"), "{}", refused.text());
    release.send(()).unwrap();
    assert_eq!(next_chunk(&mut first).await.unwrap(), "done");
    drop((first, connection));
    release.send(()).unwrap();
    let served = within("a place", async {
        loop {
            let answer = saas.server.send(asked()).await;
            if answer.status == 200 {
                return answer;
            }
        }
    });
    assert_eq!(served.await.text(), "done");
}
