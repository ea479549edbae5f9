//! One queue, as whoever sends to it has it: the rules of messages.

use std::sync::Arc;

use wasmyard_model::QueueName;
use wasmyard_model::limits::StorageQuota;

use super::{Shared, drawn};
use crate::error::QueueError;
use crate::limits::{MAX_DELAY, MAX_MESSAGE_BYTES, MAX_SEND, MAX_SEND_BYTES, QueueLimits};
use crate::message::NewMessage;
use crate::store::Sent;
use crate::turns::Own;

/// One queue, as whoever is bound to it sends to it: it leads to no other.
#[derive(Clone, Debug)]
pub struct QueueHandle {
    name: QueueName,
    /// How long its messages are delayed, in seconds, where they do not say so themselves.
    delay: Option<u64>,
    quota: StorageQuota,
    own: Arc<Own>,
    shared: Arc<Shared>,
}

impl QueueHandle {
    pub(super) fn new(
        name: QueueName,
        delay: Option<u32>,
        own: Arc<Own>,
        shared: Arc<Shared>,
    ) -> QueueHandle {
        QueueHandle { name, delay: delay.map(u64::from), quota: StorageQuota::default(), own, shared }
    }

    /// The same for somebody who may fill it only so far.
    #[must_use]
    pub fn within(self, quota: StorageQuota) -> QueueHandle {
        QueueHandle { quota, ..self }
    }

    /// What it may hold.
    fn limits(&self) -> QueueLimits {
        let limits = self.shared.limits;
        let (messages, bytes) = (self.quota.entries_of(limits.messages), self.quota.bytes_of(limits.bytes));
        QueueLimits { messages, bytes, ..limits }
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &QueueName {
        &self.name
    }

    /// Sends messages, all or none. They are durable when this returns. It goes to its end even if nobody waits for that any
    /// more: what it takes up is free when it is over, and whoever leaves early gains nothing.
    ///
    /// # Errors
    /// [`QueueError`] for what breaks a rule, [`QueueError::NameNotFound`], [`QueueError::Quota`], [`QueueError::Busy`]; the
    /// store's failure.
    pub async fn send(&self, messages: Vec<NewMessage>) -> Result<(), QueueError> {
        let sent = self.checked(messages)?;
        if sent.is_empty() {
            return Ok(());
        }
        let turn = self.own.turn().await?;
        let (name, limits, shared) = (self.name.clone(), self.limits(), Arc::clone(&self.shared));
        let under_way = tokio::spawn(async move {
            let done = shared.store()?.send(&name, sent, shared.now(), &limits).await;
            drop(turn);
            shared.stirred.add(done?);
            Ok(())
        });
        under_way.await.map_err(|error| QueueError::store("finish a send", error))?
    }

    fn checked(&self, messages: Vec<NewMessage>) -> Result<Vec<Sent>, QueueError> {
        let found = messages.len();
        if found > MAX_SEND {
            return Err(QueueError::Invalid(format!(
                "{found} messages are sent together, and at most {MAX_SEND} may be; send them in parts"
            )));
        }
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        within("the batch", bytes, MAX_SEND_BYTES)?;
        let sent = messages.into_iter().map(|NewMessage { content_type, body, delay }| {
            within("the message", body.len(), MAX_MESSAGE_BYTES)?;
            let delay = delay.or(self.delay);
            if let Some(delay) = delay.filter(|delay| *delay > MAX_DELAY) {
                return Err(QueueError::Invalid(format!(
                    "delay_seconds is {delay}, and must be from 0 to {MAX_DELAY}; give another number"
                )));
            }
            Ok(Sent { id: drawn()?, content_type, body, delay })
        });
        sent.collect()
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), QueueError> {
    if found > most {
        return Err(QueueError::TooLarge { what, found: found as u64, most: most as u64 });
    }
    Ok(())
}
