//! A dispatch namespace as clients see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use wasmyard_namespaces::{CapabilityPolicy, EgressRules, LimitSpec, Namespace, Origin, OutboundDecl};

use crate::target::OPERATOR;

/// A dispatch namespace as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Namespace")]
pub(crate) struct View {
    namespace_id: String,
    namespace_name: String,
    created_on: String,
    created_by: &'static str,
    modified_on: String,
    modified_by: &'static str,
    script_count: u64,
    trusted_workers: bool,
    /// Limits for each of its scripts.
    #[schemars(with = "BTreeMap<String, Value>")]
    limits: LimitSpec,
    /// The platform script that receives every fetch of its scripts.
    #[schemars(with = "Option<Value>")]
    outbound: Option<OutboundDecl>,
    /// Where its scripts may send requests, within what the platform allows.
    #[schemars(with = "Option<EgressShape>")]
    egress: Option<Arc<EgressRules>>,
    /// Whether its scripts may call each other through service bindings.
    service_bindings: bool,
    /// Namespaces whose scripts may be bound to its scripts.
    callable_by: Vec<String>,
    /// What its scripts may import and be bound to.
    #[schemars(with = "Option<CapabilitiesShape>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<CapabilityPolicy>,
    /// "api" or "config".
    #[schemars(with = "String")]
    origin: Origin,
    /// What the configuration names of it, and so only the configuration changes for good.
    declared: Vec<String>,
}

/// Where the scripts of a namespace may send requests, within the rules of the platform.
#[derive(JsonSchema)]
#[schemars(rename = "EgressRules")]
#[expect(dead_code, reason = "only its shape is used")]
pub(crate) struct EgressShape {
    /// The only hosts that requests may go to: "example.com", "*.example.com", an address, a network or "*".
    /// Left out: as the platform has it. Empty: nothing goes out.
    allow_hosts: Option<Vec<String>>,
    /// Hosts that no request goes to.
    deny_hosts: Option<Vec<String>>,
    /// Addresses that are not public and may be reached, if the platform opened them as well.
    allow_private: Option<Vec<String>>,
    /// The only ports that may be reached.
    ports: Option<Vec<u16>>,
}

/// What the scripts of a namespace may have: imports by their names, `wasi:sockets/*`, and bindings by their types,
/// `binding:kv_namespace`. `*` at the end stands for anything.
#[derive(JsonSchema)]
#[schemars(rename = "CapabilityPolicy")]
#[expect(dead_code, reason = "only its shape is used")]
pub(crate) struct CapabilitiesShape {
    /// The only ones. Left out: all.
    allow: Option<Vec<String>>,
    /// Those that none may have.
    deny: Option<Vec<String>>,
}

/// `script_count` is asked of the registry, which counts keys.
pub(crate) fn view(namespace: &Namespace, script_count: u64) -> View {
    View {
        namespace_id: namespace.id.clone(),
        namespace_name: namespace.name.to_string(),
        created_on: namespace.created_on.to_string(),
        created_by: OPERATOR,
        modified_on: namespace.modified_on.to_string(),
        modified_by: OPERATOR,
        script_count,
        trusted_workers: namespace.trusted_workers,
        limits: namespace.limits,
        outbound: namespace.outbound.clone(),
        egress: namespace.egress.clone(),
        service_bindings: namespace.service_bindings,
        callable_by: namespace.callable_by.iter().map(ToString::to_string).collect(),
        capabilities: namespace.capabilities.clone(),
        origin: namespace.origin(),
        declared: super::declared(namespace.config.as_ref()),
    }
}
