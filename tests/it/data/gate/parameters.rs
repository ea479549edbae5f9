//! What a dispatcher gives to the outbound worker of the scripts that it calls.

use http::Method;
use serde_json::json;

use crate::support::{Answer, NAMESPACES, PLATFORM_SCRIPTS, Server, body, guest, origin::Origin, request};

/// A dispatcher whose binding declares parameters, and one whose namespace does.
fn config(origin: &Origin) -> String {
    format!(
        r#"
        {egress}
        [limits]
        cpu_ms = 10000
        [scripts.show]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "show" }}
        [scripts.dispatcher]
        {gate}
        vars = {{ ROLE = "dispatcher" }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production]
        egress = {{ allow_private = ["127.0.0.1"] }}
        service_bindings = true
        outbound = {{ script = "show", params = ["customer_name", "plan", "MODE"] }}
        [namespaces.production.scripts.user]
        {gate}
        vars = {{ ROLE = "user" }}
        bindings = [
            {{ type = "service", name = "SIBLING", service = "sibling", namespace = "production" }},
            {{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }},
        ]
        [namespaces.production.scripts.sibling]
        {gate}
        vars = {{ ROLE = "user" }}
        [[routes]]
        pattern = "*.test/*"
        script = "dispatcher"
        "#,
        egress = origin.egress(),
        gate = guest::main("gate"),
    )
}

async fn with(server: &Server, path: &str, params: &[&str]) -> Answer {
    let mut asked = request(Method::GET, "user.test", path).header("x-target", "https://example.com/");
    for param in params {
        asked = asked.header("x-param", *param);
    }
    server.send(asked.body(body("")).unwrap()).await
}

#[tokio::test]
async fn values_are_the_outbound_workers_configuration_texts_as_they_are_and_all_else_as_json() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let params = [r#"customer_name="Ada \"A\" L""#, r#"plan={ "name": "pro", "seats": [1, null] }"#];
    let answer = with(&server, "/send", &params).await;
    let seen = answer.text();
    for line in
        [r#"var customer_name Ada "A" L"#, r#"var plan {"name":"pro","seats":[1,null]}"#, "var MODE show"]
    {
        assert!(seen.lines().any(|seen| seen == line), "{line} is missing:\n{seen}");
    }
    // For that request alone.
    let without = with(&server, "/send", &[]).await;
    assert!(!without.text().contains("customer_name"), "{}", without.text());
    // And for that script alone: what is said of one customer is not true of another.
    for path in ["/service-send", "/dispatch-send"] {
        let sibling = with(&server, path, &params).await;
        assert!(sibling.text().contains("caller sibling of production"), "{path}: {}", sibling.text());
        assert!(!sibling.text().contains("customer_name"), "{path}: {}", sibling.text());
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_at_get_by_name() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let long = format!("plan=\"{}\"", "x".repeat(16 << 10));
    for (params, expected) in [
        (&[r#"custmer_name="x""#][..], r#"the parameter "custmer_name" is not declared"#),
        (&["plan=unquoted"], r#"the parameter "plan" is not JSON"#),
        (&["plan=1", "plan=2"], r#"the parameter "plan" is given twice"#),
        (&[&long], "bytes are allowed"),
        (&[r#"MODE="pass""#], r#"the outbound worker has a binding "MODE" of its own"#),
    ] {
        let answer = with(&server, "/send", params).await;
        assert_eq!(answer.status, 502, "{expected}: {}", answer.text());
        assert!(answer.text().contains(expected), "{expected}: {}", answer.text());
        assert!(answer.text().starts_with("outbound:"), "the field is named: {}", answer.text());
    }
    let forged = with(&server, "/dispatch-forge", &[r#"customer_name="me""#]).await;
    assert!(forged.text().contains("only a platform script gives parameters"), "{}", forged.text());
}

#[tokio::test]
async fn without_an_outbound_worker_there_is_nobody_to_give_them_to() {
    let origin = Origin::start().await;
    let config = config(&origin).replace("outbound = { script", "# outbound = { script");
    let server = Server::serving(&config).await;
    let answer = with(&server, "/send", &["plan=1"]).await;
    let expected =
        r#"neither the binding "DISPATCHER" nor the namespace "production" has an outbound worker"#;
    assert!(answer.text().contains(expected), "{}", answer.text());
}

/// The walkthrough of the product that this one follows, with its words and its metadata.
#[tokio::test]
async fn the_walkthrough_gives_what_it_promises() {
    let server = Server::serving(
        "[limits]\ncpu_ms = 10000\n[[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatch-worker\"\n",
    )
    .await;
    let api = server.api();
    let role = |role: &str| json!({"type": "plain_text", "name": "ROLE", "text": role});
    let metadata = |bindings: serde_json::Value| json!({"main_module": "worker.wasm", "bindings": bindings});
    api.post(NAMESPACES, &json!({"name": "my-namespace"})).await.result();

    let mode = json!({"type": "plain_text", "name": "MODE", "text": "walkthrough"});
    let outbound = metadata(json!([role("outbound"), mode]));
    let upload = async |path: String, metadata| {
        api.upload(&path, &metadata, guest::bytes("gate")).await.result();
    };
    upload(format!("{PLATFORM_SCRIPTS}/outbound-worker"), outbound).await;
    let user = metadata(json!([role("user")]));
    upload(format!("{NAMESPACES}/my-namespace/scripts/customer-worker-1"), user).await;
    let dispatcher = metadata(json!([role("dispatcher"), {
        "type": "dispatch_namespace",
        "name": "DISPATCHER",
        "namespace": "my-namespace",
        "outbound": {"worker": {"service": "outbound-worker"}, "params": [{"name": "paramCustomerName"}]},
    }]));
    upload(format!("{PLATFORM_SCRIPTS}/dispatch-worker"), dispatcher).await;

    let asked = request(Method::GET, "customer-worker-1.localhost", "/")
        .header("x-param", r#"paramCustomerName="customer-1""#);
    let answer = server.send(asked.body(body("")).unwrap()).await;
    assert_eq!(
        answer.text(),
        "user worker got \"intercepted a request for customer-1 by the outbound\" from fetch"
    );
}
