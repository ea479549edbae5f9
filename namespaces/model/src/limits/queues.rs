//! What one queue may hold, and how its consumer may be set. The bounds of a batch as a script is handed it are in `events.rs`.
//!
//! Owns the numbers. Never counts anything: `bindings/queues` does.

use super::row::LimitRow;
use super::row::LimitScope::Queue;
use super::row::Unit::{self, Bytes, Count, Milliseconds};

/// Queues of the platform.
pub const QUEUES: u64 = 10_000;
/// Longest name of a queue, in bytes.
pub const NAME_BYTES: u64 = 63;
/// Messages that wait in one queue.
pub const MESSAGES: u64 = 1_000_000;
/// Bytes that wait in one queue.
pub const QUEUE_BYTES: u64 = 1 << 30;
/// Messages that are sent together.
pub const SEND_MESSAGES: u64 = 100;
/// Bytes that are sent together.
pub const SEND_BYTES: u64 = 256 << 10;
/// Longest delay of a message, in seconds.
pub const DELAY_SECONDS: u64 = 86_400;
/// Shortest time that a message waits for a consumer before it goes, in seconds.
pub const MIN_RETENTION_SECONDS: u64 = 60;
/// Longest such time, in seconds.
pub const MAX_RETENTION_SECONDS: u64 = 1_209_600;
/// Such a time where none is asked for, in seconds.
pub const RETENTION_SECONDS: u64 = 345_600;
/// Longest time that a batch waits until it is full, in milliseconds.
pub const WAIT_MS: u64 = 60_000;
/// Most retries of a message.
pub const RETRIES: u64 = 100;
/// Most batches of a queue that are handled at the same time.
pub const CONCURRENCY: u64 = 250;
/// Longest time that a pulled message stays away from others, in milliseconds.
pub const VISIBILITY_MS: u64 = 43_200_000;
/// Bytes of one batch that is handed over, where it has more than one message.
pub const BATCH_BYTES: u64 = 4 << 20;
/// Sends to one queue under way at the same time.
pub const AT_ONCE: u64 = 64;
/// Sends to one queue that wait.
pub const WAITING: u64 = 256;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Queue, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("queues", Count, QUEUES, "Queues of the platform."),
    row("queue_messages", Count, MESSAGES, "Messages that wait in one queue."),
    row("queue_bytes", Bytes, QUEUE_BYTES, "Bodies of the messages that wait in one queue."),
    row("queue_send_messages", Count, SEND_MESSAGES, "Messages that are sent together."),
    row("queue_send_bytes", Bytes, SEND_BYTES, "Bodies of messages that are sent together."),
    row("queue_delay_ms", Milliseconds, DELAY_SECONDS * 1_000, "Delay of a message that is sent."),
    LimitRow {
        name: "queue_retention_ms",
        scope: Queue,
        unit: Milliseconds,
        default: Some(RETENTION_SECONDS * 1_000),
        min: MIN_RETENTION_SECONDS * 1_000,
        ceiling: MAX_RETENTION_SECONDS * 1_000,
        doc: "Time that a message waits for a consumer before it goes.",
    },
    row("queue_batch_bytes", Bytes, BATCH_BYTES, "Bodies of a batch of more than one message."),
    row("queue_wait_ms", Milliseconds, WAIT_MS, "Time that a batch waits until it is full."),
    row("queue_retries", Count, RETRIES, "Retries of a message."),
    row("queue_concurrency", Count, CONCURRENCY, "Batches of one queue that are handled at the same time."),
    row(
        "queue_visibility_ms",
        Milliseconds,
        VISIBILITY_MS,
        "Time that a pulled message stays away from others.",
    ),
    row("queue_at_once", Count, AT_ONCE, "Sends to one queue under way at the same time."),
    row("queue_waiting", Count, WAITING, "Sends to one queue that wait; one more is refused."),
];
