//! Owns the calls on webhooks: list, create, show, replace, delete.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_control::alerting::WebhookWanted;
use wasmyard_namespaces::Secret;
use wasmyard_namespaces::alerting::Webhook;
use wasmyard_namespaces::ids::WebhookId;
use wasmyard_namespaces::registry::AlertError;

use super::Identified;
use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::patterns::VISIBLE;
use crate::state::{Shared, SharedState};
use crate::target::named_segment;

/// A webhook as clients see it: everything but its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(crate) struct View {
    id: String,
    name: String,
    url: String,
    /// Always "generic".
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    last_success: Option<String>,
    last_failure: Option<String>,
}

/// What a webhook is to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "WebhookWanted")]
pub(crate) struct Wanted {
    #[schemars(length(min = 1, max = 256), regex(pattern = VISIBLE))]
    name: String,
    /// http or https; which ports and addresses may be reached says the configuration.
    #[schemars(regex(pattern = "^https?://"))]
    url: String,
    /// Sent as it is in the field `cf-webhook-auth`; left out of a change, it stays, and "" takes it away.
    #[serde(default)]
    secret: Option<String>,
}

/// The webhook that the path names; it need not exist.
pub(crate) struct InWebhook(WebhookId);

impl FromRequestParts<Arc<Shared>> for InWebhook {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "webhook_id").await?;
        let none = |_| AlertError::NotFound { what: "webhook", id: text.chars().take(64).collect() }.into();
        WebhookId::parse(&text).map(Self).map_err(none)
    }
}

impl Wanted {
    fn read(self) -> WebhookWanted {
        let secret = self.secret.map(|secret| (!secret.is_empty()).then(|| Secret::new(secret)));
        WebhookWanted { name: self.name, url: self.url, secret }
    }
}

fn view(webhook: &Webhook) -> View {
    View {
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        kind: "generic",
        created_at: webhook.created_at.to_string(),
        last_success: webhook.last_success.map(|at| at.to_string()),
        last_failure: webhook.last_failure.map(|at| at.to_string()),
    }
}

pub(crate) async fn list(State(shared): SharedState) -> Answer<Vec<View>> {
    Ok(Reply::list(shared.registry().webhooks().await?.iter().map(view).collect(), 1))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<Identified> {
    let webhook = shared.control.create_webhook(&wanted.read()).await?;
    Ok(Reply::ok(Identified { id: webhook.id.to_string() }).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InWebhook(id): InWebhook) -> Answer<View> {
    Ok(Reply::ok(view(&shared.registry().webhook(&id).await?)))
}

pub(crate) async fn update(
    State(shared): SharedState,
    InWebhook(id): InWebhook,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<Identified> {
    let webhook = shared.control.change_webhook(&id, &wanted.read()).await?;
    Ok(Reply::ok(Identified { id: webhook.id.to_string() }).with_notes(notes))
}

pub(crate) async fn delete(State(shared): SharedState, InWebhook(id): InWebhook) -> Answer<Identified> {
    shared.control.delete_webhook(&id).await?;
    Ok(Reply::ok(Identified { id: id.to_string() }))
}
