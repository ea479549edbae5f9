//! Requests in flight finish on the version they began with.

use bytes::Bytes;
use http::Method;
use hyper::body::Frame;

use super::config;
use crate::support::{Site, channel, guest, next_chunk, request, script_path, wat};

#[tokio::test]
async fn a_redeploy_serves_the_next_request_while_a_stream_finishes_on_the_old_version() {
    let server = Site::new(&config()).serve().await;
    let api = server.api();
    api.deploy("shop", guest::bytes("echo_stream")).await.result();

    let (sender, body) = channel();
    let mut visitor = server.connect().await;
    let send = |text: &'static str| sender.unbounded_send(Ok(Frame::data(Bytes::from(text)))).unwrap();
    send("before");
    let response = visitor.send(request(Method::POST, "shop.localhost", "/").body(body).unwrap()).await;
    assert_eq!(response.status(), 200);
    let mut answer = response.into_body();
    assert_eq!(next_chunk(&mut answer).await.unwrap(), "before");

    api.deploy("shop", wat::answer("the new version")).await.result();
    assert_eq!(server.get("shop.localhost", "/").await.text(), "the new version");

    send("after");
    assert_eq!(next_chunk(&mut answer).await.unwrap(), "after", "the old version goes on");

    api.delete(&script_path("shop")).await.result();
    assert_eq!(server.get("shop.localhost", "/").await.status, 404);
    send("even later");
    assert_eq!(next_chunk(&mut answer).await.unwrap(), "even later", "a deletion does not cut it either");
    drop(sender);
    assert_eq!(next_chunk(&mut answer).await, None, "and ends as it should");
}
