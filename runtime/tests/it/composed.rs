//! Components made of components: one upload in which two call each other, each with a memory of its own.

use std::time::Duration;

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, Metering, body};

use crate::bench::{Bench, Wat, run, worker};
use crate::cpu::assert_stopped_and_cleared;

/// A worker that asks its neighbour how long a list is, how long a text is, and to give a number back. The two stand side by
/// side in a component that has no code of its own, as `wac plug` makes them.
fn composed(body: &str) -> Vec<u8> {
    let front = Wat {
        imports: r#"(import "test:back/asked" (instance $asked
            (export "count" (func (param "list" (list u32)) (result u32)))
            (export "length" (func (param "text" string) (result u32)))
            (export "same" (func (param "number" u32) (result u32)))))"#,
        lowered: r#"(core func $count (canon lower (func $asked "count") (memory $mem)))
            (core func $length (canon lower (func $asked "length") (memory $mem)))
            (core func $same (canon lower (func $asked "same")))"#,
        given: r#"(export "count" (func $count)) (export "length" (func $length)) (export "same" (func $same))"#,
        module: r#"(import "env" "count" (func $count (param i32 i32) (result i32)))
            (import "env" "length" (func $length (param i32 i32) (result i32)))
            (import "env" "same" (func $same (param i32) (result i32)))
            (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))"#,
        body,
    }
    .text();
    let (_, front) = front.split_once("(component").unwrap();
    // What the worker imports of WASI is imported by the outer one as well, and handed on.
    let (imports, _) = front.split_once(";; Memory first").unwrap();
    let outer = format!(
        r#"(component {imports}
            (component $back
                (core module $m
                    (memory (export "memory") 400)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                    (func (export "second") (param i32 i32) (result i32) (local.get 1))
                    (func (export "same") (param i32) (result i32) (local.get 0)))
                (core instance $i (instantiate $m))
                (alias core export $i "memory" (core memory $memory))
                (alias core export $i "realloc" (core func $realloc))
                (func $count (param "list" (list u32)) (result u32)
                    (canon lift (core func $i "second") (memory $memory) (realloc $realloc)))
                (func $length (param "text" string) (result u32)
                    (canon lift (core func $i "second") (memory $memory) (realloc $realloc)))
                (func $same (param "number" u32) (result u32) (canon lift (core func $i "same")))
                (instance $asked
                    (export "count" (func $count)) (export "length" (func $length)) (export "same" (func $same)))
                (export "test:back/asked" (instance $asked)))
            (component $front {front}
            (instance $b (instantiate $back))
            (instance $f (instantiate $front
                (with "wasi:io/error@0.2.0" (instance $io-error))
                (with "wasi:io/streams@0.2.0" (instance $streams))
                (with "wasi:http/types@0.2.0" (instance $http))
                (with "test:back/asked" (instance $b "test:back/asked"))))
            (export "wasi:http/incoming-handler@0.2.0" (instance $f "wasi:http/incoming-handler@0.2.0")))"#
    );
    wat::parse_str(outer).unwrap()
}

#[tokio::test]
async fn components_of_one_upload_call_each_other() {
    let bench = Bench::new();
    let calls = "(call $is (call $same (i32.const 42)) (i32.const 42))
        (call $is (call $count (i32.const 1024) (i32.const 7)) (i32.const 7))
        (call $is (call $length (i32.const 1024) (i32.const 5)) (i32.const 5))";
    for metering in Metering::ALL {
        let worker = worker(bench.module(metering, composed(calls)).await);
        let (came, outcome) = run(&worker, Limits::DEFAULT, body::empty()).await;
        assert!(matches!(outcome.end, End::Failed(Failure::NoResponse(_))), "{came:?}: {:?}", outcome.end);
    }
}

/// Twenty-four megabytes, again and again.
const LONG_LISTS: &str = "(drop (memory.grow (i32.const 400)))
    (loop $again (drop (call $count (i32.const 1024) (i32.const 6000000))) (br $again))";

#[tokio::test]
async fn long_lists_between_components_are_stopped() {
    let bench = Bench::new();
    let worker = worker(bench.module(Metering::Time, composed(LONG_LISTS)).await);
    assert_stopped_and_cleared(&worker, body::empty, Duration::from_millis(8)).await;
}

#[tokio::test]
async fn fuel_counts_in_all_of_them() {
    let bench = Bench::new();
    let worker = worker(bench.module(Metering::Fuel, composed(LONG_LISTS)).await);
    let limits = Limits { fuel: Some(1_000_000), cpu: Duration::from_secs(20), ..Limits::DEFAULT };
    let (came, outcome) = run(&worker, limits, body::empty()).await;
    assert_eq!(outcome.end, End::Failed(Failure::ExceededFuel { limit: 1_000_000 }), "{came:?}");
}
