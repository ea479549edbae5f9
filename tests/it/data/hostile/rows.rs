//! The table of attacks: who, what, and how it must end.

use crate::support::wat;

/// How an invocation fails, as everybody sees it.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) status: u16,
    pub(super) code: u64,
    /// On the page.
    pub(super) reason: &'static str,
    /// On the page, where it is a limit.
    pub(super) limit: Option<&'static str>,
    /// In the log and the metrics.
    pub(super) outcome: &'static str,
}

const fn end(status: u16, code: u64, reason: &'static str, outcome: &'static str) -> Option<End> {
    Some(End { status, code, reason, limit: None, outcome })
}

const fn limit(status: u16, reason: &'static str, outcome: &'static str, limit: &'static str) -> Option<End> {
    Some(End { status, code: 1102, reason, limit: Some(limit), outcome })
}

const TRAP: Option<End> = end(500, 1101, "exception", "exception");
const CPU: Option<End> = limit(503, "exceeded_cpu", "exceededCpu", "CPU time 100 ms");
const LATE: Option<End> = limit(504, "timed_out", "exceededWallTime", "time to first byte 0.3 s");

/// One request of a visitor, and what comes of it.
pub(super) struct Attack {
    pub(super) host: &'static str,
    pub(super) path: &'static str,
    /// None where it does no harm: then there is an answer.
    pub(super) end: Option<End>,
    pub(super) answer: &'static str,
}

const fn attack(host: &'static str, path: &'static str, end: Option<End>) -> Attack {
    Attack { host, path, end, answer: "" }
}

const fn harmless(path: &'static str, answer: &'static str) -> Attack {
    Attack { host: "guest.test", path, end: None, answer }
}

/// Attacks that take a program: `tests/guests/hostile`.
pub(super) const GUEST: &[Attack] = &[
    attack("guest.test", "/clock-storm", limit(503, "exceeded_cpu", "exceededCpu", "CPU time 300 ms")),
    attack("guest.test", "/log-storm", limit(503, "exceeded_cpu", "exceededCpu", "CPU time 300 ms")),
    harmless("/log-flood", "flooded\n"),
    attack("guest.test", "/header-flood", TRAP),
    attack("guest.test", "/wide-header", TRAP),
    harmless("/unread", "unread\n"),
    attack("guest.test", "/resources", TRAP),
    attack("guest.test", "/pollables", TRAP),
    attack("guest.test", "/grow", limit(503, "exceeded_memory", "exceededMemory", "memory 32 MiB")),
    harmless("/fan-out", "50 of 300\n"),
    attack("hurried.test", "/never", LATE),
    attack("hurried.test", "/pending", LATE),
];

/// A script of its own, written in WAT.
pub(super) struct Written {
    pub(super) script: &'static str,
    /// Its limits, as in `wasmyard.toml`.
    pub(super) limits: &'static str,
    pub(super) component: fn() -> Vec<u8>,
    pub(super) end: Option<End>,
}

impl Written {
    pub(super) fn attack(&self) -> Attack {
        // The name of the host is the script's.
        Attack { host: self.host(), path: "/", end: self.end, answer: "" }
    }

    fn host(&self) -> &'static str {
        Box::leak(format!("{}.test", self.script).into_boxed_str())
    }
}

const fn row(
    script: &'static str,
    limits: &'static str,
    component: fn() -> Vec<u8>,
    end: Option<End>,
) -> Written {
    Written { script, limits, component, end }
}

const fn trap(script: &'static str, component: fn() -> Vec<u8>) -> Written {
    row(script, "", component, TRAP)
}

/// 512 pages.
const MEMORY: &str = "memory = \"32MiB\"";
const EXCEEDED_32: Option<End> = limit(503, "exceeded_memory", "exceededMemory", "memory 32 MiB");

/// Attacks on the machine.
pub(super) const WRITTEN: &[Written] = &[
    trap("unreachable", || wat::custom("", "unreachable")),
    trap("division", || wat::custom("", "(drop (i32.div_u (i32.const 1) (i32.const 0)))")),
    trap("overflow", || wat::custom("", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))")),
    trap("conversion", || wat::custom("", "(drop (i32.trunc_f32_s (f32.const nan)))")),
    trap("load", || wat::custom("", "(drop (i32.load (i32.const -4)))")),
    trap("store", || wat::custom("", "(i64.store (i32.const 0x7fffffff) (i64.const 1))")),
    trap("bulk", || wat::custom("", "(memory.fill (i32.const 65530) (i32.const 0) (i32.const 100))")),
    trap("table-out", || wat::custom("(table 1 funcref)", "(call_indirect (i32.const 7))")),
    trap("table-null", || wat::custom("(table 1 funcref)", "(call_indirect (i32.const 0))")),
    trap("table-type", || {
        wat::custom(
            "(table 1 funcref) (elem (i32.const 0) $f) (func $f (result i64) i64.const 0)",
            "(call_indirect (i32.const 0))",
        )
    }),
    trap("recursion", || wat::custom("(func $down (call $down))", "(call $down)")),
    // Frames that each take as much of the stack as a frame can.
    trap("fat-recursion", || {
        let locals = " i64".repeat(2_000);
        let sum = (0..2_000).fold(String::new(), |all, n| {
            all + &format!("(local.set {n} (i64.add (local.get {n}) (i64.load (i32.const {n}))))")
        });
        let used = (0..2_000).fold(String::from("(i64.const 0)"), |all, n| {
            if n % 100 == 0 { format!("(i64.add {all} (local.get {n}))") } else { all }
        });
        wat::custom(
            &format!("(func $down (result i64) (local{locals}) {sum} (i64.add (call $down) {used}))"),
            "(drop (call $down))",
        )
    }),
    trap("no-handle", || wat::custom("", "(call $drop-stream (i32.const 12345))")),
    trap("handle-twice", || {
        wat::custom(
            "",
            "(local $r i32) (local.set $r (call $response (call $fields))) (call $body (local.get $r) (i32.const 0)) (call $drop-stream (local.get $r))",
        )
    }),
    trap("handles", || wat::custom("", "(loop (drop (call $fields)) (br 0))")),
    trap("wild-pointer", || {
        wat::custom("", "(local $b i32) (call $body (call $response (call $fields)) (i32.const -1))")
    }),
    row("silent", "", wat::silent, end(500, 1101, "no_response", "noResponse")),
    row("spin", "cpu_ms = 100", || wat::custom("", "(loop (br 0))"), CPU),
    row(
        "spin-in-bulk",
        "cpu_ms = 100",
        || wat::custom("", "(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0))"),
        CPU,
    ),
    row(
        "spin-in-calls",
        "cpu_ms = 100",
        || wat::custom("(func $f)", "(loop (call $f) (call $f) (call $f) (br 0))"),
        CPU,
    ),
    // It writes to a body that belongs to no answer yet, so that nobody can read.
    row(
        "waits-for-nobody",
        "first_byte_ms = 300",
        || {
            wat::custom(
                "",
                "(local $s i32)
                (call $body (call $response (call $fields)) (i32.const 0))
                (call $write (i32.load (i32.const 4)) (i32.const 0))
                (local.set $s (i32.load (i32.const 4)))
                (loop (call $send (local.get $s) (i32.const 0) (i32.const 100) (i32.const 0)) (br 0))",
            )
        },
        LATE,
    ),
    // One page is there already, and three are left for what the host holds, of which two are for an open body:
    // all of it counts.
    row(
        "memory-to-the-ceiling",
        MEMORY,
        || {
            wat::answers_after(
                "",
                "(if (i32.ne (memory.grow (i32.const 508)) (i32.const 1)) (then unreachable))
            (i32.store8 (i32.const 0x1fcffff) (i32.const 1))",
            )
        },
        None,
    ),
    row(
        "memory-a-step-past",
        MEMORY,
        || wat::answers_after("", "(drop (memory.grow (i32.const 511))) (drop (memory.grow (i32.const 1)))"),
        EXCEEDED_32,
    ),
    // What is left would do for the guest alone, but an open body takes more: at this step, not at the next look.
    row(
        "memory-that-the-host-holds",
        MEMORY,
        || {
            wat::custom(
                "",
                "(call $body (call $response (call $fields)) (i32.const 0)) (drop (memory.grow (i32.const 510)))",
            )
        },
        EXCEEDED_32,
    ),
    row(
        "memory-4-gib",
        MEMORY,
        || wat::answers_after("", "(drop (memory.grow (i32.const 65535)))"),
        EXCEEDED_32,
    ),
    // 64 KiB of memory, and 8 bytes for each element.
    row(
        "table",
        "memory = \"128KiB\"",
        || {
            wat::answers_after(
                "(table $t 0 funcref)",
                "(drop (table.grow $t (ref.null func) (i32.const 8193)))",
            )
        },
        limit(503, "exceeded_memory", "exceededMemory", "memory 128 KiB"),
    ),
    // The same is left for the host here.
    row(
        "table-to-the-ceiling",
        "memory = \"320KiB\"",
        || {
            wat::answers_after(
                "(table $t 0 funcref)",
                "(if (table.grow $t (ref.null func) (i32.const 15000)) (then unreachable))",
            )
        },
        None,
    ),
];
