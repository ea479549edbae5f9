//! Scripts that attack: each ends as its row says, the visitor is told so, the log says so, and a neighbour is
//! served meanwhile. What is refused before it can run is in `hostile/uploads.rs`, and that nothing is left of
//! a thousand attacks in `hostile/aftermath.rs`.
//!
//! Servers are shared by all rows of a table: a row that harms the next one is a finding.

mod aftermath;
mod rows;
mod uploads;

use http::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::{Answer, Connection, Server, Site, body, eventually, guest, next_chunk, request};
use rows::{Attack, GUEST, WRITTEN};

/// The server of the suite: every script as `NAME.test`, and the neighbour that must not notice. What ends an attack
/// is the limit of its row, and never that the machine was slow.
async fn server() -> Server {
    let mut config = format!(
        "[limits]\nfirst_byte_ms = 300000\ncpu_ms = 10000\n[scripts.neighbour]\n{}\n[scripts.guest]\n{1}\nlimits = {{ cpu_ms = 300, memory = \"32MiB\" }}\n\
         [scripts.hurried]\n{1}\nlimits = {{ first_byte_ms = 300 }}\n[scripts.looping]\n{1}\n",
        guest::main("hello"),
        guest::main("hostile"),
    );
    for row in WRITTEN {
        config +=
            &format!("[scripts.{0}]\nmain = \"{0}.wasm\"\nlimits = {{ {1} }}\n", row.script, row.limits);
    }
    let named = ["neighbour", "guest", "hurried"].into_iter().chain(WRITTEN.iter().map(|row| row.script));
    for name in named {
        config += &format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n");
    }
    for name in ["loop-a", "loop-b", "loop-c"] {
        config += &format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"looping\"\n");
    }
    let site = Site::new(&config);
    for row in WRITTEN {
        site.write(&format!("{}.wasm", row.script), (row.component)());
    }
    site.serve().await
}

/// Starts an attack and leaves it to itself.
fn attacked(server: &Server, host: &str, path: &str) -> JoinHandle<Answer> {
    let asked = request(Method::POST, host, path).header("accept", "application/json");
    // Larger than any buffer on the way: who does not read it leaves it lying in the socket.
    let asked = asked.body(body(vec![b'x'; 1 << 20])).unwrap();
    let visitors = server.visitors;
    tokio::spawn(async move { Answer::read(Connection::http1(visitors).await.send(asked).await).await })
}

/// Serves a neighbour as long as the attack lasts, at least once.
async fn neighbour_meanwhile(server: &Server, what: &str, attack: &JoinHandle<Answer>) {
    let mut neighbour = server.connect().await;
    loop {
        let answer = neighbour.get("neighbour.test", "/").await;
        assert_eq!((answer.status, answer.text()), (200, "Hello from Wasmyard!\n"), "{what}");
        if attack.is_finished() {
            return;
        }
    }
}

/// The line of the log about how an invocation ended.
async fn outcome(server: &Server, what: &str, ray: &str, outcome: &str) -> Value {
    server
        .logged(&format!("{what}: the outcome {outcome} of {ray}"), |line| {
            line["target"] == "wasmyard::invocation" && line["ray_id"] == ray && line["outcome"] == outcome
        })
        .await
}

async fn idle(server: &Server) {
    let idle = async || (server.metric("wasmyard_requests_in_flight").await < 1.0).then_some(());
    eventually("nothing is under way any more", idle).await;
}

impl Attack {
    /// Carries it out, and looks at everything that may be seen of it.
    async fn run(&self, server: &Server) {
        let what = format!("{}{}", self.host, self.path);
        let attack = attacked(server, self.host, self.path);
        neighbour_meanwhile(server, &what, &attack).await;
        let answer = attack.await.unwrap();
        let ray = answer.header("cf-ray").to_owned();
        assert!(!ray.is_empty(), "{what}: {answer:?}");
        let Some(end) = self.end else {
            assert_eq!((answer.status, answer.text()), (200, self.answer), "{what}");
            let line = server
                .logged(&what, |line| line["target"] == "wasmyard::access" && line["ray_id"] == *ray)
                .await;
            assert_eq!(line["reason"], "ok", "{what}: {line}");
            return;
        };
        let page: Value =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{what}: {answer:?}"));
        let error = &page["error"];
        let seen = (answer.status, error["code"].as_u64(), error["reason"].as_str());
        assert_eq!(seen, (end.status, Some(end.code), Some(end.reason)), "{what}: {page}");
        if let Some(limit) = end.limit {
            assert_eq!(error["limit"], limit, "{what}");
        }
        for secret in ["/tmp", "/proc", "wasmyard.toml", "127.0.0.1"] {
            assert!(!answer.text().contains(secret), "{what} tells {secret}: {}", answer.text());
        }
        outcome(server, &what, &ray, end.outcome).await;
    }
}

#[tokio::test]
async fn every_attack_of_machine_code_ends_as_its_row_says() {
    let server = server().await;
    for row in WRITTEN {
        row.attack().run(&server).await;
    }
    idle(&server).await;
}

#[tokio::test]
async fn every_attack_of_a_program_ends_as_its_row_says() {
    let server = server().await;
    for attack in GUEST {
        attack.run(&server).await;
    }
    idle(&server).await;
}

#[tokio::test]
async fn what_a_flood_of_logs_leaves_is_bounded_and_marked() {
    let server = server().await;
    let answer = attacked(&server, "guest.test", "/log-flood").await.unwrap();
    let ray = answer.header("cf-ray").to_owned();
    let script = |line: &Value| line["target"] == "wasmyard::script" && line["ray_id"] == *ray;
    let cut = |line: &Value| script(line) && !line["message"].as_str().unwrap().starts_with("flood");
    server.logged("a mark that the log was cut", cut).await;
    let kept = server
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(script)
        .map(|line| line["message"].as_str().unwrap().len())
        .sum::<usize>();
    assert!((128 << 10..=260 << 10).contains(&kept), "{kept} bytes were kept");
}

#[tokio::test]
async fn a_response_without_an_end_is_cut_at_the_cpu_limit_or_when_nobody_reads() {
    let server = server().await;
    // Read to the end that it does not have: the budget for CPU time ends it.
    let asked = || request(Method::GET, "guest.test", "/endless").body(body("")).unwrap();
    let mut connection = server.connect().await;
    let answer = connection.send(asked()).await;
    let ray = answer.headers()["cf-ray"].to_str().unwrap().to_owned();
    let mut reading = answer.into_body();
    let ended = loop {
        match http_body_util::BodyExt::frame(&mut reading).await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(_))), "a body that was cut must not look complete");
    outcome(&server, "/endless", &ray, "exceededCpu").await;

    // A visitor who has seen enough.
    let mut connection = server.connect().await;
    let mut reading = connection.send(asked()).await.into_body();
    next_chunk(&mut reading).await.unwrap();
    drop((reading, connection));
    let canceled = r#"wasmyard_invocations_total{kind="platform",outcome="canceled"}"#;
    eventually("it is canceled", async || (server.metric(canceled).await == 1.0).then_some(())).await;
    idle(&server).await;
}

#[tokio::test]
async fn a_ring_of_three_scripts_is_cut_and_the_log_says_who_they_were() {
    let server = server().await;
    let asked = attacked(&server, "loop-a.test", "/loop");
    neighbour_meanwhile(&server, "the ring", &asked).await;
    let answer = asked.await.unwrap();
    assert_eq!(answer.status, 508);
    assert!(answer.text().contains("1019") && answer.text().contains("depth 8"), "{}", answer.text());
    let cut = server.logged("the chain", |line| line["message"] == "chain of scripts cut").await;
    assert_eq!(cut["chain"].as_str().unwrap().matches("looping").count(), 8, "{cut}");
    idle(&server).await;
}
