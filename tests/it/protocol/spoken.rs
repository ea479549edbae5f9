//! Well-formed requests, many on one connection.

use std::collections::BTreeSet;

use http::Method;

use super::config;
use crate::support::{Answer, Connection, Server, body, request};

#[tokio::test]
async fn one_http1_connection_serves_many_requests() {
    let server = Server::serving(&config()).await;
    let mut connection = server.connect().await;
    for turn in 0..50 {
        let path = format!("/turn-{turn}");
        let answer = connection.get("probe.test", &path).await;
        assert!(answer.text().contains(&format!("target {path}\n")), "{}", answer.text());
    }
    assert_eq!(server.metric("wasmyard_connections_total").await, 1.0);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::serving(&config()).await;
    let requests: String = (0..10)
        .map(|turn| {
            let body = "x".repeat(turn);
            format!("POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: {turn}\r\n\r\n{body}")
        })
        .collect();
    let mut visitor = server.raw(requests).await;
    for turn in 0..10 {
        let answer = visitor.answer().await;
        assert_eq!((answer.status, answer.body), (200, format!("{turn}\n")));
    }
}

#[tokio::test]
async fn a_visitor_who_asks_for_it_has_the_connection_closed_after_the_answer() {
    let server = Server::serving(&config()).await;
    for head in [
        "POST /length HTTP/1.1\r\nhost: probe.test\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "POST /length HTTP/1.0\r\nhost: probe.test\r\ncontent-length: 0\r\n\r\n",
    ] {
        let mut visitor = server.raw(head).await;
        assert_eq!(visitor.answer().await.body, "0\n");
        assert_eq!(visitor.rest().await, "");
    }
}

#[tokio::test]
async fn one_http2_connection_serves_many_streams_at_once() {
    let server = Server::serving(&config()).await;
    let Connection::Http2(sender) = Connection::http2(server.visitors).await else { unreachable!() };
    let streams: Vec<_> = (0..100_usize)
        .map(|turn| {
            let mut stream = Connection::Http2(sender.clone());
            tokio::spawn(async move {
                let sent = body(vec![b'x'; turn * 100]);
                let head = request(Method::POST, "probe.test", "/length").body(sent).unwrap();
                Answer::read(stream.send(head).await).await
            })
        })
        .collect();
    let mut rays = BTreeSet::new();
    for (turn, stream) in streams.into_iter().enumerate() {
        let answer = stream.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, format!("{}\n", turn * 100).as_str()));
        rays.insert(answer.header("cf-ray").to_owned());
    }
    assert_eq!(rays.len(), 100, "each is a request of its own");
    assert_eq!(server.metric("wasmyard_connections_total").await, 1.0);
}

#[tokio::test]
async fn an_http2_stream_that_is_reset_leaves_the_others_alone() {
    let server = Server::serving(&config()).await;
    let mut connection = Connection::http2(server.visitors).await;
    let waiting = connection.send(request(Method::GET, "probe.test", "/begin").body(body("")).unwrap()).await;
    drop(waiting);
    let canceled = r#"wasmyard_invocations_total{kind="platform",outcome="canceled"}"#;
    crate::support::eventually("the reset cancels", async || {
        (server.metric(canceled).await == 1.0).then_some(())
    })
    .await;
    assert_eq!(connection.get("probe.test", "/").await.status, 200);
    assert_eq!(server.metric("wasmyard_connections_total").await, 1.0);
}

#[tokio::test]
async fn an_absolute_target_that_agrees_with_host_is_served() {
    let server = Server::serving(&config()).await;
    let mut visitor = server
        .raw("POST http://probe.test/length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    assert_eq!(visitor.answer().await.body, "3\n");
}
