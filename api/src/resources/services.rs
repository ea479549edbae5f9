//! Owns what wrangler asks about a platform script under other names: service, references.
//! Must never claim more than one environment: there is one.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use wasmyard_control::referrers::Referrer;
use wasmyard_namespaces::{BindingKind, Reference};

use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::state::SharedState;
use crate::target::{Forced, Purged, QueryOf, Target};
use crate::views::script::{View, view};

/// What refers to a script.
#[derive(Serialize, JsonSchema)]
pub(crate) struct References {
    services: ServiceReferences,
    durable_objects: [(); 0],
    dispatch_outbounds: Vec<Referring>,
    /// Patterns of routes that lead to it.
    routes: Vec<String>,
    /// Custom hostnames and fallback origins of zones whose requests these routes take.
    visited_as: Vec<String>,
    /// Namespaces that it is bound to, and KV namespaces by their identifiers.
    dispatch_namespaces: Vec<Bound>,
    kv_namespaces: Vec<Bound>,
    queues: QueueReferences,
    /// Databases that it is bound to, by their identifiers.
    d1_databases: Vec<Bound>,
    /// Buckets by their names.
    r2_buckets: Vec<Bound>,
}

/// Queues that a script has to do with, by their names.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QueueReferences {
    /// Those that it is bound to.
    sends: Vec<Bound>,
    /// Those that it consumes.
    consumes: Vec<String>,
}

/// What a binding of the script leads to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BoundTo")]
pub(crate) struct Bound {
    /// The binding's name.
    name: String,
    id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ServiceReferences {
    incoming: Vec<Referring>,
    outgoing: Vec<Referring>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reference")]
pub(crate) struct Referring {
    /// The binding's, or the namespace's name.
    name: String,
    service: String,
    environment: &'static str,
}

const ENVIRONMENT: &str = "production";

pub(crate) async fn get(State(shared): SharedState, Target(key): Target) -> Answer<Value> {
    let script = shared.control.existing(&key).await.map_err(ApiError::from).map_err(as_service)?;
    let shown: View = view(&script);
    let environment = json!({
        "environment": ENVIRONMENT,
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "script": shown,
    });
    Ok(Reply::ok(json!({
        "id": script.key.script().as_str(),
        "created_on": script.created_on,
        "modified_on": script.modified_on,
        "usage_model": "standard",
        "default_environment": environment,
        "environments": [environment],
    })))
}

pub(crate) async fn delete(state: SharedState, target: Target, query: QueryOf<Forced>) -> Answer<()> {
    super::scripts::delete(state, target, query, QueryOf(Purged::default())).await.map_err(as_service)
}

/// The same absence has another number on this path.
fn as_service(error: ApiError) -> ApiError {
    if error.code() == Code::ScriptNotFound {
        return ApiError::new(Code::ServiceNotFound, error.message().to_owned());
    }
    error
}

pub(crate) async fn references(State(shared): SharedState, Target(key): Target) -> Answer<References> {
    let script = shared.control.existing(&key).await?;
    let outgoing = script.version.bindings.iter().filter_map(|binding| match &binding.kind {
        BindingKind::Service(bound) => Some(reference(&binding.name, &bound.service)),
        _ => None,
    });
    let bound = |wanted: fn(&Reference<'_>) -> Option<String>| {
        let each = script.serving().flat_map(|(version, _)| &version.bindings);
        let each = each.flat_map(|decl| {
            let to = decl.kind.refers_to().into_iter().filter_map(|to| wanted(&to)).collect::<Vec<_>>();
            to.into_iter().map(|id| Bound { name: decl.name.to_string(), id })
        });
        each.collect::<Vec<_>>()
    };
    let dispatch_namespaces = bound(|to| match to {
        Reference::Namespace(name) => Some(name.to_string()),
        _ => None,
    });
    let kv_namespaces = bound(|to| match to {
        Reference::KvNamespace(id) => Some(id.to_string()),
        _ => None,
    });
    let sends = bound(|to| match to {
        Reference::Queue(name) => Some(name.to_string()),
        _ => None,
    });
    let consumed = shared.control.consumed_by(&key).await?;
    let consumes = consumed.into_iter().map(|queue| queue.name.to_string()).collect();
    let d1_databases = bound(|to| match to {
        Reference::Database(id) => Some(id.to_string()),
        _ => None,
    });
    let r2_buckets = bound(|to| match to {
        Reference::R2Bucket(name) => Some(name.to_string()),
        _ => None,
    });
    let found = shared.control.referrers_of_script(&key).await?;
    let shown = |list: &[Referrer]| list.iter().map(|one| reference(&one.name, &one.owner)).collect();
    let services = ServiceReferences { incoming: shown(&found.bindings), outgoing: outgoing.collect() };
    Ok(Reply::ok(References {
        services,
        durable_objects: [],
        dispatch_outbounds: shown(&found.outbounds),
        routes: found.routes,
        visited_as: found.visited_as,
        dispatch_namespaces,
        kv_namespaces,
        queues: QueueReferences { sends, consumes },
        d1_databases,
        r2_buckets,
    }))
}

fn reference(name: &impl ToString, service: &impl ToString) -> Referring {
    Referring { name: name.to_string(), service: service.to_string(), environment: ENVIRONMENT }
}
