//! A script that misbehaves is stopped, the visitor learns which limit it was, and the neighbour does not notice.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Site, body, eventually, guest, request, wat};

/// `over-limit` and a neighbour, both direct and as `NAME.localhost` behind a dispatcher that catches nothing but
/// `WorkerNotFound`.
fn config() -> String {
    format!(
        r#"
        [limits]
        # CPU budgets are to end the spinning here, however little of the processor the machine gives.
        first_byte_ms = 300000
        cpu_ms = 10000

        [scripts.over]
        {over}
        limits = {{ cpu_ms = 100, memory = "32MiB" }}

        [scripts.spinner]
        {over}

        [scripts.neighbour]
        {hello}

        [scripts.probe]
        {probe}

        [scripts.hurried]
        {probe}
        limits = {{ first_byte_ms = 200 }}

        [scripts.dispatcher]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [scripts.dispatcher-with-limits]
        {dispatcher_path}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [namespaces.production.scripts.over]
        {over}
        limits = {{ cpu_ms = 150, memory = "32MiB" }}

        [namespaces.production.scripts.spinner]
        {over}

        [namespaces.production.scripts.forgetful]
        {customer}
        "#,
        over = guest::main("over_limit"),
        hello = guest::main("hello"),
        probe = guest::main("probe"),
        customer = guest::main("customer"),
        dispatcher = guest::main("dispatcher_subdomain"),
        dispatcher_path = guest::main("dispatcher_path"),
    ) + &["over", "spinner", "neighbour", "probe", "hurried"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
        + "[[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatcher\"\n"
        + "[[routes]]\npattern = \"limits.test/*\"\nscript = \"dispatcher-with-limits\"\n"
}

async fn json_of(server: &Server, host: &str, path: &str) -> Answer {
    let request = request(Method::GET, host, path).header("accept", "application/json");
    server.send(request.header("authorization", "Bearer demo").body(body("")).unwrap()).await
}

/// The platform's page must have this status, code, reason and limit.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: u16, reason: &str, limit: Value) {
    let page: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    let error = &page["error"];
    let seen = (answer.status, &error["code"], &error["reason"], &error["limit"]);
    assert_eq!(seen, (status, &json!(code), &json!(reason), &limit), "{page}");
}

#[tokio::test]
async fn a_script_that_never_ends_is_stopped_when_its_cpu_budget_is_spent() {
    let server = Server::serving(&config()).await;
    let spun = json_of(&server, "over.test", "/spin").await;
    assert_refused(&spun, 503, 1102, "exceeded_cpu", json!("CPU time 100 ms"));
    assert_eq!(
        server.total(r#"wasmyard_invocations_total{kind="platform",outcome="exceededCpu"}"#).await,
        1.0
    );
    assert_eq!(server.get("over.test", "/").await.status, 200, "the next request gets a fresh instance");
}

#[tokio::test]
async fn neighbours_are_answered_while_others_spin() {
    let server = Server::serving(&config()).await;
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let address = server.visitors;
            tokio::spawn(async move {
                crate::support::Connection::http1(address).await.get("spinner.test", "/spin").await
            })
        })
        .collect();
    let running = async || (server.metric("wasmyard_requests_in_flight").await >= 4.0).then_some(());
    eventually("all of them spin", running).await;
    let mut connection = server.connect().await;
    for _ in 0..20 {
        assert_eq!(connection.get("neighbour.test", "/").await.text(), "Hello from Wasmyard!\n");
    }
    assert!(spinning.iter().all(|spin| !spin.is_finished()), "the neighbour had to wait for them");
    for spin in spinning {
        spin.abort();
    }
}

#[tokio::test]
async fn a_script_that_grows_without_end_is_stopped_at_its_ceiling() {
    let server = Server::serving(&config()).await;
    let before = server.resident_bytes();
    for _ in 0..3 {
        let grown = json_of(&server, "over.test", "/grow").await;
        assert_refused(&grown, 503, 1102, "exceeded_memory", json!("memory 32 MiB"));
    }
    assert_eq!(server.get("neighbour.test", "/").await.status, 200);
    let kept = server.resident_bytes().saturating_sub(before);
    assert!(kept < 64 << 20, "{kept} bytes are kept of instances that are gone");
}

#[tokio::test]
async fn a_trap_and_endless_recursion_end_the_request_and_nothing_else() {
    let server = Server::serving(&config()).await;
    for path in ["/trap", "/recurse"] {
        assert_refused(&json_of(&server, "over.test", path).await, 500, 1101, "exception", Value::Null);
        assert_eq!(server.get("neighbour.test", "/").await.status, 200);
    }
}

#[tokio::test]
async fn a_script_that_returns_without_an_answer_is_an_error_of_its_own() {
    let site = Site::new(
        "[scripts.silent]\nmain = \"silent.wasm\"\n[[routes]]\npattern = \"*/*\"\nscript = \"silent\"\n",
    );
    site.write("silent.wasm", wat::silent());
    let server = site.serve().await;
    let silent = json_of(&server, "any.test", "/").await;
    assert_refused(&silent, 500, 1101, "no_response", Value::Null);
}

#[tokio::test]
async fn a_script_that_does_not_answer_in_time_is_given_up() {
    let server = Server::serving(&config()).await;
    let waited = json_of(&server, "hurried.test", "/wait").await;
    assert_refused(&waited, 504, 1102, "timed_out", json!("time to first byte 0.2 s"));
}

#[tokio::test]
async fn what_a_dispatcher_does_not_catch_is_told_as_what_happened_to_the_script() {
    let server = Server::serving(&config()).await;
    let spun = json_of(&server, "over.localhost", "/spin").await;
    assert_refused(&spun, 503, 1102, "exceeded_cpu", json!("CPU time 150 ms"));
    let grown = json_of(&server, "over.localhost", "/grow").await;
    assert_refused(&grown, 503, 1102, "exceeded_memory", json!("memory 32 MiB"));
    let trapped = json_of(&server, "over.localhost", "/trap").await;
    assert_refused(&trapped, 500, 1101, "exception", Value::Null);
    // It is the script's failure on the account, and an exception that the dispatcher did not handle.
    assert_eq!(server.total(r#"wasmyard_invocations_total{kind="user",outcome="exceededCpu"}"#).await, 1.0);
    assert_eq!(
        server.total(r#"wasmyard_invocations_total{kind="platform",outcome="exceededCpu"}"#).await,
        0.0
    );
}

#[tokio::test]
async fn an_error_that_a_script_does_not_catch_is_an_exception_and_its_text_stays_in_the_log() {
    let server = Server::serving(&config()).await;
    // It reads a variable that it was not given.
    let forgetful = json_of(&server, "forgetful.localhost", "/").await;
    assert_refused(&forgetful, 500, 1101, "exception", Value::Null);
    assert!(!forgetful.text().contains("GREETING"), "{}", forgetful.text());
    server.logged("the text in the log", |line| line.to_string().contains("GREETING")).await;
}

#[tokio::test]
async fn limits_that_a_dispatcher_sets_for_a_call_hold() {
    let server = Server::serving(&config()).await;
    let spun = json_of(&server, "limits.test", "/spinner/spin").await;
    assert_refused(&spun, 503, 1102, "exceeded_cpu", json!("CPU time 20 ms"));
}

#[tokio::test]
async fn a_call_cannot_widen_the_limits_of_the_version() {
    let server = Server::serving(&config()).await;
    let spun = json_of(&server, "limits.test", "/over/spin").await;
    assert_refused(&spun, 503, 1102, "exceeded_cpu", json!("CPU time 20 ms"));
    let upload = json!({"main_module": "worker.wasm", "limits": {"cpu_ms": 30_001}});
    let path = crate::support::script_path("greedy");
    let refused = server.api().upload(&path, &upload, wat::answer("greedy")).await;
    assert!(refused.refused(400, 10021).contains("cpu_ms"), "{refused:?}");
}
