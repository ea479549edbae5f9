//! SIGTERM: what is in flight finishes, nobody new is let in, and the process ends well.

use bytes::Bytes;
use http::Method;
use hyper::body::Frame;

use super::config;
use crate::support::{Connection, Server, channel, eventually, next_chunk, request};

/// Waits until the visitors' port refuses.
async fn refuses(server: &Server) {
    let address = server.visitors;
    eventually("new connections are refused", async || {
        std::net::TcpStream::connect(address).is_err().then_some(())
    })
    .await;
}

/// A stream that is open when the server is told to stop, and goes on until it has said what it had to say.
async fn finishes(mut server: Server, mut connection: Connection) {
    let (sender, body) = channel();
    let send = |text: &'static str| sender.unbounded_send(Ok(Frame::data(Bytes::from(text)))).unwrap();
    send("before");
    let answer = connection.send(request(Method::POST, "echo.test", "/").body(body).unwrap()).await;
    let mut echoed = answer.into_body();
    assert_eq!(next_chunk(&mut echoed).await.unwrap(), "before");

    server.terminate();
    refuses(&server).await;
    send("after");
    assert_eq!(next_chunk(&mut echoed).await.unwrap(), "after");
    drop(sender);
    assert_eq!(next_chunk(&mut echoed).await, None, "the answer is whole");
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_http1_request_in_flight_finishes_and_new_connections_are_refused() {
    let server = Server::serving(&config()).await;
    let connection = server.connect().await;
    finishes(server, connection).await;
}

#[tokio::test]
async fn an_http2_stream_in_flight_finishes_and_new_connections_are_refused() {
    let server = Server::serving(&config()).await;
    let connection = Connection::http2(server.visitors).await;
    finishes(server, connection).await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_process() {
    let mut server = Server::serving(&config().replace("_ms = 1000\n", "_ms = 60000\n")).await;
    let (mut one, mut two) = (server.connect().await, Connection::http2(server.visitors).await);
    assert_eq!(one.get("probe.test", "/").await.status, 200);
    assert_eq!(two.get("probe.test", "/").await.status, 200);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn what_takes_longer_than_the_drain_time_is_cut() {
    let mut server = Server::serving(&config().replace("drain_ms = 20000", "drain_ms = 200")).await;
    let mut visitor = server.raw("GET /wait HTTP/1.1\r\nhost: probe.test\r\n\r\n").await;
    let running = async || (server.metric("wasmyard_requests_in_flight").await >= 1.0).then_some(());
    eventually("the request runs", running).await;
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(visitor.next().await.is_none(), "there was no answer to give");
}
