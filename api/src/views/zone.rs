//! A zone as clients see it: with all that those of the hosted product insist on.

use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::Zone;

use crate::target::{ACCOUNT, ACCOUNT_NAME};

/// A zone as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Zone")]
pub(crate) struct View {
    id: String,
    name: String,
    /// Always "active": a zone is its builder's own.
    status: &'static str,
    paused: bool,
    /// "full", "partial", "secondary" or "internal"; nothing depends on it.
    #[serde(rename = "type")]
    kind: &'static str,
    development_mode: u64,
    account: Owner,
    owner: Owner,
    meta: Meta,
    permissions: [&'static str; 2],
    plan: Plan,
    /// Always empty: this server is no name server.
    name_servers: [String; 0],
    original_dnshost: Option<String>,
    original_name_servers: Option<Vec<String>>,
    original_registrar: Option<String>,
    created_on: String,
    modified_on: String,
    activated_on: Option<String>,
    /// What the configuration names of it, and so only the configuration changes for good; left out where it names nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Vec<String>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneOwner")]
struct Owner {
    id: &'static str,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZoneMeta")]
struct Meta {
    step: u32,
    custom_certificate_quota: u32,
    page_rule_quota: u32,
    phishing_detected: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ZonePlan")]
struct Plan {
    id: &'static str,
    name: &'static str,
    price: u32,
    currency: &'static str,
    frequency: &'static str,
    is_subscribed: bool,
    can_subscribe: bool,
    /// The plan with everything: clients switch features off for others.
    legacy_id: &'static str,
    legacy_discount: bool,
    externally_managed: bool,
}

/// What clients see of a zone.
pub(crate) fn view(zone: &Zone) -> View {
    let owner = || Owner { id: ACCOUNT, name: ACCOUNT_NAME, kind: "organization" };
    View {
        id: zone.id.to_string(),
        name: zone.name.to_string(),
        status: zone.status.as_str(),
        paused: zone.paused,
        kind: zone.kind.as_str(),
        development_mode: 0,
        account: owner(),
        owner: owner(),
        meta: Meta { step: 2, custom_certificate_quota: 0, page_rule_quota: 0, phishing_detected: false },
        permissions: ["#zone:read", "#zone:edit"],
        plan: Plan {
            id: "self-hosted",
            name: "Self-hosted",
            price: 0,
            currency: "USD",
            frequency: "",
            is_subscribed: true,
            can_subscribe: false,
            legacy_id: "enterprise",
            legacy_discount: false,
            externally_managed: false,
        },
        name_servers: [],
        original_dnshost: None,
        original_name_servers: None,
        original_registrar: None,
        created_on: zone.created_on.to_string(),
        modified_on: zone.modified_on.to_string(),
        activated_on: zone.activated_on.map(|on| on.to_string()),
        declared: zone.config.as_ref().map(|keys| super::declared(Some(keys))),
    }
}
