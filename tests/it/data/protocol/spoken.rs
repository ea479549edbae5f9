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
async fn an_answer_whose_status_rules_out_a_body_has_none_whatever_its_worker_sends() {
    let server = Server::serving(&config()).await;
    let connections = [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await];
    for (mut connection, version) in connections.into_iter().zip(["1.1", "2"]) {
        for status in [204, 205, 304] {
            for how in ["", "length", "stream"] {
                let path = format!("/bodied/{status}?how={how}");
                let answer = connection.get("probe.test", &path).await;
                assert_eq!((answer.status, answer.text()), (status, ""), "HTTP/{version} {path}");
                assert_eq!(answer.header("x-own"), "kept");
                assert!(["", "0"].contains(&answer.header("content-length")), "HTTP/{version} {path}");
                // Nothing of it is left on the connection.
                assert_eq!(connection.get("probe.test", "/").await.status, 200, "HTTP/{version} {path}");
            }
        }
        let other = connection.get("probe.test", "/bodied/203?how=length").await;
        assert_eq!((other.status, other.text()), (203, "nobody may see this\n"));
        assert_eq!(other.header("content-length"), "20");
    }
    assert_eq!(server.metric("wasmyard_connections_total").await, 2.0);
}

#[tokio::test]
async fn after_204_the_very_next_bytes_are_those_of_the_next_answer() {
    let server = Server::serving(&config()).await;
    let ask = "GET /bodied/204?how=length HTTP/1.1\r\nhost: probe.test\r\n";
    let mut visitor = server.raw(format!("{ask}\r\n{ask}connection: close\r\n\r\n")).await;
    let said = visitor.rest().await;
    assert_eq!(said.matches("HTTP/1.1 204 No Content\r\n").count(), 2, "{said}");
    assert!(!said.contains("nobody may see this") && !said.contains("content-length"), "{said}");
    assert_eq!(said.matches("\r\n\r\n").count(), 2, "{said}");
}

#[tokio::test]
async fn an_absolute_target_that_agrees_with_host_is_served() {
    let server = Server::serving(&config()).await;
    let mut visitor = server
        .raw("POST http://probe.test/length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    assert_eq!(visitor.answer().await.body, "3\n");
}
