//! What versions import and are bound to: shown, compared, and held against the namespace's policy.

use http::Method;
use serde_json::{Value, json};
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};

use crate::common::{Api, Form, NAMESPACES, PLATFORM, SCRIPT, component};

const SOCKETS: &str = "imports wasi:http/types@0.2.3 wasi:sockets/tcp@0.2.3";

async fn with_policy(policy: Value) -> Api {
    let api = Api::new().await;
    api.post(NAMESPACES, &json!({"name": "production", "capabilities": policy})).await.result();
    api
}

fn kv(id: &str) -> Value {
    json!([{"type": "kv_namespace", "name": "KV", "namespace_id": id}])
}

#[tokio::test]
async fn an_upload_says_what_it_can_reach_more_and_less_than_what_served() {
    let api = Api::new().await;
    api.with_namespace().await;
    let metadata =
        json!({"main_module": "w.wasm", "bindings": [{"type": "plain_text", "name": "A", "text": "1"}]});
    let first = api.upload(SCRIPT, &metadata, &component(SOCKETS)).await.result();
    assert_eq!(first["imports"], json!(["wasi:http/types", "wasi:sockets/tcp"]));
    let all = json!(["binding:plain_text A", "wasi:http/types", "wasi:sockets/tcp"]);
    assert_eq!(first["capabilities"], json!({"added": all, "removed": []}));
    let script = bundle::Part {
        name: "w.js".to_owned(),
        kind: PartKind::Module,
        bytes: b"import fs from 'node:fs'; export default {}".to_vec().into(),
    };
    let form = Form::new().part("form-data; name=\"metadata\"", None, br#"{"main_module":"w.js"}"#).part(
        "form-data; name=\"w.js\"; filename=\"w.js\"",
        None,
        &Bundle::new(vec![script]).unwrap().written(),
    );
    let second = api.form(Method::PUT, SCRIPT, form).await.result();
    assert_eq!(second["capabilities"], json!({"added": ["node:fs"], "removed": all}));
    let versions = api.get(&format!("{SCRIPT}/versions")).await.result();
    assert_eq!(versions["items"][1]["resources"]["script"]["imports"], first["imports"]);
}

#[tokio::test]
async fn what_a_namespace_does_not_let_its_scripts_have_is_refused_by_name() {
    let api =
        with_policy(json!({"deny": ["wasi:sockets/*", "binding:kv_namespace", "binding:secret_*"]})).await;
    let plain = json!({"main_module": "w.wasm"});
    let message = api.upload(SCRIPT, &plain, &component(SOCKETS)).await.refused(400, 10021);
    for named in ["\"wasi:sockets/tcp\"", "namespace \"production\"", "deny has \"wasi:sockets/*\""] {
        assert!(message.contains(named), "{named}: {message}");
    }
    api.get(SCRIPT).await.refused(404, 10092);
    let id =
        api.post("/client/v4/accounts/acc1/storage/kv/namespaces", &json!({"title": "t"})).await.result();
    let id = id["id"].as_str().unwrap();
    let bound = json!({"main_module": "w.wasm", "bindings": kv(id)});
    assert!(api.upload(SCRIPT, &bound, &component("x")).await.refused(400, 10021).contains("\"KV\""));
    // Nor afterwards, by any other call.
    api.upload(SCRIPT, &plain, &component("x")).await.result();
    let before = api.stored().await;
    let settings = json!({"bindings": kv(id)});
    assert!(api.patch(&format!("{SCRIPT}/settings"), &settings).await.refused(400, 10021).contains("KV"));
    let secret = json!({"name": "S", "text": "hunter2"});
    assert!(api.put(&format!("{SCRIPT}/secrets"), &secret).await.refused(400, 10021).contains("secret_text"));
    api.upload(&format!("{SCRIPT}/content"), &plain, &component(SOCKETS)).await.refused(400, 10021);
    assert_eq!(api.stored().await, before);
    // Platform scripts are the builder's own.
    api.upload(PLATFORM, &bound, &component(SOCKETS)).await.result();
}

#[tokio::test]
async fn a_version_from_before_the_policy_serves_on_and_does_not_come_back() {
    let api = Api::new().await;
    api.with_namespace().await;
    let plain = json!({"main_module": "w.wasm"});
    let old = api.upload(SCRIPT, &plain, &component(SOCKETS)).await.result();
    api.upload(SCRIPT, &plain, &component("x")).await.result();
    let namespace = format!("{NAMESPACES}/production");
    let policy = json!({"allow": ["wasi:http/*"]});
    let shown = api.patch(&namespace, &json!({"capabilities": policy})).await.result();
    assert_eq!(shown["capabilities"], policy);
    let back = json!({"strategy": "percentage", "versions": [{"version_id": old["deployment_id"], "percentage": 100}]});
    let deployments = format!("{SCRIPT}/deployments");
    let message = api.post(&deployments, &back).await.refused(400, 10021);
    assert!(message.contains("allow has nothing"), "{message}");
    let gone = api.patch(&namespace, &json!({"capabilities": null})).await.result();
    assert_eq!(gone.get("capabilities"), None);
    api.post(&deployments, &back).await.result();
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused() {
    let api = Api::new().await;
    for (policy, named) in [
        (json!({"deny": ["wasi:*:x"]}), "wasi:*:x"),
        (json!({"denied": []}), "denied"),
        (json!({"deny": vec!["a"; 101]}), "101 patterns"),
    ] {
        let body = json!({"name": "production", "capabilities": policy});
        let message = api.post(NAMESPACES, &body).await.refused(400, 10021);
        assert!(message.contains(named), "{message}");
    }
}
