//! What queues may hold, and how large their parts may be. The numbers are in the one table of limits,
//! `namespaces/model/src/limits/queues.rs`; here they have the types that they are compared with.

use wasmyard_model::limits::{events, queues};

/// The largest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = events::QUEUE_MESSAGE_BYTES;
/// The most messages that are handed over together.
pub const MAX_BATCH: usize = events::QUEUE_BATCH;
/// The most bytes that are handed over together, where that is more than one message.
pub const MAX_BATCH_BYTES: u64 = queues::BATCH_BYTES;
/// The most messages that are sent together.
pub const MAX_SEND: usize = queues::SEND_MESSAGES as usize;
/// The most bytes that are sent together.
pub const MAX_SEND_BYTES: usize = queues::SEND_BYTES as usize;
/// The longest delay, in seconds.
pub const MAX_DELAY: u64 = queues::DELAY_SECONDS;
/// The longest time that a pulled message stays away, in milliseconds.
pub const MAX_VISIBILITY_MS: u64 = queues::VISIBILITY_MS;

/// Bounds on what is kept, and on what is under way.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// How many queues there may be.
    pub queues: u64,
    /// Messages of one queue.
    pub messages: u64,
    /// Bytes of one queue.
    pub bytes: u64,
    /// Sends to one queue under way at the same time.
    pub at_once_per_queue: usize,
    /// Sends to one queue that wait; one more is refused.
    pub waiting_per_queue: usize,
}

impl Default for QueueLimits {
    fn default() -> QueueLimits {
        QueueLimits {
            queues: queues::QUEUES,
            messages: queues::MESSAGES,
            bytes: queues::QUEUE_BYTES,
            at_once_per_queue: queues::AT_ONCE as usize,
            waiting_per_queue: queues::WAITING as usize,
        }
    }
}
