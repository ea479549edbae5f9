//! Keys that nobody here knows stop no call: they are taken, and a remark names them.

use http::Method;
use serde_json::{Value, json};

use crate::common::{Api, NAMESPACES, PLATFORM, SCRIPT, component};

const KV: &str = "/client/v4/accounts/acc1/storage/kv/namespaces";

/// A body with a key that some later client may send.
fn with_a_new_key(mut body: Value) -> Value {
    body["some_new_thing"] = json!({"mode": "later"});
    body
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_taken_with_a_remark_by_every_call() {
    let api = Api::with_scripts().await;
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result();
    let zone = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    let version =
        api.get(PLATFORM.trim_end_matches("/dispatcher")).await.result()[0]["deployment_id"].clone();
    for (method, path, body) in [
        (Method::POST, NAMESPACES.to_owned(), json!({"name": "other"})),
        (Method::PATCH, format!("{NAMESPACES}/production"), json!({"trusted_workers": false})),
        (Method::PATCH, format!("{SCRIPT}/settings"), json!({"tags": ["a"]})),
        (Method::PATCH, format!("{PLATFORM}/script-settings"), json!({"tags": ["a"]})),
        (Method::PUT, format!("{SCRIPT}/secrets"), json!({"name": "KEY", "text": "s"})),
        (Method::PATCH, format!("{SCRIPT}/tags"), json!({"add": ["b"]})),
        (
            Method::POST,
            format!("{PLATFORM}/deployments"),
            json!({"strategy": "percentage", "versions": [{"version_id": version, "percentage": 100}]}),
        ),
        (Method::POST, format!("{PLATFORM}/subdomain"), json!({"enabled": false})),
        (
            Method::POST,
            format!("{zone}/workers/routes"),
            json!({"pattern": "b.saas.test/*", "script": "dispatcher"}),
        ),
        (Method::PATCH, format!("{zone}/settings/always_use_https"), json!({"value": "on"})),
        (Method::PATCH, zone.clone(), json!({"paused": false})),
        (
            Method::POST,
            format!("{zone}/dns_records"),
            json!({"type": "AAAA", "name": "s", "content": "100::", "proxied": true}),
        ),
        (Method::PUT, format!("{zone}/custom_hostnames/fallback_origin"), json!({"origin": "s.saas.test"})),
        (
            Method::POST,
            format!("{zone}/custom_hostnames"),
            json!({"hostname": "shop.customer.dev", "ssl": {"method": "http", "type": "dv"}}),
        ),
        (Method::POST, KV.to_owned(), json!({"title": "t"})),
    ] {
        let body = with_a_new_key(body).to_string();
        let answer = api.send(method.clone(), &path, "application/json", body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.json());
        let told = answer.json()["messages"].to_string();
        assert!(told.contains("some_new_thing"), "{method} {path}: {told}");
    }
}

#[tokio::test]
async fn an_upload_says_what_of_it_has_no_effect_wherever_it_stands() {
    let api = Api::with_scripts().await;
    let metadata = with_a_new_key(json!({"main_module": "w.wasm", "bindings": [
        {"type": "plain_text", "name": "A", "text": "1", "other_new_thing": true}]}));
    for path in [SCRIPT.to_owned(), format!("{SCRIPT}/versions")] {
        let mut form = crate::common::Form::new();
        form = form.part("form-data; name=\"metadata\"", None, metadata.to_string().as_bytes());
        form = form.part("form-data; name=\"w.wasm\"; filename=\"w.wasm\"", None, &component("x"));
        let method = if path == SCRIPT { Method::PUT } else { Method::POST };
        let answer = api.form(method, &path, form).await;
        let told = answer.json()["messages"].to_string();
        answer.result();
        for named in ["some_new_thing", "binding \\\"A\\\"", "other_new_thing"] {
            assert!(told.contains(named), "{path}: {told}");
        }
    }
    let settings =
        json!({"bindings": [{"type": "plain_text", "name": "A", "text": "1", "other_new_thing": true}]});
    let answer = api.patch(&format!("{SCRIPT}/settings"), &settings).await;
    assert!(answer.json()["messages"].to_string().contains("other_new_thing"));
}
