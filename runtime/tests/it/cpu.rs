//! A CPU budget is enforced within 1 ms or a tenth of it, whichever is more, whatever the guest does with it.
//! All figures are CPU time, so that a busy machine does not change them.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{Body, End, Failure, Worker, body};

use crate::bench::{Bench, Wat, run};

const CLOCK: Wat<'static> = Wat {
    imports: r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (export "now" (func (result u64)))))"#,
    lowered: r#"(core func $now (canon lower (func $clock "now")))"#,
    given: r#"(export "now" (func $now))"#,
    module: r#"(import "env" "now" (func $now (result i64)))"#,
    body: "(loop $again (drop (call $now)) (br $again))",
};

const LOG: Wat<'static> = Wat {
    imports: r#"(import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $output-stream (type $outer-stream))
        (export "output-stream" (type $stream (eq $outer-stream)))
        (export "get-stdout" (func (result (own $stream))))))"#,
    lowered: r#"(core func $stdout (canon lower (func $stdout "get-stdout")))"#,
    given: r#"(export "stdout" (func $stdout))"#,
    module: r#"(import "env" "stdout" (func $stdout (result i32)))
        (data (i32.const 1024) "\0a")"#,
    body: "(local $stream i32)
        (local.set $stream (call $stdout))
        (loop $again
            (call $send (local.get $stream) (i32.const 1024) (i32.const 1) (i32.const 0))
            (br $again))",
};

const READ: Wat<'static> = Wat {
    imports: r#"(import "wasi:io/streams@0.2.1" (instance $in
        (alias outer 1 $error (type $outer-error))
        (export "error" (type $error (eq $outer-error)))
        (export "input-stream" (type $input-stream (sub resource)))
        (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $failure)))
        (export "[method]input-stream.read" (func
          (param "self" (borrow $input-stream)) (param "len" u64)
          (result (result (list u8) (error $stream-error)))))))
      (alias export $in "input-stream" (type $input-stream))
      (import "wasi:http/types@0.2.1" (instance $incoming
        (alias outer 1 $input-stream (type $outer-stream))
        (export "input-stream" (type $input-stream (eq $outer-stream)))
        (alias outer 1 $request (type $outer-request))
        (export "incoming-request" (type $request (eq $outer-request)))
        (export "incoming-body" (type $body (sub resource)))
        (export "[method]incoming-request.consume" (func
          (param "self" (borrow $request)) (result (result (own $body)))))
        (export "[method]incoming-body.stream" (func
          (param "self" (borrow $body)) (result (result (own $input-stream)))))))"#,
    // One place for every chunk: what is read is not kept.
    lowered: r#"(core module $fixed
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048)))
      (core instance $fixed (instantiate $fixed))
      (core func $consume (canon lower (func $incoming "[method]incoming-request.consume") (memory $mem)))
      (core func $stream (canon lower (func $incoming "[method]incoming-body.stream") (memory $mem)))
      (core func $read (canon lower (func $in "[method]input-stream.read") (memory $mem)
        (realloc (core func $fixed "realloc"))))"#,
    given: r#"(export "consume" (func $consume))
      (export "stream" (func $stream))
      (export "read" (func $read))"#,
    module: r#"(import "env" "consume" (func $consume (param i32 i32)))
      (import "env" "stream" (func $stream (param i32 i32)))
      (import "env" "read" (func $read (param i32 i64 i32)))"#,
    body: "(local $stream i32)
      (call $consume (local.get $request) (i32.const 0))
      (call $stream (i32.load (i32.const 4)) (i32.const 0))
      (local.set $stream (i32.load (i32.const 4)))
      (loop $again (call $read (local.get $stream) (i64.const 1) (i32.const 0)) (br $again))",
};

/// Starts an answer, then writes it a byte at a time without end.
const DRIP: Wat<'static> = Wat {
    body: "(local $response i32) (local $body i32) (local $stream i32)
        (local.set $response (call $response (call $fields)))
        (call $body (local.get $response) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $write (local.get $body) (i32.const 0))
        (local.set $stream (i32.load (i32.const 4)))
        (loop $again
            (call $send (local.get $stream) (i32.const 1024) (i32.const 1) (i32.const 0))
            (br $again))",
    imports: "",
    lowered: "",
    given: "",
    module: "",
};

/// A worker that holds so many things to wait for, and looks at all of them again and again. `wait` says for how long
/// it waits for the one with the number `$at`, in nanoseconds.
async fn polling(bench: &Bench, things: u32, wait: &str) -> Arc<Worker> {
    let body = format!(
        "(local $at i32)
        (drop (memory.grow (i32.const 1)))
        (loop $make
            (i32.store (i32.add (i32.const 4096) (i32.shl (local.get $at) (i32.const 2)))
                (call $subscribe {wait}))
            (br_if $make (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 1)))
                (i32.const {things}))))
        (loop $again (call $poll (i32.const 4096) (i32.const {things}) (i32.const 0)) (br $again))"
    );
    bench.worker(Wat { body: &body, ..POLL }).await
}

/// As many of them as one call may look at.
async fn assert_polling_is_stopped(wait: &str) {
    let bench = Bench::new();
    let worker = polling(&bench, 1_024, wait).await;
    assert_stopped(&worker, body::empty).await;
}

const POLL: Wat<'static> = Wat {
    imports: r#"(import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $pollable (sub resource)))
        (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $outer-pollable))
        (export "pollable" (type $pollable (eq $outer-pollable)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))"#,
    // One place for every list that comes back, behind the one that is given.
    lowered: r#"(core module $fixed
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
      (core instance $fixed (instantiate $fixed))
      (core func $subscribe (canon lower (func $clock "subscribe-duration")))
      (core func $poll (canon lower (func $poll "poll") (memory $mem)
        (realloc (core func $fixed "realloc"))))"#,
    given: r#"(export "subscribe" (func $subscribe))
      (export "poll" (func $poll))"#,
    module: r#"(import "env" "subscribe" (func $subscribe (param i64) (result i32)))
      (import "env" "poll" (func $poll (param i32 i32 i32)))"#,
    body: "",
};

fn spin(module: &'static str, body: &'static str) -> Wat<'static> {
    Wat { module, body, ..Wat::default() }
}

/// What may be used of a budget, with what it may be passed by.
fn bound(limit: Duration) -> Duration {
    limit + (limit / 10).max(Duration::from_millis(1))
}

/// The worker is stopped within the bound, at a small and at a larger budget.
///
/// The bound holds when the epoch's thread runs in time. A machine on which that thread has no priority may
/// keep it waiting once, but not five times in a row.
async fn assert_stopped(worker: &Arc<Worker>, body: impl Fn() -> Body) {
    assert_stopped_and_cleared(worker, body, Duration::ZERO).await;
}

/// The same for a worker that has touched much memory: to give it back to the system takes CPU time of its own,
/// after the worker was stopped.
pub(crate) async fn assert_stopped_and_cleared(
    worker: &Arc<Worker>,
    body: impl Fn() -> Body,
    clearing: Duration,
) {
    assert_stopped_at(&[1, 20, 60], worker, body, clearing).await;
}

/// The same at these budgets, in milliseconds.
async fn assert_stopped_at(
    limits_ms: &[u64],
    worker: &Arc<Worker>,
    body: impl Fn() -> Body,
    clearing: Duration,
) {
    for limit in limits_ms.iter().copied().map(Duration::from_millis) {
        let limits = Limits { cpu: limit, memory_bytes: 128 << 20, ..Limits::DEFAULT };
        let mut used = Vec::new();
        for _ in 0..5 {
            let (came, outcome) = run(worker, limits, body()).await;
            assert_eq!(outcome.end, End::Failed(Failure::ExceededCpu { limit }), "{came:?}");
            assert!(came.is_err(), "{came:?}");
            assert!(outcome.usage.cpu >= limit, "{:?} of {limit:?}", outcome.usage.cpu);
            used.push(outcome.usage.cpu);
            if outcome.usage.cpu <= bound(limit) + clearing {
                break;
            }
        }
        assert!(*used.last().unwrap() <= bound(limit) + clearing, "{used:?} of {limit:?}");
    }
}

/// Budgets of half a second and of two: the same clock, and far more turns of it. `make soak` spends 30 s as well.
async fn assert_stopped_late(wat: Wat<'_>) {
    let bench = Bench::new();
    let worker = bench.worker(wat).await;
    assert_stopped_at(&[500, 2_000], &worker, body::empty, Duration::ZERO).await;
}

async fn assert_guest_stopped(wat: Wat<'_>) {
    let bench = Bench::new();
    assert_stopped(&bench.worker(wat).await, body::empty).await;
}

#[tokio::test]
async fn a_tight_loop_is_stopped() {
    assert_guest_stopped(spin("", "(loop $again (br $again))")).await;
}

#[tokio::test]
async fn a_tight_loop_is_stopped_at_large_budgets_as_well() {
    assert_stopped_late(spin("", "(loop $again (br $again))")).await;
}

#[tokio::test]
async fn a_storm_of_clock_readings_is_stopped_at_large_budgets_as_well() {
    assert_stopped_late(CLOCK).await;
}

#[tokio::test]
async fn recursion_is_stopped() {
    let fib = "(func $fib (param $n i32) (result i32)
        (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
            (then (local.get $n))
            (else (i32.add
                (call $fib (i32.sub (local.get $n) (i32.const 1)))
                (call $fib (i32.sub (local.get $n) (i32.const 2)))))))";
    assert_guest_stopped(spin(fib, "(drop (call $fib (i32.const 80)))")).await;
}

#[tokio::test]
async fn a_storm_of_clock_readings_is_stopped() {
    assert_guest_stopped(CLOCK).await;
}

#[tokio::test]
async fn a_storm_of_log_lines_is_stopped() {
    assert_guest_stopped(LOG).await;
}

#[tokio::test]
async fn a_storm_of_small_reads_is_stopped() {
    let bench = Bench::new();
    let worker = bench.worker(READ).await;
    assert_stopped(&worker, || body::full(vec![b'x'; 4 << 20])).await;
}

#[tokio::test]
async fn an_answer_in_small_pieces_is_stopped() {
    assert_guest_stopped(DRIP).await;
}

#[tokio::test]
async fn a_thousand_things_that_are_ready_are_stopped() {
    assert_polling_is_stopped("(i64.const 0)").await;
}

#[tokio::test]
async fn a_thousand_things_that_are_never_ready_beside_one_that_is_are_stopped() {
    assert_polling_is_stopped("(select (i64.const -1) (i64.const 0) (local.get $at))").await;
}

#[tokio::test]
async fn a_thousand_things_that_get_ready_one_by_one_are_stopped() {
    assert_polling_is_stopped("(i64.mul (i64.extend_i32_u (local.get $at)) (i64.const 20000))").await;
}

#[tokio::test]
async fn more_things_than_can_be_looked_at_in_time_are_refused() {
    let bench = Bench::new();
    let worker = polling(&bench, 1_025, "(i64.const 0)").await;
    let limits = Limits { cpu: Duration::from_secs(10), ..Limits::DEFAULT };
    let (_, outcome) = run(&worker, limits, body::empty()).await;
    let End::Failed(Failure::Trapped(text)) = outcome.end else { panic!("{outcome:?}") };
    assert!(text.contains("1025 pollables") && text.contains("1024 are allowed"), "{text}");
}

#[tokio::test]
async fn start_up_code_is_stopped() {
    assert_guest_stopped(spin("(start $spin) (func $spin (loop $again (br $again)))", "")).await;
}

#[tokio::test]
async fn table_operations_are_stopped() {
    let table = "(table $table 10000 funcref) (elem declare func $spin) (func $spin)";
    let fill = "(loop $again
        (table.fill $table (i32.const 0) (ref.func $spin) (i32.const 10000))
        (table.copy $table $table (i32.const 1) (i32.const 0) (i32.const 9999))
        (br $again))";
    assert_guest_stopped(spin(table, fill)).await;
}
