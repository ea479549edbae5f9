//! Where memory gets short nothing new begins, and a guest's next step fails instead of the process.

use serde_json::json;

use super::{config, get, refused};
use crate::support::{Server, eventually, guest};

const HELD: &str = "wasmyard_guest_memory_bytes";

#[tokio::test]
async fn where_memory_is_short_new_invocations_are_refused_and_come_back_when_it_is_not() {
    let server = Server::serving(&config("guest_memory = \"56MiB\"")).await;
    let holding = [get(&server, "probe.test", "/hold"), get(&server, "probe.test", "/hold")];
    let full = async || (server.metric(HELD).await >= f64::from(49 << 20)).then_some(());
    eventually("two of them hold 24 MiB each", full).await;
    let (status, error) = refused(&server, "neighbour.test", "/").await;
    assert_eq!((status, &error["reason"]), (503, &json!("overloaded")));
    drop(holding);
    assert_eq!(server.total(HELD).await, 0.0, "all of it was given back");
    assert_eq!(server.get("neighbour.test", "/").await.status, 200);
}

#[tokio::test]
async fn a_guest_that_grows_past_what_all_may_hold_is_ended() {
    // Its own ceiling is 128 MiB.
    let server = Server::serving(&config("guest_memory = \"64MiB\"")).await;
    let (status, error) = refused(&server, "over.test", "/grow").await;
    assert_eq!((status, &error["reason"]), (503, &json!("overloaded")));
    assert_eq!(server.total(HELD).await, 0.0);
    assert_eq!(server.get("neighbour.test", "/").await.status, 200);
}

/// Two namespaces, each behind its own hosts, on a node whose scripts may hold 48 MiB each.
fn tenants() -> String {
    format!(
        r#"
        [server]
        guest_memory = "192MiB"
        [limits]
        memory = "48MiB"
        cpu_ms = 30000
        [namespaces.greedy.scripts.holder]
        {probe}
        [namespaces.greedy.scripts.sibling]
        {hello}
        [namespaces.quiet.scripts.shop]
        {hello}
        [scripts.platform]
        {hello}
        [[routes]]
        pattern = "*.greedy.test/*"
        namespace = "greedy"
        [[routes]]
        pattern = "*.quiet.test/*"
        namespace = "quiet"
        [[routes]]
        pattern = "platform.test/*"
        script = "platform"
        "#,
        probe = guest::main("probe"),
        hello = guest::main("hello"),
    )
}

#[tokio::test]
async fn one_tenants_memory_is_its_own_trouble() {
    let server = Server::serving(&tenants()).await;
    let holding = get(&server, "holder.greedy.test", "/hold");
    let held = async || (server.metric(HELD).await >= f64::from(24 << 20)).then_some(());
    eventually("it holds 24 MiB", held).await;
    let (status, error) = refused(&server, "holder.greedy.test", "/hold").await;
    assert_eq!((status, &error["reason"]), (429, &json!("exceeded_memory_share")));
    assert_eq!(error["limit"], "memory together 48 MiB");
    for host in ["shop.quiet.test", "sibling.greedy.test", "platform.test"] {
        assert_eq!(server.get(host, "/").await.status, 200, "{host}");
    }
    drop(holding);
    assert_eq!(server.total(HELD).await, 0.0, "all of it was given back");
}

#[tokio::test]
async fn every_start_says_what_the_machine_can_give() {
    let server = Server::serving(&config("guest_memory = \"256MiB\"")).await;
    let said = server.logged("the capacity", |line| {
        line["message"].as_str().or(line["fields"]["message"].as_str()).is_some_and(|text| {
            text.contains("guests may hold 256MiB together: 2 of 1000 invocations at their ceiling of 128MiB")
        })
    });
    said.await;
}

#[tokio::test]
async fn what_the_machine_cannot_give_is_refused_at_the_start() {
    let site = crate::support::Site::new("[server]\nguest_memory = \"1000000GiB\"\n");
    for command in ["serve", "check"] {
        let ended = site.run(&[command]).await;
        assert_eq!(ended.status.code(), Some(64), "{ended:?}");
        let text = String::from_utf8(ended.stderr).unwrap();
        assert!(text.contains("server.guest_memory = 1000000GiB"), "{text}");
        assert!(text.contains("lower it to"), "{text}");
    }
}
