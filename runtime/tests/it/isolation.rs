//! What one guest wrote, however it ended, no other finds: neither in its memory nor in what it grows by. The slots
//! are the pool's (`runtime/pool` has the tests of each page); here whole components go through them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{End, Failure, Host, Worker, body};

use crate::bench::{Bench, Kept, Wat, fetch, invocation, request, run};

const LIMITS: Limits = Limits { cpu: Duration::from_millis(200), ..Limits::DEFAULT };
/// Where what the tests' workers need themselves ends.
const FREE: u32 = 40_960;
const DATA: &str = "its own data";

/// Grows to so many pages, fills what it has, and then does something.
fn filling(pages: u32, then: &str) -> Wat<'static> {
    let body = format!(
        "(drop (memory.grow (i32.const {})))
        (memory.fill (i32.const {FREE}) (i32.const 90) (i32.sub (i32.const {}) (i32.const {FREE})))
        {then}",
        pages - 1,
        pages << 16,
    );
    Wat { body: body.leak(), ..Wat::default() }
}

/// Grows to so many pages, and answers with as many bytes as it found that are not zero.
fn looking(pages: u32, module: &'static str) -> Wat<'static> {
    let body = format!(
        "(local $response i32) (local $body i32) (local $stream i32) (local $at i32) (local $found i32)
        (drop (memory.grow (i32.const {})))
        (local.set $at (i32.const {FREE}))
        (loop $next
            (if (i32.load8_u (local.get $at))
                (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const {}))))
        (if (i32.gt_u (local.get $found) (i32.const 1000)) (then (local.set $found (i32.const 1000))))
        (local.set $response (call $response (call $fields)))
        (call $body (local.get $response) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $write (local.get $body) (i32.const 0))
        (local.set $stream (i32.load (i32.const 4)))
        (call $send (local.get $stream) (i32.const 1024) (local.get $found) (i32.const 0))
        (call $drop-stream (local.get $stream))
        (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))",
        pages - 1,
        pages << 16,
    );
    Wat { module, body: body.leak(), ..Wat::default() }
}

const SPIN: &str = "(loop $again (br $again))";

async fn check(looks: &[(Arc<Worker>, usize)], after: &str) {
    for (look, data) in looks {
        let (came, outcome) = run(look, LIMITS, body::empty()).await;
        assert_eq!(came, Ok(*data), "{after}: {:?}", outcome.end);
    }
}

#[tokio::test]
async fn however_a_guest_ends_the_next_one_finds_zeros_and_its_own_data() {
    let bench = Bench::new();
    let with_data = "(data (i32.const 50000) \"its own data\")";
    let mut looks = Vec::new();
    for (pages, module, data) in
        [(1, "", 0), (1, with_data, DATA.len()), (41, "", 0), (41, with_data, DATA.len())]
    {
        looks.push((bench.worker(looking(pages, module)).await, data));
    }
    check(&looks, "nothing").await;
    for pages in [1, 17, 64] {
        for (then, ends) in
            [("", "an end without an answer"), ("(unreachable)", "a trap"), (SPIN, "its budget")]
        {
            let fill = bench.worker(filling(pages, then)).await;
            // Each finds the slot as the filling one left it: the slot that was used last is the next.
            for look in &looks {
                let (_, outcome) = run(&fill, LIMITS, body::empty()).await;
                assert!(matches!(outcome.end, End::Failed(_)), "{:?}", outcome.end);
                check(std::slice::from_ref(look), ends).await;
            }
        }
        let fill = bench.worker(filling(pages, SPIN)).await;
        for look in &looks {
            let kept = Arc::new(Kept::default()) as Arc<dyn Host>;
            let mut left = Box::pin(fetch(&fill, invocation(LIMITS, kept), request(body::empty())));
            assert!((&mut left).now_or_never().is_none(), "it computes, and yields at the first tick");
            drop(left);
            check(std::slice::from_ref(look), "being left").await;
        }
    }
}

#[tokio::test]
async fn guests_whose_fuel_is_counted_have_the_same_slots_and_find_nothing_either() {
    let bench = Bench::with_instances(1);
    let fills = [bench.worker(filling(64, "")).await, bench.fuelled(filling(64, "")).await];
    let looks = [(bench.worker(looking(64, "")).await, 0), (bench.fuelled(looking(64, "")).await, 0)];
    let fuel = Limits { fuel: Some(1 << 40), ..LIMITS };
    for (fill, fill_limits) in fills.iter().zip([LIMITS, fuel]) {
        for ((look, data), look_limits) in looks.iter().zip([LIMITS, fuel]) {
            let (_, outcome) = run(fill, fill_limits, body::empty()).await;
            assert!(matches!(outcome.end, End::Failed(_)), "{:?}", outcome.end);
            let (came, outcome) = run(look, look_limits, body::empty()).await;
            assert_eq!(came, Ok(*data), "{:?}", outcome.end);
        }
    }
}

#[tokio::test]
async fn when_every_slot_is_taken_the_next_invocation_is_told_to_come_again() {
    let bench = Bench::with_instances(1);
    let spins = bench.worker(filling(2, SPIN)).await;
    let look = bench.worker(looking(2, "")).await;
    let kept = Arc::new(Kept::default()) as Arc<dyn Host>;
    let mut first = Box::pin(fetch(&spins, invocation(LIMITS, kept), request(body::empty())));
    assert!((&mut first).now_or_never().is_none());
    let (_, outcome) = run(&look, LIMITS, body::empty()).await;
    assert!(matches!(outcome.end, End::Failed(Failure::Overloaded { .. })), "{:?}", outcome.end);
    drop(first);
    check(&[(look, 0)], "there is one again").await;
}
