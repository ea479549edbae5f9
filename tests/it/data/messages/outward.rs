//! What goes out to an origin: how its length is said, and what becomes of it where a kept connection ends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Method;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::origin::Origin;
use crate::support::{Answer, Connection, Server, body, channel, guest, request};

/// `fetcher` makes a request of its own out of what it is asked, and gives it the visitor's body.
fn config(port: u16) -> String {
    format!(
        r#"
        [egress]
        allow_private = ["127.0.0.1"]
        ports = [{port}]
        [scripts.fetcher]
        {fetcher}
        [[routes]]
        pattern = "fetcher.test/*"
        script = "fetcher"
        "#,
        fetcher = guest::main("fetcher"),
    )
}

#[tokio::test]
async fn a_length_that_is_known_stays_and_one_that_is_not_is_not_made_up() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(origin.address.port())).await;
    let large = "x".repeat(300_000);
    for (version, mut visitor) in
        [("1", Connection::http1(server.visitors).await), ("2", Connection::http2(server.visitors).await)]
    {
        for (method, sent) in [
            (Method::PUT, "hello"),
            (Method::POST, large.as_str()),
            (Method::DELETE, "hello"),
            (Method::POST, ""),
        ] {
            let path = format!("/{version}/{method}/{}", sent.len());
            let target = origin.url(&path);
            let asked = request(method.clone(), "fetcher.test", "/").header("x-target", &target);
            let asked = asked.header("content-length", sent.len());
            let answer = visitor.send(asked.body(body(sent.to_owned())).unwrap()).await;
            assert_eq!(Answer::read(answer).await.status, 200, "{target}");
            let seen = origin.seen().pop().unwrap();
            assert_eq!((seen.target.as_str(), seen.body.len()), (path.as_str(), sent.len()));
            let framed = (seen.header("content-length"), seen.header("transfer-encoding"));
            assert_eq!(framed, (sent.len().to_string().as_str(), ""), "{target}");
        }
        let (parts, streamed) = channel();
        let asked = request(Method::PUT, "fetcher.test", "/").header("x-target", origin.url("/parts"));
        let sending = visitor.send(asked.body(streamed).unwrap());
        for part in ["one ", "two"] {
            parts.unbounded_send(Ok(Frame::data(part.into()))).unwrap();
        }
        drop(parts);
        assert_eq!(Answer::read(sending.await).await.status, 200);
        let seen = origin.seen().pop().unwrap();
        assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), ("", "chunked"));
        assert_eq!(seen.body, "one two");
    }
}

/// Reads a head, and gives its first line; none at the end of the connection.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(seen).unwrap().lines().next().unwrap().to_owned())
}

/// An origin that answers the first request of each connection, reads the second, and closes. Keeps which connection
/// each request came over, and its first line.
async fn closing() -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                if let Some(line) = head(&mut stream).await {
                    seen.lock().unwrap().push((connection, line));
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok();
                }
                if let Some(line) = head(&mut stream).await {
                    seen.lock().unwrap().push((connection, line));
                }
            });
        }
    });
    (address, requests)
}

type Requests = Arc<Mutex<Vec<(usize, String)>>>;

#[tokio::test]
async fn an_origin_that_closes_a_kept_connection_is_asked_once_more_where_that_does_no_harm() {
    let (origin, requests) = closing().await;
    let server = Server::serving(&config(origin.port())).await;
    for (method, status, asked) in [
        (Method::GET, 200, 3),
        (Method::HEAD, 200, 3),
        (Method::PUT, 200, 3),
        (Method::DELETE, 200, 3),
        (Method::OPTIONS, 200, 3),
        (Method::POST, 502, 2),
    ] {
        let target = format!("http://{origin}/{method}");
        requests.lock().unwrap().clear();
        for expected in [200, status] {
            let sent = request(method.clone(), "fetcher.test", "/").header("x-target", &target);
            let sent = sent.header("content-length", 0);
            let answer = server.send(sent.body(body("")).unwrap()).await;
            assert_eq!(answer.status, expected, "{method}: {}", answer.text());
        }
        let seen = requests.lock().unwrap();
        assert_eq!(seen.len(), asked, "{method}: {seen:?}");
    }
}
