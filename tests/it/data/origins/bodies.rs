//! Bodies both ways, and connections that are kept.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt as _;

use super::*;
use crate::support::{channel, next_chunk, within};

/// An origin that sends back what it is sent, as it comes, and redirects who asks for that.
async fn echoing() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new()
        .route(
            "/away",
            axum::routing::get(|| async {
                (http::StatusCode::FOUND, [("location", "http://elsewhere.test/")])
            }),
        )
        .fallback(|request: Request| async { Body::from_stream(request.into_body().into_data_stream()) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn platform() -> Saas {
    let saas = Saas::start(&http_port(echoing().await)).await;
    saas.ssl("off").await;
    saas.record("echo", "127.0.0.1").await;
    saas
}

#[tokio::test]
async fn bodies_of_any_size_pass_piece_by_piece() {
    let saas = platform().await;
    for bytes in [0, 1, 100_000, 16 << 20] {
        let sent = Bytes::from(vec![7; bytes]);
        let asked = request(http::Method::PUT, "echo.saas.test", "/").body(body(sent.clone())).unwrap();
        let answer = saas.server.send(asked).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body == sent, "{bytes}: {} came back", answer.body.len());
    }
    // What is sent first comes back before the rest was sent.
    let (sender, sent) = channel();
    let mut connection = saas.server.connect().await;
    let asked = request(http::Method::POST, "echo.saas.test", "/").body(sent).unwrap();
    sender.unbounded_send(Ok(hyper::body::Frame::data(Bytes::from_static(b"one")))).unwrap();
    let mut answer = connection.send(asked).await.into_body();
    assert_eq!(next_chunk(&mut answer).await.unwrap(), "one");
    sender.unbounded_send(Ok(hyper::body::Frame::data(Bytes::from_static(b"two")))).unwrap();
    assert_eq!(next_chunk(&mut answer).await.unwrap(), "two");
    drop(sender);
    assert_eq!(next_chunk(&mut answer).await, None);
}

#[tokio::test]
async fn who_asks_over_http2_and_for_a_head_alone_is_served_and_redirects_are_the_visitors() {
    let saas = platform().await;
    let mut connection = crate::support::Connection::http2(saas.server.visitors).await;
    assert_eq!(connection.get("echo.saas.test", "/").await.status, 200);
    let head = request(http::Method::HEAD, "echo.saas.test", "/").body(body("")).unwrap();
    assert_eq!(saas.server.send(head).await.status, 200);
    let away = saas.get("echo.saas.test", "/away").await;
    assert_eq!((away.status, away.header("location")), (302, "http://elsewhere.test/"));
}

#[tokio::test]
async fn connections_are_kept_and_serve_one_visitor_after_the_other() {
    let saas = platform().await;
    for _ in 0..20 {
        assert_eq!(saas.get("echo.saas.test", "/").await.status, 200);
    }
    // One comes back a moment after its answer, which the next visitor may not have waited for.
    let opened = saas.server.total("wasmyard_origin_connections_opened_total").await;
    let reused = saas.server.metric("wasmyard_origin_connections_reused_total").await;
    assert!(opened + reused == 20.0 && reused >= 10.0, "{opened} {reused}");
    let many = futures::stream::iter(0..200).map(|number| {
        let asked =
            request(http::Method::POST, "echo.saas.test", "/").body(body(number.to_string())).unwrap();
        let server = &saas.server;
        async move { (number.to_string(), server.send(asked).await) }
    });
    let answers: Vec<_> = within("all answers", many.buffer_unordered(32).collect()).await;
    assert_eq!(answers.len(), 200);
    for (sent, answer) in answers {
        assert_eq!((answer.status, answer.text()), (200, sent.as_str()));
    }
    let more = saas.server.total("wasmyard_origin_connections_opened_total").await - opened;
    assert!(more < 200.0, "{more} were opened for 200 requests, 32 at a time");
}
