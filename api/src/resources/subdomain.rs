//! Owns what clients ask about workers.dev, the name under which the product serves every script that is not routed.
//! There is no such name here: scripts are reached by routes. Clients ask all the same, after each upload.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::state::SharedState;
use crate::target::Target;

/// Whether a script is served under workers.dev: never.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Subdomain {
    enabled: bool,
    previews_enabled: bool,
}

/// What a client wants of it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Serve the script.
    enabled: bool,
    /// Serve each version of it.
    previews_enabled: bool,
}

/// The account's name under workers.dev.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AccountSubdomain {
    subdomain: &'static str,
}

/// A script, as the newest clients ask for it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Worker {
    id: String,
    name: String,
    created_on: String,
    updated_on: String,
    tags: Vec<String>,
    logpush: bool,
    subdomain: Subdomain,
    references: References,
}

#[derive(Default, Serialize, JsonSchema)]
#[schemars(rename = "WorkerReferences")]
struct References {
    dispatch_namespace_outbounds: [(); 0],
    domains: [(); 0],
    durable_objects: [(); 0],
    queues: Vec<QueueReference>,
    workers: [(); 0],
}

/// A queue that the script consumes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkerQueueReference")]
struct QueueReference {
    queue_consumer_id: String,
    queue_id: String,
    queue_name: String,
}

/// Clients want one before they go on, and put it into what they print.
pub(crate) async fn of_account() -> Answer<AccountSubdomain> {
    Ok(Reply::ok(AccountSubdomain { subdomain: "local" }))
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target) -> Answer<Subdomain> {
    shared.control.existing(&key).await?;
    Ok(Reply::ok(Subdomain::default()))
}

pub(crate) async fn set(
    State(shared): SharedState,
    Target(key): Target,
    Json(wanted, mut notes): Json<Wanted>,
) -> Answer<Subdomain> {
    shared.control.existing(&key).await?;
    if wanted.enabled || wanted.previews_enabled {
        notes.push(format!(
            "This server has no workers.dev: \"{}\" is reached by a route. Add one, or set workers_dev to false.",
            key.script()
        ));
    }
    Ok(Reply::ok(Subdomain::default()).with_notes(notes))
}

pub(crate) async fn worker(State(shared): SharedState, Target(key): Target) -> Answer<Worker> {
    let script = shared.control.existing(&key).await?;
    let consumed = shared.control.consumed_by(&key).await?;
    let queues = consumed.into_iter().filter_map(|queue| {
        let queue_consumer_id = queue.consumer?.id.to_string();
        Some(QueueReference {
            queue_consumer_id,
            queue_id: queue.id.to_string(),
            queue_name: queue.name.to_string(),
        })
    });
    Ok(Reply::ok(Worker {
        id: script.id.clone(),
        name: script.key.script().to_string(),
        created_on: script.created_on.to_string(),
        updated_on: script.modified_on.to_string(),
        tags: crate::views::tags(&script.tags),
        logpush: false,
        subdomain: Subdomain::default(),
        references: References { queues: queues.collect(), ..References::default() },
    }))
}
