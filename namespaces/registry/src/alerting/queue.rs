//! What waits to be sent, and what was.
//!
//! Owns the queues: what a change of a hostname says is written together with the change, so that neither a crash nor
//! another node loses it, and a queue belongs to one destination and one hostname, so that it is told in order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{HISTORY, made};
use crate::collection::{Collection, PAGE, Transaction};
use crate::error::RegistryError;
use crate::{Inner, Registry, Result};
use wasmyard_model::alerting::{self, AlertEvent, AlertPolicy, AlertRecord, Webhook};
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::ids::{AlertEventId, AlertPolicyId, WebhookId};
use wasmyard_model::limits::alerting as limits;

/// What waits to be sent, by the queue's key and its place in it.
const DELIVERIES: Collection<Delivery> = Collection::at("alert-delivery/");

/// The kind of the jobs that send. The key is that of a queue.
pub const WEBHOOK_DELIVERY: &str = "webhook-delivery";

/// Something that waits to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Delivery {
    event: AlertEvent,
    policy: AlertPolicyId,
    policy_name: String,
    webhook: WebhookId,
    /// How often it was tried.
    #[serde(default)]
    tries: u32,
}

/// The first of a queue, with where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct DueDelivery {
    id: String,
    delivery: Delivery,
    /// Where.
    pub webhook: Webhook,
}

impl DueDelivery {
    /// What.
    #[must_use]
    pub fn event(&self) -> &AlertEvent {
        &self.delivery.event
    }

    /// How often it was tried before.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.delivery.tries
    }
}

impl Registry {
    /// The first that waits in a queue; none when it is empty. What waits for a destination that is gone is forgotten.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn due_delivery(&self, queue: &str) -> Result<Option<DueDelivery>> {
        let inner = &self.inner;
        loop {
            let Some(seen) = inner.log.page(&DELIVERIES, &within(queue), None, 1).await?.pop() else {
                return Ok(None);
            };
            let id = seen.id().to_owned();
            let found = match seen.whole() {
                Some(delivery) => match self.webhook(&delivery.webhook).await {
                    Ok(webhook) => Some(DueDelivery { id, delivery, webhook }),
                    Err(RegistryError::Alert(_)) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            match inner.log.commit(&transaction).await {
                Ok(_) | Err(RegistryError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Notes that a delivery was taken or, with a reason, given up: the next one of its queue is the first.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn end_delivery(&self, due: &DueDelivery, error: Option<String>) -> Result<()> {
        let inner = &self.inner;
        let now = inner.clock().now();
        let Delivery { event, policy, policy_name, webhook, .. } = due.delivery.clone();
        let key = format!("{:020}-{}-{webhook}", now.unix_micros(), event.id);
        let record = AlertRecord { event, policy, policy_name, webhook, sent: now, error };
        let seen = inner.log.read(&DELIVERIES, &due.id).await?;
        if seen.exists() {
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            transaction.put_with(&seen, &HISTORY, &key, &record)?;
            match inner.log.commit(&transaction).await {
                Ok(_) | Err(RegistryError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            inner.trim_history().await?;
        }
        self.note_outcome(&record.webhook, record.error.is_none()).await
    }

    /// Notes that a delivery was tried in vain, and stays the first of its queue.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn put_off_delivery(&self, due: &DueDelivery) -> Result<()> {
        let seen = self.inner.log.read(&DELIVERIES, &due.id).await?;
        if let Some(delivery) = seen.record()? {
            let tries = delivery.tries.saturating_add(1);
            let mut transaction = Transaction::default();
            transaction.put(&seen, &Delivery { tries, ..delivery })?;
            match self.inner.log.commit(&transaction).await {
                Ok(_) | Err(RegistryError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.note_outcome(&due.webhook.id, false).await
    }

    async fn note_outcome(&self, id: &WebhookId, success: bool) -> Result<()> {
        let now = self.inner.clock().now();
        let noted = self.change_webhook(id, |before| match success {
            true => Webhook { last_success: Some(now), ..before },
            false => Webhook { last_failure: Some(now), ..before },
        });
        match noted.await {
            Ok(_) | Err(RegistryError::Alert(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The ids of what waits in a queue start with it.
fn within(queue: &str) -> String {
    format!("{queue}/")
}

impl Inner {
    /// Adds to a transaction what a change of a hostname says of its certificate, for all who are told of it.
    pub(crate) async fn tell_of_certificate(
        &self,
        transaction: &mut Transaction,
        before: &CustomHostname,
        after: Option<&CustomHostname>,
    ) -> Result<()> {
        let policies = self.alerts.load();
        let mut told: BTreeMap<&WebhookId, &AlertPolicy> = BTreeMap::new();
        for policy in policies.iter().filter(|policy| policy.is_about(&before.zone)) {
            // Whoever is named by two policies is told once.
            for webhook in &policy.webhooks {
                told.entry(webhook).or_insert(policy);
            }
        }
        if told.is_empty() {
            return Ok(());
        }
        let (now, mut events) = (self.clock().now(), Vec::new());
        for (kind, data) in alerting::events(before, after) {
            let (id, zone) = (made(AlertEventId::parse)?, before.zone.clone());
            events.push(AlertEvent { id, kind, created_at: now, zone, data });
        }
        if events.is_empty() {
            return Ok(());
        }
        for (webhook, policy) in told {
            self.enqueue(transaction, before, webhook, policy, &events).await?;
        }
        Ok(())
    }

    async fn enqueue(
        &self,
        transaction: &mut Transaction,
        hostname: &CustomHostname,
        webhook: &WebhookId,
        policy: &AlertPolicy,
        events: &[AlertEvent],
    ) -> Result<()> {
        let queue = format!("{webhook}:{}", hostname.id);
        let waiting = self.log.page(&DELIVERIES, &within(&queue), None, limits::QUEUE).await?;
        if waiting.len() + events.len() > limits::QUEUE {
            tracing::warn!(
                %webhook, hostname = %hostname.name,
                "an event is not sent: {} wait already for a webhook that takes nothing", waiting.len()
            );
            return Ok(());
        }
        let last = waiting.last().and_then(|seen| seen.id().rsplit('/').next()?.parse::<u64>().ok());
        let mut place = last.unwrap_or(0);
        for event in events {
            place += 1;
            let free = self.log.read(&DELIVERIES, &format!("{}{place:020}", within(&queue))).await?;
            let delivery = Delivery {
                event: event.clone(),
                policy: policy.id.clone(),
                policy_name: policy.name.clone(),
                webhook: webhook.clone(),
                tries: 0,
            };
            transaction.put(&free, &delivery)?;
        }
        self.job_stays(transaction, WEBHOOK_DELIVERY, &queue).await
    }

    async fn trim_history(&self) -> Result<()> {
        let count = self.log.count(&HISTORY, "").await?;
        let over = usize::try_from(count.saturating_sub(limits::HISTORY)).unwrap_or(PAGE).min(PAGE);
        if over == 0 {
            return Ok(());
        }
        let mut transaction = Transaction::default();
        for seen in self.log.page(&HISTORY, "", None, over).await? {
            transaction.delete(&seen);
        }
        match self.log.commit(&transaction).await {
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
