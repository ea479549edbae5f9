//! Whoever is slow is not waited for.

use std::time::{Duration, Instant};

use super::config;
use crate::support::Server;

/// Far more than the second that the configuration allows, far less than the default of thirty.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_head_that_does_not_arrive_closes_the_connection() {
    let server = Server::serving(&config()).await;
    for (what, begun) in [
        ("nothing", ""),
        ("half a preface", "PR"),
        ("half a request line", "GET / HT"),
        ("half a head", "GET / HTTP/1.1\r\nhost: probe.test\r\nx-a: "),
    ] {
        let since = Instant::now();
        let mut visitor = server.raw(begun).await;
        if let Some(answer) = visitor.next().await {
            assert_eq!(answer.status, 408, "{what}");
        }
        assert_eq!(visitor.rest().await, "", "{what}");
        assert!(since.elapsed() < SOON, "{what}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_head_that_trickles_is_not_waited_for_either() {
    let server = Server::serving(&config()).await;
    let since = Instant::now();
    let mut visitor = server.raw("GET / HTTP/1.1\r\nhost: probe.test\r\n").await;
    // A byte now and then keeps nothing open: the time runs from the first byte.
    while !visitor.reacts_within(Duration::from_millis(100)).await && since.elapsed() < SOON {
        visitor.write("x").await;
    }
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let server = Server::serving(&config()).await;
    let since = Instant::now();
    let mut visitor =
        server.raw("POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 1\r\n\r\n1").await;
    assert_eq!(visitor.answer().await.body, "1\n");
    assert_eq!(visitor.rest().await, "");
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_a_408() {
    let server = Server::serving(&config()).await;
    let since = Instant::now();
    let mut visitor =
        server.raw("POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 10\r\n\r\n12345").await;
    assert_eq!(visitor.answer().await.status, 408);
    assert_eq!(visitor.rest().await, "", "what is left of the body could be taken for a request");
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test]
async fn who_is_answered_while_it_still_sends_gets_the_answer() {
    let server = Server::serving(&config()).await;
    let length = 16 << 20;
    for (what, head, status) in [
        ("a body that no script reads", format!("POST /empty HTTP/1.1\r\ncontent-length: {length}\r\n"), 204),
        ("a host that nobody serves", format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n"), 404),
        ("a head that is refused", "GET / HTTP/1.1\r\nbad header: x\r\n".to_owned(), 400),
    ] {
        let host = if status == 404 { "nobody.test" } else { "probe.test" };
        let mut visitor = server.raw(format!("{head}host: {host}\r\n\r\n")).await;
        // All of it is sent before the first look at the answer.
        assert!(visitor.takes(vec![b'x'; length]).await, "{what}: it was cut off");
        assert_eq!(visitor.answer().await.status, status, "{what}");
    }
}
