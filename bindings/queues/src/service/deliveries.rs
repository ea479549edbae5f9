//! Messages handed over, to whoever pulls and to whoever delivers, and what becomes of them.

use wasmyard_model::QueueId;

use super::Queues;
use crate::error::QueueError;
use crate::limits::{MAX_BATCH, MAX_BATCH_BYTES, MAX_VISIBILITY_MS};
use crate::message::{LeaseId, Leased, Settled, Settlement};
use crate::queue::ConsumerKind;
use crate::store::{Due, Handed, Holder, Lease};

impl Queues {
    /// Hands messages over to whoever pulls. Which of those that came too often before went is counted.
    ///
    /// # Errors
    /// [`QueueError::Paused`], [`QueueError::NotPulled`], [`QueueError::Invalid`], [`QueueError::NotFound`]; the store's failure.
    pub async fn pull(
        &self,
        id: &QueueId,
        batch: Option<u64>,
        visibility_ms: Option<u64>,
    ) -> Result<Handed, QueueError> {
        let queue = self.queue(id).await?;
        let pulled = queue.consumer.as_ref().filter(|consumer| consumer.kind == ConsumerKind::Pull);
        let Some(consumer) = pulled else { return Err(QueueError::NotPulled(queue.name)) };
        if queue.settings.delivery_paused {
            return Err(QueueError::Paused(queue.name));
        }
        let messages = batch.unwrap_or(consumer.settings.batch() as u64);
        let visibility = visibility_ms.unwrap_or(consumer.settings.visibility_ms());
        for (field, found, least, most) in [
            ("batch_size", messages, 1, MAX_BATCH as u64),
            ("visibility_timeout_ms", visibility, 0, MAX_VISIBILITY_MS),
        ] {
            if !(least..=most).contains(&found) {
                return Err(QueueError::Invalid(format!(
                    "{field} is {found}, and must be from {least} to {most}; give another number"
                )));
            }
        }
        let now = self.now();
        self.lease(
            id,
            Lease {
                holder: Holder::Pull,
                messages: usize::try_from(messages).unwrap_or(MAX_BATCH),
                bytes: MAX_BATCH_BYTES,
                until: now.saturating_add(visibility),
                now,
            },
        )
        .await
    }

    /// The oldest messages of a queue, whoever has them; nothing is handed over.
    ///
    /// # Errors
    /// [`QueueError::Invalid`], [`QueueError::NotFound`], or the store's failure.
    pub async fn peek(&self, id: &QueueId, limit: u64) -> Result<Vec<Leased>, QueueError> {
        match usize::try_from(limit).ok().filter(|limit| (1..=MAX_BATCH).contains(limit)) {
            Some(limit) => self.store()?.peek(id, limit).await,
            None => Err(QueueError::Invalid(format!(
                "batch_size is {limit}, and must be from 1 to {MAX_BATCH}; give another number"
            ))),
        }
    }

    /// Hands messages over.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure.
    pub async fn lease(&self, id: &QueueId, lease: Lease) -> Result<Handed, QueueError> {
        let mut handed = self.store()?.lease(id, lease).await?;
        self.shared.stirred.add(std::mem::take(&mut handed.stirred));
        tell(id, handed.over.dropped);
        Ok(handed)
    }

    /// Says what becomes of messages that were handed over.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure: then nothing was changed.
    pub async fn settle(
        &self,
        id: &QueueId,
        settlements: Vec<(LeaseId, Settlement)>,
    ) -> Result<Settled, QueueError> {
        let (settled, stirred) = self.store()?.settle(id, settlements, self.now()).await?;
        self.shared.stirred.add(stirred);
        tell(id, settled.dropped);
        Ok(settled)
    }

    /// When a batch is due for the script that consumes a queue; none where none does.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn due(&self, id: &QueueId) -> Result<Option<Due>, QueueError> {
        self.store()?.due(id).await
    }

    /// Queues that may have something new for a script since the last call: waits until there are some.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn stirred(&self) -> Vec<QueueId> {
        self.shared.stirred.next().await
    }

    /// Has whoever delivers look at a queue.
    pub fn look_at(&self, id: &QueueId) {
        self.shared.stirred.add([id.clone()]);
    }
}

/// Says that messages went which nobody handled.
fn tell(queue: &QueueId, dropped: u64) {
    if dropped > 0 {
        tracing::warn!(%queue, dropped, "messages came as often as they may, and went: there is no queue of dead letters");
    }
}
