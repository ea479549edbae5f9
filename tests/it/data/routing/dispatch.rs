//! The platform of the quickstart: a dispatcher in Wasm, two customers, and what is neither.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, body, guest, request};

/// As `examples/quickstart`, with time to spare on a busy machine.
fn quickstart() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000

        [scripts.dispatcher]
        {}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [namespaces.production.scripts.customer-a]
        {customer}
        vars = {{ GREETING = "Hello" }}

        [namespaces.production.scripts.customer-b]
        {customer}
        vars = {{ GREETING = "Servus" }}

        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"

        [[routes]]
        pattern = "status.localhost/*"
        respond = 404
        "#,
        guest::main("dispatcher_subdomain"),
        customer = guest::main("customer"),
    )
}

async fn accepting(server: &Server, host: &str, accept: &str) -> Answer {
    let request = request(Method::GET, host, "/").header("accept", accept);
    server.send(request.body(body("")).unwrap()).await
}

#[tokio::test]
async fn a_dispatcher_in_wasm_tells_customers_apart_by_their_subdomain() {
    let server = Server::serving(&quickstart()).await;
    let a = server.get("customer-a.localhost", "/cart").await;
    assert_eq!((a.status, a.text()), (200, "Hello from customer-a, at /cart\n"));
    let b = server.get("customer-b.localhost", "/").await;
    assert_eq!((b.status, b.text()), (200, "Servus from customer-b, at /\n"));
    let with_port = server.get("Customer-A.LOCALHOST.:8787", "/").await;
    assert_eq!(
        with_port.text(),
        "Hello from customer-a, at /\n",
        "case, port and trailing dot change nothing"
    );
}

#[tokio::test]
async fn an_unknown_customer_gets_the_dispatchers_own_answer() {
    let server = Server::serving(&quickstart()).await;
    let unknown = server.get("customer-z.localhost", "/").await;
    assert_eq!((unknown.status, unknown.text()), (404, "no such customer: customer-z\n"));
    // The name of a script cannot have capitals or dots: nothing of that name can be deployed.
    let impossible = server.get("a.b.localhost", "/").await;
    assert_eq!((impossible.status, impossible.text()), (404, "no such customer: a\n"));
}

#[tokio::test]
async fn a_host_without_a_route_gets_the_platforms_404_in_the_form_it_asks_for() {
    let server = Server::serving(&quickstart()).await;

    let text = server.get("example.com", "/").await;
    assert_eq!((text.status, text.header("content-type")), (404, "text/plain; charset=utf-8"));
    assert!(text.text().contains("example.com"), "{}", text.text());

    let json = accepting(&server, "example.com", "application/json").await;
    assert_eq!((json.status, json.header("content-type")), (404, "application/json"));
    let error: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(error["error"]["reason"], json!("no_route"));
    assert_eq!(error["error"]["ray_id"], json!(json.header("cf-ray")));

    let html = accepting(&server, "example.com", "text/html,application/xhtml+xml;q=0.9").await;
    assert_eq!((html.status, html.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(html.text().starts_with("<!doctype html>") && html.text().contains(html.header("cf-ray")));
    assert_eq!(html.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_route_can_opt_a_host_out_of_dispatch() {
    let server = Server::serving(&quickstart()).await;
    let status = accepting(&server, "status.localhost", "application/json").await;
    assert_eq!(status.status, 404);
    let error: Value = serde_json::from_slice(&status.body).unwrap();
    assert_eq!(error["error"]["reason"], json!("opted_out"), "the dispatcher did not run");
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="platform",outcome="ok"}"#).await, 0.0);
}
