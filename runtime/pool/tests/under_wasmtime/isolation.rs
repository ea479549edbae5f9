//! Whatever an instance wrote, wherever and however it ended, the next one in its slot reads zeros and its own data.

use proptest::prelude::*;
use wasmtime::{Engine, Module};

use super::{Live, PAGE, engine, module, pool};

/// What an instance's memory must look like at first: zeros, and data segments at their places.
struct Kind {
    module: Module,
    pages: usize,
    data: &'static [(usize, &'static str)],
}

fn kinds(engine: &Engine) -> Vec<Kind> {
    let kind = |pages: usize, data: &'static [(usize, &'static str)]| {
        let segments: String =
            data.iter().map(|(at, text)| format!("(data (i32.const {at}) \"{text}\")")).collect();
        let text = format!(
            r#"(module (memory (export "memory") {pages}) {segments}
                (func (export "trap") (param i32) (result i32) unreachable)
                (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
        );
        Kind { module: module(engine, &text), pages, data }
    };
    vec![
        kind(1, &[]),
        kind(1, &[(0, "first"), (65_530, "last")]),
        kind(17, &[(1 << 20, "behind the stack")]),
        kind(17, &[]),
        kind(40, &[(5, "x"), (39 * PAGE, "y")]),
        kind(0, &[]),
    ]
}

/// How an instance uses its memory before it goes.
#[derive(Debug, Clone)]
struct Use {
    kind: usize,
    /// Pages that it grows by.
    grows: u64,
    /// Where it writes: from so many pages on, so many bytes, every so often.
    from: usize,
    count: usize,
    step: usize,
    /// Whether it ends with a trap.
    traps: bool,
    /// How many others are alive meanwhile.
    beside: usize,
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one =
        (0..6_usize, 0..24_u64, 0..48_usize, 0..2_000_000_usize, 17..9_000_usize, any::<bool>(), 0..3_usize)
            .prop_map(|(kind, grows, from, count, step, traps, beside)| Use {
                kind,
                grows,
                from,
                count,
                step,
                traps,
                beside,
            });
    prop::collection::vec(one, 1..24)
}

#[track_caller]
fn check_fresh(live: &mut Live, kind: &Kind) {
    let mut expected = vec![0_u8; kind.pages * PAGE];
    for (at, text) in kind.data {
        expected[*at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let found = live.bytes();
    assert_eq!(found.len(), expected.len());
    // As wholes: byte by byte takes a debug build seconds.
    if found != expected {
        let at = found.iter().zip(&expected).position(|(found, expected)| found != expected).unwrap();
        panic!("byte {at:#x} is {:#x}", found[at]);
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes == vec![0; bytes.len()]
}

fn use_up(mut live: Live, how: &Use) {
    let before = live.bytes().len();
    if live.grow(how.grows).is_ok() {
        assert!(is_zero(&live.bytes()[before..]), "what it grew by is not zero");
    }
    let bytes = live.bytes();
    let from = (how.from * PAGE).min(bytes.len());
    for byte in bytes[from..].iter_mut().take(how.count).step_by(how.step) {
        *byte = 0x5a;
    }
    if how.traps {
        assert!(live.call("trap", 0).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_instance_begins_as_its_module_says(uses in uses()) {
        let pool = pool(4);
        let engine = engine(&pool);
        let kinds = kinds(&engine);
        for how in &uses {
            let beside: Vec<_> = (0..how.beside).map(|index| Live::of(&kinds[index].module).unwrap()).collect();
            let kind = &kinds[how.kind];
            let mut live = Live::of(&kind.module).unwrap();
            check_fresh(&mut live, kind);
            use_up(live, how);
            drop(beside);
        }
        prop_assert_eq!(pool.memories_lent(), 0);
    }
}

#[test]
fn what_fills_a_whole_slot_is_gone_for_every_size_that_comes_after() {
    let pool = pool(1);
    let engine = engine(&pool);
    let kinds = kinds(&engine);
    for first in &kinds {
        for second in &kinds {
            let mut live = Live::of(&first.module).unwrap();
            live.grow(128 - first.pages as u64).unwrap();
            live.bytes().fill(0xff);
            drop(live);
            let mut live = Live::of(&second.module).unwrap();
            check_fresh(&mut live, second);
            live.grow(128 - second.pages as u64).unwrap();
            assert!(is_zero(&live.bytes()[second.pages * PAGE..]));
        }
    }
}

#[test]
fn two_engines_share_slots_and_find_nothing_of_each_other() {
    let pool = pool(1);
    let engines = [engine(&pool), engine(&pool)];
    for _ in 0..3 {
        for engine in &engines {
            let kind = &kinds(engine)[2];
            let mut live = Live::of(&kind.module).unwrap();
            check_fresh(&mut live, kind);
            live.bytes().fill(0x5a);
        }
    }
}

#[test]
fn a_memory_that_the_kernel_paged_out_is_forgotten_as_well() {
    // Without swap the kernel keeps everything, and this says no more than others do: `scripts/swap-test.sh` is the one
    // that makes swap.
    let pool = pool(1);
    let engine = engine(&pool);
    let kinds = kinds(&engine);
    for kind in &kinds {
        let mut live = Live::of(&kinds[4].module).unwrap();
        live.bytes().fill(0x5a);
        page_out(live.bytes());
        drop(live);
        check_fresh(&mut Live::of(&kind.module).unwrap(), kind);
    }
}

#[expect(unsafe_code, reason = "madvise")]
fn page_out(bytes: &mut [u8]) {
    // SAFETY: the advice changes no content.
    unsafe { libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), libc::MADV_PAGEOUT) };
}

#[test]
fn tables_begin_empty_however_they_were_filled() {
    let pool = pool(1);
    let engine = engine(&pool);
    let filled = module(
        &engine,
        r#"(module (memory (export "memory") 1) (table (export "t") 100 1000 funcref) (elem (i32.const 0) $f)
            (func $f (export "fill") (param i32) (result i32)
                (drop (table.grow 0 (ref.func $f) (i32.const 400)))
                (table.fill 0 (i32.const 0) (ref.func $f) (i32.const 500)) (i32.const 0)))"#,
    );
    let empty = module(
        &engine,
        r#"(module (memory (export "memory") 1) (table 500 500 funcref)
            (func (export "held") (param i32) (result i32) (i32.eqz (ref.is_null (table.get 0 (local.get 0))))))"#,
    );
    for _ in 0..4 {
        let mut live = Live::of(&filled).unwrap();
        live.call("fill", 0).unwrap();
        drop(live);
        let mut live = Live::of(&empty).unwrap();
        assert!((0..500).all(|index| live.call("held", index).unwrap() == 0));
    }
}
