//! Bindings, limits, tags and compatibility, without the component.

use http::Method;
use serde_json::json;

use crate::common::{Api, Form, PLATFORM, SCRIPT, component};

fn settings() -> String {
    format!("{SCRIPT}/settings")
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let api = Api::with_scripts().await;
    let before = api.get(&settings()).await.result();
    assert_eq!((&before["usage_model"], &before["bindings"]), (&json!("standard"), &json!([])));
    let form = |settings: serde_json::Value| {
        Form::new().part("form-data; name=\"settings\"", None, settings.to_string().as_bytes())
    };
    let change = json!({"bindings": [{"type": "plain_text", "name": "A", "text": "1"}], "tags": ["blue"],
        "limits": {"cpu_ms": 20}, "compatibility_date": "2026-01-31", "compatibility_flags": ["f"], "logpush": true});
    let answer = api.form(Method::PATCH, &settings(), form(change)).await;
    assert!(answer.json()["messages"][0]["message"].as_str().unwrap().contains("logpush"));
    let changed = answer.result();
    assert_eq!((&changed["tags"], &changed["limits"]), (&json!(["blue"]), &json!({"cpu_ms": 20})));
    let changed = api.form(Method::PATCH, &settings(), form(json!({"tags": []}))).await.result();
    assert_eq!((&changed["tags"], &changed["compatibility_flags"]), (&json!([]), &json!(["f"])));
    assert_eq!(changed["bindings"][0]["name"], "A");
    // As plain JSON, with and without the name around it.
    assert_eq!(
        api.patch(&settings(), &json!({"settings": {"tags": ["x"]}})).await.result()["tags"],
        json!(["x"])
    );
    assert_eq!(api.patch(&settings(), &json!({"tags": ["y"]})).await.result()["tags"], json!(["y"]));
    let component = api.get(&format!("{SCRIPT}/content")).await.body;
    assert!(component.windows(4).any(|window| window == b"\0asm"));
}

#[tokio::test]
async fn wrangler_adds_secrets_by_naming_the_bindings_to_keep() {
    let api = Api::with_scripts().await;
    let metadata = json!({"main_module": "d.wasm", "bindings": [
        {"type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "production"},
        {"type": "secret_text", "name": "OLD", "text": "old"}]});
    api.upload(PLATFORM, &metadata, &component("d")).await.result();
    let form = Form::new().part(
        "form-data; name=\"settings\"",
        None,
        br#"{"bindings":[{"type":"dispatch_namespace","name":"DISPATCHER"},{"type":"secret_text","name":"OLD"},{"type":"secret_text","name":"A","text":"hunter2"}]}"#,
    );
    let answer = api.form(Method::PATCH, &format!("{PLATFORM}/settings"), form).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    assert_eq!(
        answer.result()["bindings"],
        json!([
        {"type": "secret_text", "name": "A"},
        {"type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "production"},
        {"type": "secret_text", "name": "OLD"}])
    );
}

#[tokio::test]
async fn bad_settings_are_refused() {
    let api = Api::with_scripts().await;
    let before = api.stored().await;
    for (body, code, named) in [
        (json!({"tag": "blue"}), 10021, "tag"),
        (json!({"tags": "blue"}), 10021, "string"),
        (json!({"tags": ["a&b"]}), 10021, "a&b"),
        (json!({"limits": {"memory_bytes": 1}}), 10021, "memory_bytes"),
        (
            json!({"bindings": [{"type": "queue", "name": "Q", "queue_name": "none"}]}),
            10021,
            "no queue \"none\"",
        ),
        (json!({"bindings": [{"type": "browser", "name": "B"}]}), 10021, "browser"),
        (json!({"bindings": [{"type": "secret_text", "name": "GONE"}]}), 10057, "GONE"),
        (json!({"compatibility_date": "2026-13-01"}), 10021, "2026-13-01"),
        (json!({"migrations": {"new_tag": "v1"}}), 10021, "migrations"),
        (json!([]), 10021, "JSON object"),
    ] {
        let message = api.patch(&settings(), &body).await.refused(400, code);
        assert!(message.contains(named), "{body}: {message}");
    }
    let form = Form::new().part("form-data; name=\"other\"", None, b"{}");
    assert!(api.form(Method::PATCH, &settings(), form).await.refused(400, 10021).contains("settings"));
    api.send(Method::PATCH, &settings(), "application/json", "{").await.refused(400, 10006);
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn script_settings_hold_the_tags() {
    let api = Api::with_scripts().await;
    let path = format!("{PLATFORM}/script-settings");
    let change = json!({"tags": ["cf:service=d", "cf:environment=staging"], "observability": {"enabled": false}, "logpush": false});
    let changed = api.patch(&path, &change).await.result();
    assert_eq!(changed["tags"], json!(["cf:environment=staging", "cf:service=d"]));
    assert_eq!(api.patch(&path, &json!({})).await.result(), changed);
    assert_eq!(api.get(&path).await.result(), changed);
    api.patch(&path, &json!({"tag": 1})).await.refused(400, 10021);
    api.patch(&path, &json!({"tags": ["a,b"]})).await.refused(400, 10021);
    api.get("/client/v4/accounts/acc1/workers/scripts/gone/script-settings").await.refused(404, 10007);
    api.patch("/client/v4/accounts/acc1/workers/scripts/gone/script-settings", &json!({"tags": []}))
        .await
        .refused(404, 10007);
}
