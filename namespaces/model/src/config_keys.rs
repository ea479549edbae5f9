//! Which keys of a record the operator's configuration names, and so owns.
//!
//! Owns the names of these keys, and the comparison of two states of a record by them. Everything that the
//! configuration does not name belongs to the API. Never decides what becomes of a key: the registry does.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::egress::EgressRules;
use crate::limits::LimitSpec;
use crate::name::BindingName;
use crate::namespace::Namespace;
use crate::script::Script;

/// The keys of one namespace or script that the configuration names: `limits.cpu_ms`, `egress.ports`,
/// `bindings.GREETING`, `tags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigKeys(BTreeSet<String>);

impl ConfigKeys {
    /// The component of a script.
    pub const MAIN: &'static str = "main";
    /// The files of a script, with how they are served.
    pub const ASSETS: &'static str = "assets";
    /// The tags of a script.
    pub const TAGS: &'static str = "tags";
    /// The cron expressions of a script.
    pub const CRONS: &'static str = "crons";
    /// The compatibility flags of a script.
    pub const FLAGS: &'static str = "compatibility_flags";
    /// The outbound worker of a namespace.
    pub const OUTBOUND: &'static str = "outbound";
    /// Whether the scripts of a namespace are the operator's own.
    pub const TRUSTED_WORKERS: &'static str = "trusted_workers";
    /// Whether the scripts of a namespace may call each other.
    pub const SERVICE_BINDINGS: &'static str = "service_bindings";
    /// Namespaces whose scripts may be bound to those of a namespace.
    pub const CALLABLE_BY: &'static str = "callable_by";
    /// What the scripts of a namespace may import and be bound to.
    pub const CAPABILITIES: &'static str = "capabilities";
    /// That a namespace has rules of egress at all.
    pub const EGRESS: &'static str = "egress";

    /// Adds a key.
    pub fn insert(&mut self, key: impl Into<String>) {
        self.0.insert(key.into());
    }

    /// Adds the limits that are set.
    pub fn insert_limits(&mut self, limits: &LimitSpec) {
        if let Ok(Value::Object(set)) = serde_json::to_value(limits) {
            self.0.extend(set.keys().map(|name| format!("limits.{name}")));
        }
    }

    /// Adds a binding.
    pub fn insert_binding(&mut self, name: &BindingName) {
        self.0.insert(format!("bindings.{name}"));
    }

    /// Adds one list of the rules of egress.
    pub fn insert_egress(&mut self, list: &str) {
        self.0.insert(format!("egress.{list}"));
    }

    /// Whether a key is among them.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(key)
    }

    /// Whether a binding is among them.
    #[must_use]
    pub fn has_binding(&self, name: &BindingName) -> bool {
        self.0.contains(&format!("bindings.{name}"))
    }

    /// Whether one list of the rules of egress is among them.
    #[must_use]
    pub fn has_egress(&self, list: &str) -> bool {
        self.0.contains(&format!("egress.{list}"))
    }

    /// The keys, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The keys of `keys` whose values differ between two states of a script.
#[must_use]
pub fn script_changes(keys: &ConfigKeys, one: &Script, other: &Script) -> Vec<String> {
    keys.iter().filter(|key| !same_in_scripts(key, one, other)).map(str::to_owned).collect()
}

/// The keys of `keys` whose values differ between two states of a namespace.
#[must_use]
pub fn namespace_changes(keys: &ConfigKeys, one: &Namespace, other: &Namespace) -> Vec<String> {
    keys.iter().filter(|key| !same_in_namespaces(key, one, other)).map(str::to_owned).collect()
}

fn same_in_scripts(key: &str, one: &Script, other: &Script) -> bool {
    let (a, b) = (&one.version, &other.version);
    match key.split_once('.') {
        Some(("bindings", name)) => {
            let named = |script: &'_ Script| {
                script.version.bindings.iter().find(|decl| decl.name.as_str() == name).cloned()
            };
            named(one) == named(other)
        }
        Some(("limits", name)) => a.limits.value(name) == b.limits.value(name),
        _ => match key {
            ConfigKeys::MAIN => a.code.content() == b.code.content(),
            ConfigKeys::ASSETS => a.assets == b.assets,
            ConfigKeys::TAGS => one.tags == other.tags,
            ConfigKeys::CRONS => one.crons().eq(other.crons()),
            ConfigKeys::FLAGS => a.compatibility_flags == b.compatibility_flags,
            _ => true,
        },
    }
}

fn same_in_namespaces(key: &str, one: &Namespace, other: &Namespace) -> bool {
    match key.split_once('.') {
        Some(("limits", name)) => one.limits.value(name) == other.limits.value(name),
        Some(("egress", list)) => {
            // What loses all its rules loses each of them, those that were empty too.
            one.egress.is_some() == other.egress.is_some()
                && egress(one.egress.as_deref(), list) == egress(other.egress.as_deref(), list)
        }
        _ => match key {
            ConfigKeys::OUTBOUND => one.outbound == other.outbound,
            ConfigKeys::TRUSTED_WORKERS => one.trusted_workers == other.trusted_workers,
            ConfigKeys::SERVICE_BINDINGS => one.service_bindings == other.service_bindings,
            ConfigKeys::CALLABLE_BY => one.callable_by == other.callable_by,
            ConfigKeys::CAPABILITIES => one.capabilities == other.capabilities,
            ConfigKeys::EGRESS => one.egress.is_some() == other.egress.is_some(),
            _ => true,
        },
    }
}

fn egress(rules: Option<&EgressRules>, list: &str) -> Option<Value> {
    serde_json::to_value(rules?).ok()?.get(list).cloned()
}
