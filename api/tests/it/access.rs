//! Tokens, accounts, and paths and methods that are not there.

use std::collections::HashMap;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use wasmyard_namespaces::access::Group;

use crate::common::{Api, NAMESPACES, PLATFORM, SCRIPT, SCRIPTS, component};
use crate::tokens::policy;

/// A zone that is not there.
const ZONE: &str = "0123456789abcdef0123456789abcdef";

/// Every call of the document, with its variable segments filled in.
fn calls() -> Vec<(Method, String, bool)> {
    let document = wasmyard_api::openapi_document();
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled = filled(path);
        for (method, operation) in methods.as_object().unwrap() {
            let guarded = operation["security"] != serde_json::json!([]);
            calls.push((method.to_uppercase().parse().unwrap(), filled.clone(), guarded));
        }
    }
    calls
}

/// A path with its variable segments filled in.
fn filled(path: &str) -> String {
    let filled = path
        .replace("{*", "{")
        .replace("{account_id}", "acc1")
        .replace("{dispatch_namespace}", "production")
        .replace("{script_name}", "customer-a")
        .replace("{secret_name}", "KEY")
        .replace("{tag}", "blue")
        .replace("{version_id}", "0")
        .replace("{deployment_id}", "0")
        .replace("{namespace_id}", "0123456789abcdef0123456789abcdef")
        .replace("{key_name}", "a/key")
        .replace("{database_id}", "5d2ae24e-1d5c-4a7e-9a0e-6f3c1f6f8d01")
        .replace("{place}", "0123456789abcdef0123456789abcdef")
        .replace("{bucket_name}", "photos")
        .replace("{object_key}", "a/key")
        .replace("{zone_id}", ZONE)
        .replace("{setting_id}", "ssl")
        .replace("{dns_record_id}", "0123456789abcdef0123456789abcdef")
        .replace("{custom_hostname_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
        .replace("{certificate_pack_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
        .replace("{certificate_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
        .replace("{custom_csr_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
        .replace("{mtls_certificate_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
        .replace("{certificate_authority}", "lets_encrypt")
        .replace("{queue_id}", "0123456789abcdef0123456789abcdef")
        .replace("{consumer_id}", "0123456789abcdef0123456789abcdef")
        .replace("{webhook_id}", "0123456789abcdef0123456789abcdef")
        .replace("{policy_id}", "0123456789abcdef0123456789abcdef")
        .replace("{route_id}", "0123456789abcdef0123456789abcdef")
        .replace("{store_id}", "0123456789abcdef0123456789abcdef")
        .replace("{secret_id}", "0123456789abcdef0123456789abcdef")
        .replace("{tail_id}", "0123456789abcdef0123456789abcdef")
        .replace("{token_id}", "0123456789abcdef0123456789abcdef");
    assert!(!filled.contains('{'), "{filled}");
    filled
}

#[tokio::test]
async fn every_call_but_those_for_operators_wants_a_token() {
    let api = Api::new().await;
    let mut open = Vec::new();
    for (method, path, guarded) in calls() {
        let request = Request::builder().method(&method).uri(&path).body(Body::empty()).unwrap();
        let answer = api.raw(request).await;
        if guarded {
            answer.refused(401, 10000);
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{method} {path}");
        } else if path.contains("/d1/") || path.starts_with("/tails/") {
            // Whoever knows the name of a place needs nothing else, and this is none.
            assert_eq!(answer.status, 400, "{method} {path}");
        } else {
            assert_eq!(answer.status, 200, "{method} {path}");
            open.push(path);
        }
    }
    open.sort();
    assert_eq!(open, ["/health/live", "/health/ready", "/metrics", "/openapi.json"]);
}

#[tokio::test]
async fn every_call_of_the_document_is_served() {
    let api = Api::new().await;
    // What is below a zone that is not there leads nowhere, as a path that is none: here it has to be there.
    let zone = api.post("/client/v4/zones", &serde_json::json!({"name": "saas.test"})).await.result();
    let below = zone["id"].as_str().unwrap();
    let mut calls = calls();
    calls
        .iter_mut()
        .for_each(|(_, path, _)| *path = path.replace(&format!("zones/{ZONE}"), &format!("zones/{below}")));
    // The zone itself goes last.
    calls.sort_by_key(|(method, path, _)| *method == Method::DELETE && path.ends_with(below));
    // Uploads of contents take the token of their session, and no other.
    for (method, path, _) in calls.into_iter().filter(|(_, path, _)| !path.ends_with("/assets/upload")) {
        let answer = api.raw(api.request(method.clone(), &path).body(Body::empty()).unwrap()).await;
        let code =
            serde_json::from_slice::<Value>(&answer.body).map(|json| json["errors"][0]["code"].clone());
        let code = code.ok().and_then(|code| code.as_u64());
        assert!(!matches!(code, Some(7003 | 7001 | 10000 | 10002)), "{method} {path}: {answer:?}");
        assert!(!answer.status.is_server_error(), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_method_that_the_document_lacks_is_refused() {
    let api = Api::new().await;
    let calls = calls();
    for (_, path, _) in &calls {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if !calls.iter().any(|(known, other, _)| other == path && *known == method) {
                let answer = api.raw(api.request(method.clone(), path).body(Body::empty()).unwrap()).await;
                assert!(answer.refused(405, 7001).contains(method.as_str()), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_taken_in_the_ways_that_clients_send_it() {
    let api = Api::new().await;
    let with = |headers: &[(&str, String)]| {
        let mut request = Request::builder().uri(NAMESPACES);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        api.raw(request.body(Body::empty()).unwrap())
    };
    let token = api.token().to_owned();
    for good in [
        vec![("authorization", format!("Bearer {token}"))],
        vec![("authorization", format!("bearer  {token} "))],
        vec![("x-auth-key", token.clone()), ("x-auth-email", "a@b.test".into())],
    ] {
        with(&good).await.result();
    }
    for bad in [
        vec![("authorization", "Bearer".into())],
        vec![("authorization", "Bearer ".into())],
        vec![("authorization", token.clone())],
        vec![("authorization", format!("Basic {token}"))],
        vec![("authorization", format!("Bearer {token}x"))],
        vec![("authorization", format!("Bearer {}", &token[..token.len() - 1]))],
        vec![("authorization", format!("Bearer {}", "x".repeat(100_000)))],
        vec![("x-auth-key", token.clone())],
        vec![("x-auth-key", token.clone()), ("x-auth-email", String::new())],
        // A wrong bearer token is not made good by a right key.
        vec![
            ("authorization", "Bearer x".into()),
            ("x-auth-key", token.clone()),
            ("x-auth-email", "a@b.test".into()),
        ],
    ] {
        let message = with(&bad).await.refused(401, 10000);
        assert!(!message.contains(&token));
    }
}

/// What another permission opens no call may open: each is made with all permissions but its own, and with its own alone.
#[tokio::test]
async fn every_call_says_which_permission_it_needs_and_is_refused_without() {
    let api = Api::new().await;
    let groups: Vec<&str> =
        Group::ALL.iter().map(|group| group.name()).filter(|name| *name != "Account Admin").collect();
    let mut tokens = HashMap::new();
    for permission in wasmyard_api::permissions() {
        let name = format!("{} {}", permission.method, permission.path);
        let Some(needed) = permission.permission else { continue };
        assert_ne!(needed, "Account Admin", "{name} says nothing of what it needs");
        let level = |name: &str| name.rsplit(' ').next().map(str::to_owned);
        let stem = needed.rsplit_once(' ').unwrap().0;
        if !tokens.contains_key(needed) {
            let wider = ["Workers Assets Write", "Workers Dispatch Run"].contains(&needed);
            let others: Vec<&str> = groups
                .iter()
                .copied()
                .filter(|other| *other != needed && !(wider && *other == "Workers Scripts Write"))
                .filter(|other| !(other.starts_with(stem) && level(needed).as_deref() == Some("Read")))
                .collect();
            let without = api.token_for(&json!({"policies": [policy(&others, &["*"])]})).await;
            let with = api.token_for(&json!({"policies": [policy(&[needed], &["*"])]})).await;
            tokens.insert(needed, (without, with));
        }
        let (without, with) = &tokens[needed];
        let method: Method = permission.method.parse().unwrap();
        let path = filled(&permission.path);
        let ask =
            async |api: &Api| api.raw(api.request(method.clone(), &path).body(Body::empty()).unwrap()).await;
        let before = api.stored().await;
        let text = ask(without).await.refused(403, 10000);
        assert!(text.contains(&format!("\"{needed}\"")), "{name}: {text}");
        assert_eq!(api.stored().await, before, "{name}");
        let allowed = ask(with).await;
        assert_ne!(allowed.status, 403, "{name}: {allowed:?}");
    }
    assert!(tokens.len() > 15, "{}", tokens.len());
}

#[tokio::test]
async fn a_token_for_one_namespace_writes_there_and_sees_nothing_else() {
    let api = Api::with_scripts().await;
    api.post(NAMESPACES, &json!({"name": "other"})).await.result();
    let other = SCRIPT.replace("production", "other");
    let narrow = policy(&["Workers Scripts Write"], &["dispatch_namespace.other"]);
    let narrow = api.token_for(&json!({"policies": [narrow]})).await;
    narrow.upload(&other, &json!({"main_module": "a.wasm"}), &component("b")).await.result();
    narrow.get(&other).await.result();
    for refused in [
        narrow.upload(SCRIPT, &json!({"main_module": "a.wasm"}), &component("b")).await,
        narrow.get(SCRIPT).await,
        narrow.get(SCRIPTS).await,
        narrow.delete(&format!("{SCRIPTS}?tags=a:yes")).await,
        narrow.get(PLATFORM).await,
        narrow.post(NAMESPACES, &json!({"name": "third"})).await,
        // What holds for all of its scripts is the platform's to say.
        narrow.patch(&format!("{NAMESPACES}/other"), &json!({"trusted_workers": true})).await,
        narrow.delete(&format!("{NAMESPACES}/other")).await,
        narrow.get("/client/v4/zones").await,
    ] {
        refused.refused(403, 10000);
    }
    let seen = narrow.get(NAMESPACES).await.result();
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["namespace_name"]), (1, &json!("other")));
    assert_eq!(narrow.get("/client/v4/accounts").await.result().as_array().unwrap().len(), 1);
    narrow.get("/client/v4/user").await.result();
    narrow.get("/client/v4/user/tokens/verify").await.result();
}

#[tokio::test]
async fn a_list_shows_what_the_token_may_see_page_by_page() {
    let api = Api::with_scripts().await;
    for number in 0..200 {
        let path = format!("{SCRIPTS}/s{number:03}");
        api.upload(&path, &json!({"main_module": "a.wasm"}), &component("a")).await.result();
    }
    let resources =
        ["dispatch_namespace.production.script.s007", "dispatch_namespace.production.script.s150"];
    let narrow = api.token_for(&json!({"policies": [policy(&["Workers Scripts Read"], &resources)]})).await;
    let names = |result: &Value| -> Vec<String> {
        result.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&narrow.get(SCRIPTS).await.result()), ["s007", "s150"]);
    let first = narrow.get(&format!("{SCRIPTS}?per_page=1")).await.json();
    assert_eq!(
        (names(&first["result"]), &first["result_info"]["cursor"]),
        (vec!["s007".to_owned()], &json!("s007"))
    );
    assert_eq!(first["result_info"].get("total_count"), None, "what is hidden is not counted");
    let second = narrow.get(&format!("{SCRIPTS}?per_page=1&cursor=s007")).await.json();
    assert_eq!(names(&second["result"]), ["s150"]);
    assert_eq!(narrow.get(NAMESPACES).await.result()[0]["namespace_name"], "production");
    assert_eq!(narrow.get(PLATFORM.rsplit_once('/').unwrap().0).await.result(), json!([]));
    let one = api.post("/client/v4/zones", &json!({"name": "one.test"})).await.result();
    api.post("/client/v4/zones", &json!({"name": "two.test"})).await.result();
    let resource = format!("zone.{}", one["id"].as_str().unwrap());
    let narrow = api.token_for(&json!({"policies": [policy(&["Zone Read"], &[&resource])]})).await;
    let zones = narrow.get("/client/v4/zones").await.json();
    assert_eq!(
        (&zones["result"][0]["name"], &zones["result_info"]["total_count"]),
        (&json!("one.test"), &json!(1))
    );
}

#[tokio::test]
async fn a_script_is_bound_to_nothing_that_the_token_may_not_reach() {
    let api = Api::with_scripts().await;
    let kv = "/client/v4/accounts/acc1/storage/kv/namespaces";
    let id = api.post(kv, &json!({"title": "secrets of another"})).await.result()["id"].clone();
    let bound = json!({"main_module": "a.wasm", "bindings": [{"type": "kv_namespace", "name": "KV", "namespace_id": id}]});
    let scripts = policy(&["Workers Scripts Write"], &["dispatch_namespace.production"]);
    let narrow = api.token_for(&json!({"policies": [scripts]})).await;
    let refused = narrow.upload(SCRIPT, &bound, &component("b")).await.refused(403, 10000);
    assert!(refused.contains("Workers KV Storage Write"), "{refused}");
    let settings = json!({"bindings": bound["bindings"]});
    narrow.patch(&format!("{SCRIPT}/settings"), &settings).await.refused(403, 10000);
    let dispatching =
        json!({"bindings": [{"type": "dispatch_namespace", "name": "D", "namespace": "other"}]});
    let refused = narrow.patch(&format!("{SCRIPT}/settings"), &dispatching).await.refused(403, 10000);
    assert!(refused.contains("the namespace \"other\""), "{refused}");
    let both = [scripts, policy(&["Workers KV Storage Write"], &["*"])];
    let wider = api.token_for(&json!({"policies": both})).await;
    wider.upload(SCRIPT, &bound, &component("b")).await.result();
    // What is bound already stays so, whoever uploads.
    let kept = json!({"main_module": "a.wasm", "keep_bindings": ["kv_namespace"]});
    narrow.upload(SCRIPT, &kept, &component("c")).await.result();
    let all = api.token_for(&json!({"policies": [policy(&["Workers Scripts Write"], &["*"])]})).await;
    all.upload(SCRIPT, &bound, &component("d")).await.result();
}

#[tokio::test]
async fn a_removed_token_is_refused() {
    let api = Api::new().await;
    api.get(NAMESPACES).await.result();
    let id = api.registry.tokens()[0].id.clone();
    api.registry.remove_token(&id).await.unwrap();
    api.get(NAMESPACES).await.refused(401, 10000);
}

#[tokio::test]
async fn an_unknown_path_has_no_route() {
    let api = Api::new().await;
    for path in [
        "/client/v4",
        "/client/v4/",
        "/client/v4/zones/nothing/at/all",
        "/client/v4/accounts/acc1/workers/nothing",
        "/",
        "/index.html",
    ] {
        assert!(api.get(path).await.refused(404, 7003).contains(path));
    }
}

#[tokio::test]
async fn any_well_formed_account_is_this_one() {
    let api = Api::with_scripts().await;
    for account in ["acc1", "0123456789abcdef0123456789abcdef", "A-b_c", &"a".repeat(64)] {
        let list =
            api.get(&format!("/client/v4/accounts/{account}/workers/dispatch/namespaces")).await.result();
        assert_eq!(list[0]["namespace_name"], "production");
    }
    for account in ["a.b", "a%20b", "%2e%2e", &"a".repeat(65)] {
        api.get(&format!("/client/v4/accounts/{account}/workers/dispatch/namespaces"))
            .await
            .refused(404, 7003);
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let api = Api::with_scripts().await;
    api.get("/client/v4/accounts/acc1/workers/dispatch/namespaces/%ff%fe").await.refused(400, 10004);
}
