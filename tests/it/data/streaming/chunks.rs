//! Chunk by chunk: the visitor sends the next one only when the one before has come back. Whoever held a body back
//! until it is whole would never answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};

use super::{DIRECT, DISPATCHED, config};
use crate::support::{Connection, Server, channel, request, within};

async fn next(body: &mut Incoming) -> Option<Frame<Bytes>> {
    Some(within("a frame", body.frame()).await?.unwrap())
}

/// Reads until `length` bytes have come: a chunk may be cut in two on its way.
async fn read(body: &mut Incoming, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend_from_slice(&next(body).await.unwrap().into_data().unwrap());
    }
    bytes
}

/// Twenty chunks there and back, one at a time, then trailers.
async fn converse(mut connection: Connection, host: &str) {
    let (sender, body) = channel();
    let head = request(Method::POST, host, "/").header("trailer", "x-checksum").header("te", "trailers");
    let mut echoed = None;
    let mut head = Some(head.body(body).unwrap());
    for turn in 0..20_u8 {
        let chunk = Bytes::from(vec![turn; 1 + usize::from(turn) * 500]);
        sender.unbounded_send(Ok(Frame::data(chunk.clone()))).unwrap();
        if let Some(head) = head.take() {
            let response = connection.send(head).await;
            assert_eq!(response.status(), 200);
            echoed = Some(response.into_body());
        }
        assert_eq!(read(echoed.as_mut().unwrap(), chunk.len()).await, chunk, "{host}, chunk {turn}");
    }
    let trailers =
        HeaderMap::from_iter([("x-checksum".parse().unwrap(), HeaderValue::from_static("b5bb9d80"))]);
    sender.unbounded_send(Ok(Frame::trailers(trailers.clone()))).unwrap();
    drop(sender);
    let mut echoed = echoed.unwrap();
    let last = next(&mut echoed).await.expect("trailers");
    assert_eq!(last.into_trailers().unwrap(), trailers, "{host}");
    assert!(next(&mut echoed).await.is_none());
}

#[tokio::test]
async fn a_script_echoes_chunk_by_chunk_with_trailers_over_http1() {
    let server = Server::serving(&config()).await;
    converse(server.connect().await, DIRECT).await;
}

#[tokio::test]
async fn a_script_behind_a_dispatcher_echoes_chunk_by_chunk_with_trailers_over_http1() {
    let server = Server::serving(&config()).await;
    converse(server.connect().await, DISPATCHED).await;
}

#[tokio::test]
async fn a_script_echoes_chunk_by_chunk_with_trailers_over_http2() {
    let server = Server::serving(&config()).await;
    converse(Connection::http2(server.visitors).await, DIRECT).await;
    converse(Connection::http2(server.visitors).await, DISPATCHED).await;
}
