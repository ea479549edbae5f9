//! What wrangler asks about a platform script under other names, and what every client asks first.

use serde_json::{Value, json};

use crate::common::{Api, NAMESPACES, PLATFORM, SCRIPT, component};

const SERVICE: &str = "/client/v4/accounts/acc1/workers/services/dispatcher";

#[tokio::test]
async fn a_platform_script_is_a_service() {
    let api = Api::with_scripts().await;
    let service = api.get(SERVICE).await.result();
    let environment = &service["default_environment"];
    assert_eq!(
        (&environment["environment"], &environment["script"]["id"]),
        (&json!("production"), &json!("dispatcher"))
    );
    assert_eq!(environment["script"]["last_deployed_from"], "wrangler");
    assert_eq!(api.delete(&format!("{SERVICE}?force=false")).await.result(), Value::Null);
    api.get(SERVICE).await.refused(404, 10090);
    api.delete(SERVICE).await.refused(404, 10090);
    api.get(PLATFORM).await.refused(404, 10007);
}

#[tokio::test]
async fn the_version_that_serves_is_the_first_deployment() {
    let api = Api::with_scripts().await;
    let uploaded = api.upload(PLATFORM, &json!({"main_module": "d.wasm"}), &component("e")).await.result();
    let path = format!("{PLATFORM}/deployments");
    let deployments = api.get(&path).await.result();
    assert_eq!(deployments["deployments"].as_array().unwrap().len(), 2, "and the one before");
    assert_eq!(
        deployments["deployments"][0]["versions"],
        json!([{"version_id": uploaded["deployment_id"], "percentage": 100}])
    );
    assert_eq!(api.get(&format!("{path}?page=2")).await.result()["deployments"], json!([]));
    let version = api
        .get(&format!("{PLATFORM}/versions/{}", uploaded["deployment_id"].as_str().unwrap()))
        .await
        .result();
    assert_eq!((&version["id"], &version["number"]), (&uploaded["deployment_id"], &json!(2)));
    assert_eq!(version["resources"]["script"]["etag"], uploaded["etag"]);
    let items = api.get(&format!("{PLATFORM}/versions")).await.result()["items"].clone();
    assert_eq!((items.as_array().unwrap().len(), &items[0], &items[1]["number"]), (2, &version, &json!(1)));
    assert_eq!(api.get(&format!("{PLATFORM}/versions?page=2")).await.result()["items"], json!([]));
    assert!(api.get(&format!("{PLATFORM}/versions/other")).await.refused(404, 90009).contains("other"));
    for suffix in ["versions", "versions/other"] {
        let gone = format!("/client/v4/accounts/acc1/workers/scripts/gone/{suffix}");
        api.get(&gone).await.refused(404, 10007);
    }
    api.get("/client/v4/accounts/acc1/workers/scripts/gone/deployments").await.refused(404, 10007);
}

#[tokio::test]
async fn what_refers_to_a_script_is_listed() {
    let api = Api::with_scripts().await;
    let out = "/client/v4/accounts/acc1/workers/scripts/out";
    api.upload(out, &json!({"main_module": "o.wasm"}), &component("o")).await.result();
    let bindings = json!([{"type": "service", "name": "OUT", "service": "out"}, {"type": "dispatch_namespace", "name": "D",
        "namespace": "production", "outbound": {"worker": {"service": "out"}}}]);
    api.upload(PLATFORM, &json!({"main_module": "d.wasm", "bindings": bindings}), &component("d"))
        .await
        .result();
    api.patch(&format!("{NAMESPACES}/production"), &json!({"outbound": {"worker": {"service": "out"}}}))
        .await
        .result();
    let references = api.get(&format!("{out}/references")).await.result();
    let names = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{}:{}", row["service"].as_str().unwrap(), row["name"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(names(&references["services"]["incoming"]), ["dispatcher:OUT"]);
    assert_eq!(names(&references["dispatch_outbounds"]), ["dispatcher:D", "production:production"]);
    let references = api.get(&format!("{PLATFORM}/references")).await.result();
    assert_eq!(names(&references["services"]["outgoing"]), ["out:OUT"]);
    api.get("/client/v4/accounts/acc1/workers/scripts/gone/references").await.refused(404, 10007);
    assert_eq!(api.get("/client/v4/accounts/acc1/workers/tails/by-consumer/out").await.result(), json!([]));
    assert_eq!(api.get("/client/v4/accounts/acc1/storage/kv/namespaces?page=1").await.result(), json!([]));
}

#[tokio::test]
async fn wrangler_finds_its_account_and_a_new_script() {
    let api = Api::with_scripts().await;
    assert_eq!(api.get("/client/v4/user/tokens/verify").await.result()["status"], "active");
    assert!(api.get("/client/v4/user").await.result()["email"].is_string());
    let account = api.get("/client/v4/accounts?page=1").await.result()[0].clone();
    assert_eq!(api.get("/client/v4/memberships").await.result()[0]["account"], account);
    assert_eq!(api.get("/client/v4/accounts?page=2").await.result(), json!([]));
    let id = account["id"].as_str().unwrap();
    api.get(&format!("/client/v4/accounts/{id}/workers/dispatch/namespaces")).await.result();
    // The first thing that a deploy into a namespace asks is about the account's script of that name.
    api.get("/client/v4/accounts/acc1/workers/scripts/customer-a/settings").await.refused(404, 10007);
    api.get(SCRIPT).await.result();
}
