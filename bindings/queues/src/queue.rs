//! A queue, its settings, and who consumes it.

use serde::{Deserialize, Serialize};
use wasmyard_model::limits::queues as bounds;
use wasmyard_model::{QueueConsumerId, QueueId, QueueName, Timestamp};

use crate::error::QueueError;
use crate::limits::{MAX_BATCH, MAX_DELAY, MAX_VISIBILITY_MS};

/// A queue as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its identifier, which never changes.
    pub id: QueueId,
    /// Its name, which no other has.
    pub name: QueueName,
    /// How messages are kept and handed over.
    pub settings: QueueSettings,
    /// Who consumes it; a queue has one consumer at most.
    pub consumer: Option<Consumer>,
    /// When it was made.
    pub created: Timestamp,
    /// When its name, its settings or its consumer changed.
    pub modified: Timestamp,
    /// Messages that are there, handed over or not.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// How messages of a queue are kept and handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a message is not handed over that does not say so itself, in seconds.
    pub delivery_delay: u64,
    /// Whether no message is handed over at all.
    pub delivery_paused: bool,
    /// After how many seconds a message goes that nobody handled.
    pub retention: u64,
}

impl Default for QueueSettings {
    fn default() -> QueueSettings {
        QueueSettings { delivery_delay: 0, delivery_paused: false, retention: bounds::RETENTION_SECONDS }
    }
}

/// What is to change of a queue; none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueChange {
    /// Another name.
    pub name: Option<QueueName>,
    /// See [`QueueSettings`].
    pub delivery_delay: Option<u64>,
    /// See [`QueueSettings`].
    pub delivery_paused: Option<bool>,
    /// See [`QueueSettings`].
    pub retention: Option<u64>,
}

impl QueueChange {
    /// The settings with what changes of them.
    ///
    /// # Errors
    /// [`QueueError::Settings`] naming field, value and rule.
    pub fn of(&self, before: QueueSettings) -> Result<QueueSettings, QueueError> {
        let after = QueueSettings {
            delivery_delay: self.delivery_delay.unwrap_or(before.delivery_delay),
            delivery_paused: self.delivery_paused.unwrap_or(before.delivery_paused),
            retention: self.retention.unwrap_or(before.retention),
        };
        in_queue("delivery_delay", after.delivery_delay, 0, MAX_DELAY)?;
        let (least, most) = (bounds::MIN_RETENTION_SECONDS, bounds::MAX_RETENTION_SECONDS);
        in_queue("message_retention_period", after.retention, least, most)?;
        Ok(after)
    }
}

/// Who consumes a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its identifier.
    pub id: QueueConsumerId,
    /// What it is.
    pub kind: ConsumerKind,
    /// How messages are handed over to it.
    pub settings: ConsumerSettings,
    /// The queue that messages go to which came as often as they may.
    pub dead_letters: Option<QueueName>,
    /// When it became the consumer.
    pub created: Timestamp,
}

/// What a consumer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerKind {
    /// A script, by the text of its key.
    Worker(String),
    /// Whoever asks by the API.
    Pull,
}

impl ConsumerKind {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            ConsumerKind::Worker(script) => format!("the script \"{script}\""),
            ConsumerKind::Pull => "whoever pulls by HTTP".to_owned(),
        }
    }
}

/// How messages are handed over to a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerSettings {
    /// Messages of a batch at most; 10 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u64>,
    /// How long a batch waits until it is full, in milliseconds; 5000 where none is given. Scripts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_time_ms: Option<u64>,
    /// How often a message comes again; 3 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u64>,
    /// After how many seconds a message comes again that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<u64>,
    /// How many batches are handled at the same time; as many as there are places where none is given. Scripts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u64>,
    /// How long a pulled message stays away from others, in milliseconds; 30000 where none is given. Pulls alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_ms: Option<u64>,
}

impl ConsumerSettings {
    /// Messages of a batch at most.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch_size.and_then(|size| usize::try_from(size).ok()).unwrap_or(10).clamp(1, MAX_BATCH)
    }

    /// How long a batch waits until it is full, in milliseconds.
    #[must_use]
    pub fn wait_ms(&self) -> u64 {
        self.max_wait_time_ms.unwrap_or(5_000)
    }

    /// How often a message is handed over at most.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.max_retries.unwrap_or(3)).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// How long a pulled message stays away, in milliseconds.
    #[must_use]
    pub fn visibility_ms(&self) -> u64 {
        self.visibility_timeout_ms.unwrap_or(30_000)
    }

    fn check(&self, kind: &ConsumerKind) -> Result<(), QueueError> {
        let is_worker = matches!(kind, ConsumerKind::Worker(_));
        let rows = [
            ("batch_size", self.batch_size, 1, MAX_BATCH as u64, true),
            ("max_wait_time_ms", self.max_wait_time_ms, 0, bounds::WAIT_MS, is_worker),
            ("max_retries", self.max_retries, 0, bounds::RETRIES, true),
            ("retry_delay", self.retry_delay, 0, MAX_DELAY, true),
            ("max_concurrency", self.max_concurrency, 1, bounds::CONCURRENCY, is_worker),
            ("visibility_timeout_ms", self.visibility_timeout_ms, 1_000, MAX_VISIBILITY_MS, !is_worker),
        ];
        for (field, found, least, most, is_meant) in rows {
            let Some(found) = found else { continue };
            if !is_meant {
                let of = if is_worker { "worker" } else { "http_pull" };
                let text = format!("{field} means nothing for a consumer of the type {of}; leave it out");
                return Err(QueueError::Settings { of_consumer: true, text });
            }
            within(true, field, found, least, most)?;
        }
        Ok(())
    }
}

/// A consumer that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerWanted {
    /// What it is.
    pub kind: ConsumerKind,
    /// How messages are handed over to it.
    pub settings: ConsumerSettings,
    /// The queue of dead letters: made where there is none.
    pub dead_letters: Option<QueueName>,
}

impl ConsumerWanted {
    /// Checks it for a queue.
    ///
    /// # Errors
    /// [`QueueError::Settings`] naming field, value and rule.
    pub fn check(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.settings.check(&self.kind)?;
        if self.dead_letters.as_ref() == Some(queue) {
            let text = format!("the queue \"{queue}\" cannot be its own dead_letter_queue; name another");
            return Err(QueueError::Settings { of_consumer: true, text });
        }
        Ok(())
    }
}

/// What waits in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the oldest was sent, in milliseconds since 1970; zero where there is none.
    pub oldest_ms: u64,
}

fn in_queue(field: &str, found: u64, least: u64, most: u64) -> Result<(), QueueError> {
    within(false, field, found, least, most)
}

fn within(of_consumer: bool, field: &str, found: u64, least: u64, most: u64) -> Result<(), QueueError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let text = format!("{field} is {found}, and must be from {least} to {most}; give another number");
    Err(QueueError::Settings { of_consumer, text })
}
