//! An instance that is used again keeps its memory and nothing else, and is used again only after it has done its
//! part. Each answer is as long as the number of requests that its instance has been given.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, Host, Metering, Reuse, Worker, body};

use crate::bench::{Bench, Kept, Wat, fetch, invocation, request, run, worker, worker_that};

const LIMITS: Limits = Limits { cpu: Duration::from_millis(200), ..Limits::DEFAULT };

/// Counts requests, does something on the way, and answers with as many bytes.
fn counting(on_the_way: &str) -> Wat<'static> {
    let body = format!(
        "(local $response i32) (local $body i32) (local $stream i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call $drop-request (local.get $request))
        {on_the_way}
        (local.set $response (call $response (call $fields)))
        (call $body (local.get $response) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $write (local.get $body) (i32.const 0))
        (local.set $stream (i32.load (i32.const 4)))
        (call $send (local.get $stream) (i32.const 1024) (global.get $count) (i32.const 0))
        (call $drop-stream (local.get $stream))
        (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))"
    );
    Wat {
        lowered: "(core func $drop-request (canon resource.drop $request))",
        given: r#"(export "drop-request" (func $drop-request))"#,
        module: r#"(import "env" "drop-request" (func $drop-request (param i32)))
            (global $count (mut i32) (i32.const 0))"#,
        body: body.leak(),
        imports: "",
    }
}

async fn reused(bench: &Bench, metering: Metering, wat: Wat<'_>) -> Arc<Worker> {
    worker_that(Reuse::WhenDone, bench.module(metering, wat.component()).await)
}

async fn counts(worker: &Arc<Worker>, limits: Limits, requests: usize) -> Vec<Result<usize, String>> {
    let mut came = Vec::new();
    for _ in 0..requests {
        came.push(run(worker, limits, body::empty()).await.0);
    }
    came
}

#[tokio::test]
async fn memory_lasts_where_a_version_asks_for_it_and_nowhere_else() {
    let bench = Bench::new();
    let module = bench.module(Metering::Time, counting("").component()).await;
    assert_eq!(counts(&worker(Arc::clone(&module)), LIMITS, 3).await, [Ok(1), Ok(1), Ok(1)]);
    let reusing = worker_that(Reuse::WhenDone, Arc::clone(&module));
    assert_eq!(counts(&reusing, LIMITS, 3).await, [Ok(1), Ok(2), Ok(3)]);
}

#[tokio::test]
async fn an_instance_makes_room_for_a_new_one_after_a_thousand_requests() {
    let bench = Bench::new();
    let worker = reused(&bench, Metering::Time, counting("")).await;
    let came = counts(&worker, LIMITS, 1_001).await;
    assert_eq!((&came[999], &came[1_000]), (&Ok(1_000), &Ok(1)));
}

#[tokio::test]
async fn an_instance_that_leaves_handles_behind_is_not_used_for_long() {
    let bench = Bench::new();
    let leaks = counting("(drop (call $fields)) (drop (call $fields))");
    let came = counts(&reused(&bench, Metering::Time, leaks).await, LIMITS, 300).await;
    let longest = came.iter().map(|count| *count.as_ref().unwrap()).max().unwrap();
    // Two entries of 256 bytes each time, and 64 KiB may be left.
    assert_eq!(longest, 129, "{came:?}");
}

#[tokio::test]
async fn what_ended_badly_is_never_used_again() {
    let bench = Bench::new();
    for bad in ["unreachable", "(loop $again (br $again))", "(return)"] {
        let wat = counting(&format!("(if (i32.eq (global.get $count) (i32.const 3)) (then {bad}))"));
        let worker = reused(&bench, Metering::Time, wat).await;
        let came = counts(&worker, LIMITS, 2).await;
        assert_eq!(came, [Ok(1), Ok(2)], "{bad}");
        let (came, outcome) = run(&worker, LIMITS, body::empty()).await;
        assert!(came.is_err() && matches!(outcome.end, End::Failed(_)), "{bad}: {came:?}");
        let after = counts(&worker, LIMITS, 2).await;
        // To answer nothing is no fault of the instance's.
        let expected = if bad == "(return)" { [Ok(4), Ok(5)] } else { [Ok(1), Ok(2)] };
        assert_eq!(after, expected, "{bad}");
    }
}

#[tokio::test]
async fn who_leaves_takes_the_instance_along() {
    let bench = Bench::new();
    let spins = counting("(if (i32.eq (global.get $count) (i32.const 2)) (then (loop $again (br $again))))");
    let worker = reused(&bench, Metering::Time, spins).await;
    let limits = Limits { cpu: Duration::from_secs(30), ..Limits::DEFAULT };
    assert_eq!(counts(&worker, limits, 1).await, [Ok(1)]);
    let kept = Arc::new(Kept::default());
    let host = Arc::clone(&kept) as Arc<dyn Host>;
    let leaves = fetch(&worker, invocation(limits, host), request(body::empty()));
    assert!(tokio::time::timeout(Duration::from_millis(50), leaves).await.is_err());
    assert_eq!(kept.outcome().end, End::Canceled);
    assert_eq!(counts(&worker, limits, 1).await, [Ok(1)]);
}

#[tokio::test]
async fn two_requests_at_once_never_share_an_instance() {
    let bench = Bench::new();
    // So long that the first lets the second begin.
    let works = "(local.set $body (i32.const 200000000))
        (loop $again (br_if $again (local.tee $body (i32.sub (local.get $body) (i32.const 1)))))";
    let slow = reused(&bench, Metering::Time, counting(works)).await;
    let limits = Limits { cpu: Duration::from_secs(30), ..LIMITS };
    let (one, two) = tokio::join!(run(&slow, limits, body::empty()), run(&slow, limits, body::empty()));
    assert_eq!((one.0, two.0), (Ok(1), Ok(1)));
    assert_eq!(counts(&slow, limits, 1).await, [Ok(2)]);
}

#[tokio::test]
async fn each_request_has_an_account_of_its_own() {
    let bench = Bench::new();
    let works = "(local.set $body (i32.const 20000000))
        (loop $again (br_if $again (local.tee $body (i32.sub (local.get $body) (i32.const 1)))))";
    let time = reused(&bench, Metering::Time, counting(works)).await;
    let mut used = Vec::new();
    for _ in 0..4 {
        used.push(run(&time, LIMITS, body::empty()).await.1.usage.cpu);
    }
    assert!(used[3] < used[0] * 3, "{used:?}");

    let limits = Limits { fuel: Some(1 << 40), ..LIMITS };
    let fuel = reused(&bench, Metering::Fuel, counting("")).await;
    let mut used = Vec::new();
    for turn in 1..=4 {
        let (came, outcome) = run(&fuel, limits, body::empty()).await;
        assert_eq!(came, Ok(turn));
        used.push(outcome.usage.fuel.unwrap());
    }
    assert!(used[1..].iter().all(|fuel| *fuel == used[1] && *fuel > 0), "{used:?}");
}

#[tokio::test]
async fn what_a_guest_has_counts_against_each_limit_anew() {
    let bench = Bench::new();
    let grows = counting("(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))");
    let worker = reused(&bench, Metering::Time, grows).await;
    let limit = |pages: u64| Limits { memory_bytes: pages << 16, ..LIMITS };
    assert_eq!(counts(&worker, limit(100), 10).await.pop(), Some(Ok(10)));
    let (came, outcome) = run(&worker, limit(100), body::empty()).await;
    assert_eq!(came, Ok(11));
    assert!(
        (12 << 16..13 << 16).contains(&outcome.usage.peak_memory_bytes),
        "{}",
        outcome.usage.peak_memory_bytes
    );
    // It has twelve pages: where ten are allowed another one answers.
    assert_eq!(counts(&worker, limit(10), 1).await, [Ok(1)]);
    // And where it grows past the limit that is its end.
    let (_, outcome) = run(&worker, limit(2), body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededMemory { limit: 2 << 16 }));
}

#[tokio::test]
async fn a_line_belongs_to_the_request_that_wrote_it() {
    let bench = Bench::new();
    let plain = counting(
        "(local.set $stream (call $stdout))
        (call $send (local.get $stream) (i32.const 1024) (i32.const 1) (i32.const 0))
        (call $drop-stream (local.get $stream))",
    );
    let prints = Wat {
        imports: r#"(import "wasi:cli/stdout@0.2.0" (instance $stdout
            (alias outer 1 $output-stream (type $outer-stream))
            (export "output-stream" (type $stream (eq $outer-stream)))
            (export "get-stdout" (func (result (own $stream))))))"#,
        lowered: r#"(core func $stdout (canon lower (func $stdout "get-stdout")))
            (core func $drop-request (canon resource.drop $request))"#,
        given: r#"(export "stdout" (func $stdout)) (export "drop-request" (func $drop-request))"#,
        module: r#"(import "env" "stdout" (func $stdout (result i32)))
            (import "env" "drop-request" (func $drop-request (param i32)))
            (global $count (mut i32) (i32.const 0))
            (data (i32.const 1024) "line")"#,
        body: plain.body,
    };
    let worker = reused(&bench, Metering::Time, prints).await;
    for turn in 1..=3 {
        let kept = Arc::new(Kept::default());
        let host = Arc::clone(&kept) as Arc<dyn Host>;
        let answer = fetch(&worker, invocation(LIMITS, host), request(body::empty())).await.unwrap();
        let came = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(came.len(), turn);
        // It never ended its line.
        let lines: Vec<String> = kept.lines.lock().unwrap().iter().map(|line| line.text.clone()).collect();
        assert_eq!(lines, ["l"]);
    }
}

#[tokio::test]
async fn instances_at_rest_leave_room_for_others_and_go_with_their_version() {
    let bench = Bench::new();
    let before = bench.runtime.guest_memory().held_bytes;
    let mut resting = Vec::new();
    // A quarter of 16 may rest; the rest of the pool is there for all.
    for _ in 0..16 {
        let worker = reused(&bench, Metering::Time, counting("")).await;
        assert_eq!(counts(&worker, LIMITS, 1).await, [Ok(1)]);
        resting.push(worker);
    }
    let held = bench.runtime.guest_memory().held_bytes - before;
    assert!((4 << 16..5 << 16).contains(&held), "{held}");
    drop(resting);
    assert_eq!(bench.runtime.guest_memory().held_bytes, before);
}
