//! Fuel is the deterministic meter: what was used depends on the guest and its input, and on nothing else.

use std::time::Duration;

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, body};

use crate::bench::{Bench, Wat, run};

const LIMITS: Limits = Limits { fuel: Some(1 << 40), cpu: Duration::from_secs(10), ..Limits::DEFAULT };

/// Computes for some milliseconds, with host calls in between, and answers nothing.
const WORK: Wat<'static> = Wat {
    body: "(local $left i32) (local $sum i32)
        (local.set $left (i32.const 2000000))
        (loop $next
            (local.set $sum (i32.rotl (i32.add (local.get $sum) (local.get $left)) (i32.const 5)))
            (if (i32.eqz (i32.rem_u (local.get $left) (i32.const 1000)))
                (then (drop (call $fields))))
            (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    imports: "",
    lowered: "",
    given: "",
    module: "",
};

const SPIN: Wat<'static> =
    Wat { body: "(loop $again (br $again))", imports: "", lowered: "", given: "", module: "" };

#[tokio::test]
async fn the_same_guest_uses_the_same_fuel_every_time() {
    let bench = Bench::new();
    let worker = bench.fuelled(WORK).await;
    let mut seen = Vec::new();
    for turn in 0..20 {
        // Half of them beside others, which changes when they are interrupted.
        let beside = if turn % 2 == 0 { 0 } else { 3 };
        let others = futures::future::join_all((0..beside).map(|_| run(&worker, LIMITS, body::empty())));
        let (one, others) = tokio::join!(run(&worker, LIMITS, body::empty()), others);
        for (came, outcome) in others.into_iter().chain([one]) {
            assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{came:?}");
            seen.push(outcome.usage.fuel.unwrap());
        }
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.iter().all(|fuel| *fuel == seen[0]), "{seen:?}");
    // About ten instructions in each turn of the loop.
    assert!((10_000_000..60_000_000).contains(&seen[0]), "{}", seen[0]);
}

#[tokio::test]
async fn a_guest_without_fuel_left_is_stopped_and_told_so() {
    let bench = Bench::new();
    let worker = bench.fuelled(SPIN).await;
    for fuel in [1, 10_000, 1_000_000] {
        let (came, outcome) = run(&worker, Limits { fuel: Some(fuel), ..LIMITS }, body::empty()).await;
        assert_eq!(outcome.end, End::Failed(Failure::ExceededFuel { limit: fuel }));
        assert_eq!(came, Err("Worker exceeded fuel limit.".to_owned()));
        assert_eq!(outcome.usage.fuel, Some(fuel));
    }
    let start = Wat { module: "(start $spin) (func $spin (loop $again (br $again)))", ..Wat::default() };
    let worker = bench.fuelled(start).await;
    let (_, outcome) = run(&worker, Limits { fuel: Some(10_000), ..LIMITS }, body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededFuel { limit: 10_000 }), "start-up code counts");
}

#[tokio::test]
async fn time_is_limited_behind_fuel() {
    let bench = Bench::new();
    let worker = bench.fuelled(SPIN).await;
    let limit = Duration::from_millis(20);
    for fuel in [Some(u64::MAX), None] {
        let (_, outcome) = run(&worker, Limits { cpu: limit, fuel, ..LIMITS }, body::empty()).await;
        assert_eq!(outcome.end, End::Failed(Failure::ExceededCpu { limit }));
        assert!(outcome.usage.fuel.is_some());
    }
}

#[tokio::test]
async fn bulk_instructions_cost_what_they_do() {
    let bench = Bench::new();
    let module =
        "(func $fill (param $bytes i32) (memory.fill (i32.const 0) (i32.const 1) (local.get $bytes)))";
    let mut used = Vec::new();
    for bytes in [1_000, 3_000_000] {
        let body = format!("(drop (memory.grow (i32.const 64))) (call $fill (i32.const {bytes}))");
        let worker = bench.fuelled(Wat { module, body: &body, ..Wat::default() }).await;
        used.push(run(&worker, LIMITS, body::empty()).await.1.usage.fuel.unwrap());
    }
    assert!((2_999_000..3_000_500).contains(&(used[1] - used[0])), "{used:?}");
}

#[tokio::test]
async fn what_is_copied_from_a_data_segment_is_charged_and_what_is_there_at_the_start_is_not() {
    let bench = Bench::new();
    // What it has at the start, what it copies itself, and how much of that.
    let used = async |there: usize, segment: usize, bytes: usize| {
        let module = format!(
            r#"(data (i32.const 0) "{}") (data $own "{}") (func $init (param $bytes i32)
                (memory.init $own (i32.const 0) (i32.const 0) (local.get $bytes)))"#,
            "t".repeat(there),
            "s".repeat(segment)
        );
        let body = format!("(drop (memory.grow (i32.const 64))) (call $init (i32.const {bytes}))");
        let worker = bench.fuelled(Wat { module: &module, body: &body, ..Wat::default() }).await;
        let (came, outcome) = run(&worker, LIMITS, body::empty()).await;
        assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{came:?}");
        outcome.usage.fuel.unwrap()
    };
    let little = used(1, 1_000, 10).await;
    assert_eq!(used(60_000, 1_000, 10).await, little, "its script's size");
    assert_eq!(used(1, 1_000, 1_000).await, little + 990, "a byte, a unit");
    let long = used(1, 2_500_000, 2_500_000).await;
    assert!((2_499_990..2_500_500).contains(&(long - little)), "{long} and {little}");
}

#[tokio::test]
async fn fuel_is_counted_only_where_it_was_asked_for() {
    let bench = Bench::new();
    let worker = bench.worker(WORK).await;
    let (_, outcome) = run(&worker, Limits { fuel: None, ..LIMITS }, body::empty()).await;
    assert_eq!(outcome.usage.fuel, None);
    let (_, outcome) = run(&worker, LIMITS, body::empty()).await;
    assert!(
        matches!(outcome.end, End::Failed(Failure::Internal { .. })),
        "code that cannot count is not run"
    );
}
