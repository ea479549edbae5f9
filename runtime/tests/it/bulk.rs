//! Long bulk instructions do what they always did, and can be stopped on the way.

use std::time::Duration;

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, body};

use crate::bench::{Bench, Wat, run};
use crate::cpu::assert_stopped_and_cleared;

/// Fills and copies 3 MiB in both directions over themselves, and traps where a byte is not what it must be.
const CHECKED: &str = "
    (func $pattern (param $i i32) (result i32)
        (i32.and (i32.const 255)
            (i32.add (i32.mul (local.get $i) (i32.const 31)) (i32.shr_u (local.get $i) (i32.const 8)))))
    (func $paint (param $to i32)
        (local $i i32)
        (loop $next
            (i32.store8 (local.get $i) (call $pattern (local.get $i)))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $to)))))
    (func $check (param $at i32) (param $from i32) (param $count i32)
        (local $i i32)
        (loop $next
            (if (i32.ne
                    (i32.load8_u (i32.add (local.get $at) (local.get $i)))
                    (call $pattern (i32.add (local.get $from) (local.get $i))))
                (then unreachable))
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $count)))))
    (func $fill (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func $copy (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func $is (param $at i32) (param $value i32)
        (if (i32.ne (i32.load8_u (local.get $at)) (local.get $value)) (then unreachable)))
    (func $all
        (drop (memory.grow (i32.const 128)))
        (call $fill (i32.const 70000) (i32.const 7) (i32.const 3145851))
        (call $is (i32.const 69999) (i32.const 0))
        (call $is (i32.const 70000) (i32.const 7))
        (call $is (i32.const 1500000) (i32.const 7))
        (call $is (i32.const 3215850) (i32.const 7))
        (call $is (i32.const 3215851) (i32.const 0))
        (call $paint (i32.const 4000000))
        (call $copy (i32.const 66000) (i32.const 100) (i32.const 3145851))
        (call $check (i32.const 66000) (i32.const 100) (i32.const 3145851))
        (call $paint (i32.const 4000000))
        (call $copy (i32.const 100) (i32.const 66000) (i32.const 3145851))
        (call $check (i32.const 100) (i32.const 66000) (i32.const 3145851)))";

#[tokio::test]
async fn bulk_instructions_do_what_they_always_did() {
    let bench = Bench::new();
    let limits = Limits { cpu: Duration::from_secs(10), ..Limits::DEFAULT };
    let good = bench.worker(Wat { module: CHECKED, body: "(call $all)", ..Wat::default() }).await;
    let (came, outcome) = run(&good, limits, body::empty()).await;
    assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{came:?}");
    for call in [
        "(call $fill (i32.const 65536) (i32.const 0) (i32.const 2000000))",
        "(call $copy (i32.const 0) (i32.const 0) (i32.const -1))",
        "(call $copy (i32.const 0) (i32.const -5) (i32.const 10))",
    ] {
        let bad = bench.worker(Wat { module: CHECKED, body: call, ..Wat::default() }).await;
        let (came, outcome) = run(&bad, limits, body::empty()).await;
        let End::Failed(Failure::Trapped(text)) = outcome.end else { panic!("{call}: {came:?}") };
        assert!(text.contains("out of bounds"), "{call}: {text}");
    }
}

#[tokio::test]
async fn bulk_instructions_over_the_whole_memory_are_stopped() {
    let bench = Bench::new();
    for call in [
        "(call $fill (i32.const 0) (i32.const 1) (i32.const 120000000))",
        "(call $copy (i32.const 0) (i32.const 60000000) (i32.const 60000000))",
        "(call $copy (i32.const 60000000) (i32.const 0) (i32.const 60000000))",
    ] {
        let body = format!("(drop (memory.grow (i32.const 1900))) (loop $again {call} (br $again))");
        let worker = bench.worker(Wat { module: CHECKED, body: &body, ..Wat::default() }).await;
        // Without the pieces, the first of them alone would take 50 ms.
        assert_stopped_and_cleared(&worker, body::empty, Duration::from_millis(8)).await;
    }
}
