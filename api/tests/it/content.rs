//! The component alone: download and replacement.

use axum::body::Body;
use bytes::Bytes;
use http::Method;
use serde_json::json;
use wasmyard_api::multipart;

use crate::common::{Api, CORE_MODULE, Form, PLATFORM, SCRIPT, component};

#[tokio::test]
async fn a_component_comes_back_as_it_was_sent() {
    let api = Api::with_scripts().await;
    for (path, name, payload) in [
        (format!("{SCRIPT}/content"), "a.wasm", "a"),
        (format!("{PLATFORM}/content"), "d.wasm", "d"),
        (format!("{PLATFORM}/content/v2"), "d.wasm", "d"),
        (PLATFORM.to_owned(), "d.wasm", "d"),
    ] {
        let answer = api.get(&path).await;
        let boundary =
            multipart::boundary(answer.headers["content-type"].to_str().unwrap()).unwrap().unwrap();
        let parts = multipart::parse(&answer.body, &boundary, 8).unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].name.as_str(), parts[0].filename.as_deref()), (name, Some(name)));
        assert_eq!(parts[0].content, component(payload));
        let bare =
            api.request(Method::GET, &path).header("accept", "application/wasm").body(Body::empty()).unwrap();
        let answer = api.raw(bare).await;
        assert_eq!(
            (&answer.body[..], &answer.headers["content-type"]),
            (&component(payload)[..], &"application/wasm".parse().unwrap())
        );
        assert!(answer.headers.contains_key("etag"));
    }
}

#[tokio::test]
async fn a_replacement_keeps_everything_else() {
    let api = Api::new().await;
    api.with_namespace().await;
    let metadata = json!({"main_module": "a.wasm", "tags": ["blue"], "limits": {"cpu_ms": 20}, "compatibility_date": "2026-01-31",
        "bindings": [{"type": "secret_text", "name": "KEY", "text": "hunter2"}, {"type": "json", "name": "J", "json": {"a": 1}}]});
    api.upload(SCRIPT, &metadata, &component("a")).await.result();
    let before = api.get(&format!("{SCRIPT}/settings")).await.result();
    let replaced = api
        .upload(&format!("{SCRIPT}/content"), &json!({"main_module": "b.wasm"}), &component("b"))
        .await
        .result();
    assert_eq!((&replaced["main_module"], &replaced["version_number"]), (&json!("b.wasm"), &json!(2)));
    assert_eq!(api.get(&format!("{SCRIPT}/settings")).await.result(), before);
    // By header, as one SDK does, and by itself.
    let form = Form::new().part("form-data; name=\"metadata\"", None, b"{}").part(
        "form-data; name=\"files[]\"; filename=\"c.wasm\"",
        None,
        &component("c"),
    );
    let request =
        api.request(Method::PUT, &format!("{SCRIPT}/content")).header("content-type", Form::CONTENT_TYPE);
    let request =
        request.header("CF-WORKER-MAIN-MODULE-PART", "c.wasm").body(Body::from(form.end())).unwrap();
    assert_eq!(api.raw(request).await.result()["main_module"], "c.wasm");
    api.send(Method::PUT, &format!("{SCRIPT}/content"), "application/wasm", Bytes::from(component("d")))
        .await
        .result();
    assert_eq!(api.get(&format!("{SCRIPT}/settings")).await.result(), before);
}

#[tokio::test]
async fn a_bad_replacement_changes_nothing() {
    let api = Api::with_scripts().await;
    let before = api.stored().await;
    api.upload(&format!("{SCRIPT}/content"), &json!({"main_module": "b.wasm"}), CORE_MODULE)
        .await
        .refused(400, 10021);
    api.put(&format!("{SCRIPT}/content"), &json!({})).await.refused(415, 10001);
    assert_eq!(api.stored().await, before);
}
