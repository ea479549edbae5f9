//! The examples of outbound workers do what their pages say, with the configuration that they come with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::Value;

use crate::support::{Answer, Server, body, guest, origin::Origin, request};

/// The configuration of an example, with the places of its scripts.
fn example(name: &str) -> String {
    let path = format!("{}/../examples/{name}/wasmyard.toml", env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(path).unwrap();
    let folder = guest::path("hello").parent().unwrap().display().to_string();
    let config = written.replace("../target/wasm32-wasip2/release", &folder);
    assert_ne!(config, written);
    // Unoptimized hosts start guests slowly.
    config + "[limits]\ncpu_ms = 10000\n"
}

/// What the script `customer-a` answers that is to ask `target`, with a credential of its own.
async fn customer(server: &Server, target: &str) -> Answer {
    let asked = request(Method::GET, "customer-a.localhost", "/").header("x-target", target);
    server.send(asked.header("authorization", "Bearer mine").body(body("")).unwrap()).await
}

#[tokio::test]
async fn the_logger_writes_a_line_for_each_request_and_lets_it_pass() {
    let server = Server::serving(&example("outbound-logger")).await;
    let answer = customer(&server, "http://hello.internal/a?b=c").await;
    assert_eq!((answer.status, answer.text()), (200, "Hello from Wasmyard!\n"));
    let line = server
        .logged("the outbound worker's line", |line| {
            line["script"] == "outbound" && line["target"] == "wasmyard::script"
        })
        .await;
    let said: Value = serde_json::from_str(line["message"].as_str().unwrap()).unwrap();
    assert_eq!(said["customer"], "customer-a");
    assert_eq!((&said["method"], &said["url"]), (&"GET".into(), &"http://hello.internal/a?b=c".into()));
    assert_eq!(said["ray_id"], answer.header("cf-ray"));
}

#[tokio::test]
async fn the_logger_delivers_its_lines_after_the_answer_where_a_url_is_named() {
    let sink = Origin::start().await;
    let commented = r#"# vars = { LOG_URL = "https://logs.example.com/" }"#;
    let config = example("outbound-logger");
    assert!(config.contains(commented), "the example names the variable");
    let config =
        config.replace(commented, &format!("vars = {{ LOG_URL = {:?} }}", sink.url("/log"))).replace(
            r#"outbound = { script = "outbound" }"#,
            "outbound = { script = \"outbound\" }\negress = { allow_private = [\"127.0.0.1\"] }",
        ) + &sink.egress();
    let server = Server::serving(&config).await;
    assert_eq!(customer(&server, "http://hello.internal/").await.status, 200);
    let delivered = sink.sees("the delivered line", |seen| seen.target == "/log").await;
    assert_eq!((delivered.method.as_str(), delivered.header("content-type")), ("POST", "application/json"));
    let said: Value = serde_json::from_slice(&delivered.body).unwrap();
    assert_eq!((&said["customer"], &said["url"]), (&"customer-a".into(), &"http://hello.internal/".into()));
    assert_eq!(sink.seen().len(), 1, "delivering a line is no request of the customer's");
}

#[tokio::test]
async fn the_signer_adds_a_token_that_the_platforms_api_believes() {
    let server = Server::serving(&example("outbound-auth")).await;
    // In any spelling of the host, and whatever the customer says to be.
    for target in ["http://api.example.internal/", "http://API.Example.Internal.:80/"] {
        let answer = customer(&server, target).await;
        assert_eq!((answer.status, answer.text()), (200, "orders of customer-a: none\n"), "{target}");
    }
    let without = server.get("api.example.internal", "/").await;
    assert_eq!((without.status, without.text()), (401, "who are you?\n"));
}

#[tokio::test]
async fn the_signers_token_names_the_customer_for_a_minute_and_never_comes_back() {
    // In place of the API, somebody who shows what the request looked like when it arrived.
    let shown = guest::main("gate") + "\nvars = { ROLE = \"user\" }";
    let config = example("outbound-auth").replace(&guest::main("outbound_auth_api"), &shown);
    assert!(config.contains(&shown));
    let server = Server::serving(&config).await;
    let answer = customer(&server, "http://api.example.internal/seen").await;
    let arrived = answer.text().lines().find_map(|line| line.strip_prefix("header authorization: Bearer "));
    let parts: Vec<&str> = arrived.unwrap().split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("no token: {parts:?}") };
    let read =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(read(head)["alg"], "HS256");
    let claims = read(claims);
    assert_eq!(claims["sub"], "customer-a");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 32);

    // A customer's script that shows all that it is told, and one that asks an API which says nothing of the token.
    let shows = guest::main("gate") + "\nvars = { ROLE = \"user\" }";
    let config = example("outbound-auth").replace(&guest::main("fetcher"), &shows);
    let server = Server::serving(&config).await;
    let told = server.get("customer-a.localhost", "/seen").await;
    assert!(told.text().contains("var ROLE user"), "{}", told.text());
    let asked = request(Method::GET, "customer-a.localhost", "/send")
        .header("x-target", "http://api.example.internal/")
        .body(body(""))
        .unwrap();
    let came_back = server.send(asked).await;
    assert_eq!((came_back.status, came_back.text()), (200, "orders of customer-a: none\n"));
    for seen in [told.text().to_owned(), format!("{:?}", came_back.headers)] {
        assert!(!seen.contains("Bearer") && !seen.contains("API_KEY"), "{seen}");
        assert!(!seen.contains("only-for-development") && !seen.contains("authorization"), "{seen}");
    }
    assert!(!server.log().contains("only-for-development"), "secrets are not printed");
}

#[tokio::test]
async fn the_signer_blocks_a_list_of_hosts_answers_for_one_and_passes_the_rest() {
    let server = Server::serving(&example("outbound-auth")).await;
    for (target, host) in [
        ("http://evil.example/", "evil.example"),
        ("http://www.evil.example/", "www.evil.example"),
        ("https://a.b.EVIL.example.:443/x", "a.b.evil.example"),
    ] {
        let blocked = customer(&server, target).await;
        let text = format!("{host} is blocked on this platform\n");
        assert_eq!((blocked.status, blocked.text()), (403, &*text), "{target}");
        let said = format!("customer-a was kept from {host}");
        server.logged(&said, |line| line["message"] == said.as_str()).await;
    }
    let own = customer(&server, "http://about.example.internal/").await;
    assert_eq!((own.status, own.text()), (200, "you are customer-a\n"));
    // All else is passed on as it is: here to the customer's own host, which asks to be told where to go.
    let passed = customer(&server, "http://customer-a.localhost/").await;
    assert_eq!((passed.status, passed.text()), (400, "name a URL: x-target: http://example.com/\n"));
    assert_eq!(server.total("wasmyard_egress_connections_total").await, 0.0, "nobody outside was asked");
}

#[tokio::test]
async fn the_signer_sends_no_token_in_clear_unless_it_is_told_to() {
    let config = example("outbound-auth").replace(r#", ALLOW_HTTP = "yes""#, "");
    assert!(!config.contains("ALLOW_HTTP"));
    let server = Server::serving(&config).await;
    let refused = customer(&server, "http://api.example.internal/").await;
    assert_eq!((refused.status, refused.text()), (400, "use https for this API\n"));
    let signed = customer(&server, "https://api.example.internal/").await;
    assert_eq!((signed.status, signed.text()), (200, "orders of customer-a: none\n"));
}
