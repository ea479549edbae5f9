//! What an operator sees: figures with bounded labels, one line for each request, and health.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Server, Site, eventually, guest, wat};

fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.probe]
        {}
        [namespaces.production]
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "*.apps.test/*"
        namespace = "production"
        "#,
        guest::main("probe")
    )
}

/// The names of all series, with their labels.
fn series(metrics: &str) -> BTreeSet<&str> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect()
}

#[tokio::test]
async fn figures_move_and_no_name_of_a_tenant_becomes_a_label() {
    let server = Server::serving(&config()).await;
    let api = server.api();
    let ok = r#"wasmyard_requests_total{reason="ok",status="2xx"}"#;
    let user = r#"wasmyard_invocations_total{kind="user",outcome="ok"}"#;
    let names: Vec<String> = (0..5).map(|n| format!("tenant-{n}")).collect();
    api.deploy(&names[0], wat::answer("x")).await.result();
    server.get("tenant-0.apps.test", "/").await;
    server.get("nobody.test", "/").await;
    server.get("tenant-missing.apps.test", "/").await;
    assert_eq!(server.total(ok).await, 1.0);
    assert_eq!(server.metric(user).await, 1.0);
    assert_eq!(server.metric(r#"wasmyard_requests_total{reason="no_route",status="4xx"}"#).await, 1.0);
    assert_eq!(server.metric("wasmyard_requests_in_flight").await, 0.0);
    assert_eq!(server.metric("wasmyard_request_duration_seconds_count").await, 3.0);
    assert_eq!(server.metric("wasmyard_instantiation_seconds_count").await, 1.0);
    assert!(server.metric("wasmyard_connections_total").await >= 3.0);
    assert!(server.metric("wasmyard_modules_loaded").await >= 1.0);

    let before = api.text("/metrics").await;
    for name in &names[1..] {
        api.deploy(name, wat::answer("x")).await.result();
        assert_eq!(server.get(&format!("{name}.apps.test"), &format!("/{name}")).await.status, 200);
    }
    let answered = async || (server.metric(ok).await == 5.0).then_some(());
    eventually("the figures move on", answered).await;
    let after = api.text("/metrics").await;
    assert_eq!(series(&before), series(&after), "four tenants more, and not one series more");
    assert!(!after.contains("tenant-") && !after.contains("production"), "{after}");
}

#[tokio::test]
async fn every_request_is_one_json_line_with_all_that_is_known() {
    let server = Server::serving(&config()).await;
    server.api().deploy("shop", wat::answer("x")).await.result();
    let answer = server.get("Shop.Apps.test", "/cart?secret=1").await;
    let line = server.logged("the access line", |line| line["target"] == "wasmyard::access").await;
    for (field, expected) in [
        ("ray_id", json!(answer.header("cf-ray"))),
        ("client", json!("127.0.0.1")),
        ("host", json!("shop.apps.test")),
        ("method", json!("GET")),
        ("path", json!("/cart")),
        ("script", json!("production/shop")),
        ("status", json!(200)),
        ("reason", json!("ok")),
        ("level", json!("INFO")),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    assert!(line["wall_us"].as_u64().is_some() && line["timestamp"].is_string(), "{line}");
    assert!(!server.log().contains("secret=1"), "queries may hold secrets and are not logged");
}

#[tokio::test]
async fn what_a_script_prints_is_logged_with_the_requests_ray_id() {
    let server = Server::serving(&config()).await;
    let answer = server.get("probe.test", "/print").await;
    for (stream, text) in [("stdout", "printed to standard output"), ("stderr", "printed to standard error")]
    {
        let line = server.logged(text, |line| line["message"] == text).await;
        let seen = (&line["stream"], &line["ray_id"], &line["script"]);
        assert_eq!(seen, (&json!(stream), &json!(answer.header("cf-ray")), &json!("probe")));
        let level = if stream == "stdout" { "log" } else { "error" };
        assert_eq!((&line["log_level"], &line["level"]), (&json!(level), &json!("INFO")), "{line}");
    }
}

#[tokio::test]
async fn health_says_live_and_ready_and_while_draining_not_ready() {
    let mut server = Server::serving(&config()).await;
    let api = server.api();
    let (status, _) = api.open("/health/live").await;
    assert_eq!(status, 200);
    eventually("ready", async || (api.open("/health/ready").await.0 == 200).then_some(())).await;

    // A request in flight holds the process while it drains.
    let mut visitor =
        server.raw("POST /length HTTP/1.1\r\nhost: probe.test\r\ncontent-length: 2\r\n\r\n1").await;
    let running = async || (server.metric("wasmyard_requests_in_flight").await >= 1.0).then_some(());
    eventually("the request runs", running).await;
    server.terminate();
    eventually("not ready", async || (api.open("/health/ready").await.0 == 503).then_some(())).await;
    assert_eq!(api.open("/health/live").await.0, 200, "it is still alive");
    visitor.write("2").await;
    assert_eq!(visitor.answer().await.body, "2\n");
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn calls_with_a_bad_token_are_told_of_with_their_client_and_not_line_by_line() {
    let server = Server::serving(&config()).await;
    let stranger = server.api().with_token("a-token-that-nobody-gave-out");
    let path = "/client/v4/accounts/0/workers/dispatch/namespaces";
    let told = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|text| text.starts_with("calls of the API with a bad token"))
    };
    stranger.get(path).await.refused(401, 10000);
    let first = server.logged("a bad token", told).await;
    assert_eq!((&first["client"], &first["refused"]), (&json!("127.0.0.1"), &json!(1)), "{first}");
    // Each is counted, also where several are told of together.
    for _ in 0..5 {
        stranger.get(path).await.refused(401, 10000);
    }
    let all = async || {
        stranger.get(path).await.refused(401, 10000);
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(told);
        let refused: u64 = lines.map(|line: serde_json::Value| line["refused"].as_u64().unwrap()).sum();
        (refused >= 6).then_some(())
    };
    eventually("all of them are counted", all).await;
}

/// The API has no TLS of its own, so whoever opens it to other machines is told what they see.
#[tokio::test]
async fn an_api_that_other_machines_reach_is_warned_of() {
    let config = "[limits]\ncpu_ms = 10\n";
    let open = Site::new(config).serve_with_api_at("0.0.0.0:0").await;
    let warning = open
        .logged("a warning of the open API", |line| {
            line["level"] == "WARN"
                && line["message"].as_str().is_some_and(|text| text.contains("in clear text"))
        })
        .await;
    assert!(warning["listen"].as_str().unwrap().starts_with("0.0.0.0:"), "{warning}");
    let closed = Site::new(config).serve_with_api_at("127.0.0.1:0").await;
    // By then everything is said that a start says.
    let ready = || async { (closed.api().open("/health/ready").await.0 == 200).then_some(()) };
    eventually("it is ready", ready).await;
    assert!(!closed.log().contains("in clear text"), "{}", closed.log());
}
