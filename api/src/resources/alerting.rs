//! Owns the calls on notifications: what there can be told of, webhooks, policies, and what was sent.
//! Must never show the secret of a webhook.

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::alerting::{AlertRecord, AlertType};

use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists;
use crate::query::Pairs;
use crate::state::SharedState;
use crate::target::ACCOUNT;

pub(crate) mod policies;
pub(crate) mod webhooks;

/// An identifier, of what was made or changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertIdentifier")]
pub(crate) struct Identified {
    id: String,
}

/// What there can be told of, by kinds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AvailableAlerts")]
pub(crate) struct Available {
    #[serde(rename = "SSL/TLS")]
    tls: [AlertKind; 1],
}

#[derive(Serialize, JsonSchema)]
struct AlertKind {
    #[serde(rename = "type")]
    kind: &'static str,
    display_name: &'static str,
    description: &'static str,
    filter_options: [FilterOption; 1],
}

#[derive(Serialize, JsonSchema)]
struct FilterOption {
    #[serde(rename = "Key")]
    key: &'static str,
    #[serde(rename = "Optional")]
    optional: bool,
}

/// The ways in which can be told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EligibleDestinations")]
pub(crate) struct Eligible {
    email: Mechanism,
    pagerduty: Mechanism,
    webhooks: Mechanism,
}

#[derive(Serialize, JsonSchema)]
struct Mechanism {
    #[serde(rename = "type")]
    kind: &'static str,
    eligible: bool,
    ready: bool,
}

/// What was sent, or given up.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertSent")]
pub(crate) struct Sent {
    /// The event's.
    id: String,
    /// The policy's.
    name: String,
    alert_type: &'static str,
    /// What was sent, as text.
    alert_body: String,
    /// What happened.
    description: &'static str,
    /// The webhook's id.
    mechanism: String,
    /// Always "webhook".
    mechanism_type: &'static str,
    policy_id: String,
    sent: String,
    /// Whether it was taken.
    delivered: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) async fn available() -> Answer<Available> {
    let kind = AlertKind {
        kind: AlertType::CustomHostnameCertificate.as_str(),
        display_name: "SSL for SaaS Custom Hostnames",
        description: "Validation, issuance, deployment, renewal and deletion of the certificates of custom hostnames.",
        filter_options: [FilterOption { key: "zones", optional: true }],
    };
    Ok(Reply::ok(Available { tls: [kind] }))
}

pub(crate) async fn eligible() -> Answer<Eligible> {
    let mechanism = |kind, there| Mechanism { kind, eligible: there, ready: there };
    Ok(Reply::ok(Eligible {
        email: mechanism("email", false),
        pagerduty: mechanism("pagerduty", false),
        webhooks: mechanism("webhook", true),
    }))
}

fn sent(record: AlertRecord) -> Sent {
    Sent {
        id: record.event.id.to_string(),
        name: record.policy_name,
        alert_type: AlertType::CustomHostnameCertificate.as_str(),
        alert_body: record.event.body(ACCOUNT).to_string(),
        description: record.event.kind.as_str(),
        mechanism: record.webhook.to_string(),
        mechanism_type: "webhook",
        policy_id: record.policy.to_string(),
        sent: record.sent.to_string(),
        delivered: record.error.is_none(),
        error: record.error,
    }
}

pub(crate) async fn history(State(shared): SharedState, query: Pairs) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(25, 1_000)?;
    let moment = |name: &str| {
        let text = query.get(name);
        text.map(str::parse::<Timestamp>)
            .transpose()
            .map_err(|error| ApiError::parameter(format_args!("{name}: {error}")))
    };
    let (before, since) = (moment("before")?, moment("since")?);
    let mut records = shared.control.alert_history().await?;
    records.retain(|record| {
        before.is_none_or(|before| record.sent < before) && since.is_none_or(|since| record.sent >= since)
    });
    let rows: Vec<Sent> = records.into_iter().map(sent).collect();
    Ok(lists::slice(&rows, page, per_page))
}
