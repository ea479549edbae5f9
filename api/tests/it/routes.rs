//! Routes: which host and path goes where.

use serde_json::json;
use wasmyard_namespaces::{RouteTarget, ScriptName};

use crate::common::Api;

const ROUTES: &str = "/client/v4/accounts/acc1/workers/routes";

#[tokio::test]
async fn a_route_is_made_shown_changed_and_deleted() {
    let api = Api::new().await;
    let made = api.post(ROUTES, &json!({"pattern": "*/*", "script": "dispatcher"})).await.result();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(made, json!({"id": id, "pattern": "*/*", "script": "dispatcher", "origin": "api"}));
    assert_eq!(api.get(&format!("{ROUTES}/{id}")).await.result(), made);
    assert!(api.registry.routes().lookup("any.host", "/x").is_some());
    let changed = api
        .put(&format!("{ROUTES}/{id}"), &json!({"pattern": "*.apps.test", "namespace": "production"}))
        .await
        .result();
    assert_eq!(
        changed,
        json!({"id": id, "pattern": "*.apps.test/*", "namespace": "production", "origin": "api"})
    );
    let refused = api.post(ROUTES, &json!({"pattern": "status.test/*", "respond": 404})).await.result();
    assert_eq!(refused["respond"], 404);
    assert_eq!(api.get(ROUTES).await.result().as_array().unwrap().len(), 2);
    assert_eq!(api.get(&format!("{ROUTES}?page=2")).await.result(), json!([]));
    assert_eq!(api.delete(&format!("{ROUTES}/{id}")).await.result(), json!({"id": id}));
    for answer in [
        api.get(&format!("{ROUTES}/{id}")).await,
        api.delete(&format!("{ROUTES}/{id}")).await,
        api.put(&format!("{ROUTES}/{id}"), &json!({"pattern": "x.test", "respond": 404})).await,
    ] {
        assert!(answer.refused(404, 90004).contains(&id));
    }
}

#[tokio::test]
async fn bad_routes_are_refused() {
    let api = Api::new().await;
    for (body, named) in [
        (json!({"pattern": "a.test"}), "exactly one"),
        (json!({"pattern": "a.test", "script": "a", "respond": 404}), "exactly one"),
        (json!({"script": "a"}), "pattern"),
        (json!({"pattern": "https://a.test", "script": "a"}), "scheme"),
        (json!({"pattern": "a*b.test", "script": "a"}), "a*b.test"),
        (json!({"pattern": "a.test", "script": "No Good"}), "No Good"),
        (json!({"pattern": "a.test", "namespace": "production"}), "namespace"),
        (json!({"pattern": "a.test", "respond": 42}), "42"),
        (json!({"pattern": "a.test", "script": "a", "zone_name": "a.test"}), "zone_name"),
    ] {
        let message = api.post(ROUTES, &body).await.refused(400, 10021);
        assert!(message.contains(named), "{body}: {message}");
    }
    let good = json!({"pattern": "a.test", "script": "a"});
    api.post(ROUTES, &good).await.result();
    api.post(ROUTES, &good).await.refused(409, 90001);
}

#[tokio::test]
async fn a_route_of_the_configuration_is_changed_there() {
    let api = Api::new().await;
    let target = RouteTarget::Script(ScriptName::parse("dispatcher").unwrap());
    api.registry
        .replace_config_routes(&Default::default(), vec![("*/*".parse().unwrap(), target)])
        .await
        .unwrap();
    let listed = api.get(ROUTES).await.result();
    assert_eq!(listed[0]["origin"], "config");
    let path = format!("{ROUTES}/{}", listed[0]["id"].as_str().unwrap());
    assert!(api.delete(&path).await.refused(409, 90005).contains("configuration"));
    api.put(&path, &json!({"pattern": "*/*", "respond": 404})).await.refused(409, 90005);
}
