//! Queues of messages: what stands behind a queue binding, and behind whoever consumes.
//!
//! Owns the rules of queues, consumers and messages, their limits, and the embedded store. Whoever acts for a script, for the
//! API or for deliveries does it through [`Queues`], so that a rule stands once; a [`Store`] only keeps what it is given. A
//! message is there until somebody says that it was handled, or until its queue's retention is over: at least once, never
//! lost. Must never know a guest, a request or who asks, and never runs anything.
//!
//! # Layout
//! - [`limits`]: what one queue may hold, and how large its parts may be
//! - [`queue`]: a queue, its settings, its consumer
//! - [`message`]: what is sent, what is handed over, what becomes of it
//! - [`service`]: the rules, and how much may be under way
//! - [`store`], [`sqlite`]: where it is kept

pub mod error;
pub mod limits;
pub mod message;
pub mod queue;
pub mod service;
pub mod sqlite;
pub mod store;

mod stirred;
mod turns;

pub use error::QueueError;
pub use limits::QueueLimits;
pub use message::{ContentType, LeaseId, Leased, MessageId, NewMessage, Settled, Settlement};
pub use queue::{
    Backlog, Consumer, ConsumerKind, ConsumerSettings, ConsumerWanted, Queue, QueueChange, QueueSettings,
};
pub use service::{QueueHandle, Queues};
pub use sqlite::SqliteQueues;
pub use store::{Due, Handed, Holder, Lease, Store};
