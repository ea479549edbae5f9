//! The same namespaces through `wasi:keyvalue`.

use http::Method;
use serde_json::{Value, json};

use super::{ask, note, put, titled, value};
use crate::support::{Server, guest};

fn config() -> String {
    let (keyvalue, notes) = (guest::main("keyvalue"), guest::main("kv"));
    let bound = "kv_namespaces = [{ binding = \"NOTES\", title = \"shared\" }]";
    format!(
        "[limits]\ncpu_ms = 10000\n[scripts.wasi]\n{keyvalue}\n{bound}\nvars = {{ TEXT = \"x\" }}\n\
         [scripts.few]\n{keyvalue}\n{bound}\nlimits = {{ subrequests = 4 }}\n\
         [scripts.ours]\n{notes}\n{bound}\n"
    ) + &["wasi", "few", "ours"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
}

#[tokio::test]
async fn a_component_that_knows_nothing_of_the_platform_has_the_same_keys() {
    let server = Server::serving(&config()).await;
    put(&server, "wasi.test", "/k", "of wasi").await;
    assert_eq!(note(&server, "ours.test", "/k").await.as_deref(), Some("of wasi"));
    let shared = titled(&server, "shared").await;
    assert_eq!(value(&server, &format!("{shared}/values/k")).await, (200, "of wasi".to_owned()));
    put(&server, "ours.test", "/k", "of ours").await;
    assert_eq!(note(&server, "wasi.test", "/k").await.as_deref(), Some("of ours"));
    assert_eq!(ask(&server, Method::HEAD, "wasi.test", "/k", "").await.status, 200);
    put(&server, "ours.test", "/kk", "longer").await;
    assert_eq!(ask(&server, Method::DELETE, "wasi.test", "/k", "").await.status, 204);
    assert_eq!(ask(&server, Method::HEAD, "wasi.test", "/k", "").await.status, 404);
    assert_eq!(note(&server, "ours.test", "/kk").await.as_deref(), Some("longer"));
}

#[tokio::test]
async fn buckets_are_bindings_pages_follow_each_other_and_batches_count() {
    let server = Server::serving(&config()).await;
    for name in ["nobody", "TEXT"] {
        let answer = server.get("wasi.test", &format!("/k?bucket={name}")).await;
        assert_eq!((answer.status, answer.text()), (404, "Error::NoSuchStore\n"), "{name}");
    }
    let shared = titled(&server, "shared").await;
    let many: Vec<Value> = (0..1_500).map(|n| json!({"key": format!("{n:04}"), "value": "x"})).collect();
    server.api().put(&format!("{shared}/bulk"), &json!(many)).await.result();
    let listed = server.get("wasi.test", "/").await;
    assert_eq!(listed.text(), "1500 keys on 2 pages, wrong cursor refused: true\n");
    let several = ask(&server, Method::POST, "wasi.test", "/batch", "").await;
    assert_eq!(several.text(), "y=2 none x=1, 1000 left\n");
    // Two keys are put, and the third to be read is one too many.
    let refused = ask(&server, Method::POST, "few.test", "/batch", "").await;
    assert_eq!(refused.status, 500, "{}", refused.text());
    server.logged("the limit", |line| line.to_string().contains("Too many subrequests")).await;
}

#[tokio::test]
async fn numbers_are_counted_by_many_at_once() {
    let server = Server::serving(&config()).await;
    let count = |by: &'static str| ask(&server, Method::POST, "wasi.test", "/visits", by);
    assert_eq!(count("3").await.text(), "3");
    let all = futures::future::join_all((0..20).map(|_| count("2"))).await;
    let mut sums: Vec<u64> = all.iter().map(|answer| answer.text().parse().unwrap()).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=20).map(|n| 3 + 2 * n).collect::<Vec<_>>());
    assert_eq!(note(&server, "ours.test", "/visits").await.as_deref(), Some("43"));
    put(&server, "ours.test", "/visits", "many").await;
    let refused = count("1").await;
    assert!(refused.text().contains("no number of 64 bits"), "{}", refused.text());
    assert_eq!(note(&server, "ours.test", "/visits").await.as_deref(), Some("many"));
}
