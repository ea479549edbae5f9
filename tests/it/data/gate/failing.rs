//! An outbound worker that fails is an error inside the script's fetch: at once, in words for tenants, and never a way
//! around it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{asked, config};
use crate::support::origin::{Origin, refusing};
use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, Server, guest};

#[tokio::test]
async fn whatever_happens_in_it_the_tenant_is_told_that_it_failed_and_no_more() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    for (mode, expected) in [
        ("fail", "the outbound worker of the namespace \"fail\" failed"),
        ("trap", "the outbound worker of the namespace \"trap\" failed"),
        ("silent", "the outbound worker of the namespace \"silent\" failed"),
        ("spin", "the outbound worker of the namespace \"spin\" exceeded its CPU time limit"),
        ("wait", "HTTP response timeout"),
    ] {
        let begun = Instant::now();
        let answer = asked(&server, mode, "/", &origin.url("/")).await;
        assert_eq!(answer.status, 502, "{mode}: {}", answer.text());
        assert!(answer.text().contains(expected), "{mode}: {}", answer.text());
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
        assert!(begun.elapsed() < Duration::from_secs(30), "{mode}");
    }
    assert_eq!(origin.seen().len(), 0, "what was refused did not go out");
    assert_eq!(asked(&server, "pass", "/", &origin.url("/")).await.status, 200);
}

#[tokio::test]
async fn its_account_is_its_own() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    assert_eq!(asked(&server, "spin", "/", &origin.url("/")).await.status, 502);
    let invocation =
        |line: &serde_json::Value| line["target"] == "wasmyard::invocation" && line["script"] == "spin";
    let own = server.logged("the outbound worker's account", invocation).await;
    assert_eq!(own["outcome"], json!("exceededCpu"));
    assert!(own["cpu_us"].as_u64().unwrap() >= 100_000, "{own}");
    assert_eq!(
        server.total(r#"wasmyard_invocations_total{kind="platform",outcome="exceededCpu"}"#).await,
        1.0
    );
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="user",outcome="ok"}"#).await, 1.0);
}

#[tokio::test]
async fn an_error_of_the_network_comes_through_as_it_is() {
    let origin = Origin::start().await;
    let nobody = refusing();
    let gone = nobody.address;
    let config = config(&origin).replace("ports = [80", &format!("ports = [{}, 80", gone.port()));
    let server = Server::serving(&config).await;
    for mode in ["pass", "last"] {
        let refused = asked(&server, mode, "/", &format!("http://{gone}/")).await;
        assert!(refused.text().contains("connection refused"), "{mode}: {}", refused.text());
        let prohibited = asked(&server, mode, "/", "http://169.254.169.254/").await;
        assert!(prohibited.text().contains("destination IP prohibited"), "{mode}: {}", prohibited.text());
    }
}

#[tokio::test]
async fn a_missing_outbound_worker_is_warned_of_at_deploy_and_lets_nothing_out() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let api = server.api();
    let outbound = json!({"worker": {"service": "nobody"}, "params": []});
    let made = api.post(NAMESPACES, &json!({"name": "fresh", "outbound": outbound})).await;
    let note = made.envelope["messages"][0]["message"].as_str().unwrap().to_owned();
    assert!(note.contains("\"nobody\" is not deployed"), "{note}");
    assert_eq!(made.result()["outbound"], outbound);

    let changed = api.put(&format!("{NAMESPACES}/pass?force=true"), &json!({"outbound": outbound})).await;
    assert!(changed.envelope["messages"][0]["message"].as_str().unwrap().contains("nobody"), "{changed:?}");
    let answer = asked(&server, "pass", "/", &origin.url("/")).await;
    let expected = "the outbound worker of the namespace \"pass\" is not deployed; nothing goes out";
    assert!(answer.status == 502 && answer.text().contains(expected), "{}", answer.text());
    assert_eq!(origin.seen().len(), 0);

    let metadata = json!({"main_module": "worker.wasm", "bindings": [
        {"type": "dispatch_namespace", "name": "D", "namespace": "pass", "outbound": outbound},
        {"type": "service", "name": "S", "service": "nobody"},
    ]});
    let uploaded = api.upload(&format!("{PLATFORM_SCRIPTS}/late"), &metadata, guest::bytes("hello")).await;
    uploaded.result();
    let notes = uploaded.envelope["messages"].to_string();
    for expected in [
        "binding \\\"D\\\": the outbound worker \\\"nobody\\\"",
        "binding \\\"S\\\": the script \\\"nobody\\\"",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }

    // As soon as it is there, it is asked.
    let worker = json!({"main_module": "worker.wasm", "bindings": [
        {"type": "plain_text", "name": "ROLE", "text": "outbound"},
        {"type": "plain_text", "name": "MODE", "text": "pass"},
    ]});
    api.upload(&format!("{PLATFORM_SCRIPTS}/nobody"), &worker, guest::bytes("gate")).await.result();
    assert_eq!(asked(&server, "pass", "/", &origin.url("/")).await.status, 200);
}
