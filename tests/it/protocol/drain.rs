//! SIGTERM: what is in flight finishes, nobody new is let in, and the process ends well.

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Frame;

use super::config;
use crate::support::{Connection, Server, channel, eventually, request, within};

/// Waits until the visitors' port refuses.
async fn refuses(server: &Server) {
    let address = server.visitors;
    eventually("new connections are refused", async || {
        std::net::TcpStream::connect(address).is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_in_flight_finish_and_new_connections_are_refused() {
    let mut server = Server::serving(&config()).await;
    for http2 in [false, true] {
        if http2 {
            server = Server::serving(&config()).await;
        }
        let mut connection = match http2 {
            false => server.connect().await,
            true => Connection::http2(server.visitors).await,
        };
        let (sender, body) = channel();
        let send = |text: &'static str| sender.unbounded_send(Ok(Frame::data(Bytes::from(text)))).unwrap();
        send("before");
        let answer = connection.send(request(Method::POST, "echo.test", "/").body(body).unwrap()).await;
        let mut echoed = answer.into_body();
        let mut next =
            async || within("a chunk", echoed.frame()).await.map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!(next().await.unwrap(), "before");

        server.terminate();
        refuses(&server).await;
        send("after");
        assert_eq!(next().await.unwrap(), "after");
        drop(sender);
        assert_eq!(next().await, None, "the answer is whole");
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_process() {
    let mut server =
        Server::serving(&config().replace("header_read_ms = 1000", "header_read_ms = 60000")).await;
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
