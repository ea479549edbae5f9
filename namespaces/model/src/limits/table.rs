//! The table of limits, for the documentation and for range checks.
//!
//! Owns the row of each limit. Never holds a number that differs from the constant it describes: the
//! tests compare both.

use std::sync::LazyLock;

use super::row::LimitRow;
use super::row::LimitScope::{self, Invocation, Server, Upload};
use super::row::Unit::{self, Bytes, Count, Fuel, Milliseconds};
use super::{
    MAX_BINDINGS, MAX_COMPONENT_BYTES, MAX_CRONS, MAX_REQUEST_HEADER_BYTES, MAX_REQUEST_HEADERS, MAX_TAGS,
    MAX_VAR_BYTES, MAX_VARS, alerting, cache, component, d1, events, hostnames, kv, queues, r2,
    secret_stores,
};

/// All limits, those of an invocation first.
#[must_use]
pub fn table() -> &'static [LimitRow] {
    static WHOLE: LazyLock<Vec<LimitRow>> = LazyLock::new(|| {
        [
            TABLE,
            component::ROWS,
            kv::ROWS,
            d1::ROWS,
            hostnames::ROWS,
            alerting::ROWS,
            events::ROWS,
            queues::ROWS,
            r2::ROWS,
            cache::ROWS,
            secret_stores::ROWS,
        ]
        .concat()
    });
    &WHOLE
}

const fn row(
    name: &'static str,
    scope: LimitScope,
    unit: Unit,
    default: Option<u64>,
    range: (u64, u64),
    doc: &'static str,
) -> LimitRow {
    LimitRow { name, scope, unit, default, min: range.0, ceiling: range.1, doc }
}

const TABLE: &[LimitRow] = &[
    row("cpu_ms", Invocation, Milliseconds, Some(50), (1, 30_000), "CPU time of one invocation."),
    row("fuel", Invocation, Fuel, None, (1, u64::MAX), "Deterministic instruction budget of one invocation."),
    row("subrequests", Invocation, Count, Some(50), (1, 1_000), "Subrequests of one invocation."),
    row(
        "memory_bytes",
        Invocation,
        Bytes,
        Some(128 << 20),
        (64 << 10, 512 << 20),
        "Linear memory and tables of one invocation together.",
    ),
    row(
        "first_byte_ms",
        Invocation,
        Milliseconds,
        Some(30_000),
        (1, 300_000),
        "Wall-clock time from the start of an invocation to the head of its response.",
    ),
    row(
        "stream_idle_ms",
        Invocation,
        Milliseconds,
        Some(60_000),
        (100, 3_600_000),
        "Longest pause of a streaming body; while it makes progress there is no time limit.",
    ),
    row("depth", Invocation, Count, Some(8), (1, 16), "Scripts in a chain of scripts calling scripts."),
    row(
        "concurrent_subrequests",
        Invocation,
        Count,
        Some(6),
        (1, 64),
        "Subrequests of one invocation under way at the same time.",
    ),
    row(
        "log_bytes",
        Invocation,
        Bytes,
        Some(256 << 10),
        (1 << 10, 4 << 20),
        "Log output kept of one invocation; what is beyond is dropped, and one mark says so.",
    ),
    row(
        "event_cpu_ms",
        Invocation,
        Milliseconds,
        Some(30_000),
        (1, 900_000),
        "CPU time of one invocation for an event that is no request, such as a cron trigger. Who sets `cpu_ms` and not \
         this limits both.",
    ),
    row(
        "event_wall_ms",
        Invocation,
        Milliseconds,
        Some(900_000),
        (1, 900_000),
        "Wall-clock time of one invocation for an event that is no request.",
    ),
    row(
        "storage_bytes",
        Invocation,
        Bytes,
        None,
        (0, u64::MAX),
        "Bytes that a KV namespace, a database, a bucket or a queue may hold for a script to put more into it; what makes \
         it smaller is always taken.",
    ),
    row(
        "storage_entries",
        Invocation,
        Count,
        None,
        (0, u64::MAX),
        "Keys, objects or messages that a KV namespace, a bucket or a queue may hold for a script to put more into it.",
    ),
    row(
        "request_header_bytes",
        Server,
        Bytes,
        Some(MAX_REQUEST_HEADER_BYTES),
        (1 << 10, 256 << 10),
        "Head of a request: request line and header fields.",
    ),
    row(
        "request_headers",
        Server,
        Count,
        Some(MAX_REQUEST_HEADERS),
        (8, 1_024),
        "Header fields of a request.",
    ),
    row(
        "component_bytes",
        Upload,
        Bytes,
        Some(MAX_COMPONENT_BYTES),
        (1, MAX_COMPONENT_BYTES),
        "Component of a version.",
    ),
    row("tags", Upload, Count, Some(MAX_TAGS as u64), (0, MAX_TAGS as u64), "Tags on a script."),
    row(
        "vars",
        Upload,
        Count,
        Some(MAX_VARS as u64),
        (0, MAX_VARS as u64),
        "Texts, JSON values and secrets of a version.",
    ),
    row("var_bytes", Upload, Bytes, Some(MAX_VAR_BYTES as u64), (0, MAX_VAR_BYTES as u64), "One variable."),
    row(
        "crons",
        Upload,
        Count,
        Some(MAX_CRONS as u64),
        (0, MAX_CRONS as u64),
        "Cron expressions of a script.",
    ),
    row(
        "bindings",
        Upload,
        Count,
        Some(MAX_BINDINGS as u64),
        (0, MAX_BINDINGS as u64),
        "Bindings of a version, variables among them.",
    ),
];
