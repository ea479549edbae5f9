//! Notifications: webhooks and policies, and the sending of what waits.
//!
//! Owns what is sent, when it is tried again and when it is given up. How a request goes out, and whether it may, is a
//! [`Courier`]'s. Must never log an address with its query, which may hold a secret, nor the secret itself.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_namespaces::alerting::{
    AlertPolicy, AlertRecord, AlertType, Webhook, check_name, check_secret, check_url,
};
use wasmyard_namespaces::ids::{AlertPolicyId, WebhookId, ZoneId};
use wasmyard_namespaces::limits::alerting as limits;
use wasmyard_namespaces::registry::DueDelivery;
use wasmyard_namespaces::{Secret, Timestamp};

use crate::{Control, ControlError, Result};

/// The account that there is, in the form that clients insist on.
pub const ACCOUNT: &str = "00000000000000000000000000000000";

/// Brings a JSON body to an address.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Whether it was taken: answered with a status of success.
    ///
    /// # Errors
    /// Why not, in words that are safe to show to who named the address.
    async fn post(&self, url: &str, secret: Option<&Secret>, body: Bytes) -> std::result::Result<(), String>;
}

/// How often something is sent before it is given up.
const TRIES: u32 = 20;
/// How long is waited after the first failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// A webhook as somebody wants it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookWanted {
    /// What it is called.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// What they carry; none: as before, `Some(None)`: nothing.
    pub secret: Option<Option<Secret>>,
}

impl fmt::Debug for WebhookWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookWanted").field("name", &self.name).finish_non_exhaustive()
    }
}

impl WebhookWanted {
    fn check(&self) -> Result<()> {
        check_name(&self.name).map_err(ControlError::Invalid)?;
        check_url(&self.url).map_err(ControlError::Invalid)?;
        let secret = self.secret.as_ref().and_then(Option::as_ref);
        secret.map_or(Ok(()), check_secret).map_err(ControlError::Invalid)
    }
}

/// A policy as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWanted {
    /// What it is called.
    pub name: String,
    /// A note.
    pub description: String,
    /// Whether anybody is told.
    pub enabled: bool,
    /// Of what.
    pub alert_type: AlertType,
    /// Who.
    pub webhooks: Vec<WebhookId>,
    /// The zones that it is about; none: all.
    pub zones: BTreeSet<ZoneId>,
}

impl PolicyWanted {
    fn check(&self) -> Result<()> {
        check_name(&self.name).map_err(ControlError::Invalid)?;
        if self.webhooks.len() > limits::POLICY_WEBHOOKS {
            let rule = format!("mechanisms: a policy tells {} webhooks at most", limits::POLICY_WEBHOOKS);
            return Err(ControlError::Invalid(rule));
        }
        if self.zones.len() > limits::POLICY_ZONES || self.description.len() > 1_024 {
            let rule = "a policy names 1000 zones at most, and its description has 1024 bytes at most";
            return Err(ControlError::Invalid(rule.to_owned()));
        }
        Ok(())
    }

    fn policy(&self, id: AlertPolicyId, created: Timestamp, modified: Timestamp) -> AlertPolicy {
        let PolicyWanted { name, description, enabled, alert_type, webhooks, zones } = self.clone();
        AlertPolicy { id, name, description, enabled, alert_type, webhooks, zones, created, modified }
    }
}

impl Control {
    /// The same use cases, with somebody who brings notifications to where they go.
    #[must_use]
    pub fn with_courier(mut self, courier: Arc<dyn Courier>) -> Control {
        self.courier = Some(courier);
        self
    }

    /// Makes a webhook, when it takes a test message.
    ///
    /// # Errors
    /// A rule that is broken; that it did not take the message; or the registry's refusal or failure.
    pub async fn create_webhook(&self, wanted: &WebhookWanted) -> Result<Webhook> {
        wanted.check()?;
        let secret = wanted.secret.clone().flatten();
        self.test_webhook(&wanted.name, &wanted.url, secret.as_ref()).await?;
        let webhook = self.registry.create_webhook(&wanted.name, &wanted.url, secret).await?;
        tracing::info!(webhook = %webhook.id, "webhook made");
        Ok(webhook)
    }

    /// Makes another webhook of one, when it takes a test message.
    ///
    /// # Errors
    /// As [`Control::create_webhook`]; that it is not there.
    pub async fn change_webhook(&self, id: &WebhookId, wanted: &WebhookWanted) -> Result<Webhook> {
        wanted.check()?;
        let before = self.registry.webhook(id).await?;
        let secret = wanted.secret.clone().unwrap_or(before.secret);
        self.test_webhook(&wanted.name, &wanted.url, secret.as_ref()).await?;
        let change = |before: Webhook| Webhook {
            name: wanted.name.clone(),
            url: wanted.url.clone(),
            secret: secret.clone(),
            ..before
        };
        let webhook = self.registry.change_webhook(id, change).await?;
        tracing::info!(webhook = %webhook.id, "webhook changed");
        Ok(webhook)
    }

    /// Deletes a webhook that no policy names.
    ///
    /// # Errors
    /// The registry's refusal or failure.
    pub async fn delete_webhook(&self, id: &WebhookId) -> Result<()> {
        self.registry.delete_webhook(id).await?;
        tracing::info!(webhook = %id, "webhook deleted");
        Ok(())
    }

    async fn test_webhook(&self, name: &str, url: &str, secret: Option<&Secret>) -> Result<()> {
        let text = format!("This is a test message of Wasmyard. The webhook \"{name}\" is set up.");
        let body = serde_json::json!({ "text": text }).to_string();
        self.send(url, secret, body).await.map_err(ControlError::NotTaken)
    }

    async fn send(
        &self,
        url: &str,
        secret: Option<&Secret>,
        body: String,
    ) -> std::result::Result<(), String> {
        match &self.courier {
            Some(courier) => courier.post(url, secret, Bytes::from(body)).await,
            None => Err("this server sends nothing".to_owned()),
        }
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// A rule that is broken, a webhook or zone that is not there; or the registry's refusal or failure.
    pub async fn create_policy(&self, wanted: &PolicyWanted) -> Result<AlertPolicy> {
        wanted.check()?;
        self.zones_are_there(&wanted.zones)?;
        let now = self.now();
        let policy = self.registry.create_alert_policy(|id| wanted.policy(id, now, now)).await?;
        tracing::info!(policy = %policy.id, "notification policy made");
        Ok(policy)
    }

    /// Makes another policy of one.
    ///
    /// # Errors
    /// As [`Control::create_policy`]; that it is not there.
    pub async fn change_policy(&self, id: &AlertPolicyId, wanted: &PolicyWanted) -> Result<()> {
        wanted.check()?;
        self.zones_are_there(&wanted.zones)?;
        let now = self.now();
        let change = |before: AlertPolicy| wanted.policy(before.id, before.created, now);
        self.registry.change_alert_policy(id, change).await?;
        tracing::info!(policy = %id, "notification policy changed");
        Ok(())
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// That it is not there; or the registry's failure.
    pub async fn delete_policy(&self, id: &AlertPolicyId) -> Result<()> {
        self.registry.delete_alert_policy(id).await?;
        tracing::info!(policy = %id, "notification policy deleted");
        Ok(())
    }

    fn zones_are_there(&self, zones: &BTreeSet<ZoneId>) -> Result<()> {
        zones.iter().try_for_each(|zone| self.zone(zone).map(drop))
    }

    /// What was sent and what was given up, the newest first.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn alert_history(&self) -> Result<Vec<AlertRecord>> {
        Ok(self.registry.alert_history().await?)
    }

    /// Sends what waits in a queue, in order, until it is empty or something is not taken. Returns how long to wait before
    /// the next attempt; none when nothing waits. Something may be sent twice, under the same id, when the process ends in
    /// the middle.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn deliver(&self, queue: &str) -> Result<Option<Duration>> {
        while let Some(due) = self.registry.due_delivery(queue).await? {
            let body = due.event().body(ACCOUNT).to_string();
            let sent = self.send(&due.webhook.url, due.webhook.secret.as_ref(), body).await;
            if let Some(pause) = self.note_delivery(&due, sent).await? {
                return Ok(Some(pause));
            }
        }
        Ok(None)
    }

    async fn note_delivery(
        &self,
        due: &DueDelivery,
        sent: std::result::Result<(), String>,
    ) -> Result<Option<Duration>> {
        let (webhook, event, tries) = (&due.webhook.id, due.event().kind, due.tries());
        let Err(reason) = sent else {
            self.registry.end_delivery(due, None).await?;
            return Ok(None);
        };
        if tries + 1 >= TRIES {
            tracing::error!(%webhook, %event, tries, reason, "an event is given up: the webhook does not take it");
            self.registry.end_delivery(due, Some(reason)).await?;
            return Ok(None);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
        tracing::warn!(%webhook, %event, tries, reason, pause_seconds = pause.as_secs(), "a webhook does not take an event");
        self.registry.put_off_delivery(due).await?;
        Ok(Some(pause))
    }
}
