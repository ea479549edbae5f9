//! Which pattern wins, and routes that come and go while the server runs.

use serde_json::json;

use crate::support::{PLATFORM_SCRIPTS, Server, Site, wat};

const ROUTES: &str = "/client/v4/accounts/0/workers/routes";

/// Scripts that say their own name.
async fn serving(scripts: &[&str], config: &str) -> Server {
    let declared: String =
        scripts.iter().map(|name| format!("[scripts.{name}]\nmain = \"{name}.wasm\"\n")).collect();
    let site = Site::new(&format!("[limits]\ncpu_ms = 10000\n{declared}{config}"));
    for name in scripts {
        site.write(&format!("{name}.wasm"), wat::answer(name));
    }
    site.serve().await
}

fn route(pattern: &str, script: &str) -> String {
    format!("[[routes]]\npattern = {pattern:?}\nscript = {script:?}\n")
}

#[tokio::test]
async fn the_most_specific_route_answers_whatever_their_order() {
    let patterns = [
        ("*/*", "any"),
        ("*.example.com/*", "wild"),
        ("*.shop.example.com/*", "deep"),
        ("www.example.com/*", "exact"),
        ("www.example.com/api/*", "prefix"),
        ("www.example.com/api/health", "path"),
    ];
    let names = patterns.map(|(_, name)| name);
    let server = serving(&names, &patterns.map(|(pattern, script)| route(pattern, script)).concat()).await;
    for (host, path, expected) in [
        ("elsewhere.net", "/", "any"),
        ("example.com", "/", "any"),
        ("a.example.com", "/api/x", "wild"),
        ("a.b.example.com", "/", "wild"),
        ("a.shop.example.com", "/", "deep"),
        ("www.example.com", "/", "exact"),
        ("www.example.com", "/api", "exact"),
        ("www.example.com", "/api/x?y=z", "prefix"),
        ("www.example.com", "/api/health", "path"),
        ("www.example.com", "/api/health?verbose", "path"),
        ("www.example.com", "/api/healthy", "prefix"),
        ("WWW.Example.COM:8787", "/api/health", "path"),
    ] {
        let answer = server.get(host, path).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{host}{path}");
    }
}

#[tokio::test]
async fn a_native_rule_finds_the_script_without_a_dispatcher() {
    let config = "[limits]\ncpu_ms = 10000\n[namespaces.production]\n[[routes]]\npattern = \"*.apps.test/*\"\nnamespace = \"production\"\n";
    let server = Server::serving(config).await;
    let missing = server.get("shop.apps.test", "/").await;
    assert_eq!(missing.status, 404, "nothing is deployed yet");
    assert!(missing.text().contains("Worker not found"), "{}", missing.text());
    server.api().deploy("shop", wat::answer("the shop")).await.result();
    assert_eq!(server.get("shop.apps.test", "/").await.text(), "the shop");
    assert_eq!(server.get("x.shop.apps.test", "/").await.status, 404, "two labels are no script's name");
    assert_eq!(server.get("apps.test", "/").await.status, 404, "`*` is at least one label");
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="platform",outcome="ok"}"#).await, 0.0);
}

#[tokio::test]
async fn routes_made_through_the_api_work_at_once_and_are_gone_at_once() {
    let server = serving(&["one", "two"], &route("fixed.test/*", "one")).await;
    let api = server.api();
    assert_eq!(server.get("new.test", "/").await.status, 404);

    let made = api.post(ROUTES, &json!({"pattern": "new.test/*", "script": "one"})).await;
    assert_eq!(server.get("new.test", "/").await.text(), "one");
    let id = made.result()["id"].as_str().unwrap().to_owned();

    api.put(&format!("{ROUTES}/{id}"), &json!({"pattern": "new.test/*", "script": "two"})).await.result();
    assert_eq!(server.get("new.test", "/").await.text(), "two");

    api.put(&format!("{ROUTES}/{id}"), &json!({"pattern": "new.test/*", "respond": 410})).await.result();
    assert_eq!(server.get("new.test", "/").await.status, 410);

    api.delete(&format!("{ROUTES}/{id}")).await.result();
    assert_eq!(server.get("new.test", "/").await.status, 404);
    assert_eq!(server.get("fixed.test", "/").await.text(), "one", "other routes are untouched");

    api.post(ROUTES, &json!({"pattern": "http://new.test/*", "script": "one"})).await.refused(400, 10021);
    api.post(ROUTES, &json!({"pattern": "new.test/*"})).await.refused(400, 10021);
}

#[tokio::test]
async fn a_platform_script_can_be_replaced_and_deleted_under_its_route() {
    let server = serving(&["one"], &route("*/*", "one")).await;
    let api = server.api();
    // The configuration declares it, so that a change through the API has to be meant.
    let path = format!("{PLATFORM_SCRIPTS}/one?force=true");
    api.upload(&path, &json!({"main_module": "worker.wasm"}), wat::answer("one again")).await.result();
    assert_eq!(server.get("any.test", "/").await.text(), "one again");
    api.delete(&path).await.result();
    let gone = server.get("any.test", "/").await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("Worker not found"), "{}", gone.text());
}
