//! Owns the calls on dispatch namespaces: list, create, show, change, delete.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use wasmyard_namespaces::access::{Family, Place};
use wasmyard_namespaces::namespace;
use wasmyard_namespaces::{
    CapabilityPolicy, EgressRules, LimitSpec, Namespace, NamespaceName, NamespacePatch, NewNamespace,
    OutboundDecl, Registry,
};

use crate::body::Json;
use crate::caller::Sight;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::{self, Paging, Rows, Visible};
use crate::state::{Shared, SharedState};
use crate::target::{Forced, InNamespace, Purged, QueryOf};
use crate::views::namespace::{CapabilitiesShape, EgressShape, View};

/// What a new namespace needs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NamespaceCreate")]
pub(crate) struct Create {
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9][a-z0-9_-]*$"))]
    name: String,
    #[serde(default)]
    trusted_workers: bool,
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Value>")]
    limits: LimitSpec,
    #[serde(default)]
    #[schemars(with = "Option<Value>")]
    outbound: Option<OutboundDecl>,
    #[serde(default)]
    #[schemars(with = "Option<EgressShape>")]
    egress: Option<EgressRules>,
    /// Whether its scripts may call each other through service bindings.
    #[serde(default)]
    service_bindings: bool,
    /// Namespaces whose scripts may be bound to its scripts.
    #[serde(default)]
    callable_by: Vec<String>,
    /// What its scripts may import and be bound to; an upload of more is refused.
    #[serde(default)]
    #[schemars(with = "Option<CapabilitiesShape>")]
    capabilities: Option<CapabilityPolicy>,
}

/// What can change; what is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NamespacePatch")]
pub(crate) struct Patch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    trusted_workers: Option<bool>,
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    limits: Option<LimitSpec>,
    /// `null` removes the outbound worker.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Value>")]
    outbound: Option<Option<OutboundDecl>>,
    /// In place of all rules that there were; `null` removes them.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<EgressShape>")]
    egress: Option<Option<EgressRules>>,
    #[serde(default)]
    service_bindings: Option<bool>,
    /// Namespaces whose scripts may be bound to its scripts, in place of those that there were.
    #[serde(default)]
    callable_by: Option<Vec<String>>,
    /// In place of the policy that there was; `null` removes it. What serves goes on.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<CapabilitiesShape>")]
    capabilities: Option<Option<CapabilityPolicy>>,
}

/// Tells a field that is `null` from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Namespaces that may call, by their names.
fn callers(names: Vec<String>) -> Result<BTreeSet<NamespaceName>, ApiError> {
    let names: Result<Vec<_>, _> = names.iter().map(|name| NamespaceName::parse(name)).collect();
    namespace::callers(names.map_err(ApiError::invalid)?).map_err(ApiError::invalid)
}

/// The namespaces by their names.
struct All(Registry);

impl Rows for All {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let mut rows = Vec::new();
        let namespaces = self.0.namespaces().await?;
        let later =
            namespaces.iter().filter(|namespace| after.is_none_or(|after| namespace.name.as_str() > after));
        for namespace in later.take(limit) {
            let count = self.0.script_count(&namespace.name).await?;
            rows.push((namespace.name.to_string(), crate::views::namespace::view(namespace, count)));
        }
        Ok(rows)
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(u64::try_from(self.0.namespaces().await?.len()).ok())
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    sight: Sight,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Response, ApiError> {
    let (rows, whole) = (All(shared.registry().clone()), sight.is_whole());
    let shows = move |name: &str| {
        let name = NamespaceName::parse(name).ok();
        name.is_some_and(|name| sight.shows(Family::Scripts, Place::Namespace(name)))
    };
    lists::answer(Visible { rows, whole, shows }, paging).await
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted, notes): Json<Create>) -> Answer<View> {
    let name = NamespaceName::parse(&wanted.name).map_err(ApiError::invalid)?;
    let new = NewNamespace {
        trusted_workers: wanted.trusted_workers,
        limits: wanted.limits,
        outbound: wanted.outbound,
        egress: wanted.egress,
        service_bindings: wanted.service_bindings,
        callable_by: callers(wanted.callable_by)?,
        capabilities: wanted.capabilities,
        ..NewNamespace::named(name)
    };
    let done = shared.control.create_namespace(new).await?;
    Ok(Reply::ok(view(&shared, &done.result).await?).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn get(State(shared): SharedState, InNamespace(name): InNamespace) -> Answer<View> {
    let namespace = shared.control.existing_namespace(&name).await?;
    view(&shared, &namespace).await.map(Reply::ok)
}

pub(crate) async fn update(
    State(shared): SharedState,
    InNamespace(name): InNamespace,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Patch>,
) -> Answer<View> {
    let new_name = wanted.name.as_deref().map(NamespaceName::parse).transpose().map_err(ApiError::invalid)?;
    let patch = NamespacePatch {
        name: new_name,
        trusted_workers: wanted.trusted_workers,
        limits: wanted.limits,
        outbound: wanted.outbound,
        egress: wanted.egress,
        service_bindings: wanted.service_bindings,
        callable_by: wanted.callable_by.map(callers).transpose()?,
        capabilities: wanted.capabilities,
    };
    let done = shared.control.change_namespace(&name, patch, query.wanted()?).await?;
    Ok(Reply::ok(view(&shared, &done.result).await?).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InNamespace(name): InNamespace,
    QueryOf(query): QueryOf<Forced>,
    QueryOf(purged): QueryOf<Purged>,
) -> Answer<()> {
    let done = shared.control.delete_namespace(&name, query.wanted()?, purged.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}

async fn view(shared: &Shared, namespace: &Namespace) -> Result<View, ApiError> {
    let count = shared.registry().script_count(&namespace.name).await?;
    Ok(crate::views::namespace::view(namespace, count))
}
