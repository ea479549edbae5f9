//! How large an event may be that is handed to a script, requests aside.
//!
//! Owns the numbers. Never counts anything: `runtime/src/event` does.

use super::row::LimitRow;
use super::row::LimitScope::Event;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Messages of a queue that are handed over together.
pub const QUEUE_BATCH: usize = 100;
/// Largest message, in bytes.
pub const QUEUE_MESSAGE_BYTES: usize = 128 << 10;
/// Longest name of a queue, id and content type of a message, in bytes.
pub const QUEUE_NAME_BYTES: usize = 256;
/// Longest time that a message may be told to stay away, in seconds.
pub const QUEUE_RETRY_SECONDS: u32 = 24 * 60 * 60;
/// Invocations that are told of together.
pub const TAIL_BATCH: usize = 100;
/// Bytes of all that is told of them.
pub const TAIL_BYTES: u64 = 8 << 20;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Event, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("queue_batch", Count, QUEUE_BATCH as u64, "Messages of a queue that are handed over together."),
    row("queue_message_bytes", Bytes, QUEUE_MESSAGE_BYTES as u64, "Body of one message."),
    row(
        "queue_name_bytes",
        Bytes,
        QUEUE_NAME_BYTES as u64,
        "Name of a queue; id and content type of a message.",
    ),
    row(
        "queue_retry_ms",
        Milliseconds,
        QUEUE_RETRY_SECONDS as u64 * 1_000,
        "Time that a message may be told to stay away before it comes again.",
    ),
    row("tail_batch", Count, TAIL_BATCH as u64, "Invocations that a tail handler is told of together."),
    row("tail_bytes", Bytes, TAIL_BYTES, "All that a tail handler is told at once."),
];
