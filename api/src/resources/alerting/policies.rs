//! Owns the calls on notification policies: list, create, show, replace, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_control::alerting::PolicyWanted;
use wasmyard_namespaces::ZoneId;
use wasmyard_namespaces::alerting::{AlertPolicy, AlertType};
use wasmyard_namespaces::ids::{AlertPolicyId, WebhookId};
use wasmyard_namespaces::registry::AlertError;

use super::Identified;
use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::patterns::VISIBLE;
use crate::state::{Shared, SharedState};
use crate::target::named_segment;

/// A policy as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationPolicy")]
pub(crate) struct View {
    id: String,
    name: String,
    description: String,
    enabled: bool,
    alert_type: &'static str,
    /// Always empty: everything is told when it happens.
    alert_interval: &'static str,
    mechanisms: Mechanisms,
    filters: BTreeMap<String, Vec<String>>,
    created: String,
    modified: String,
}

/// Who is told.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "NotificationMechanisms")]
pub(crate) struct Mechanisms {
    webhooks: Vec<Named>,
    /// Must be empty: this server sends no mail.
    email: Vec<Named>,
    /// Must be empty.
    pagerduty: Vec<Named>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NotificationMechanism")]
struct Named {
    id: String,
}

/// What a policy is to be; what a change leaves out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NotificationPolicyWanted")]
pub(crate) struct Wanted {
    /// Needed to make one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256), regex(pattern = VISIBLE))]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    /// Whether anybody is told; needed to make one.
    #[serde(default)]
    enabled: Option<bool>,
    /// Needed to make one.
    #[serde(default)]
    #[schemars(extend("enum" = [AlertType::CustomHostnameCertificate.as_str(), null]))]
    alert_type: Option<String>,
    /// Needed to make one.
    #[serde(default)]
    mechanisms: Option<Mechanisms>,
    /// `zones`: ids of those that it is about; none: all.
    #[serde(default)]
    filters: Option<BTreeMap<String, Vec<String>>>,
    /// Must be empty: everything is told when it happens.
    #[serde(default)]
    alert_interval: Option<String>,
}

/// The policy that the path names; it need not exist.
pub(crate) struct InPolicy(AlertPolicyId);

impl FromRequestParts<Arc<Shared>> for InPolicy {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "policy_id").await?;
        let id = text.chars().take(64).collect();
        let none = |_| AlertError::NotFound { what: "notification policy", id }.into();
        AlertPolicyId::parse(&text).map(Self).map_err(none)
    }
}

impl Wanted {
    /// A new policy, or what becomes of one.
    fn read(self, before: Option<&AlertPolicy>) -> Result<PolicyWanted, ApiError> {
        let missing = |name: &str| ApiError::invalid(format_args!("{name} is missing; a policy needs it"));
        if self.alert_interval.is_some_and(|interval| !interval.is_empty()) {
            return Err(ApiError::invalid(
                "alert_interval: everything is told when it happens; leave it out",
            ));
        }
        let alert_type = match self.alert_type {
            Some(text) => AlertType::parse(&text).ok_or_else(|| {
                let there = AlertType::CustomHostnameCertificate;
                ApiError::invalid(format_args!("alert_type: this server tells of {there} alone; write that"))
            })?,
            None => before.map(|before| before.alert_type).ok_or_else(|| missing("alert_type"))?,
        };
        let webhooks = match self.mechanisms {
            Some(mechanisms) => mechanisms.webhooks()?,
            None => before.map(|before| before.webhooks.clone()).ok_or_else(|| missing("mechanisms"))?,
        };
        let zones = match self.filters {
            Some(filters) => zones(filters)?,
            None => before.map(|before| before.zones.clone()).unwrap_or_default(),
        };
        let kept = |text: fn(&AlertPolicy) -> &String| before.map(|before| text(before).clone());
        Ok(PolicyWanted {
            name: self.name.or_else(|| kept(|before| &before.name)).ok_or_else(|| missing("name"))?,
            description: self.description.or_else(|| kept(|before| &before.description)).unwrap_or_default(),
            enabled: self
                .enabled
                .or(before.map(|before| before.enabled))
                .ok_or_else(|| missing("enabled"))?,
            alert_type,
            webhooks,
            zones,
        })
    }
}

impl Mechanisms {
    fn webhooks(self) -> Result<Vec<WebhookId>, ApiError> {
        let Mechanisms { webhooks, email, pagerduty } = self;
        if !email.is_empty() || !pagerduty.is_empty() {
            let rule = "mechanisms: this server tells webhooks alone; leave email and pagerduty out";
            return Err(ApiError::invalid(rule));
        }
        webhooks.iter().map(|named| WebhookId::parse(&named.id).map_err(ApiError::invalid)).collect()
    }
}

fn zones(mut filters: BTreeMap<String, Vec<String>>) -> Result<BTreeSet<ZoneId>, ApiError> {
    let zones = filters.remove("zones").unwrap_or_default();
    if let Some((name, _)) = filters.into_iter().find(|(_, values)| !values.is_empty()) {
        let name: String = name.chars().take(64).flat_map(char::escape_debug).collect();
        return Err(ApiError::invalid(format_args!(
            "filters: policies are filtered by zones, not by {name}"
        )));
    }
    zones.iter().map(|id| ZoneId::parse(id).map_err(ApiError::invalid)).collect()
}

fn view(policy: &AlertPolicy) -> View {
    let webhooks = policy.webhooks.iter().map(|id| Named { id: id.to_string() }).collect();
    let zones: Vec<String> = policy.zones.iter().map(ToString::to_string).collect();
    let filters = (!zones.is_empty()).then(|| ("zones".to_owned(), zones));
    View {
        id: policy.id.to_string(),
        name: policy.name.clone(),
        description: policy.description.clone(),
        enabled: policy.enabled,
        alert_type: policy.alert_type.as_str(),
        alert_interval: "",
        mechanisms: Mechanisms { webhooks, ..Mechanisms::default() },
        filters: filters.into_iter().collect(),
        created: policy.created.to_string(),
        modified: policy.modified.to_string(),
    }
}

pub(crate) async fn list(State(shared): SharedState) -> Answer<Vec<View>> {
    Ok(Reply::list(shared.registry().alert_policies().await?.iter().map(view).collect(), 1))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<Identified> {
    let policy = shared.control.create_policy(&wanted.read(None)?).await?;
    Ok(Reply::ok(Identified { id: policy.id.to_string() }).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InPolicy(id): InPolicy) -> Answer<View> {
    Ok(Reply::ok(view(&shared.registry().alert_policy(&id).await?)))
}

pub(crate) async fn update(
    State(shared): SharedState,
    InPolicy(id): InPolicy,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<Identified> {
    let before = shared.registry().alert_policy(&id).await?;
    shared.control.change_policy(&id, &wanted.read(Some(&before))?).await?;
    Ok(Reply::ok(Identified { id: id.to_string() }).with_notes(notes))
}

pub(crate) async fn delete(State(shared): SharedState, InPolicy(id): InPolicy) -> Answer<Identified> {
    shared.control.delete_policy(&id).await?;
    Ok(Reply::ok(Identified { id: id.to_string() }))
}
