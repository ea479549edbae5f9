//! One ceiling for what a guest has and for what the host holds for it.

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, body};

use crate::bench::{Bench, Wat, run};

const CEILING: u64 = 1 << 20;
const LIMITS: Limits = Limits { memory_bytes: CEILING, ..Limits::DEFAULT };
/// Long enough to be looked at.
const SPIN: &str = "(local.set $turns (i32.const 20000000))
    (loop $again (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))";

#[tokio::test]
async fn handles_count_like_memory() {
    let make = |handles: u32| {
        format!(
            "(local $left i32) (local $turns i32) (local.set $left (i32.const {handles}))
            (loop $next (drop (call $fields))
                (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            {SPIN}"
        )
    };
    let bench = Bench::new();
    let few = bench.worker(Wat { body: &make(100), ..Wat::default() }).await;
    let (_, outcome) = run(&few, LIMITS, body::empty()).await;
    assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{:?}", outcome.end);
    // A page each for the two core modules at least, and 100 entries of the table.
    assert!(
        (64 << 10..CEILING).contains(&outcome.usage.peak_memory_bytes),
        "{}",
        outcome.usage.peak_memory_bytes
    );
    let many = bench.worker(Wat { body: &make(5_000), ..Wat::default() }).await;
    let (_, outcome) = run(&many, LIMITS, body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededMemory { limit: CEILING }));
    assert!(outcome.usage.peak_memory_bytes <= CEILING, "{}", outcome.usage.peak_memory_bytes);
}

#[tokio::test]
async fn memory_is_counted_in_steps_and_ends_at_the_ceiling() {
    let bench = Bench::new();
    let grow = "(loop $again
        (drop (i32.const 1))
        (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let worker = bench.worker(Wat { body: grow, ..Wat::default() }).await;
    let (_, outcome) = run(&worker, LIMITS, body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededMemory { limit: CEILING }));
    let peak = outcome.usage.peak_memory_bytes;
    assert!((CEILING - (64 << 10)..=CEILING).contains(&peak), "{peak}");
}

#[tokio::test]
async fn tables_count_as_well() {
    let bench = Bench::new();
    // 16 pages are the ceiling: one for the memory, and a table of 10,000 does not fit beside 14 more.
    let module = "(table $table 10000 funcref)";
    let grow = "(drop (memory.grow (i32.const 14)))";
    let worker = bench.worker(Wat { module, body: grow, ..Wat::default() }).await;
    let (_, outcome) = run(&worker, LIMITS, body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededMemory { limit: CEILING }));
    let worker = bench.worker(Wat { body: grow, ..Wat::default() }).await;
    let (_, outcome) = run(&worker, LIMITS, body::empty()).await;
    assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{:?}", outcome.end);
}
