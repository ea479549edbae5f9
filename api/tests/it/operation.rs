//! Health and metrics, which need no token.

use axum::body::Body;
use http::Request;

use crate::common::Api;

async fn get(api: &Api, path: &str) -> (u16, String) {
    let answer = api.raw(Request::get(path).body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn health_tells_live_from_ready() {
    let api = Api::new().await;
    assert_eq!(get(&api, "/health/live").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&api, "/health/ready").await, (200, "ok\n".to_owned()));
    *api.not_ready.lock().unwrap() = Some("warming up".to_owned());
    assert_eq!(get(&api, "/health/ready").await, (503, "not ready: warming up\n".to_owned()));
    assert_eq!(get(&api, "/health/live").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn metrics_are_text() {
    let api = Api::new().await;
    assert_eq!(get(&api, "/metrics").await, (200, "wasmyard_up 1\n".to_owned()));
}
