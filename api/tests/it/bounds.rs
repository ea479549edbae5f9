//! Sizes, times, halves: an upload is whole, in bounds and in time, or it never was.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::Method;
use serde_json::json;
use wasmyard_api::UploadLimits;

use crate::common::{Api, Form, NAMESPACES, SCRIPT, component};

async fn small() -> Api {
    let api = Api::with_limits(UploadLimits {
        metadata_bytes: 1_000,
        module_bytes: 2_000,
        total_bytes: 5_000,
        parts: 3,
        idle: Duration::from_millis(20),
        ..UploadLimits::default()
    })
    .await;
    api.with_namespace().await;
    api
}

fn form(module: &[u8]) -> Form {
    Form::new().part("form-data; name=\"metadata\"", None, br#"{"main_module":"w.wasm"}"#).part(
        "form-data; name=\"w.wasm\"; filename=\"w.wasm\"",
        None,
        module,
    )
}

/// A body without a Content-Length, in pieces.
fn pieces(bytes: Vec<u8>, end: Option<std::io::Error>) -> Body {
    let pieces: Vec<_> = bytes.chunks(100).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces.into_iter().chain(end.map(Err))))
}

#[tokio::test]
async fn a_component_as_large_as_allowed_is_taken_and_one_byte_more_is_not() {
    let api = small().await;
    api.form(Method::PUT, SCRIPT, form(&component(&"x".repeat(1_992)))).await.result();
    let before = api.stored().await;
    let message =
        api.form(Method::PUT, SCRIPT, form(&component(&"x".repeat(1_993)))).await.refused(413, 10027);
    assert!(message.contains("2001") && message.contains("2000"), "{message}");
    api.send(Method::PUT, SCRIPT, "application/wasm", component(&"x".repeat(1_993)))
        .await
        .refused(413, 10027);
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let api = small().await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let request = api
        .request(Method::PUT, SCRIPT)
        .header("content-type", Form::CONTENT_TYPE)
        .header("content-length", "5001");
    api.raw(request.body(never).unwrap()).await.refused(413, 10027);
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_refused() {
    let api = small().await;
    let body = form(&vec![0; 6_000]).end();
    api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, pieces(body, None)).await.refused(413, 10027);
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1_000));
    api.send(Method::POST, NAMESPACES, "application/json", pieces(long.into_bytes(), None))
        .await
        .refused(413, 10027);
}

#[tokio::test]
async fn metadata_has_a_bound_of_its_own() {
    let api = small().await;
    let metadata =
        format!("{{\"main_module\":\"w.wasm\",\"annotations\":{{\"a\":\"{}\"}}}}", "x".repeat(1_000));
    let form = Form::new().part("form-data; name=\"metadata\"", None, metadata.as_bytes()).part(
        "form-data; name=\"w.wasm\"",
        None,
        &component("x"),
    );
    assert!(api.form(Method::PUT, SCRIPT, form).await.refused(413, 10027).contains("metadata"));
}

#[tokio::test]
async fn a_form_of_too_many_parts_is_refused() {
    let api = small().await;
    let mut form = form(&component("x"));
    for _ in 0..2 {
        form = form.part("form-data; name=\"extra\"", None, b"");
    }
    assert!(api.form(Method::PUT, SCRIPT, form).await.refused(400, 10006).contains("more than 3 parts"));
}

#[tokio::test]
async fn half_an_upload_stores_nothing() {
    let api = small().await;
    let before = api.stored().await;
    // The connection breaks.
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "gone");
    let body = pieces(form(&component("x")).half(), Some(broken));
    api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, body).await.refused(400, 10006);
    // The body ends, and the form does not.
    let whole = form(&component("x")).end();
    let last_needed = whole.len() - "--\r\n".len();
    for end in [last_needed, last_needed / 2, 10] {
        let half = whole[..end].to_vec();
        api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, half).await.refused(400, 10006);
    }
    assert_eq!(api.stored().await, before);
    api.get(SCRIPT).await.refused(404, 10092);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let api = small().await;
    let before = api.stored().await;
    let some = stream::iter([Ok::<_, std::io::Error>(Bytes::from(form(&component("x")).half()))]);
    let body = Body::from_stream(futures::StreamExt::chain(some, stream::pending()));
    api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, body).await.refused(408, 90006);
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    api.send(Method::POST, NAMESPACES, "application/json", never).await.refused(408, 90006);
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_a_change_half_way() {
    let api = Api::new().await;
    api.with_namespace().await;
    let body = form(&component("x")).end();
    {
        let call = api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, body);
        tokio::pin!(call);
        // One poll starts the call; then the caller is gone.
        assert!(futures::poll!(&mut call).is_pending());
    }
    let mut revisions = api.registry.watch();
    while api.registry.script(&key()).await.unwrap().is_none() {
        tokio::time::timeout(Duration::from_secs(10), revisions.changed()).await.unwrap().unwrap();
    }
    api.get(SCRIPT).await.result();
}

fn key() -> wasmyard_namespaces::ScriptKey {
    wasmyard_namespaces::ScriptKey::user("production".parse().unwrap(), "customer-a".parse().unwrap())
}

#[tokio::test]
async fn more_uploads_than_permits_wait_for_their_turn() {
    let api = Api::with_limits(UploadLimits { concurrent: 1, ..UploadLimits::default() }).await;
    api.with_namespace().await;
    let metadata = json!({"main_module": "w.wasm"});
    let uploads = (0..8).map(|n| {
        let (api, metadata) = (&api, &metadata);
        async move {
            let path = format!("{NAMESPACES}/production/scripts/s{n}");
            api.upload(&path, metadata, &component(&n.to_string())).await.result()
        }
    });
    let done = futures::future::join_all(uploads).await;
    assert_eq!(done.len(), 8);
    assert_eq!(api.get(NAMESPACES).await.result()[0]["script_count"], 8);
}

#[tokio::test]
async fn uploads_that_stand_still_keep_nobody_waiting() {
    let api = Api::with_limits(UploadLimits { concurrent: 1, ..UploadLimits::default() }).await;
    api.with_namespace().await;
    let slow = (0..4).map(|_| {
        let some = stream::iter([Ok::<_, std::io::Error>(Bytes::from(form(&component("x")).half()))]);
        let body = Body::from_stream(futures::StreamExt::chain(some, stream::pending()));
        Box::pin(api.send(Method::PUT, SCRIPT, Form::CONTENT_TYPE, body))
    });
    let mut slow = futures::future::select_all(slow);
    assert!(futures::poll!(&mut slow).is_pending());
    let path = format!("{NAMESPACES}/production/scripts/quick");
    let (metadata, module) = (json!({"main_module": "w.wasm"}), component("q"));
    let quick = api.upload(&path, &metadata, &module);
    tokio::select! {
        answer = quick => drop(answer.result()),
        _ = slow => panic!("a body that stands still has ended"),
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_for_memory_arrives_through_a_file() {
    let api = Api::new().await;
    api.with_namespace().await;
    let large = component(&"x".repeat(300_000));
    api.form(Method::PUT, SCRIPT, form(&large)).await.result();
    let content = api.get(&format!("{SCRIPT}/content")).await;
    assert!(content.body.windows(large.len()).any(|window| window == large), "it is what was sent");
}

#[tokio::test]
async fn a_name_of_a_module_is_short_and_an_error_does_not_say_all_of_it() {
    let api = Api::new().await;
    api.with_namespace().await;
    let long = "m".repeat(2_000);
    let message =
        api.upload(SCRIPT, &json!({"main_module": long}), &component("x")).await.refused(400, 10021);
    assert!(message.len() < 500 && message.contains("2000 bytes; at most 512"), "{message}");
}
