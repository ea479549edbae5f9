//! Owns the calls on dispatch namespaces: list, create, show, change, delete.
//! Must never look into a namespace beyond counting its scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use wasmyard_namespaces::{
    EgressRules, LimitSpec, Namespace, NamespaceName, NamespacePatch, NewNamespace, Origin, OutboundDecl,
};

use crate::body::Json;
use crate::clients;
use crate::configured;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::references;
use crate::referrers;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, InNamespace, Paging, QueryOf};

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
    /// "api" or "config".
    #[schemars(with = "String")]
    origin: Origin,
    /// What the configuration names of it, and so only the configuration changes for good.
    declared: Vec<String>,
}

/// What a new namespace needs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NamespaceCreate")]
pub(crate) struct Create {
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
}

/// Where the scripts of a namespace may send requests, within the rules of the platform.
#[derive(JsonSchema)]
#[schemars(rename = "EgressRules")]
#[expect(dead_code, reason = "only its shape is used")]
struct EgressShape {
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

/// Tells a field that is `null` from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub(crate) async fn list(State(shared): SharedState, QueryOf(query): QueryOf<Paging>) -> Answer<Vec<View>> {
    let namespaces = shared.registry().namespaces().await?;
    let mut views = Vec::with_capacity(namespaces.len());
    for namespace in &namespaces {
        views.push(view(&shared, namespace).await?);
    }
    Ok(Reply::list(views, query.page))
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted): Json<Create>) -> Answer<View> {
    let name = NamespaceName::parse(&wanted.name).map_err(ApiError::invalid)?;
    wanted.limits.validate(shared.ceiling()).map_err(ApiError::invalid)?;
    let new = NewNamespace {
        trusted_workers: wanted.trusted_workers,
        limits: wanted.limits,
        outbound: wanted.outbound,
        egress: wanted.egress,
        service_bindings: wanted.service_bindings,
        ..NewNamespace::named(name)
    };
    let notes = references::of_namespace(&shared, new.outbound.as_ref()).await?;
    let namespace = shared.registry().create_namespace(new).await?;
    Ok(Reply::ok(view(&shared, &namespace).await?).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InNamespace(name): InNamespace) -> Answer<View> {
    let namespace = existing(&shared, &name).await?;
    view(&shared, &namespace).await.map(Reply::ok)
}

pub(crate) async fn update(
    State(shared): SharedState,
    InNamespace(name): InNamespace,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted): Json<Patch>,
) -> Answer<View> {
    let force = query.wanted()?;
    let before = existing(&shared, &name).await?;
    let new_name = wanted.name.as_deref().map(NamespaceName::parse).transpose().map_err(ApiError::invalid)?;
    if let Some(limits) = &wanted.limits {
        limits.validate(shared.ceiling()).map_err(ApiError::invalid)?;
    }
    let patch = NamespacePatch {
        name: new_name,
        trusted_workers: wanted.trusted_workers,
        limits: wanted.limits,
        outbound: wanted.outbound,
        egress: wanted.egress,
        service_bindings: wanted.service_bindings,
    };
    let outbound = patch.outbound.as_ref().and_then(Option::as_ref);
    let mut notes = references::of_namespace(&shared, outbound).await?;
    if patch.name.as_ref().is_some_and(|new| *new != name) {
        notes.extend(referrers::of_namespace(&shared, &name).await?.stand_against("renamed", force)?);
    }
    let namespace = shared.registry_for(force).update_namespace(&name, patch).await?;
    notes.extend(configured::changed_namespace(&before, &namespace));
    Ok(Reply::ok(view(&shared, &namespace).await?).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InNamespace(name): InNamespace,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let force = query.wanted()?;
    let before = existing(&shared, &name).await?;
    let mut notes = referrers::of_namespace(&shared, &name).await?.stand_against("deleted", force)?;
    shared.registry_for(force).delete_namespace(&name).await?;
    notes.extend(configured::gone(before.config.as_ref(), &format!("namespace \"{name}\"")));
    tracing::info!(namespace = %name, "namespace deleted");
    Ok(Reply::ok(()).with_notes(notes))
}

/// The namespace of that name, or error 100119.
pub(crate) async fn existing(
    shared: &Shared,
    name: &NamespaceName,
) -> Result<std::sync::Arc<Namespace>, ApiError> {
    shared.registry().namespace(name).await?.ok_or_else(|| ApiError::namespace_not_found(name))
}

async fn view(shared: &Shared, namespace: &Namespace) -> Result<View, ApiError> {
    Ok(View {
        namespace_id: namespace.id.clone(),
        namespace_name: namespace.name.to_string(),
        created_on: namespace.created_on.to_string(),
        created_by: clients::ACCOUNT,
        modified_on: namespace.modified_on.to_string(),
        modified_by: clients::ACCOUNT,
        script_count: shared.registry().script_count(&namespace.name).await?,
        trusted_workers: namespace.trusted_workers,
        limits: namespace.limits,
        outbound: namespace.outbound.clone(),
        egress: namespace.egress.clone(),
        service_bindings: namespace.service_bindings,
        origin: namespace.origin(),
        declared: configured::keys(namespace.config.as_ref()),
    })
}
