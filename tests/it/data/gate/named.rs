//! Which outbound worker it is where several could be meant.

use http::Method;

use crate::support::{Server, body, guest, origin::Origin, request};

/// The namespace's outbound worker shows what it sees; the binding of `own` names one that blocks. A tenant's script
/// is bound to an open namespace, by a binding that names one that lets everything pass.
fn config(origin: &Origin) -> String {
    format!(
        r#"
        {egress}
        [limits]
        cpu_ms = 10000
        [scripts.show]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "show" }}
        [scripts.block]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "block" }}
        [scripts.pass]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "pass" }}
        [scripts.own]
        {gate}
        vars = {{ ROLE = "dispatcher" }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "gated", outbound = {{ script = "block" }} }}]
        [scripts.plain]
        {gate}
        vars = {{ ROLE = "dispatcher" }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "gated" }}]
        [namespaces.gated]
        egress = {{ allow_private = ["127.0.0.1"] }}
        outbound = {{ script = "show" }}
        [namespaces.gated.scripts.user]
        {gate}
        vars = {{ ROLE = "user" }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "open", outbound = {{ script = "pass" }} }}]
        [namespaces.open]
        egress = {{ allow_private = ["127.0.0.1"] }}
        [namespaces.open.scripts.sibling]
        {gate}
        vars = {{ ROLE = "user" }}
        [[routes]]
        pattern = "*.own.test/*"
        script = "own"
        [[routes]]
        pattern = "*.plain.test/*"
        script = "plain"
        [[routes]]
        pattern = "*.native.test/*"
        namespace = "gated"
        [[routes]]
        pattern = "*.open.test/*"
        namespace = "open"
        "#,
        egress = origin.egress(),
        gate = guest::main("gate"),
    )
}

async fn sent(server: &Server, host: &str, path: &str, target: &str) -> String {
    let asked = request(Method::GET, host, path).header("x-target", target).body(body("")).unwrap();
    server.send(asked).await.text().to_owned()
}

#[tokio::test]
async fn a_dispatchers_binding_goes_before_the_namespace_and_only_for_calls_through_it() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let target = origin.url("/");
    assert_eq!(sent(&server, "user.own.test", "/send", &target).await, "blocked\n");
    for host in ["user.plain.test", "user.native.test"] {
        let seen = sent(&server, host, "/send", &target).await;
        assert!(seen.contains("caller user of gated"), "{host}: {seen}");
    }
    assert_eq!(sent(&server, "sibling.open.test", "/send", &target).await, "origin");
}

#[tokio::test]
async fn a_tenants_binding_cannot_lead_around_the_gate_that_the_tenant_has() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let target = origin.url("/");
    // The callee's namespace has no gate, and the binding names one that lets everything pass.
    let seen = sent(&server, "user.native.test", "/dispatch-send", &target).await;
    assert!(seen.contains("caller sibling of open") && seen.contains("var MODE show"), "{seen}");
    assert_eq!(sent(&server, "user.own.test", "/dispatch-send", &target).await, "blocked\n");
    assert_eq!(origin.seen().len(), 0);
}
