//! Work after the response: the visitor does not wait for it, whatever the shape of the answer and the way to it.

use std::time::{Duration, Instant};

use http::Method;

use crate::support::{Connection, Server, body, eventually, guest, origin::Origin, request};

/// `later` answers and goes on; `front` and `dispatcher` are on the way to it.
fn config(origin: &Origin) -> String {
    format!(
        r#"
        {egress}
        [server]
        drain_ms = 60000
        [limits]
        cpu_ms = 10000
        [scripts.later]
        {gate}
        vars = {{ ROLE = "user" }}
        [scripts.front]
        {gate}
        vars = {{ ROLE = "front" }}
        bindings = [{{ type = "service", name = "BACK", service = "later" }}]
        [scripts.dispatcher]
        {gate}
        vars = {{ ROLE = "dispatcher" }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production]
        egress = {{ allow_private = ["127.0.0.1"] }}
        [namespaces.production.scripts.later]
        {gate}
        vars = {{ ROLE = "user" }}
        [[routes]]
        pattern = "direct.test/*"
        script = "later"
        [[routes]]
        pattern = "front.test/*"
        script = "front"
        [[routes]]
        pattern = "later.test/*"
        script = "dispatcher"
        "#,
        egress = origin.egress(),
        gate = guest::main("gate"),
    )
}

/// Asks for an answer of that shape by each way and over each protocol; what comes later must come, and only later.
async fn goes_on(method: Method, shape: &str, text: &str) {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let ways = [
        ("direct.test", ""),
        ("later.test", ""),
        ("front.test", "forward"),
        ("front.test", "tail"),
        ("front.test", "memory"),
    ];
    let mut connections =
        [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await];
    for (host, how) in ways {
        for (version, connection) in connections.iter_mut().enumerate() {
            let marked = format!("/{shape}-{host}-{how}-{version}");
            let path = format!("/later?shape={shape}&ms=300");
            let asked = request(method.clone(), host, &path)
                .header("x-how", how)
                .header("x-target", origin.url(&marked))
                .body(body(""))
                .unwrap();
            let answer = crate::support::Answer::read(connection.send(asked).await).await;
            assert_eq!(answer.text(), text, "{marked}");
            assert!(!origin.seen().iter().any(|seen| seen.target == marked), "{marked}: the visitor waited");
            let seen = origin.sees(&marked, |seen| seen.target == marked).await;
            assert_eq!(seen.body, "done later");
        }
    }
    all_is_over(&server).await;
    for outcome in ["canceled", "exceededWallTime", "exception"] {
        for kind in ["platform", "user"] {
            let series = format!(r#"wasmyard_invocations_total{{kind="{kind}",outcome="{outcome}"}}"#);
            assert_eq!(server.total(&series).await, 0.0, "{series}");
        }
    }
}

/// Nothing runs any more, and every place was given back.
async fn all_is_over(server: &Server) {
    let looked = async || (server.metric("wasmyard_requests_in_flight").await == 0.0).then_some(());
    eventually("nothing is under way", looked).await;
}

#[tokio::test]
async fn after_an_answer_of_known_length() {
    goes_on(Method::GET, "length", "answered\n").await;
}

#[tokio::test]
async fn after_an_answer_in_chunks() {
    goes_on(Method::GET, "stream", "first\nsecond\n").await;
}

#[tokio::test]
async fn after_an_answer_without_a_body() {
    goes_on(Method::GET, "empty", "").await;
}

#[tokio::test]
async fn after_an_answer_to_head() {
    goes_on(Method::HEAD, "length", "").await;
    goes_on(Method::HEAD, "stream", "").await;
}

#[tokio::test]
async fn a_script_whose_answer_nobody_reads_goes_on_once_it_is_whole() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let asked = request(Method::GET, "front.test", "/later?shape=length&ms=100")
        .header("x-how", "unread")
        .header("x-target", origin.url("/unread"))
        .body(body(""))
        .unwrap();
    assert_eq!(server.send(asked).await.text(), "status 200\n");
    origin.sees("what came later", |seen| seen.target == "/unread").await;
}

#[tokio::test]
async fn a_script_that_still_writes_its_answer_is_stopped_when_the_visitor_leaves() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let head = format!(
        "GET /later?shape=unfinished&ms=600000 HTTP/1.1\r\nhost: direct.test\r\nx-target: {}\r\n\r\n",
        origin.url("/never")
    );
    let mut visitor = server.raw(head).await;
    assert!(visitor.reacts_within(crate::support::PATIENCE).await, "it began to answer");
    drop(visitor);
    let canceled = r#"wasmyard_invocations_total{kind="platform",outcome="canceled"}"#;
    eventually("it was stopped", async || (server.metric(canceled).await == 1.0).then_some(())).await;
    all_is_over(&server).await;
}

#[tokio::test]
async fn what_goes_on_keeps_its_place_until_it_ends() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let asked = request(Method::GET, "direct.test", "/later?ms=3000")
        .header("x-target", origin.url("/later"))
        .body(body(""))
        .unwrap();
    assert_eq!(server.send(asked).await.text(), "answered\n");
    assert_eq!(server.metric("wasmyard_requests_in_flight").await, 1.0);
    origin.sees("what came later", |seen| seen.target == "/later").await;
    all_is_over(&server).await;
    let line = server.logged("the access line", |line| line["target"] == "wasmyard::access").await;
    assert!(line["wall_us"].as_u64().unwrap() < 3_000_000, "the visitor's time is the visitor's: {line}");
}

#[tokio::test]
async fn the_server_waits_for_it_before_it_goes() {
    let origin = Origin::start().await;
    let mut server = Server::serving(&config(&origin)).await;
    let asked = request(Method::GET, "later.test", "/later?ms=1500")
        .header("x-target", origin.url("/later"))
        .body(body(""))
        .unwrap();
    let begun = Instant::now();
    assert_eq!(server.send(asked).await.text(), "answered\n");
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(origin.seen().iter().any(|seen| seen.target == "/later"), "it was cut");
    assert!(begun.elapsed() < Duration::from_secs(40), "and no longer than needed");
}
