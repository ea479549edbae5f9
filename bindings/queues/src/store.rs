//! Where queues are kept, as a trait: embedded today, a server that many nodes share one day.
//!
//! A store keeps what it is given and counts it; the rules were checked before. What it has answered for must survive the process
//! and the machine's power. It must never let anything of one queue be seen through another, and never hand one message over
//! twice at the same time. Times are milliseconds since 1970.

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_model::{QueueConsumerId, QueueId, QueueName};

use crate::error::QueueError;
use crate::limits::QueueLimits;
use crate::message::{ContentType, LeaseId, Leased, MessageId, Settled, Settlement};
use crate::queue::{Backlog, Consumer, Queue, QueueChange};

/// A message to be kept.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its name.
    pub id: MessageId,
    /// What its body is.
    pub content_type: ContentType,
    /// What was sent.
    pub body: Bytes,
    /// How long it is not to be handed over, in seconds; none leaves that to the queue.
    pub delay: Option<u64>,
}

/// For whom messages are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Whoever pulls: the lease lasts whatever becomes of this process.
    Pull,
    /// A script that this process runs: the lease ends with the process.
    Worker,
}

/// What is to be handed over, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// For whom.
    pub holder: Holder,
    /// How many messages at most.
    pub messages: usize,
    /// How many bytes at most, where it is more than one message.
    pub bytes: u64,
    /// When the messages are there again if nobody says what became of them.
    pub until: u64,
    /// The present.
    pub now: u64,
}

/// What was handed over.
#[derive(Debug, Default)]
pub struct Handed {
    /// The messages.
    pub messages: Vec<Leased>,
    /// Those that came as often as they may before, and what became of them.
    pub over: Settled,
    /// Queues that messages went to for that, and that a script consumes.
    pub stirred: Vec<QueueId>,
}

/// When a batch is due for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The queue's name.
    pub queue: QueueName,
    /// Who consumes.
    pub consumer: Consumer,
    /// When the next batch is due; none while nothing waits, or while delivery is paused.
    pub at: Option<u64>,
}

/// Keeps queues. Every operation fails with [`QueueError::Full`] or [`QueueError::Store`] where the store does, and with
/// [`QueueError::NotFound`] or [`QueueError::NameNotFound`] where the queue is not there.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes a queue.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`], [`QueueError::Quota`] for too many of them.
    async fn create(&self, queue: &Queue, most: u64) -> Result<(), QueueError>;

    /// Changes a queue's name and settings.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`], [`QueueError::Settings`].
    async fn change(&self, id: &QueueId, change: QueueChange, now: u64) -> Result<Queue, QueueError>;

    /// Deletes a queue with all that is in it, and its consumer.
    ///
    /// # Errors
    /// See the trait.
    async fn delete(&self, id: &QueueId) -> Result<(), QueueError>;

    /// A queue by its identifier.
    ///
    /// # Errors
    /// See the trait.
    async fn queue(&self, id: &QueueId) -> Result<Option<Queue>, QueueError>;

    /// A queue by its name.
    ///
    /// # Errors
    /// See the trait.
    async fn named(&self, name: &QueueName) -> Result<Option<Queue>, QueueError>;

    /// Queues whose names come after `after`, by their names.
    ///
    /// # Errors
    /// See the trait.
    async fn queues(&self, after: Option<&str>, limit: usize) -> Result<Vec<Queue>, QueueError>;

    /// How many queues there are.
    ///
    /// # Errors
    /// See the trait.
    async fn count(&self) -> Result<u64, QueueError>;

    /// Gives a queue its consumer: in place of the one with the id `of`, or where there is none. The queue of dead letters is
    /// made where there is none: `dead` is what it is then.
    ///
    /// # Errors
    /// [`QueueError::ConsumerTaken`], [`QueueError::ConsumerNotFound`], [`QueueError::Quota`].
    async fn set_consumer(
        &self,
        id: &QueueId,
        of: Option<&QueueConsumerId>,
        consumer: Consumer,
        dead: Option<Queue>,
        most: u64,
    ) -> Result<Consumer, QueueError>;

    /// Takes a queue's consumer away.
    ///
    /// # Errors
    /// [`QueueError::ConsumerNotFound`].
    async fn remove_consumer(
        &self,
        id: &QueueId,
        consumer: &QueueConsumerId,
        now: u64,
    ) -> Result<(), QueueError>;

    /// Queues that a script whose key begins with `prefix` consumes, by their names: all of them where the prefix is empty.
    ///
    /// # Errors
    /// See the trait.
    async fn consumed(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Queue>, QueueError>;

    /// Queues whose consumers name this one as that of dead letters.
    ///
    /// # Errors
    /// See the trait.
    async fn dead_letters_of(&self, name: &QueueName, limit: usize) -> Result<Vec<QueueName>, QueueError>;

    /// Keeps messages, all or none. They are durable when this returns. Says which queue it is, if a script consumes it.
    ///
    /// # Errors
    /// [`QueueError::Quota`].
    async fn send(
        &self,
        name: &QueueName,
        messages: Vec<Sent>,
        now: u64,
        limits: &QueueLimits,
    ) -> Result<Option<QueueId>, QueueError>;

    /// When a batch is due for the script that consumes a queue; none where none does.
    ///
    /// # Errors
    /// See the trait.
    async fn due(&self, id: &QueueId) -> Result<Option<Due>, QueueError>;

    /// Hands messages over: the longest due first. What came as often as it may, and what is too old, goes.
    ///
    /// # Errors
    /// See the trait.
    async fn lease(&self, id: &QueueId, lease: Lease) -> Result<Handed, QueueError>;

    /// Says what becomes of messages that were handed over. A lease that is over changes nothing, and is counted. Names queues
    /// that messages went to and that a script consumes.
    ///
    /// # Errors
    /// See the trait.
    async fn settle(
        &self,
        id: &QueueId,
        settlements: Vec<(LeaseId, Settlement)>,
        now: u64,
    ) -> Result<(Settled, Vec<QueueId>), QueueError>;

    /// The oldest messages of a queue, whoever has them; nothing is handed over.
    ///
    /// # Errors
    /// See the trait.
    async fn peek(&self, id: &QueueId, limit: usize) -> Result<Vec<Leased>, QueueError>;

    /// Removes all messages of a queue.
    ///
    /// # Errors
    /// See the trait.
    async fn purge(&self, id: &QueueId) -> Result<u64, QueueError>;

    /// What waits in a queue.
    ///
    /// # Errors
    /// See the trait.
    async fn backlog(&self, id: &QueueId) -> Result<Backlog, QueueError>;

    /// Notes that a script is about to be bound to a queue. What is noted may be stale, and is never missing.
    ///
    /// # Errors
    /// See the trait.
    async fn bind(&self, name: &QueueName, script: &str) -> Result<(), QueueError>;

    /// Scripts that were noted, after `after`.
    ///
    /// # Errors
    /// See the trait.
    async fn bound(&self, id: &QueueId, after: Option<&str>, limit: usize)
    -> Result<Vec<String>, QueueError>;

    /// Forgets that a script was bound.
    ///
    /// # Errors
    /// See the trait.
    async fn unbind(&self, id: &QueueId, script: &str) -> Result<(), QueueError>;

    /// Notes every script that was noted under a key that begins with `from`, under the key that begins with `to`, too.
    ///
    /// # Errors
    /// See the trait.
    async fn rebind(&self, from: &str, to: &str) -> Result<(), QueueError>;

    /// Scripts whose keys began with `from` have keys that begin with `to`: they are the consumers still.
    ///
    /// # Errors
    /// See the trait.
    async fn move_consumers(&self, from: &str, to: &str) -> Result<(), QueueError>;

    /// Takes away the consumers that are scripts whose keys begin with `prefix`: they are gone.
    ///
    /// # Errors
    /// See the trait.
    async fn forget(&self, prefix: &str) -> Result<u64, QueueError>;

    /// Removes some of what is too old, and of what belonged to deleted queues. Says how many; none is left when that is zero.
    ///
    /// # Errors
    /// See the trait.
    async fn sweep(&self, now: u64) -> Result<u64, QueueError>;

    /// Brings everything to its place, before the process ends.
    async fn close(&self);
}
