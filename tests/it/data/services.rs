//! One script calls another one by a service binding.

use http::Method;
use serde_json::json;

use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, Server, Site, body, guest, request};

/// As `examples/service-binding`, with what is wrong beside it.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.auth]
        {auth}
        [scripts.shop]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "auth" }}]
        [scripts.lost]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "nobody" }}]
        [scripts.unbound]
        {shop}
        vars = {{ AUTH = "of another type" }}
        [scripts.ring]
        {gate}
        vars = {{ ROLE = "front" }}
        bindings = [{{ type = "service", name = "BACK", service = "ring" }}]
        [scripts.counted]
        {shop}
        limits = {{ subrequests = 1 }}
        bindings = [{{ type = "service", name = "AUTH", service = "twice" }}]
        [scripts.twice]
        {gate}
        vars = {{ ROLE = "front" }}
        limits = {{ subrequests = 1 }}
        bindings = [{{ type = "service", name = "BACK", service = "auth" }}]
        [namespaces.production]
        service_bindings = true
        [namespaces.production.scripts.store]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "sign-in", namespace = "production" }}]
        [namespaces.production.scripts.sign-in]
        {auth}
        [namespaces.production.scripts.upward]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "auth" }}]
        [namespaces.production.scripts.across]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "alone", namespace = "closed" }}]
        [namespaces.closed.scripts.store]
        {shop}
        bindings = [{{ type = "service", name = "AUTH", service = "alone", namespace = "closed" }}]
        [namespaces.closed.scripts.alone]
        {auth}
        [[routes]]
        pattern = "*.production.test/*"
        namespace = "production"
        [[routes]]
        pattern = "*.closed.test/*"
        namespace = "closed"
        "#,
        auth = guest::main("service_binding_auth"),
        shop = guest::main("service_binding_shop"),
        gate = guest::main("gate"),
    ) + &["shop", "auth", "lost", "unbound", "ring", "counted"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
}

async fn as_alice(server: &Server, host: &str) -> (u16, String) {
    let asked = request(Method::GET, host, "/").header("authorization", "Bearer alice");
    // What a visitor claims about scripts is worth nothing.
    let asked = asked.header("cf-worker", "shop").header("x-caller", "shop").header("caller", "shop");
    let answer = server.send(asked.body(body("")).unwrap()).await;
    (answer.status, answer.text().to_owned())
}

#[tokio::test]
async fn a_platform_script_asks_another_one_without_network() {
    let server = Server::serving(&config()).await;
    assert_eq!(as_alice(&server, "shop.test").await, (200, "alice's cart is empty\n".to_owned()));
    assert_eq!(server.get("shop.test", "/").await.status, 401);
    server.logged("who asked", |line| line["message"] == "shop asked for alice").await;
    assert_eq!(server.total("wasmyard_egress_connections_total").await, 0.0);
}

#[tokio::test]
async fn who_calls_is_the_platforms_word() {
    let server = Server::serving(&config()).await;
    assert_eq!(as_alice(&server, "auth.test").await, (403, "this worker is for workers\n".to_owned()));
    assert_eq!(as_alice(&server, "sign-in.production.test").await.0, 403);
}

#[tokio::test]
async fn siblings_call_each_other_where_their_namespace_says_so_and_nobody_else() {
    let server = Server::serving(&config()).await;
    assert_eq!(as_alice(&server, "store.production.test").await, (200, "alice's cart is empty\n".to_owned()));
    let refused = |host: &'static str, expected: &'static str| {
        let server = &server;
        async move {
            assert_eq!(as_alice(server, host).await.0, 500, "{host}");
            let text = |line: &serde_json::Value| {
                line["message"].as_str().is_some_and(|text| text.contains(expected))
            };
            server.logged(expected, text).await;
        }
    };
    refused(
        "store.closed.test",
        r#"service binding "AUTH": the namespace "closed" does not let its scripts call each other"#,
    )
    .await;
    refused("upward.production.test", r#"a user script of "production" reaches no platform scripts"#).await;
    refused(
        "across.production.test",
        r#"the namespace "closed" does not let scripts of "production" call its scripts"#,
    )
    .await;

    // The operator changes it for a namespace that is there.
    let api = server.api();
    let closed = format!("{NAMESPACES}/closed");
    assert_eq!(api.get(&closed).await.result()["service_bindings"], json!(false));
    api.put(&closed, &json!({"service_bindings": true})).await.result();
    assert_eq!(as_alice(&server, "store.closed.test").await.0, 200);
}

#[tokio::test]
async fn a_binding_that_leads_to_nobody_is_named() {
    let server = Server::serving(&config()).await;
    assert_eq!(as_alice(&server, "lost.test").await.0, 500);
    let text = r#"service binding "AUTH": the script "nobody" is not deployed"#;
    server.logged(text, |line| line["message"].as_str().is_some_and(|line| line.contains(text))).await;
    assert_eq!(as_alice(&server, "unbound.test").await.0, 500);
    server
        .logged("the type it has", |line| {
            line["message"].as_str().is_some_and(|line| line.contains("plain_text"))
        })
        .await;

    // As soon as it is there, it answers.
    let metadata = json!({"main_module": "worker.wasm"});
    let path = format!("{PLATFORM_SCRIPTS}/nobody");
    server.api().upload(&path, &metadata, guest::bytes("service_binding_auth")).await.result();
    assert_eq!(as_alice(&server, "lost.test").await.0, 200);
}

#[tokio::test]
async fn a_deploy_warns_of_calls_that_will_fail() {
    let server = Server::serving(&config()).await;
    let api = server.api();
    for (path, binding, expected) in [
        (
            format!("{NAMESPACES}/closed/scripts/new"),
            json!({"type": "service", "name": "S", "service": "alone", "namespace": "closed"}),
            "does not let its scripts call each other",
        ),
        (
            format!("{NAMESPACES}/production/scripts/new"),
            json!({"type": "service", "name": "S", "service": "auth"}),
            "reaches no platform scripts",
        ),
        (
            format!("{PLATFORM_SCRIPTS}/new"),
            json!({"type": "service", "name": "S", "service": "store", "namespace": "production"}),
            "reaches platform scripts only",
        ),
        (
            format!("{NAMESPACES}/production/scripts/new"),
            json!({"type": "service", "name": "S", "service": "none", "namespace": "production"}),
            "is not deployed",
        ),
    ] {
        let metadata = json!({"main_module": "worker.wasm", "bindings": [binding]});
        let reply = api.upload(&path, &metadata, guest::bytes("hello")).await;
        reply.result();
        let note = reply.envelope["messages"][0]["message"].as_str().unwrap_or_default();
        assert!(note.starts_with("binding \"S\": ") && note.contains(expected), "{expected}: {note}");
    }
    let fine = json!({"main_module": "worker.wasm", "bindings": [{"type": "service", "name": "S", "service": "auth"}]});
    let reply = api.upload(&format!("{PLATFORM_SCRIPTS}/new"), &fine, guest::bytes("hello")).await;
    assert_eq!(reply.envelope["messages"], json!([]));
}

#[tokio::test]
async fn service_calls_count_against_depth_and_subrequests() {
    let server = Server::serving(&config()).await;
    for how in ["forward", "tail"] {
        let asked = request(Method::GET, "ring.test", "/").header("x-how", how).body(body("")).unwrap();
        assert_eq!(server.send(asked).await.status, 508, "{how}");
    }
    // One call each: the second script's is not the first one's.
    assert_eq!(as_alice(&server, "counted.test").await.0, 200);
}

#[tokio::test]
async fn scripts_of_another_namespace_are_called_where_theirs_says_so() {
    let server = Server::serving(&config()).await;
    let api = server.api();
    let closed = format!("{NAMESPACES}/closed");
    api.patch(&closed, &json!({"callable_by": ["production"]})).await.result();
    assert_eq!(api.get(&closed).await.result()["callable_by"], json!(["production"]));
    assert_eq!(
        as_alice(&server, "across.production.test").await,
        (200, "alice's cart is empty\n".to_owned())
    );
    // Among themselves they still may not.
    assert_eq!(as_alice(&server, "store.closed.test").await.0, 500);

    // What calls is named before it is left behind.
    let callee = format!("{closed}/scripts/alone");
    let message = api.delete(&callee).await.refused(409, 90015).to_owned();
    assert!(message.contains("binding \"AUTH\" of script \"production/across\""), "{message}");
    let message = api.delete(&closed).await.refused(409, 90015).to_owned();
    assert!(message.contains("production/across"), "{message}");
    let caller = format!("{NAMESPACES}/production");
    let message = api.put(&caller, &json!({"name": "renamed"})).await.refused(409, 90015).to_owned();
    assert!(message.contains("namespace \"closed\", which lets its scripts call"), "{message}");

    api.patch(&closed, &json!({"callable_by": []})).await.result();
    assert_eq!(as_alice(&server, "across.production.test").await.0, 500);
    api.patch(&closed, &json!({"callable_by": ["no name"]})).await.refused(400, 10021);
    let many: Vec<String> = (0..101).map(|n| format!("n{n}")).collect();
    let message = api.patch(&closed, &json!({"callable_by": many})).await.refused(400, 10021).to_owned();
    assert!(message.contains("at most 100"), "{message}");
}

#[tokio::test]
async fn a_script_that_is_called_sends_through_the_outbound_worker_of_its_own_namespace() {
    let site = Site::new(
        r#"
        [scripts.gate-a]
        main = "gate-a.js"
        [scripts.gate-b]
        main = "gate-b.js"
        [namespaces.tenants]
        outbound = { script = "gate-a" }
        [namespaces.tenants.scripts.shop]
        main = "caller.js"
        bindings = [
            { type = "service", name = "GATED", service = "asks", namespace = "gated" },
            { type = "service", name = "OPEN", service = "asks", namespace = "open" },
        ]
        [namespaces.gated]
        outbound = { script = "gate-b" }
        callable_by = ["tenants"]
        [namespaces.gated.scripts.asks]
        main = "asks.js"
        [namespaces.open]
        callable_by = ["tenants"]
        [namespaces.open.scripts.asks]
        main = "asks.js"
        [[routes]]
        pattern = "*.test/*"
        namespace = "tenants"
        "#,
    );
    for name in ["gate-a", "gate-b"] {
        let script = format!("export default {{ fetch: () => new Response(\"{name}\") }};");
        site.write(&format!("{name}.js"), script);
    }
    site.write("asks.js", "export default { fetch: () => fetch(\"http://nowhere.test/\") };");
    let caller = "export default { fetch: (request, env) => env[new URL(request.url).pathname.slice(1)].fetch(request) };";
    site.write("caller.js", caller);
    let server = site.serve().await;
    for (path, gate) in [("/GATED", "gate-b"), ("/OPEN", "gate-a")] {
        let answer = server.get("shop.test", path).await;
        assert_eq!((answer.status, answer.text()), (200, gate), "{}", server.log());
    }
}
