//! A dispatch namespace: a set of user scripts with what holds for all of them.
//!
//! Owns the record of a namespace and what may be changed about it. Never lists its scripts: those are
//! kept by the namespace's id, so that renaming it moves nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bindings::OutboundDecl;
use crate::capabilities::CapabilityPolicy;
use crate::config_keys::ConfigKeys;
use crate::egress::EgressRules;
use crate::limits::LimitSpec;
use crate::name::NamespaceName;
use crate::timestamp::Timestamp;

/// Who brought a record into being, and so who may take it away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made through the API.
    #[default]
    Api,
    /// Declared in the operator's configuration.
    Config,
}

/// A dispatch namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// A UUID that stays the same for the life of the namespace.
    pub id: String,
    /// The name, which may change.
    pub name: NamespaceName,
    /// When it was made.
    pub created_on: Timestamp,
    /// When the record last changed.
    pub modified_on: Timestamp,
    /// Whether its scripts are the platform builder's own code.
    pub trusted_workers: bool,
    /// Limits for each of its scripts.
    #[serde(default)]
    pub limits: LimitSpec,
    /// The platform script that receives every fetch of its scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<OutboundDecl>,
    /// Where its scripts may send requests. Shared, because what egress made of them is kept by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Arc<EgressRules>>,
    /// Whether its scripts may call each other through service bindings.
    #[serde(default)]
    pub service_bindings: bool,
    /// Namespaces whose scripts may be bound to scripts of this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub callable_by: BTreeSet<NamespaceName>,
    /// What its scripts may import and be bound to; none lets them have all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<CapabilityPolicy>,
    /// What the operator's configuration says of it; none when it is not in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigKeys>,
}

impl Namespace {
    /// Who it belongs to.
    #[must_use]
    pub fn origin(&self) -> Origin {
        if self.config.is_some() { Origin::Config } else { Origin::Api }
    }
}

/// What a new namespace needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNamespace {
    /// Its name.
    pub name: NamespaceName,
    /// Whether its scripts are the platform builder's own code.
    pub trusted_workers: bool,
    /// Limits for each of its scripts.
    pub limits: LimitSpec,
    /// The platform script that receives every fetch of its scripts.
    pub outbound: Option<OutboundDecl>,
    /// Where its scripts may send requests.
    pub egress: Option<EgressRules>,
    /// Whether its scripts may call each other through service bindings.
    pub service_bindings: bool,
    /// Namespaces whose scripts may be bound to scripts of this one.
    pub callable_by: BTreeSet<NamespaceName>,
    /// What its scripts may import and be bound to.
    pub capabilities: Option<CapabilityPolicy>,
}

/// More namespaces than this are not listed as callers of one.
pub const MAX_CALLERS: usize = 100;

/// Namespaces that may call another one, within bounds.
///
/// # Errors
/// A sentence that says how many there are, and how many may be.
pub fn callers(names: impl IntoIterator<Item = NamespaceName>) -> Result<BTreeSet<NamespaceName>, String> {
    let names: BTreeSet<NamespaceName> = names.into_iter().collect();
    if names.len() > MAX_CALLERS {
        return Err(format!(
            "callable_by names {} namespaces, and at most {MAX_CALLERS} may be; remove some",
            names.len()
        ));
    }
    Ok(names)
}

impl NewNamespace {
    /// A namespace made through the API, with nothing set.
    #[must_use]
    pub fn named(name: NamespaceName) -> NewNamespace {
        NewNamespace {
            name,
            trusted_workers: false,
            limits: LimitSpec::default(),
            outbound: None,
            egress: None,
            service_bindings: false,
            callable_by: BTreeSet::new(),
            capabilities: None,
        }
    }
}

/// What is to change about a namespace; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacePatch {
    /// A new name.
    pub name: Option<NamespaceName>,
    /// A new trust setting.
    pub trusted_workers: Option<bool>,
    /// New limits, in place of all old ones.
    pub limits: Option<LimitSpec>,
    /// A new outbound worker, or (`Some(None)`) none any more.
    pub outbound: Option<Option<OutboundDecl>>,
    /// New rules of egress in place of all old ones, or (`Some(None)`) none any more.
    pub egress: Option<Option<EgressRules>>,
    /// Whether its scripts may call each other from now on.
    pub service_bindings: Option<bool>,
    /// Namespaces whose scripts may be bound to scripts of this one, in place of those that there were.
    pub callable_by: Option<BTreeSet<NamespaceName>>,
    /// A new policy in place of the old one, or (`Some(None)`) none any more.
    pub capabilities: Option<Option<CapabilityPolicy>>,
}
