//! Bodies that are hardly there.

use http::Method;

use super::{DIRECT, DISPATCHED, config};
use crate::support::{Connection, Server, body, request};

#[tokio::test]
async fn empty_bodies_stay_empty_both_ways() {
    let server = Server::serving(&config()).await;
    for host in [DIRECT, DISPATCHED] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = server.send(request(method.clone(), host, "/").body(body("")).unwrap()).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{method} {host}");
        }
    }
    let none = server.get("probe.test", "/empty").await;
    assert_eq!((none.status, none.body.len()), (204, 0));
    assert_eq!(none.header("transfer-encoding"), "", "204 has no body to encode");
}

#[tokio::test]
async fn head_is_answered_without_a_body_and_the_connection_goes_on() {
    let server = Server::serving(&config()).await;
    let mut connection = server.connect().await;
    let get = connection.get("probe.test", "/length").await;
    assert_eq!((get.text(), get.header("content-length")), ("0\n", "2"));
    let head = request(Method::HEAD, "probe.test", "/length").body(body("")).unwrap();
    let head = crate::support::Answer::read(connection.send(head).await).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(connection.get("probe.test", "/length").await.text(), "0\n", "the next answer is not shifted");

    let mut http2 = Connection::http2(server.visitors).await;
    let head = request(Method::HEAD, DISPATCHED, "/").body(body("")).unwrap();
    let head = crate::support::Answer::read(http2.send(head).await).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_known_length_stays_known() {
    let server = Server::serving(&config()).await;
    let answer =
        server.send(request(Method::POST, "probe.test", "/length").body(body("12345")).unwrap()).await;
    assert_eq!((answer.text(), answer.header("content-length")), ("5\n", "2"));
}

#[tokio::test]
async fn a_visitor_who_waits_for_100_continue_gets_it_before_sending() {
    let server = Server::serving(&config()).await;
    let head =
        "POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    let mut visitor = server.raw(head).await;
    assert_eq!(visitor.answer().await.status, 100);
    visitor.write("12345").await;
    let answer = visitor.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "5\n"));
}

#[tokio::test]
async fn a_visitor_who_waits_for_100_continue_for_nobody_is_told_so_at_once() {
    let server = Server::serving(&config()).await;
    let head = "POST / HTTP/1.1\r\nhost: nobody.test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    let mut visitor = server.raw(head).await;
    assert_eq!(visitor.answer().await.status, 404, "no body was asked for that nobody would read");
}
