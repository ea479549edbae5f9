//! Who is referred to by name is not deleted or renamed unasked.

use serde_json::{Value, json};

use crate::common::{Answer, Api, NAMESPACES, PLATFORM, SCRIPT, component};

const PRODUCTION: &str = "/client/v4/accounts/acc1/workers/dispatch/namespaces/production";
const ROUTES: &str = "/client/v4/accounts/acc1/workers/routes";

/// With the dispatcher bound to the namespace, and the script `gate` as the outbound worker of two.
async fn api() -> Api {
    let api = Api::with_scripts().await;
    let metadata = json!({"main_module": "d.wasm", "bindings": [
        {"type": "dispatch_namespace", "name": "TENANTS", "namespace": "production"},
        {"type": "service", "name": "AUTH", "service": "gate"},
        {"type": "dispatch_namespace", "name": "GATED", "namespace": "other",
         "outbound": {"worker": {"service": "gate"}}},
    ]});
    api.upload(PLATFORM, &metadata, &component("d")).await.result();
    let gate = PLATFORM.replace("dispatcher", "gate");
    api.upload(&gate, &json!({"main_module": "d.wasm"}), &component("d")).await.result();
    api.put(PRODUCTION, &json!({"outbound": {"worker": {"service": "gate"}}})).await.result();
    for route in [
        json!({"pattern": "gate.test/*", "script": "gate"}),
        json!({"pattern": "*.apps.test/*", "namespace": "production"}),
    ] {
        assert_eq!(api.post(ROUTES, &route).await.json()["messages"], json!([]));
    }
    api
}

fn note(answer: &Answer) -> String {
    answer.json()["messages"][0]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_namespace_in_use_is_renamed_and_deleted_only_by_force() {
    let api = api().await;
    let renamed = json!({"name": "prod"});
    let named = "binding \"TENANTS\" of script \"dispatcher\"";
    assert!(api.put(PRODUCTION, &renamed).await.refused(409, 90015).contains(named));
    assert!(api.patch(PRODUCTION, &renamed).await.refused(409, 90015).contains(named));
    assert!(api.delete(PRODUCTION).await.refused(409, 90015).contains(named));
    assert_eq!(api.get(SCRIPT).await.result()["id"], "customer-a");
    // Its own name is no new one.
    api.put(PRODUCTION, &json!({"name": "production"})).await.result();
    let forced = api.put(&format!("{PRODUCTION}?force=true"), &renamed).await;
    assert!(note(&forced).contains(named) && note(&forced).contains("*.apps.test/*"), "{}", note(&forced));
    // Nobody refers to the new name.
    assert_eq!(api.delete(&format!("{NAMESPACES}/prod")).await.json()["messages"], json!([]));
    api.delete(&format!("{NAMESPACES}/prod?force=yes")).await.refused(400, 10004);
}

#[tokio::test]
async fn a_script_in_use_is_deleted_only_by_force() {
    let api = api().await;
    let gate = PLATFORM.replace("dispatcher", "gate");
    let service = "/client/v4/accounts/acc1/workers/services/gate";
    for path in [gate.clone(), format!("{service}?force=false")] {
        let text = api.delete(&path).await.refused(409, 90015);
        for named in [
            "binding \"AUTH\" of script \"dispatcher\"",
            "binding \"GATED\" of script \"dispatcher\", as its outbound worker",
            "namespace \"production\", as its outbound worker",
        ] {
            assert!(text.contains(named), "{named}: {text}");
        }
    }
    let references = api.get(&format!("{gate}/references")).await.result();
    assert_eq!(references["services"]["incoming"][0]["service"], "dispatcher");
    let outbounds: Vec<&Value> =
        references["dispatch_outbounds"].as_array().unwrap().iter().map(|one| &one["service"]).collect();
    assert_eq!(outbounds, ["dispatcher", "production"]);
    let forced = api.delete(&format!("{service}?force=true")).await;
    assert!(note(&forced).contains("gate.test/*"), "{}", note(&forced));
    api.get(&format!("{gate}/settings")).await.refused(404, 10007);
}

#[tokio::test]
async fn a_route_alone_does_not_keep_a_script_and_is_named() {
    let api = Api::with_scripts().await;
    api.post(ROUTES, &json!({"pattern": "d.test/*", "script": "dispatcher"})).await.result();
    let deleted = api.delete(PLATFORM).await;
    assert_eq!(deleted.status, 200);
    assert!(note(&deleted).contains("route \"d.test/*\""), "{}", note(&deleted));
}

#[tokio::test]
async fn a_route_that_leads_to_nobody_is_remarked_on() {
    let api = Api::with_scripts().await;
    let made = api.post(ROUTES, &json!({"pattern": "a.test/*", "script": "nobody"})).await;
    assert!(note(&made).contains("\"nobody\" is not deployed"), "{}", note(&made));
    let made = api.post(ROUTES, &json!({"pattern": "*.b.test/*", "namespace": "nowhere"})).await;
    assert!(note(&made).contains("no namespace \"nowhere\""), "{}", note(&made));
    let path = format!("{ROUTES}/{}", made.result()["id"].as_str().unwrap());
    let changed = api.put(&path, &json!({"pattern": "*.b.test/*", "namespace": "production"})).await;
    assert_eq!(note(&changed), "");
}

const SIBLINGS: &str = "/client/v4/accounts/acc1/workers/dispatch/namespaces/production/scripts";

/// `shop` calls `cart` of its own namespace.
async fn with_siblings() -> Api {
    let api = Api::with_scripts().await;
    for name in ["cart", "shop"] {
        let bound =
            json!([{"type": "service", "name": "CART", "service": "cart", "namespace": "production"}]);
        let metadata = json!({"main_module": "a.wasm", "tags": [name], "bindings": bound});
        api.upload(&format!("{SIBLINGS}/{name}"), &metadata, &component(name)).await.result();
    }
    api
}

#[tokio::test]
async fn a_user_script_that_others_of_its_namespace_are_bound_to_is_deleted_only_by_force() {
    let api = with_siblings().await;
    let cart = format!("{SIBLINGS}/cart");
    let named = "binding \"CART\" of script \"production/shop\"";
    // As long as they may not call each other, the binding is none.
    assert_eq!(api.delete(&cart).await.json()["messages"], json!([]));
    let api = with_siblings().await;
    api.patch(PRODUCTION, &json!({"service_bindings": true})).await.result();
    let text = api.delete(&cart).await.refused(409, 90015);
    assert!(text.contains(named) && !text.contains("production/cart"), "its own is none: {text}");
    assert_eq!(api.delete(&format!("{SIBLINGS}/shop?force=false")).await.json()["messages"], json!([]));
    let api = with_siblings().await;
    api.patch(PRODUCTION, &json!({"service_bindings": true})).await.result();
    let forced = api.delete(&format!("{cart}?force=true")).await;
    assert!(note(&forced).contains(named), "{}", note(&forced));
}

#[tokio::test]
async fn bindings_inside_of_a_namespace_stand_against_a_new_name_and_are_named_where_many_go() {
    let api = with_siblings().await;
    api.patch(PRODUCTION, &json!({"service_bindings": true})).await.result();
    let named = "binding \"CART\" of script \"production/shop\"";
    let renamed = json!({"name": "prod"});
    assert!(api.patch(PRODUCTION, &renamed).await.refused(409, 90015).contains(named));
    let deleted = api.delete(&format!("{SIBLINGS}?tags=cart:yes")).await;
    assert!(note(&deleted).contains(named), "{}", note(&deleted));
    // All of them go with the namespace.
    assert_eq!(api.delete(&format!("{PRODUCTION}?force=false")).await.status, 200);
}

#[tokio::test]
async fn in_a_namespace_of_many_scripts_the_search_ends_and_says_so() {
    let api = with_siblings().await;
    api.patch(PRODUCTION, &json!({"service_bindings": true})).await.result();
    let metadata = json!({"main_module": "a.wasm"});
    for number in 0..2047 {
        api.upload(&format!("{SIBLINGS}/a{number}"), &metadata, &component("a")).await.result();
    }
    // `shop` comes after the last that is looked at.
    let deleted = api.delete(&format!("{SIBLINGS}/cart")).await;
    assert!(note(&deleted).contains("2048 scripts of its namespace were searched"), "{}", note(&deleted));
}

#[tokio::test]
async fn references_of_a_script_go_both_ways() {
    let api = api().await;
    let id =
        api.post("/client/v4/accounts/acc1/storage/kv/namespaces", &json!({"title": "t"})).await.result();
    let metadata = json!({"main_module": "d.wasm", "keep_bindings": ["dispatch_namespace", "service"],
        "bindings": [{"type": "kv_namespace", "name": "KV", "namespace_id": id["id"]}]});
    api.upload(PLATFORM, &metadata, &component("d")).await.result();
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result();
    let zone = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    let record = json!({"type": "AAAA", "name": "service", "content": "100::", "proxied": true});
    api.post(&format!("{zone}/dns_records"), &record).await.result();
    let fallback = format!("{zone}/custom_hostnames/fallback_origin");
    api.put(&fallback, &json!({"origin": "service.saas.test"})).await.result();
    api.post(ROUTES, &json!({"pattern": "service.saas.test/*", "script": "dispatcher"})).await.result();
    let references = api.get(&format!("{PLATFORM}/references")).await.result();
    assert_eq!(
        references["services"]["outgoing"][0],
        json!({"name": "AUTH", "service": "gate", "environment": "production"})
    );
    assert_eq!(references["routes"], json!(["service.saas.test/*"]));
    assert_eq!(references["visited_as"], json!(["service.saas.test"]));
    assert_eq!(references["kv_namespaces"], json!([{"name": "KV", "id": id["id"]}]));
    let names = [json!({"name": "GATED", "id": "other"}), json!({"name": "TENANTS", "id": "production"})];
    assert_eq!(references["dispatch_namespaces"], json!(names));
    let kept = api
        .delete(&format!("/client/v4/accounts/acc1/storage/kv/namespaces/{}", id["id"].as_str().unwrap()))
        .await;
    assert!(kept.refused(409, 90015).contains("binding \"KV\" of script \"dispatcher\""));
    let deleted = api.delete(PLATFORM).await;
    for named in ["route \"service.saas.test/*\"", "visitors of \"service.saas.test\""] {
        assert!(note(&deleted).contains(named), "{}", note(&deleted));
    }
}

#[tokio::test]
async fn references_of_a_user_script_name_its_siblings() {
    let api = with_siblings().await;
    api.put(PRODUCTION, &json!({"service_bindings": true})).await.result();
    let references = api.get(&format!("{SIBLINGS}/cart/references")).await.result();
    assert_eq!(references["services"]["incoming"][0]["service"], "production/shop");
}

#[tokio::test]
async fn a_zone_that_goes_names_the_hostnames_that_go_with_it() {
    let api = Api::with_scripts().await;
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result();
    let zone = format!("/client/v4/zones/{}", zone["id"].as_str().unwrap());
    let wanted = json!({"hostname": "shop.customer.dev", "ssl": {"method": "http", "type": "dv"}});
    assert_eq!(api.post(&format!("{zone}/custom_hostnames"), &wanted).await.status, 201);
    assert!(note(&api.delete(&zone).await).contains("shop.customer.dev"));
}
