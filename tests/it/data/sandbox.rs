//! What a script cannot reach, and what is not left of one request for the next.

use http::Method;
use serde_json::Value;

use crate::support::{Server, body, guest, request};

/// `probe`; a dispatcher that was given no namespace; and one that is its own customer.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.probe]
        {probe}
        vars = {{ GIVEN = "to the script alone" }}
        [scripts.unbound]
        {dispatcher}
        vars = {{ DISPATCHER = "of another type" }}
        [scripts.dispatcher]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.ring]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.staging.scripts.elsewhere]
        {probe}
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "unbound.test/*"
        script = "unbound"
        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        "#,
        probe = guest::main("probe"),
        dispatcher = guest::main("dispatcher_subdomain"),
    )
}

async fn error_of(server: &Server, host: &str) -> Value {
    let asked = request(Method::GET, host, "/").header("accept", "application/json").body(body("")).unwrap();
    let answer = server.send(asked).await;
    serde_json::from_slice::<Value>(&answer.body).unwrap()["error"].take()
}

#[tokio::test]
async fn a_script_finds_no_file_no_socket_and_no_environment() {
    let server = Server::serving(&config()).await;
    // Somebody listens there: it is the sandbox that says no.
    let target = server.visitors.to_string();
    let asked =
        request(Method::GET, "probe.test", "/reach").header("x-target", target).body(body("")).unwrap();
    let answer = server.send(asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let reached: Vec<&str> = answer.text().lines().filter(|line| !line.ends_with(" no")).collect();
    assert_eq!(reached, Vec::<&str>::new());
    assert_eq!(answer.text().lines().count(), 9, "{}", answer.text());
}

#[tokio::test]
async fn nothing_of_one_request_is_left_for_the_next() {
    let server = Server::serving(&config()).await;
    for _ in 0..20 {
        assert_eq!(server.get("probe.test", "/count").await.text(), "1\n");
    }
}

#[tokio::test]
async fn a_namespace_that_was_not_granted_cannot_be_called() {
    let server = Server::serving(&config()).await;
    let error = error_of(&server, "unbound.test").await;
    assert_eq!((error["code"].as_u64(), error["reason"].as_str()), (Some(1101), Some("exception")));
    // A name from another namespace than the granted one is simply not found.
    let answer = server.get("elsewhere.localhost", "/").await;
    assert_eq!((answer.status, answer.text()), (404, "no such customer: elsewhere\n"));
}

#[tokio::test]
async fn a_script_that_calls_itself_is_cut_at_the_depth_limit() {
    let server = Server::serving(&config()).await;
    let error = error_of(&server, "ring.localhost").await;
    assert_eq!((error["code"].as_u64(), error["reason"].as_str()), (Some(1019), Some("exceeded_depth")));
    assert_eq!(error["limit"], "depth 8");
    assert_eq!(server.get("probe.test", "/count").await.status, 200);
}
