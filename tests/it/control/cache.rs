//! Caches of components: those of the example, bodies of any length, and who has which.

use http::Method;
use serde_json::json;

use crate::support::{Answer, NAMESPACES, Server, body, guest, request};

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 10000
    [namespaces.production]
    [namespaces.trusted]
    trusted_workers = true
    [namespaces.closed]
    capabilities = { deny = ["wasmyard:platform/cache"] }
    [[routes]]
    pattern = "*.production.test/*"
    namespace = "production"
    [[routes]]
    pattern = "*.trusted.test/*"
    namespace = "trusted"
"#;

async fn deployed(server: &Server, namespace: &str, script: &str, guest: &str) -> (u16, String) {
    let path = format!("{NAMESPACES}/{namespace}/scripts/{script}");
    let reply =
        server.api().upload(&path, &json!({ "main_module": "worker.wasm" }), guest::bytes(guest)).await;
    (reply.status, reply.envelope.to_string())
}

async fn asked(
    server: &Server,
    method: Method,
    host: &str,
    path: &str,
    lines: &[(&str, &str)],
    sent: String,
) -> Answer {
    let request = lines
        .iter()
        .fold(request(method, host, path), |request, (name, value)| request.header(*name, *value));
    server.send(request.body(body(sent)).unwrap()).await
}

#[tokio::test]
async fn the_example_makes_a_page_once_for_each_path_and_language() {
    let server = Server::serving(CONFIG).await;
    for script in ["one", "two"] {
        let (status, reply) = deployed(&server, "production", script, "cache").await;
        assert_eq!(status, 200, "{reply}");
    }
    let get = async |host: &str, lines: &[(&str, &str)]| {
        asked(&server, Method::GET, host, "/news", lines, String::new()).await
    };
    let (one, two) = ("one.production.test", "two.production.test");
    let made = get(one, &[]).await;
    assert_eq!((made.status, made.header("cf-cache-status")), (200, ""));
    let kept = get(one, &[]).await;
    assert_eq!((kept.text(), kept.header("cf-cache-status")), (made.text(), "HIT"));
    assert!(
        kept.header("age").parse::<u64>().is_ok() && kept.header("content-type").starts_with("text/plain")
    );
    assert_ne!(get(one, &[("accept-language", "fr")]).await.text(), made.text());
    assert_ne!(get(two, &[]).await.text(), made.text(), "of another script's cache");
    assert_eq!(get(one, &[("if-none-match", "\"1\"")]).await.status, 304);
    let part = get(one, &[("range", "bytes=0-4")]).await;
    assert_eq!((part.status, part.text()), (206, "/news"));
    let delete = async || asked(&server, Method::DELETE, one, "/news", &[], String::new()).await.status;
    assert_eq!((delete().await, delete().await), (204, 404));
    assert_ne!(get(one, &[]).await.text(), made.text());
}

#[tokio::test]
async fn a_component_keeps_bodies_of_any_length_in_caches_that_it_has() {
    let server = Server::serving(CONFIG).await;
    for namespace in ["production", "trusted"] {
        assert_eq!(deployed(&server, namespace, "probe", "probe").await.0, 200);
    }
    let (status, reply) = deployed(&server, "closed", "probe", "probe").await;
    assert!(status == 400 && reply.contains("wasmyard:platform/cache"), "{reply}");
    let (one, trusted) = ("probe.production.test", "probe.trusted.test");
    let long = "0123456789".repeat(500_000);
    let put = async |host: &str, lines: &[(&str, &str)], sent: &str| {
        asked(&server, Method::PUT, host, "/cache", lines, sent.to_owned()).await.text().to_owned()
    };
    let named = [("x-name", "c"), ("x-control", "max-age=600")];
    assert_eq!(put(one, &named, &long).await, "Kept");
    let kept = asked(&server, Method::GET, one, "/cache", &named, String::new()).await;
    assert!(kept.text() == long && kept.header("content-length") == "5000000");
    assert_eq!(put(one, &named, "short").await, "Kept");
    let left = put(one, &[("x-name", "c"), ("x-control", "private")], &long).await;
    assert_eq!(left, "Left(\"its Cache-Control says private\")");
    assert_eq!(asked(&server, Method::GET, one, "/cache", &named, String::new()).await.text(), "short");
    let own = [("x-control", "max-age=600")];
    assert!(put(one, &own, "x").await.starts_with("NotAllowed: caches.default is not there"));
    assert_eq!(put(trusted, &own, "x").await, "Kept");
    assert_eq!(asked(&server, Method::GET, trusted, "/cache", &[], String::new()).await.text(), "x");
    assert_eq!(asked(&server, Method::GET, trusted, "/cache", &named, String::new()).await.text(), "nothing");
}
