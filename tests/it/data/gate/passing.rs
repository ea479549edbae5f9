//! What an outbound worker sees, and what it can make of it.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{asked, config};
use crate::support::{NAMESPACES, Server, body, origin::Origin, request};

#[tokio::test]
async fn the_outbound_worker_sees_method_url_headers_body_and_who_asks() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    // The host in another spelling than that of a list.
    let target = "https://ANY.Example.:443/path?query=1";
    let sent = request(Method::POST, "user.show.test", "/send")
        .header("x-target", target)
        .header("x-own", "kept")
        .body(body("12345"))
        .unwrap();
    let answer = server.send(sent).await;
    let seen = answer.text();
    for line in [
        "method POST",
        "url https://any.example/path?query=1",
        "caller user of show",
        "hostname user.show.test",
        "header x-own: kept",
        "var MODE show",
        "body 5",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} is missing:\n{seen}");
    }
    assert!(!seen.contains("header host:"), "the URL says the host:\n{seen}");
    assert_eq!(origin.seen().len(), 0);
}

#[tokio::test]
async fn a_request_that_passes_arrives_as_it_was_sent() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let payload = Bytes::from(vec![b'x'; 3 << 20]);
    for (mode, path) in [("pass", "/send"), ("last", "/send"), ("pass", "/forward"), ("last", "/forward")] {
        let target = origin.url(&format!("/{mode}{path}?a=b"));
        let sent = request(Method::PUT, &format!("user.{mode}.test"), path)
            .header("x-target", &target)
            .header("x-own", "kept")
            .body(body(payload.clone()))
            .unwrap();
        let answer = server.send(sent).await;
        assert_eq!((answer.status, answer.text()), (200, "origin"), "{mode} {path}");
        let seen = origin.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.clone()), ("PUT", format!("/{mode}{path}?a=b")));
        assert_eq!((seen.header("x-own"), seen.body.len()), ("kept", payload.len()));
        assert_eq!(seen.header("host"), origin.address.to_string());
    }
    assert_eq!(origin.seen().len(), 4, "each request went out once");
}

#[tokio::test]
async fn the_platforms_credentials_are_added_and_never_seen_by_the_tenant() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let sent = request(Method::POST, "user.auth.test", "/send")
        .header("x-target", origin.url("/"))
        .header("x-authorization", "Bearer mine")
        .body(body("order"))
        .unwrap();
    let answer = server.send(sent).await;
    assert_eq!((answer.status, answer.text()), (200, "origin"));
    let seen = origin.seen().pop().unwrap();
    assert_eq!((seen.header("authorization"), &seen.body[..]), ("Bearer hunter2", &b"order"[..]));
    let told = server.get("user.auth.test", "/seen").await;
    assert!(!told.text().contains("hunter2") && !told.text().contains("KEY"), "{}", told.text());
}

#[tokio::test]
async fn a_request_to_a_host_of_the_platform_passes_the_gate_first() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let blocked = asked(&server, "block", "/", "http://hello.test/").await;
    assert_eq!(blocked.text(), "user worker got \"blocked\n\" from fetch");
    for mode in ["pass", "last"] {
        let passed = asked(&server, mode, "/", "http://hello.test/").await;
        assert_eq!(passed.text(), "user worker got \"Hello from Wasmyard!\n\" from fetch", "{mode}");
    }
}

#[tokio::test]
async fn the_outbound_workers_own_requests_are_not_intercepted_again() {
    let origin = Origin::start().await;
    let config = config(&origin).replace(
        r#"vars = { ROLE = "outbound", MODE = "block" }"#,
        &format!(r#"vars = {{ ROLE = "outbound", MODE = "log", LOG = "{}" }}"#, origin.url("/log")),
    );
    let server = Server::serving(&config).await;
    // Although the script does not wait for the answer's body, and is done before the log is delivered.
    let ignored = asked(&server, "block", "/ignore", &origin.url("/seen")).await;
    assert_eq!(ignored.text(), "ignored 200\n");
    let line = origin.sees("the log line", |seen| seen.target == "/log").await;
    assert_eq!(line.body, format!("GET {}", origin.url("/seen")));
    assert_eq!(origin.seen().iter().filter(|seen| seen.target == "/log").count(), 1);
}

#[tokio::test]
async fn a_loop_through_the_gate_ends_in_508() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let again = "http://user.pass.test/send";
    let sent =
        request(Method::GET, "user.pass.test", "/send").header("x-target", again).body(body("")).unwrap();
    assert_eq!(server.send(sent).await.status, 508);
    let cut = server.logged("the end of the chain", |line| line["message"] == "chain of scripts cut").await;
    assert!(cut["chain"].as_str().unwrap().starts_with("pass/user -> pass -> pass/user"), "{cut}");
}

#[tokio::test]
async fn what_passes_is_judged_by_the_rules_of_the_namespace_it_is_sent_for() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    // The file names these rules; this holds until the next start.
    let namespace = format!("{NAMESPACES}/pass?force=true");
    for (rules, expected) in [
        // The platform opened the address to its own scripts, which the outbound worker is; not for this tenant.
        (json!({}), "destination IP prohibited"),
        (json!({"allow_private": ["127.0.0.1"], "allow_hosts": []}), "HTTP request denied"),
        (json!({"allow_private": ["127.0.0.1"], "deny_hosts": ["127.0.0.1"]}), "HTTP request denied"),
    ] {
        server.api().patch(&namespace, &json!({"egress": rules})).await.result();
        let answer = asked(&server, "pass", "/", &origin.url("/")).await;
        assert!(answer.text().contains(expected), "{rules}: {} {}", answer.status, answer.text());
    }
    assert_eq!(origin.seen().len(), 0);
    server.api().patch(&namespace, &json!({"egress": {"allow_private": ["127.0.0.1"]}})).await.result();
    assert_eq!(asked(&server, "pass", "/", &origin.url("/")).await.status, 200);
}
