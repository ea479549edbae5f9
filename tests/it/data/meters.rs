//! What an invocation may use and how it is counted, beside CPU and memory: clocks, log, subrequests, pauses. Who
//! passes a limit is told which one, in words of its own; so is the operator.

mod caught;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use crate::support::{Answer, Server, Site, body, eventually, guest, request, wat, within};

/// User scripts of `production` at `NAME.apps.test`, of `own` at `NAME.own.test`, platform scripts at `NAME.test`.
fn config(origin: Option<SocketAddr>) -> String {
    let rules = origin.map_or(String::new(), |origin| {
        format!(
            "[egress]\nallow_private = [\"127.0.0.1\"]\nports = [{}]\n\
             [namespaces.production.egress]\nallow_private = [\"127.0.0.1\"]\n",
            origin.port()
        )
    });
    let scripts = format!(
        r#"
        [limits]
        cpu_ms = 10000
        [limits.ceiling]
        cpu_ms = 20000

        [scripts.caller]
        {probe}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [scripts.lonely]
        {probe}
        limits = {{ depth = 1 }}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [scripts.fetcher]
        {fetcher}
        limits = {{ stream_idle_ms = 200 }}

        [namespaces.production.scripts.probe]
        {probe}
        limits = {{ log_bytes = 4096, subrequests = 20, stream_idle_ms = 200, first_byte_ms = 20000 }}
        [namespaces.production.scripts.few]
        {probe}
        limits = {{ subrequests = 3 }}
        [namespaces.production.scripts.hurried]
        {probe}
        limits = {{ first_byte_ms = 200 }}
        [namespaces.production.scripts.over]
        {over}
        limits = {{ cpu_ms = 100, memory = "32MiB" }}
        [namespaces.production.scripts.fuelled]
        {probe}
        limits = {{ fuel = 1000000000 }}
        [namespaces.production.scripts.dry]
        {probe}
        limits = {{ fuel = 1000 }}
        [namespaces.production.scripts.silent]
        main = "silent.wasm"
        [namespaces.own]
        trusted_workers = true
        [namespaces.own.scripts.probe]
        {probe}

        [[routes]]
        pattern = "*.apps.test/*"
        namespace = "production"
        [[routes]]
        pattern = "*.own.test/*"
        namespace = "own"
        "#,
        probe = guest::main("probe"),
        fetcher = guest::main("fetcher"),
        over = guest::main("over_limit"),
    );
    let routes = ["caller", "lonely", "fetcher"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"));
    rules + &scripts.replace("log_bytes = 4096", "logs = 4096") + &routes.concat()
}

async fn serving(origin: Option<SocketAddr>) -> Server {
    let site = Site::new(&config(origin));
    site.write("silent.wasm", wat::silent());
    site.serve().await
}

async fn asked(server: &Server, host: &str, path: &str, target: &str) -> Answer {
    let request = request(Method::GET, host, path).header("x-target", target);
    server.send(request.body(body("")).unwrap()).await
}

/// So many invocations are on the account: an answer may be there a moment before. This figure is the last one to
/// be written.
async fn ended(server: &Server, invocations: usize) {
    let all = async || {
        (server.metric("wasmyard_instantiation_seconds_count").await >= invocations as f64).then_some(())
    };
    eventually(&format!("the end of {invocations} invocations"), all).await;
}

fn figure(answer: &Answer, name: &str) -> u64 {
    let line = answer.text().lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn clocks_step_by_a_millisecond_unless_the_code_is_trusted() {
    let server = serving(None).await;
    let coarse = server.get("probe.apps.test", "/limits/clocks").await;
    for name in ["monotonic", "wall"] {
        let step = figure(&coarse, name);
        assert!(step >= 1_000_000 && step.is_multiple_of(1_000_000), "{name}: {step}");
    }
    assert_eq!(figure(&coarse, "rest"), 0);
    let timers = server.get("probe.apps.test", "/limits/timers").await;
    assert_eq!(figure(&timers, "rests"), 0, "what a timer took is told in milliseconds");
    // The platform builder's own code: a namespace of it, and platform scripts.
    for host in ["probe.own.test", "caller.test"] {
        let fine = server.get(host, "/limits/clocks").await;
        assert!(figure(&fine, "monotonic") < 1_000_000, "{}", fine.text());
        assert!(figure(&fine, "wall") < 1_000_000, "{}", fine.text());
    }
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_marked_once() {
    let server = serving(None).await;
    let answer = server.get("probe.apps.test", "/limits/flood?bytes=1000000").await;
    assert_eq!(answer.text(), "written\n", "the script does not notice");
    let cut = |line: &Value| line["message"].as_str().is_some_and(|text| text.contains("log truncated"));
    server.logged("the mark", cut).await;
    server.logged("the end of the request", |line| line["target"] == "wasmyard::access").await;
    let log = server.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let written = lines.iter().filter(|line| line["target"] == "wasmyard::script");
    // 4096 bytes are 41 lines of 99, and the mark.
    assert_eq!(written.count(), 42, "{log}");
    assert_eq!(lines.iter().filter(|line| cut(line)).count(), 1);
}

/// Answers each request only when six are there, and notes how many there were at most.
async fn origin_of_six() -> (SocketAddr, Arc<AtomicUsize>) {
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = origin.local_addr().unwrap();
    let (most, now, six) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Barrier::new(6));
    let (noted, six) = (Arc::clone(&most), Arc::new(six));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = origin.accept().await {
            let (most, now, six) = (Arc::clone(&most), Arc::clone(&now), Arc::clone(&six));
            tokio::spawn(async move {
                while head(&mut stream).await.is_some() {
                    most.fetch_max(1 + now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    six.wait().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (address, noted)
}

/// The head of one request, or none at the end of the connection.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.ok()?);
    }
    Some(seen)
}

#[tokio::test]
async fn six_subrequests_are_under_way_at_once_and_the_others_wait_for_their_turn() {
    let (origin, most) = origin_of_six().await;
    let server = serving(Some(origin)).await;
    let answer = asked(&server, "probe.apps.test", "/limits/fan?n=18", &format!("http://{origin}/")).await;
    assert_eq!(answer.text(), "18 answered\n");
    assert_eq!(most.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_subrequest_over_the_budget_is_an_error_in_the_script_which_goes_on() {
    let server = serving(None).await;
    let answer = asked(&server, "few.apps.test", "/limits/over", "http://probe.apps.test/empty").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("3 made, then: "), "{}", answer.text());
    assert!(answer.text().contains("Too many subrequests by single Worker invocation."), "{}", answer.text());
}

/// Accepts everybody; sends `answer` when a request's head has come, and nothing more.
async fn silent_origin(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = origin.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = origin.accept().await {
            head(&mut stream).await;
            asked.fetch_add(1, Ordering::SeqCst);
            stream.write_all(answer).await.unwrap();
            open.push(stream);
        }
    });
    (address, noted)
}

#[tokio::test]
async fn a_response_that_stops_coming_is_cut_off() {
    let server = serving(None).await;
    let mut connection = server.connect().await;
    let begun =
        connection.send(request(Method::GET, "probe.apps.test", "/begin").body(body("")).unwrap()).await;
    assert_eq!(begun.status(), 200);
    let ended = within("the end of the body", begun.into_body().collect()).await;
    assert!(ended.is_err(), "it looks complete");
    let line = server
        .logged("the invocation", |line| {
            line["target"] == "wasmyard::invocation" && line["outcome"] == "exceededWallTime"
        })
        .await;
    assert_eq!(
        (&line["limit"], &line["status"]),
        (&json!("pause of a response 0.2 s"), &json!(200)),
        "{line}"
    );
}

#[tokio::test]
async fn bodies_to_and_from_the_outside_that_stop_coming_are_given_up() {
    let (origin, asked_there) = silent_origin(b"").await;
    let server = serving(Some(origin)).await;
    let answer = asked(&server, "probe.apps.test", "/limits/upload", &format!("http://{origin}/")).await;
    assert!(answer.text().starts_with("failed: "), "{}", answer.text());
    let reached = async || (asked_there.load(Ordering::SeqCst) == 1).then_some(());
    eventually("it was asked there", reached).await;

    let (origin, _) = silent_origin(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun").await;
    let server = serving(Some(origin)).await;
    let mut connection = server.connect().await;
    let asked = request(Method::GET, "fetcher.test", "/").header("x-target", format!("http://{origin}/"));
    let begun = connection.send(asked.body(body("")).unwrap()).await;
    assert_eq!(begun.status(), 200);
    assert!(within("the end of the body", begun.into_body().collect()).await.is_err(), "it looks complete");
}

#[tokio::test]
async fn a_dispatcher_can_tell_every_failure_apart() {
    let server = serving(None).await;
    for (query, told) in [
        ("script=missing", "WorkerNotFound: Worker not found."),
        ("script=over&path=/spin", "ExceededCpu: Worker exceeded CPU time limit."),
        ("script=over&path=/spin&cpu_ms=5", "ExceededCpu: Worker exceeded CPU time limit."),
        ("script=probe&path=/empty&fuel=1000", "ExceededFuel: Worker exceeded fuel limit."),
        ("script=dry&path=/empty&fuel=1000000000", "ExceededFuel: Worker exceeded fuel limit."),
        ("script=over&path=/grow", "ExceededMemory: Worker has exceeded memory limit."),
        ("script=over&path=/trap", "Trapped: Worker threw an exception: "),
        ("script=over&path=/recurse", "Trapped: Worker threw an exception: "),
        ("script=silent", "NoResponse: Worker gave no response: "),
        ("script=hurried&path=/wait", "TimedOut: Worker did not respond in time."),
        (
            "script=probe&path=/empty&times=60",
            "ExceededSubrequests: Too many subrequests by single Worker invocation.",
        ),
        ("script=probe&path=/empty", "Answered 204"),
        // What is asked for outside its range names field, value and range: the operator's ceiling, not ours.
        ("script=probe&cpu_ms=0", "InvalidArgument: limit cpu_ms = 0 ms is outside 1 to 20000;"),
        ("script=probe&cpu_ms=20001", "InvalidArgument: limit cpu_ms = 20001 ms is outside 1 to 20000;"),
        (
            "script=probe&subrequests=0",
            "InvalidArgument: limit subrequests = 0 in number is outside 1 to 1000;",
        ),
        ("script=probe&memory_bytes=1", "InvalidArgument: limit memory_bytes = 1 bytes is outside 65536 to "),
        ("script=probe&fuel=0", "InvalidArgument: limit fuel = 0 units of fuel is outside 1 to "),
    ] {
        let answer = server.get("caller.test", &format!("/limits/call?{query}")).await;
        assert!(answer.text().starts_with(told), "{query}: {}", answer.text());
    }
    let answer = server.get("lonely.test", "/limits/call?script=probe").await;
    assert_eq!(answer.text(), "ExceededDepth: Too many Workers called each other in a row.\n");
}

#[tokio::test]
async fn the_same_request_uses_the_same_fuel_every_time() {
    let server = serving(None).await;
    let mut totals = Vec::new();
    for _ in 0..20 {
        let answer = server.get("fuelled.apps.test", "/limits/work?n=5000").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        ended(&server, totals.len() + 1).await;
        totals.push(server.total("wasmyard_invocation_fuel_total").await);
    }
    let first = totals[0];
    assert!(first > 5_000.0, "{first}");
    for (turn, total) in totals.iter().enumerate() {
        assert_eq!(*total, first * (turn + 1) as f64, "{totals:?}");
    }
}

#[tokio::test]
async fn each_script_of_a_chain_has_an_account_of_its_own() {
    let server = serving(None).await;
    let answer = server.get("caller.test", "/limits/call?script=over&path=/spin").await;
    assert_eq!(answer.text(), "ExceededCpu: Worker exceeded CPU time limit.\n");
    let ray = answer.header("cf-ray").to_owned();
    let line = server
        .logged("the callee's line", |line| {
            line["target"] == "wasmyard::invocation" && line["ray_id"] == json!(ray)
        })
        .await;
    let said = |name: &str| (line[name].clone(), name.to_owned());
    assert_eq!(said("script").0, json!("production/over"));
    assert_eq!((said("depth").0, said("outcome").0), (json!(1), json!("exceededCpu")));
    assert_eq!((said("limit").0, said("subrequests").0), (json!("CPU time 100 ms"), json!(0)));
    let cpu_us = line["cpu_us"].as_u64().unwrap();
    assert!(cpu_us >= 100_000, "{line}");
    for name in ["wall_us", "instantiation_us", "peak_memory_bytes"] {
        assert!(line[name].as_u64().unwrap() > 0, "{name}: {line}");
    }
    assert!(line["bytes_in"].is_u64() && line["bytes_out"].is_u64(), "{line}");
    // The caller waited meanwhile: it is charged for its own work and nothing else.
    ended(&server, 2).await;
    let cpu_seconds = server.total("wasmyard_invocation_cpu_seconds_sum").await;
    let caller_us = (cpu_seconds * 1e6).round() as u64 - cpu_us;
    assert!(caller_us < 50_000, "the caller was charged {caller_us} µs");
    assert_eq!(server.total("wasmyard_invocation_peak_memory_bytes_count").await, 2.0);
    assert_eq!(server.total("wasmyard_subrequests_total").await, 1.0);
}

#[tokio::test]
async fn the_page_names_the_limit_and_nothing_of_anybody_else() {
    let server = serving(None).await;
    for (host, path, status, named) in [
        ("over.apps.test", "/spin", 503, "CPU time 100 ms"),
        ("over.apps.test", "/grow", 503, "memory 32 MiB"),
        ("dry.apps.test", "/empty", 503, "fuel 1000"),
        ("over.apps.test", "/trap", 500, ""),
        ("hurried.apps.test", "/wait", 504, "time to first byte 0.2 s"),
        ("silent.apps.test", "/", 500, ""),
    ] {
        for accept in ["application/json", "text/html", "text/plain"] {
            let asked = request(Method::GET, host, path).header("accept", accept).body(body("")).unwrap();
            let page = server.send(asked).await;
            assert_eq!(page.status, status, "{page:?}");
            let text = page.text();
            assert!(text.contains(named) && text.contains(page.header("cf-ray")), "{text}");
            assert!(page.header("content-type").starts_with(accept), "{page:?}");
            for secret in ["production", "lonely", "probe", ".wasm", "127.0.0.1", "/tmp", "src/", "0x"] {
                assert!(!text.contains(secret), "{secret} is in the page: {text}");
            }
        }
    }
}
