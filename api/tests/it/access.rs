//! Tokens, accounts, and paths and methods that are not there.

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;

use crate::common::{Api, NAMESPACES};

/// A zone that is not there.
const ZONE: &str = "0123456789abcdef0123456789abcdef";

/// Every call of the document, with its variable segments filled in.
fn calls() -> Vec<(Method, String, bool)> {
    let document = wasmyard_api::openapi_document();
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled = path
            .replace("{account_id}", "acc1")
            .replace("{dispatch_namespace}", "production")
            .replace("{script_name}", "customer-a")
            .replace("{secret_name}", "KEY")
            .replace("{tag}", "blue")
            .replace("{version_id}", "0")
            .replace("{deployment_id}", "0")
            .replace("{namespace_id}", "0123456789abcdef0123456789abcdef")
            .replace("{key_name}", "a/key")
            .replace("{zone_id}", ZONE)
            .replace("{setting_id}", "ssl")
            .replace("{dns_record_id}", "0123456789abcdef0123456789abcdef")
            .replace("{custom_hostname_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
            .replace("{certificate_pack_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
            .replace("{certificate_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
            .replace("{custom_csr_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
            .replace("{mtls_certificate_id}", "1d74f419-c24c-4619-9ff2-489751b61d27")
            .replace("{certificate_authority}", "lets_encrypt")
            .replace("{webhook_id}", "0123456789abcdef0123456789abcdef")
            .replace("{policy_id}", "0123456789abcdef0123456789abcdef")
            .replace("{route_id}", "0123456789abcdef0123456789abcdef")
            .replace("{token_id}", "0123456789abcdef0123456789abcdef");
        assert!(!filled.contains('{'), "{filled}");
        for (method, operation) in methods.as_object().unwrap() {
            let guarded = operation["security"] != serde_json::json!([]);
            calls.push((method.to_uppercase().parse().unwrap(), filled.clone(), guarded));
        }
    }
    calls
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
