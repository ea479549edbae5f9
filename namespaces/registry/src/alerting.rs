//! Who is told of what happens to certificates.
//!
//! Owns the destinations and the policies; what waits to be sent is its part `queue`. Must never send anything: whoever
//! works on the jobs does.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::collection::{ATTEMPTS, Collection, Seen, Transaction, step_aside};
use super::follow::Follow;
use super::{Inner, Registry, RegistryEvent, Result};
use crate::alert_error::AlertError;
use crate::error::RegistryError;
use wasmyard_model::alerting::{AlertPolicy, AlertRecord, Webhook};
use wasmyard_model::ids::{AlertPolicyId, IdError, WebhookId};
use wasmyard_model::limits::alerting as limits;
use wasmyard_model::secret::Secret;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Revision;

pub use queue::{DueDelivery, WEBHOOK_DELIVERY};

mod queue;

/// Destinations, by id.
const WEBHOOKS: Collection<WebhookRecord> = Collection::at("alert-webhook/");
/// Policies, by id.
const POLICIES: Collection<AlertPolicy> = Collection::at("alert-policy/");
/// Changes with every change of destinations and policies: what is true of all of them is decided by one node at a time.
const ALERT_SET: Collection<()> = Collection::at("alert-set");
/// What was sent, by when.
const HISTORY: Collection<AlertRecord> = Collection::at("alert-history/");

/// A destination in the store: here, and nowhere else, with its secret.
#[derive(Serialize, Deserialize)]
struct WebhookRecord {
    id: WebhookId,
    name: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<Timestamp>,
}

impl From<WebhookRecord> for Webhook {
    fn from(record: WebhookRecord) -> Webhook {
        let WebhookRecord { id, name, url, secret, created_at, last_success, last_failure } = record;
        Webhook { id, name, url, secret: secret.map(Secret::new), created_at, last_success, last_failure }
    }
}

impl From<&Webhook> for WebhookRecord {
    fn from(webhook: &Webhook) -> WebhookRecord {
        let Webhook { id, name, url, secret, created_at, last_success, last_failure } = webhook.clone();
        let secret = secret.map(|secret| secret.expose().to_owned());
        WebhookRecord { id, name, url, secret, created_at, last_success, last_failure }
    }
}

fn no_webhook(id: &WebhookId) -> AlertError {
    AlertError::NotFound { what: "webhook", id: id.to_string() }
}

fn no_policy(id: &AlertPolicyId) -> AlertError {
    AlertError::NotFound { what: "notification policy", id: id.to_string() }
}

impl Registry {
    /// Keeps a destination.
    ///
    /// # Errors
    /// [`AlertError::TooMany`]; [`RegistryError::Store`].
    pub async fn create_webhook(&self, name: &str, url: &str, secret: Option<Secret>) -> Result<Webhook> {
        let webhook = Webhook {
            id: made(WebhookId::parse)?,
            name: name.to_owned(),
            url: url.to_owned(),
            secret,
            created_at: self.inner.clock().now(),
            last_success: None,
            last_failure: None,
        };
        let id = webhook.id.as_str();
        self.inner
            .change_alerts(|| async {
                let mut transaction = Transaction::default();
                if self.inner.log.count(&WEBHOOKS, "").await? >= limits::WEBHOOKS {
                    return Err(AlertError::TooMany { most: limits::WEBHOOKS }.into());
                }
                let free = self.inner.log.read(&WEBHOOKS, id).await?;
                transaction.put(&free, &WebhookRecord::from(&webhook))?;
                Ok(transaction)
            })
            .await?;
        Ok(webhook)
    }

    /// All destinations, by their names.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        let seen = self.inner.log.all(&WEBHOOKS, "").await?;
        let mut webhooks: Vec<Webhook> = seen.iter().filter_map(Seen::whole).map(Webhook::from).collect();
        webhooks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(webhooks)
    }

    /// A destination.
    ///
    /// # Errors
    /// [`AlertError::NotFound`]; [`RegistryError::Store`].
    pub async fn webhook(&self, id: &WebhookId) -> Result<Webhook> {
        let seen = self.inner.log.read(&WEBHOOKS, id.as_str()).await?;
        Ok(seen.record()?.ok_or_else(|| no_webhook(id))?.into())
    }

    /// Changes a destination.
    ///
    /// # Errors
    /// As [`Registry::webhook`].
    pub async fn change_webhook(
        &self,
        id: &WebhookId,
        change: impl Fn(Webhook) -> Webhook,
    ) -> Result<Webhook> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let seen = inner.log.read(&WEBHOOKS, id.as_str()).await?;
            let before: Webhook = seen.record()?.ok_or_else(|| no_webhook(id))?.into();
            let after = change(before);
            let mut transaction = Transaction::default();
            transaction.put(&seen, &WebhookRecord::from(&after))?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(after),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("webhook {id}")))
    }

    /// Deletes a destination that no policy names. What waits for it is not sent any more.
    ///
    /// # Errors
    /// [`AlertError::NotFound`], [`AlertError::InUse`]; [`RegistryError::Store`].
    pub async fn delete_webhook(&self, id: &WebhookId) -> Result<()> {
        self.inner
            .change_alerts(|| async {
                let mut transaction = Transaction::default();
                let seen = self.inner.log.read(&WEBHOOKS, id.as_str()).await?;
                if !seen.exists() {
                    return Err(no_webhook(id).into());
                }
                let policies = self.inner.log.all(&POLICIES, "").await?;
                let users = policies.iter().filter_map(Seen::whole);
                let users: Vec<String> = users
                    .filter(|policy| policy.webhooks.contains(id))
                    .map(|policy| format!("\"{}\"", policy.name))
                    .collect();
                if !users.is_empty() {
                    return Err(AlertError::InUse { by: users.join(", ") }.into());
                }
                transaction.delete(&seen);
                Ok(transaction)
            })
            .await
    }

    /// Keeps a policy; `wanted` has an id that is given here.
    ///
    /// # Errors
    /// [`AlertError::TooMany`], [`AlertError::NotFound`] for a webhook that it names; [`RegistryError::Store`].
    pub async fn create_alert_policy(
        &self,
        wanted: impl Fn(AlertPolicyId) -> AlertPolicy,
    ) -> Result<AlertPolicy> {
        let policy = wanted(made(AlertPolicyId::parse)?);
        self.inner
            .change_alerts(|| async {
                let mut transaction = Transaction::default();
                if self.inner.log.count(&POLICIES, "").await? >= limits::POLICIES {
                    return Err(AlertError::TooMany { most: limits::POLICIES }.into());
                }
                self.inner.expect_webhooks(&mut transaction, &policy).await?;
                let free = self.inner.log.read(&POLICIES, policy.id.as_str()).await?;
                transaction.put(&free, &policy)?;
                Ok(transaction)
            })
            .await?;
        Ok(policy)
    }

    /// All policies, by their names.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn alert_policies(&self) -> Result<Vec<AlertPolicy>> {
        let seen = self.inner.log.all(&POLICIES, "").await?;
        let mut policies: Vec<AlertPolicy> = seen.iter().filter_map(Seen::whole).collect();
        policies.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(policies)
    }

    /// A policy.
    ///
    /// # Errors
    /// [`AlertError::NotFound`]; [`RegistryError::Store`].
    pub async fn alert_policy(&self, id: &AlertPolicyId) -> Result<AlertPolicy> {
        let seen = self.inner.log.read(&POLICIES, id.as_str()).await?;
        Ok(seen.record()?.ok_or_else(|| no_policy(id))?)
    }

    /// Makes another policy of one.
    ///
    /// # Errors
    /// As [`Registry::create_alert_policy`]; [`AlertError::NotFound`].
    pub async fn change_alert_policy(
        &self,
        id: &AlertPolicyId,
        change: impl Fn(AlertPolicy) -> AlertPolicy,
    ) -> Result<()> {
        self.inner
            .change_alerts(|| async {
                let mut transaction = Transaction::default();
                let seen = self.inner.log.read(&POLICIES, id.as_str()).await?;
                let policy = change(seen.record()?.ok_or_else(|| no_policy(id))?);
                self.inner.expect_webhooks(&mut transaction, &policy).await?;
                transaction.put(&seen, &policy)?;
                Ok(transaction)
            })
            .await
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// [`AlertError::NotFound`]; [`RegistryError::Store`].
    pub async fn delete_alert_policy(&self, id: &AlertPolicyId) -> Result<()> {
        self.inner
            .change_alerts(|| async {
                let mut transaction = Transaction::default();
                let seen = self.inner.log.read(&POLICIES, id.as_str()).await?;
                if !seen.exists() {
                    return Err(no_policy(id).into());
                }
                transaction.delete(&seen);
                Ok(transaction)
            })
            .await
    }

    /// What was sent and what was given up, the newest first.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn alert_history(&self) -> Result<Vec<AlertRecord>> {
        let seen = self.inner.log.all(&HISTORY, "").await?;
        Ok(seen.iter().rev().filter_map(Seen::whole).collect())
    }
}

fn made<T>(parse: impl Fn(&str) -> std::result::Result<T, IdError>) -> Result<T> {
    let text = uuid::Uuid::new_v4().simple().to_string();
    parse(&text).map_err(|error| RegistryError::Invalid(error.to_string()))
}

impl Inner {
    /// Makes a change of destinations and policies, with what must be true of all of them.
    async fn change_alerts<F>(&self, change: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<Transaction>>,
    {
        for attempt in 0..ATTEMPTS {
            let set = self.log.read(&ALERT_SET, "").await?;
            let mut transaction = change().await?;
            transaction.put(&set, &())?;
            match self.log.commit(&transaction).await {
                Ok(_) => return self.refresh_alerts().await,
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict("the notification policies".to_owned()))
    }

    /// Requires that the webhooks of a policy are there.
    async fn expect_webhooks(&self, transaction: &mut Transaction, policy: &AlertPolicy) -> Result<()> {
        for id in &policy.webhooks {
            let seen = self.log.read(&WEBHOOKS, id.as_str()).await?;
            if !seen.exists() {
                return Err(no_webhook(id).into());
            }
            transaction.expect(&seen);
        }
        Ok(())
    }

    async fn refresh_alerts(&self) -> Result<()> {
        let turn = self.alerts.turn().await;
        let seen = self.log.all(&POLICIES, "").await?;
        turn.show(seen.iter().filter_map(Seen::whole).map(Arc::new).collect());
        Ok(())
    }
}

/// How the memory of policies follows the store.
pub(super) struct Alerts;

#[async_trait]
impl Follow for Alerts {
    fn prefix(&self) -> &'static str {
        POLICIES.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        registry.refresh_alerts().await
    }

    async fn apply(&self, registry: &Inner, _: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_alerts().await?;
        Ok(None)
    }
}
