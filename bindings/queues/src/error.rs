//! Why something cannot be done with queues.
//!
//! Owns the one error of the crate. Its texts are safe to show, but for those of [`QueueError::is_internal`], which are for the
//! log. Must never hold a message.

use wasmyard_model::{QueueConsumerId, QueueId, QueueName};

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is no queue with this id.
    #[error("there is no queue with the id \"{0}\"; list the queues for those there are")]
    NotFound(QueueId),
    /// There is no queue of this name.
    #[error("there is no queue \"{0}\"; list the queues for those there are")]
    NameNotFound(QueueName),
    /// Another queue has that name.
    #[error("a queue \"{0}\" exists already; choose another name")]
    NameTaken(QueueName),
    /// The queue has no such consumer.
    #[error("the queue has no consumer with the id \"{0}\"; list its consumers for the one there is")]
    ConsumerNotFound(QueueConsumerId),
    /// The queue has a consumer already.
    #[error(
        "the queue \"{queue}\" has a consumer already, {consumer}; a queue has one, so remove that first"
    )]
    ConsumerTaken {
        /// The queue.
        queue: QueueName,
        /// Who it is, in words.
        consumer: String,
    },
    /// What was given breaks a rule; the text names field, value and remedy.
    #[error("{0}")]
    Invalid(String),
    /// Settings of a queue or of a consumer break a rule; the text names field, value and remedy.
    #[error("{text}")]
    Settings {
        /// Whether they are a consumer's.
        of_consumer: bool,
        /// The rule.
        text: String,
    },
    /// Something is larger than it may be.
    #[error(
        "{what} has {found} bytes, and at most {most} are allowed; make it shorter, or send less at once"
    )]
    TooLarge {
        /// What: a message, all messages of a send.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        most: u64,
    },
    /// The queue, or the platform, holds as much as it may.
    #[error(
        "there are as many {unit} as there may be: {limit} is {most}; have messages consumed, or delete some"
    )]
    Quota {
        /// The limit's name.
        limit: &'static str,
        /// What it counts.
        unit: &'static str,
        /// The limit.
        most: u64,
    },
    /// Too much is under way in this queue.
    #[error("too many sends to this queue wait already ({most} may); try again in a moment")]
    Busy {
        /// How many may wait.
        most: usize,
    },
    /// The queue's deliveries are paused.
    #[error("delivery of the queue \"{0}\" is paused; resume it to have its messages")]
    Paused(QueueName),
    /// The queue is consumed in another way.
    #[error("the queue \"{0}\" has no consumer that pulls; give it one of the type http_pull")]
    NotPulled(QueueName),
    /// The disk is full.
    #[error("the disk is full: messages cannot be written; make room on it")]
    Full,
    /// The store failed.
    #[error("the store of queues could not {action}: {source}")]
    Store {
        /// What it was to do.
        action: &'static str,
        /// Why it could not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl QueueError {
    /// A failure of the store.
    pub fn store(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> QueueError {
        QueueError::Store { action, source: source.into() }
    }

    /// Whether the text is for the log alone.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, QueueError::Store { .. })
    }
}
