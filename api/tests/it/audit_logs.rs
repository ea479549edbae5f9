//! The audit log: every change and every refused one, by whom, on what; and nothing of what was sent.

use serde_json::{Value, json};
use wasmyard_listener::Client;

use crate::common::{Api, NAMESPACES, SCRIPT, component};
use crate::tokens::policy;

const LOG: &str = "/client/v4/accounts/acc1/audit_logs";
const BY_CURSOR: &str = "/client/v4/accounts/acc1/logs/audit";

async fn entries(api: &Api, query: &str) -> Vec<Value> {
    api.get(&format!("{BY_CURSOR}{query}")).await.result().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_that_is_acknowledged_has_its_entry() {
    let api = Api::new().await;
    let body = json!({"name": "production"}).to_string();
    let mut request = api.request(http::Method::POST, NAMESPACES).body(axum::body::Body::from(body)).unwrap();
    request.headers_mut().insert("user-agent", "wrangler/4.86.0".parse().unwrap());
    request.extensions_mut().insert(Client::at("192.0.2.7".parse().unwrap(), false));
    let answer = api.raw(request).await;
    answer.result();
    api.upload(SCRIPT, &json!({"main_module": "a.wasm"}), &component("a")).await.result();
    api.get(SCRIPT).await.result();

    let [upload, create] = &entries(&api, "").await[..] else {
        panic!("two changes, and looks leave nothing")
    };
    assert_eq!(create["id"].as_str().unwrap(), answer.headers["cf-auditlog-id"]);
    assert_eq!(create["action"]["description"], "namespaces.create");
    assert_eq!(
        (&create["action"]["type"], &create["action"]["result"]),
        (&json!("create"), &json!("success"))
    );
    let token = &api.registry.tokens()[0];
    assert_eq!(
        (&create["actor"]["token_id"], &create["actor"]["token_name"]),
        (&json!(token.id), &json!("test"))
    );
    assert_eq!(create["actor"]["ip_address"], "192.0.2.7");
    assert_eq!(create["raw"]["user_agent"], "wrangler/4.86.0");
    assert_eq!((&create["raw"]["method"], &create["raw"]["status_code"]), (&json!("POST"), &json!(200)));
    assert_eq!(upload["action"]["description"], "userScripts.upload");
    assert_eq!(
        (&upload["resource"]["type"], &upload["resource"]["id"]),
        (&json!("userScripts"), &json!("customer-a"))
    );
    assert!(upload["raw"]["uri"].as_str().unwrap().ends_with("/scripts/{script_name}"), "{upload}");

    let older = api.get(LOG).await.json();
    assert_eq!(
        older["result"][0]["metadata"]["named"],
        json!({"namespace": "production", "script": "customer-a"})
    );
    assert_eq!(older["result"][1]["action"], json!({"result": true, "type": "create"}));
    assert_eq!(older["result"][1]["actor"]["ip"], "192.0.2.7");
    assert_eq!(api.get(&format!("{LOG}?page=2")).await.result(), json!([]));
}

#[tokio::test]
async fn what_is_refused_has_its_entry_with_the_code() {
    let api = Api::with_scripts().await;
    let before = entries(&api, "").await.len();
    api.post(NAMESPACES, &json!({"name": "NO"})).await.refused(400, 10021);
    let reader = api.token_for(&json!({"policies": [policy(&["Workers Scripts Read"], &["*"])]})).await;
    reader.delete(SCRIPT).await.refused(403, 10000);
    let [denied, token, invalid, ..] = &entries(&api, "").await[..] else { panic!() };
    assert_eq!(
        (&denied["action"]["type"], &denied["action"]["result"]),
        (&json!("delete"), &json!("failure"))
    );
    assert_eq!((&denied["raw"]["status_code"], &denied["raw"]["error_code"]), (&json!(403), &json!(10000)));
    assert_eq!(denied["actor"]["token_name"], "narrow");
    assert_eq!(token["action"]["description"], "tokens.create");
    assert_eq!(invalid["raw"]["error_code"], 10021);
    assert_eq!(entries(&api, "").await.len(), before + 3);
    // Whoever has no token is nobody, and leaves nothing.
    let nobody = http::Request::delete(SCRIPT).body(axum::body::Body::empty()).unwrap();
    api.raw(nobody).await.refused(401, 10000);
    assert_eq!(entries(&api, "").await.len(), before + 3);
}

#[tokio::test]
async fn entries_are_found_by_actor_action_zone_and_time() {
    let api = Api::with_scripts().await;
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result()["id"].clone();
    let zone = zone.as_str().unwrap();
    let editor = api.token_for(&json!({"policies": [policy(&["Zone Write"], &["zone.*"])]})).await;
    editor.patch(&format!("/client/v4/zones/{zone}"), &json!({"paused": true})).await.result();
    editor.delete(&format!("/client/v4/zones/{zone}")).await.result();
    let found = async |query: &str| -> Vec<String> {
        let entries = entries(&api, query).await;
        entries.iter().map(|entry| entry["action"]["description"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("?actor_token_name=narrow").await, ["zones.delete", "zones.edit"]);
    assert_eq!(found("?zone_name=saas.test&action_type=delete").await, ["zones.delete"]);
    assert_eq!(found(&format!("?zone_id={zone}&action_type=update")).await, ["zones.edit"]);
    assert_eq!(found("?action_result=failure").await, [""; 0]);
    assert_eq!(found(&format!("?resource_id={zone}&action_type=create")).await, ["zones.create"]);
    assert_eq!(found("?since=2999-01-01").await, [""; 0]);
    assert_eq!(found("?before=2020-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(found("?since=2020-01-01&before=2999-01-01").await.len(), 7);
    let by_zone = api.get(&format!("{LOG}?zone.name=saas.test&per_page=1&page=2")).await.result();
    assert_eq!(by_zone[0]["action"]["type"], "update");
    for wrong in ["?since=soon", "?direction=up", "?limit=0", "?action_result=maybe"] {
        api.get(&format!("{BY_CURSOR}{wrong}")).await.refused(400, 10004);
    }
    let mut backwards = found("?direction=asc").await;
    backwards.reverse();
    assert_eq!((found("?").await, backwards.len()), (backwards, 7));
    let (mut all, mut cursor) = (0, String::new());
    loop {
        let page = api.get(&format!("{BY_CURSOR}?limit=3&cursor={cursor}")).await.json();
        all += page["result"].as_array().unwrap().len();
        cursor = page["result_info"]["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(all, 7);
    // Whoever may not see the account's settings does not see who changed what.
    let stranger = api.token_for(&json!({"policies": [policy(&["Workers Scripts Write"], &["*"])]})).await;
    stranger.get(LOG).await.refused(403, 10000);
    stranger.get(BY_CURSOR).await.refused(403, 10000);
}

#[tokio::test]
async fn no_entry_holds_what_was_sent_or_shown_in_secret() {
    const CANARY: &str = "canary-5d41402abc4b2a76";
    let api = Api::with_scripts().await;
    let secret = json!({"name": "KEY", "text": CANARY, "type": "secret_text"});
    api.put(&format!("{SCRIPT}/secrets"), &secret).await.result();
    let bound =
        json!({"main_module": "a.wasm", "bindings": [{"type": "secret_text", "name": "A", "text": CANARY}]});
    api.upload(SCRIPT, &bound, &component(CANARY)).await.result();
    api.put(&format!("{SCRIPT}/secrets"), &json!({"name": "KEY", "text": CANARY, "type": "x"})).await;
    api.put(&format!("{SCRIPT}/secrets?note={CANARY}"), &secret).await.result();
    let made = api.post("/client/v4/user/tokens", &json!({"name": "ci"})).await.result();
    let path = format!("/client/v4/user/tokens/{}/value", made["id"].as_str().unwrap());
    let rolled = api.put(&path, &json!({})).await.result();
    let records = api.audit_records().await;
    assert!(
        records.contains("tokens.value.update") && records.contains("userScripts.secrets.put"),
        "{records}"
    );
    for secret in [CANARY, made["value"].as_str().unwrap(), rolled.as_str().unwrap()] {
        assert!(!records.contains(secret), "{records}");
    }
}
