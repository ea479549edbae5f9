//! Visitors who ask for an answer and do not read it.

use super::{config, under_way};
use crate::support::{Server, body, eventually, request};
use http::Method;

const CANCELED: &str = r#"wasmyard_invocations_total{kind="platform",outcome="canceled"}"#;

async fn canceled(server: &Server, times: f64) {
    let canceled = async || (server.metric(CANCELED).await >= times).then_some(());
    eventually("the invocation is canceled", canceled).await;
    under_way(server, 0).await;
}

#[tokio::test]
async fn a_visitor_who_does_not_read_is_cut_off() {
    let server = Server::serving(&config("slow_reader_ms = 200")).await;
    let mut reader = server.raw("GET /flood HTTP/1.1\r\nhost: probe.test\r\n\r\n").await;
    canceled(&server, 1.0).await;
    // What is left in the sockets can still be read; then the connection is at its end.
    assert!(reader.rest().await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_reset_and_the_connection_goes_on() {
    let server = Server::serving(&config("slow_reader_ms = 200")).await;
    let mut connection = crate::support::Connection::http2(server.visitors).await;
    let flood = request(Method::GET, "probe.test", "/flood").body(body("")).unwrap();
    let unread = connection.send(flood).await;
    assert_eq!(unread.status(), 200);
    canceled(&server, 1.0).await;
    assert_eq!(connection.get("neighbour.test", "/").await.status, 200);
    drop(unread);
}

#[tokio::test]
async fn a_visitor_who_waits_for_a_script_is_not_slow() {
    let server = Server::serving(&config("slow_reader_ms = 50")).await;
    for mut connection in [server.connect().await, crate::support::Connection::http2(server.visitors).await] {
        let begin = request(Method::GET, "probe.test", "/begin").body(body("")).unwrap();
        let mut answer = connection.send(begin).await.into_body();
        assert_eq!(crate::support::next_chunk(&mut answer).await.unwrap(), "begun\n");
        let more = tokio::time::timeout(
            std::time::Duration::from_millis(500),
            crate::support::next_chunk(&mut answer),
        );
        assert!(more.await.is_err(), "it was cut off");
    }
}
