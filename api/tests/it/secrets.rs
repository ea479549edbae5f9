//! Secrets: they go in and never come out.

use serde_json::{Value, json};
use wasmyard_namespaces::{BindingKind, ScriptKey};

use crate::common::{Api, SCRIPT, component};

fn secrets() -> String {
    format!("{SCRIPT}/secrets")
}

#[tokio::test]
async fn a_secret_is_put_replaced_listed_and_deleted_and_never_shown() {
    let api = Api::with_scripts().await;
    for text in ["hunter2", "hunter3"] {
        let answer = api.put(&secrets(), &json!({"name": "KEY", "text": text, "type": "secret_text"})).await;
        assert_eq!(answer.result(), json!({"name": "KEY", "type": "secret_text"}));
    }
    for path in [
        secrets(),
        format!("{}/KEY", secrets()),
        format!("{SCRIPT}/settings"),
        format!("{SCRIPT}/bindings"),
        SCRIPT.to_owned(),
    ] {
        let answer = api.get(&path).await;
        answer.result();
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter"), "{path}");
    }
    let key = ScriptKey::user("production".parse().unwrap(), "customer-a".parse().unwrap());
    let script = api.registry.script(&key).await.unwrap().unwrap();
    assert!(
        matches!(&script.version.bindings[0].kind, BindingKind::SecretText(held) if held.text.expose() == "hunter3")
    );
    assert_eq!(api.get(&secrets()).await.result(), json!([{"name": "KEY", "type": "secret_text"}]));
    let path = format!("{}/KEY?url_encoded=true", secrets());
    assert_eq!(api.delete(&path).await.result(), Value::Null);
    api.delete(&path).await.refused(404, 90003);
    assert!(api.get(&path).await.refused(404, 90003).contains("KEY"));
    assert_eq!(api.get(&secrets()).await.result(), json!([]));
}

#[tokio::test]
async fn several_secrets_change_in_one_call() {
    let api = Api::with_scripts().await;
    api.put(&secrets(), &json!({"name": "OLD", "text": "x"})).await.result();
    let body = json!({"secrets": {"A": {"name": "A", "text": "1", "type": "secret_text"}, "OLD": null}});
    assert_eq!(
        api.patch(&format!("{SCRIPT}/secrets-bulk"), &body).await.result(),
        json!({"A": {"name": "A", "type": "secret_text"}})
    );
    assert_eq!(api.get(&secrets()).await.result(), json!([{"name": "A", "type": "secret_text"}]));
    let before = api.stored().await;
    for (bad, status, code) in [
        (json!({"secrets": {"B": {"name": "B", "text": "1"}, "GONE": null}}), 404, 90003),
        (json!({"secrets": {"B": {"name": "C", "text": "1"}}}), 400, 10021),
        (json!({"secrets": {"B": {"name": "B", "text": "1"}, "bad name": null}}), 400, 10021),
        (json!({"secret": {}}), 400, 10021),
    ] {
        api.patch(&format!("{SCRIPT}/secrets-bulk"), &bad).await.refused(status, code);
    }
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn secrets_put_at_the_same_time_are_all_there() {
    let api = Api::with_scripts().await;
    let puts = (0..20).map(|n| {
        let api = &api;
        async move { api.put(&secrets(), &json!({"name": format!("KEY_{n}"), "text": "x"})).await.result() }
    });
    futures::future::join_all(puts).await;
    assert_eq!(api.get(&secrets()).await.result().as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn bad_secrets_are_refused_without_repeating_them() {
    let api = Api::with_scripts().await;
    let metadata =
        json!({"main_module": "a.wasm", "bindings": [{"type": "plain_text", "name": "VAR", "text": "1"}]});
    api.upload(SCRIPT, &metadata, &component("a")).await.result();
    let before = api.stored().await;
    for (body, named) in [
        (json!({"name": "KEY", "text": "hunter2", "type": "secret_key"}), "format"),
        (json!({"name": "KEY", "text": "hunter2", "type": "plain_text"}), "plain_text"),
        (
            json!({"name": "KEY", "type": "secret_key", "format": "raw", "algorithm": "HMAC", "usages": ["sign"], "key_base64": "hunter2"}),
            "key_base64",
        ),
        (json!({"name": "1KEY", "text": "hunter2"}), "1KEY"),
        (json!({"name": "KEY", "text": {"a": "hunter2"}}), "text"),
        (json!({"name": "KEY", "text": "hunter2".repeat(1000)}), "KEY"),
        (json!({"name": "VAR", "text": "hunter2"}), "VAR"),
        (json!({"name": "KEY", "text": "hunter2", "typ": "secret_text"}), "typ"),
        (json!({"name": "KEY"}), "text"),
    ] {
        let message = api.put(&secrets(), &body).await.refused(400, 10021);
        assert!(message.contains(named) && !message.contains("hunter"), "{message}");
    }
    api.delete(&format!("{}/VAR", secrets())).await.refused(404, 90003);
    api.delete(&format!("{}/bad%20name", secrets())).await.refused(400, 10004);
    assert_eq!(api.stored().await, before);
}
