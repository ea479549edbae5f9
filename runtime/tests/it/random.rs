//! Programs that nobody wrote: whatever they do, they end within their limits, and who runs them goes on. Made
//! from fixed seeds, so that a finding can be repeated. `fuzz/fuzz_targets/component.rs` goes on without an end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::{CompileJob, Metering, ModuleError, compile, start_up};

use crate::bench::{Bench, Wat, run, worker};

/// Programs in all.
const SEEDS: u64 = 120;
/// Damaged components in all.
const DAMAGED: u64 = 400;

/// SplitMix64: small, fixed, and good enough to choose with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// A number that is often one at an edge.
    fn number(&mut self) -> i32 {
        let edges = [0, 1, -1, 4, 65_535, 65_536, i32::MAX, i32::MIN];
        if self.below(2) == 0 { edges[self.below(edges.len())] } else { self.next() as u32 as i32 }
    }

    /// Text that leaves an i32.
    fn value(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(2) {
                0 => format!("(i32.const {})", self.number()),
                _ => format!("(local.get {})", self.below(4)),
            };
        }
        let [left, right] = [self.value(depth - 1), self.value(depth - 1)];
        match self.below(7) {
            0 | 1 => {
                let operators =
                    ["add", "sub", "mul", "div_s", "div_u", "rem_s", "and", "shl", "rotr", "lt_u"];
                format!("(i32.{} {left} {right})", self.one(&operators))
            }
            2 => format!("(i32.load{} {left})", self.one(&["", "8_s", "16_u"])),
            3 => {
                format!("(i32.trunc_f64_s (f64.div (f64.convert_i32_s {left}) (f64.convert_i32_u {right})))")
            }
            4 => format!("(select {left} {right} (local.get 1))"),
            5 => format!("(call $f{} {left} {right})", self.below(4)),
            _ => format!("(memory.grow (i32.and {left} (i32.const 1023)))"),
        }
    }

    /// Text that leaves nothing. `labels` is how many blocks can be left.
    fn step(&mut self, depth: usize, labels: usize) -> String {
        let value = self.value(2);
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => format!("(local.set {} {value})", self.below(4)),
            1 => format!("(i32.store {value} {})", self.value(1)),
            2 => format!("(drop {value})"),
            3 if labels > 0 => format!("(br_if {} {value})", self.below(labels)),
            3 => "(nop)".to_owned(),
            4 => format!("(drop (call_indirect (type $t) {value} (local.get 0) {}))", self.value(1)),
            5 => format!("(block {})", self.steps(depth - 1, labels + 1)),
            6 => format!("(loop {})", self.steps(depth - 1, labels + 1)),
            7 => format!("(if {value} (then {}))", self.steps(depth - 1, labels + 1)),
            _ => format!("(memory.fill {value} (i32.const 1) {})", self.value(1)),
        }
    }

    fn steps(&mut self, depth: usize, labels: usize) -> String {
        (0..=self.below(4)).fold(String::new(), |all, _| all + &self.step(depth, labels))
    }

    /// A worker with four functions that call each other and a handler that calls one of them.
    fn worker(&mut self) -> Vec<u8> {
        let mut module = String::from(
            "(type $t (func (param i32 i32) (result i32))) (table 8 funcref) (elem (i32.const 0) $f0 $f1 $f2 $f3)",
        );
        for name in 0..4 {
            let body = self.steps(3, 0);
            let result = self.value(2);
            write!(module, "(func $f{name} (type $t) (local i32 i32) {body} {result})").unwrap();
        }
        if self.below(8) == 0 {
            module += "(start $begin) (func $begin (drop (call $f0 (i32.const 1) (i32.const 2))))";
        }
        let body = "(drop (call $f0 (i32.const 1) (i32.const 2)))
            (call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i64.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
        Wat { module: &module, body, ..Wat::default() }.component()
    }
}

#[tokio::test]
async fn whatever_a_program_does_it_ends_within_its_limits() {
    let limits = Limits { cpu: Duration::from_millis(20), memory_bytes: 16 << 20, ..Limits::DEFAULT };
    let bench = Bench::new();
    // Answers only if nothing of anybody else is in its memory.
    let looks = include_str!("../../../tests/harness/src/looks_at_memory.wat");
    let neighbour = bench.worker(Wat { body: looks, ..Wat::default() }).await;
    let mut ends = BTreeMap::<String, u32>::new();
    for seed in 0..SEEDS {
        let module = bench.module(Metering::Time, Random(seed).worker()).await;
        let begun = Instant::now();
        if let Err(failure) = start_up(&module, &limits).await {
            *ends.entry(format!("start-up: {}", failure.kind())).or_default() += 1;
        } else {
            let (_, outcome) = run(&worker(module), limits, wasmyard_runtime::body::empty()).await;
            *ends.entry(outcome.end.label().to_owned()).or_default() += 1;
            assert!(outcome.usage.peak_memory_bytes <= limits.memory_bytes, "seed {seed}: {outcome:?}");
        }
        // Wall-clock time on a machine that does much else: a program that was not stopped would run for ever.
        assert!(begun.elapsed() < Duration::from_secs(30), "seed {seed}");
        let (came, _) = run(&neighbour, limits, wasmyard_runtime::body::empty()).await;
        assert_eq!(came, Ok(0), "after seed {seed}");
    }
    // The programs are worth running: they end in more ways than one.
    assert!(ends.len() >= 3, "{ends:?}");
}

#[test]
fn a_damaged_component_is_refused_or_compiled_and_nothing_else() {
    let whole = Wat::default().component();
    let mut compiled = 0;
    for seed in 0..DAMAGED {
        let mut random = Random(seed);
        let mut damaged = whole.clone();
        for _ in 0..=random.below(4) {
            let at = 8 + random.below(damaged.len() - 8);
            match random.below(3) {
                0 => damaged[at] = random.next() as u8,
                1 => damaged[at] ^= 1 << random.below(8),
                _ => damaged.truncate(at + 1),
            }
            if damaged.len() <= 9 {
                break;
            }
        }
        let job = CompileJob {
            metering: if seed % 2 == 0 { Metering::Time } else { Metering::Fuel },
            max_memory_bytes: 16 << 20,
            threads: 1,
            in_background: false,
            javascript: None,
            component: damaged.into(),
        };
        match compile(&job) {
            Ok(_) => compiled += 1,
            Err(ModuleError::Invalid(_) | ModuleError::OtherWasi(_) | ModuleError::Bound(_)) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!((1..DAMAGED / 2).contains(&compiled), "{compiled} of {DAMAGED}");
}
