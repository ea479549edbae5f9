//! What the platform tells its operator: who was served, what was cut off, what did not go out; and that nobody waits for
//! whoever reads it.

use std::io::{BufRead as _, BufReader, PipeReader};

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::{Connection, Server, Site, body, eventually, guest, next_chunk, request, wat};

/// A dispatcher in front of two tenants: one that answers without an end, and one that prints.
fn platform() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.edge]
        {edge}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.report]
        {report}
        limits = {{ cpu_ms = 300 }}
        [namespaces.production.scripts.customer]
        {customer}
        vars = {{ GREETING = "Hello" }}
        [namespaces.production.scripts.fetcher]
        {fetcher}
        [[routes]]
        pattern = "*.localhost/*"
        script = "edge"
        "#,
        edge = guest::main("dispatcher_subdomain"),
        report = guest::main("hostile"),
        customer = guest::main("customer"),
        fetcher = guest::main("fetcher"),
    )
}

async fn access_line(server: &Server, host: &str) -> Value {
    let of_host = |line: &Value| line["target"] == "wasmyard::access" && line["host"] == host;
    server.logged(&format!("the access line of {host}"), of_host).await
}

#[tokio::test]
async fn behind_a_dispatcher_the_access_line_names_the_tenant_and_what_it_was_sent() {
    let server = Server::serving(&platform()).await;
    let answer = server.get("customer.localhost", "/cart").await;
    assert_eq!(answer.text(), "Hello from customer, at /cart\n");
    let line = access_line(&server, "customer.localhost").await;
    for (field, expected) in [
        ("script", json!("edge")),
        ("namespace", json!("production")),
        ("user_script", json!("customer")),
        ("status", json!(200)),
        ("reason", json!("ok")),
        ("cut", Value::Null),
        ("bytes_out", json!(answer.body.len())),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    // A tenant that is not there is not named as one.
    assert_eq!(server.get("nobody.localhost", "/").await.status, 404);
    let line = access_line(&server, "nobody.localhost").await;
    assert_eq!((&line["script"], &line["user_script"]), (&json!("edge"), &Value::Null), "{line}");
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_told_and_counted_as_what_it_is() {
    let server = Server::serving(&platform()).await;
    let ok = r#"wasmyard_requests_total{reason="ok",status="2xx"}"#;
    let cut = r#"wasmyard_requests_total{reason="exceeded_cpu",status="cut"}"#;
    let mut connection = server.connect().await;
    let asked = request(Method::GET, "report.localhost", "/endless").body(body("")).unwrap();
    let mut reading = connection.send(asked).await.into_body();
    let mut taken = 0;
    let ended = loop {
        match reading.frame().await {
            Some(Ok(frame)) => taken += frame.data_ref().map_or(0, |data| data.len()),
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(_))), "it does not look complete");
    let line = access_line(&server, "report.localhost").await;
    let seen = (&line["status"], &line["reason"], &line["cut"], &line["user_script"]);
    assert_eq!(
        seen,
        (&json!(200), &json!("exceeded_cpu"), &json!("exceeded_cpu"), &json!("report")),
        "{line}"
    );
    let sent = line["bytes_out"].as_u64().unwrap();
    assert!(sent >= taken as u64 && taken > 0, "{taken} bytes came of {sent}");
    assert_eq!((server.total(cut).await, server.total(ok).await), (1.0, 0.0));
}

#[tokio::test]
async fn a_visitor_who_leaves_an_answer_half_read_is_told_apart_from_a_good_one() {
    let server = Server::serving(&platform()).await;
    let mut connection = server.connect().await;
    let asked = request(Method::GET, "report.localhost", "/endless").body(body("")).unwrap();
    let mut reading = connection.send(asked).await.into_body();
    next_chunk(&mut reading).await.unwrap();
    drop((reading, connection));
    let line = access_line(&server, "report.localhost").await;
    // On a slow machine its budget may be spent before anybody notices that the visitor left.
    let reason = line["reason"].as_str().unwrap();
    assert!(["canceled", "exceeded_cpu"].contains(&reason), "{line}");
    assert_eq!(line["status"], 200);
    let series = match reason {
        "canceled" => r#"wasmyard_requests_total{reason="canceled",status="2xx"}"#,
        _ => r#"wasmyard_requests_total{reason="exceeded_cpu",status="cut"}"#,
    };
    assert_eq!(server.total(series).await, 1.0);
    // One that reads all is good, whether it was told the length or not, and so is one that wants no body.
    for (method, path) in [(Method::GET, "/a"), (Method::HEAD, "/b")] {
        let asked = request(method, "customer.localhost", path).body(body("")).unwrap();
        server.send(asked).await;
        let of_path = |line: &Value| line["target"] == "wasmyard::access" && line["path"] == path;
        let line = server.logged(path, of_path).await;
        assert_eq!((&line["reason"], &line["cut"]), (&json!("ok"), &Value::Null), "{line}");
    }
}

#[tokio::test]
async fn a_request_that_did_not_go_out_is_told_with_its_script_and_host() {
    let server = Server::serving(&platform()).await;
    let asked =
        request(Method::GET, "fetcher.localhost", "/").header("x-target", "http://127.0.0.1:9/secret");
    let answer = server.send(asked.body(body("")).unwrap()).await;
    let line = server.logged("the refusal", |line| line["target"] == "wasmyard::egress").await;
    for (field, expected) in [
        ("script", json!("production/fetcher")),
        ("namespace", json!("production")),
        ("host", json!("127.0.0.1:9")),
        ("ray_id", json!(answer.header("cf-ray"))),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    assert!(!line.to_string().contains("secret"), "{line}");
}

#[tokio::test]
async fn a_call_of_the_api_is_told_by_its_route_and_not_by_what_the_client_named() {
    let server = Server::serving(&platform()).await;
    server.api().deploy("a-secret-name", wat::answer("x")).await.result();
    let line =
        server.logged("the call", |line| line["target"] == "wasmyard::api" && line["method"] == "PUT").await;
    assert_eq!((&line["status"], &line["message"]), (&json!(200), &json!("answered")), "{line}");
    let path = line["path"].as_str().unwrap();
    assert!(path.contains("/scripts/{") && !path.contains("a-secret-name"), "{line}");
    assert!(line["ms"].is_u64(), "{line}");
    // Who of those with a token it was, by what everybody may see of it.
    let made = server.api().post("/client/v4/user/tokens", &json!({"name": "ci"})).await;
    let id = made.result()["id"].clone();
    let text = made.result()["value"].as_str().unwrap().to_owned();
    assert_ne!(line["token"], id, "the server's own token has another id: {line}");
    server.api().with_token(text.leak()).get("/client/v4/user/tokens").await.result();
    server
        .logged("a call with the new token", |line| line["target"] == "wasmyard::api" && line["token"] == id)
        .await;
}

/// A path that makes an access line large, so that a few thousand of them are more than anything holds.
fn long_path() -> String {
    format!("/{}", "x".repeat(8 << 10))
}

/// Asks until far more has been logged than pipe and queue hold. Every request must be answered.
async fn flood(server: &Server) {
    let path = long_path();
    let mut visitor: Connection = server.connect().await;
    for _ in 0..1_500 {
        assert_eq!(visitor.get("nobody.test", &path).await.status, 404);
    }
}

/// Reads the log to the end of the stream, on a thread of its own.
fn lines(reader: PipeReader) -> std::thread::JoinHandle<Vec<Value>> {
    std::thread::spawn(move || {
        let lines = BufReader::new(reader).lines();
        lines.map(|line| serde_json::from_str(&line.unwrap()).expect("every line is whole")).collect()
    })
}

#[tokio::test]
async fn a_log_that_nobody_reads_makes_nobody_wait_and_the_reader_is_told_what_it_missed() {
    let (reader, pipe) = std::io::pipe().unwrap();
    let site = Site::new(&platform());
    let mut server = site.serve_logging_to(pipe).await;
    server.get("customer.localhost", "/").await;
    let before = server.resident_bytes();
    flood(&server).await;
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    // Both planes answer, scripts and what they print among it.
    assert_eq!(server.get("customer.localhost", "/").await.status, 200);
    let api = server.api();
    assert_eq!(api.open("/health/live").await.0, 200);
    api.deploy("late", wat::answer("late")).await.result();
    assert_eq!(server.get("late.localhost", "/").await.text(), "late");
    let dropped = r#"wasmyard_log_dropped_total{kind="access"}"#;
    let lost = server.metric(dropped).await;
    assert!(lost > 100.0, "{lost}");

    // The reader is back: from here on nothing is missing, and it is told how much was.
    let reading = lines(reader);
    let nothing_lost = async || {
        let before = server.metric(dropped).await;
        server.get("nobody.test", "/mark").await;
        (server.total(dropped).await == before).then_some(before)
    };
    let lost = lost.max(eventually("the log is read again", nothing_lost).await);
    server.terminate();
    assert!(server.ended().await.success());
    let lines = reading.join().unwrap();
    let told = lines.iter().filter(|line| line["target"] == "wasmyard::log");
    let told: f64 = told.map(|line| line["access"].as_f64().unwrap()).sum();
    let access = lines.iter().filter(|line| line["target"] == "wasmyard::access").count();
    assert_eq!(told, lost, "each line that was lost was told, once");
    assert!(access > 500, "{access} lines were kept");
    let last = lines.iter().rposition(|line| line["message"] == "all connections are done");
    assert!(last.is_some(), "the last words of the process are not lost");
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_hold_up_the_end_of_the_process() {
    let (reader, pipe) = std::io::pipe().unwrap();
    let site = Site::new(&platform());
    let mut server = site.serve_logging_to(pipe).await;
    flood(&server).await;
    server.terminate();
    assert!(server.ended().await.success());
    drop(reader);
}
