//! Secrets of stores, as scripts reach them: granted, not granted, gone, changed under way; and what is refused.

use serde_json::{Value, json};

use crate::support::{Api, Server, Site, script_path};

const STORES: &str = "/client/v4/accounts/0/secrets_store/stores";

const ASKS: &str = r#"
    export default {
      async fetch(request, env) {
        try {
          return new Response(await env.KEY.get());
        } catch (error) {
          return new Response(`${error.name}: ${error.message}`, { status: 500 });
        }
      },
    };
"#;

async fn platform() -> (Site, Server) {
    let site = super::dispatching_by_label();
    let server = site.serve().await;
    (site, server)
}

async fn store(api: &Api) -> String {
    let made = api.post(STORES, &json!({"name": "shared"})).await.result().clone();
    made["id"].as_str().unwrap().to_owned()
}

async fn secret(api: &Api, store: &str, name: &str, value: &str) -> String {
    let wanted = json!([{"name": name, "value": value, "scopes": ["workers"]}]);
    let made = api.post(&format!("{STORES}/{store}/secrets"), &wanted).await.result().clone();
    made[0]["id"].as_str().unwrap().to_owned()
}

fn bound(store: &str, name: &str) -> Value {
    let binding =
        json!({"type": "secrets_store_secret", "name": "KEY", "store_id": store, "secret_name": name});
    json!({"main_module": "worker.js", "bindings": [binding]})
}

#[tokio::test]
async fn scripts_read_the_value_that_a_secret_has_when_they_ask() {
    let (site, server) = platform().await;
    let api = server.api();
    let store = store(&api).await;
    let id = secret(&api, &store, "api-key", "first value").await;
    for script in ["one", "two"] {
        let reply = api.javascript_with(&script_path(script), &bound(&store, "api-key"), ASKS).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert_eq!(server.get("one.localhost", "/").await.text(), "first value");
    let path = format!("{STORES}/{store}/secrets/{id}");
    api.patch(&path, &json!({"value": "second value"})).await.result();
    assert_eq!(server.get("one.localhost", "/").await.text(), "second value");
    assert_eq!(server.get("two.localhost", "/").await.text(), "second value");

    // Who has no such binding gets nothing, and no answer of the API has a value in it.
    let plain = json!({"main_module": "worker.js", "bindings": []});
    api.javascript_with(&script_path("plain"), &plain, ASKS).await.result();
    assert_eq!(server.get("plain.localhost", "/").await.status, 500);
    for path in
        [path.clone(), format!("{STORES}/{store}/secrets"), format!("{}/bindings", script_path("one"))]
    {
        let answer = api.get(&path).await;
        assert!(!format!("{answer:?}").contains("second value"), "{answer:?}");
    }

    // It outlives the process, and lies nowhere in clear.
    server.kill().await;
    let server = site.serve().await;
    assert_eq!(server.get("two.localhost", "/").await.text(), "second value");
    let api = server.api();

    // What scripts are bound to stays, and says who they are.
    let refused = api.delete(&path).await;
    let told = refused.refused(409, 90015);
    assert!(told.contains("binding \"KEY\" of script \"production/one\""), "{told}");
    let refused = api.delete(&format!("{STORES}/{store}")).await;
    assert!(refused.refused(409, 90015).contains("production/two"), "{refused:?}");
    api.javascript_with(&script_path("one"), &plain, ASKS).await.result();
    api.javascript_with(&script_path("two"), &plain, ASKS).await.result();
    api.delete(&path).await.result();
    api.get(&path).await.refused(404, 90024);
}

#[tokio::test]
async fn a_secret_that_is_taken_away_by_force_is_gone_for_scripts_that_run() {
    let (_site, server) = platform().await;
    let api = server.api();
    let store = store(&api).await;
    secret(&api, &store, "api-key", "value").await;
    api.javascript_with(&script_path("one"), &bound(&store, "api-key"), ASKS).await.result();
    api.delete(&format!("{STORES}/{store}?force=true")).await.result();
    let answer = server.get("one.localhost", "/").await;
    assert_eq!(
        (answer.status, answer.text()),
        (500, "Error: there is no secret \"api-key\" for scripts any more")
    );
}

#[tokio::test]
async fn nothing_is_deployed_that_is_bound_to_what_is_not_there_or_not_for_scripts() {
    let (_site, server) = platform().await;
    let api = server.api();
    let store = store(&api).await;
    let refused = api.javascript_with(&script_path("one"), &bound(&store, "absent"), ASKS).await;
    let told = refused.refused(400, 10021);
    assert!(told.contains("inding \"KEY\": there is no secret absent"), "{told}");
    let elsewhere = json!([{"name": "elsewhere", "value": "v", "scopes": ["ai_gateway"]}]);
    api.post(&format!("{STORES}/{store}/secrets"), &elsewhere).await.result();
    let refused = api.javascript_with(&script_path("one"), &bound(&store, "elsewhere"), ASKS).await;
    assert!(refused.refused(400, 10021).contains("is not for scripts; add \"workers\""), "{refused:?}");
    assert_eq!(server.get("one.localhost", "/").await.status, 404);

    // All secrets of a call are put, or none.
    let path = format!("{STORES}/{store}/secrets");
    let two = json!([{"name": "new", "value": "v"}, {"name": "elsewhere", "value": "v"}]);
    api.post(&path, &two).await.refused(409, 90001);
    let twice = json!([{"name": "new", "value": "v"}, {"name": "new", "value": "w"}]);
    api.post(&path, &twice).await.refused(409, 90001);
    for wrong in
        [json!([{"name": "a b", "value": "v"}]), json!([{"name": "a", "value": ""}]), json!({"name": "a"})]
    {
        let refused = api.post(&path, &wrong).await;
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    let listed = api.get(&path).await.result().clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    // A copy has the value, a name of its own, and other scopes.
    let id = listed[0]["id"].as_str().unwrap();
    let copy = json!({"name": "copy", "scopes": ["workers"], "comment": "for scripts"});
    api.post(&format!("{path}/{id}/duplicate"), &copy).await.result();
    api.javascript_with(&script_path("one"), &bound(&store, "copy"), ASKS).await.result();
    assert_eq!(server.get("one.localhost", "/").await.text(), "v");
}
